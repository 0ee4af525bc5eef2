"""Puts one question to a container: probes and lifecycle hooks, over the host's SSH link. One deadline each.

Commands run by the Docker API; HTTP, TCP and gRPC go through a `direct-tcpip` channel to the pod's address: nothing has
to be installed on the host or in the image. Nothing is repeated here, and nothing decided: `differ.probing` counts.
"""

from __future__ import annotations

from differ.checks import Check, ExecCheck, GrpcCheck, HttpCheck, TcpCheck
from differ.probing import Answer
from hosts.engine import Engine
from hosts.exec_check import check_exec
from hosts.grpc_check import check_grpc
from hosts.http_check import check_http, fetch_head
from hosts.pod_stream import NoAnswer, open_stream


def ask_probe(engine: Engine, container_id: str, check: Check, *, timeout_seconds: float) -> Answer:
    """The answer, with why it does not pass. Raises HostError when the question could not be put."""
    try:
        match check:
            case ExecCheck():
                return check_exec(engine, container_id, check.command, timeout_seconds=timeout_seconds)
            case HttpCheck():
                return check_http(engine.link, check, timeout_seconds=timeout_seconds)
            case GrpcCheck():
                return check_grpc(engine.link, check, timeout_seconds=timeout_seconds)
            case TcpCheck():
                with open_stream(engine.link, check.address, check.port, timeout_seconds=timeout_seconds):
                    return Answer(True)
        return Answer(True)
    except NoAnswer as failure:
        return Answer(False, str(failure))


def run_hook(engine: Engine, container_id: str, check: Check, *, timeout_seconds: float) -> str:
    """Run a hook to its end; returns why it failed, '' when it did not. An HTTP hook needs an answer, of any status.

    Raises HostError when it could not be run.
    """
    if not isinstance(check, HttpCheck):
        return ask_probe(engine, container_id, check, timeout_seconds=timeout_seconds).message
    try:
        fetch_head(engine.link, check, timeout_seconds=timeout_seconds)
    except NoAnswer as failure:
        return str(failure)
    return ""
