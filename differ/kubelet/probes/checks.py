"""What a probe or a lifecycle hook asks of a container: complete, so that whoever asks it has nothing left to resolve.

Four ways to ask (a command, HTTP, a TCP connection, gRPC health) and, for hooks, to sleep.
"""

from __future__ import annotations

from typing import TypeAlias

from differ.kubelet.assignment import DifferStruct


class ExecCheck(DifferStruct):
    """A command inside the container; it passes with exit code 0."""

    command: tuple[str, ...]


class HttpCheck(DifferStruct):
    """A GET; 200 to 399 passes. address: IP or name, as the host sees it. headers: besides `User-Agent`, `Accept`."""

    address: str
    port: int
    path: str = "/"
    is_tls: bool = False
    headers: tuple[tuple[str, str], ...] = ()


class TcpCheck(DifferStruct):
    """A connection that is accepted passes."""

    address: str
    port: int


class GrpcCheck(DifferStruct):
    """`grpc.health.v1.Health/Check` of a service, without TLS; SERVING passes."""

    address: str
    port: int
    service: str = ""


class SleepCheck(DifferStruct):
    """Wait, and pass."""

    seconds: int


Check: TypeAlias = ExecCheck | HttpCheck | TcpCheck | GrpcCheck | SleepCheck
