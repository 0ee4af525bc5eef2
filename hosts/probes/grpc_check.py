"""A gRPC health probe (`grpc.health.v1.Health/Check`): one call of HTTP/2 by hand, without TLS, as the kubelet does.

What is needed of HTTP/2 for one request with a known answer is a few frames; a client library would be the larger risk.
Header blocks of the answer are not decoded: an answer that passes has a message, and any other fails. RFC 9113, 7541.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator

from differ.kubelet.probes.checks import GrpcCheck
from differ.kubelet.probes.probing import Answer
from hosts.streams.coroutines import Stream
from hosts.streams.pods import NoAnswer
from hosts.streams.routes import Route

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PATH = "/grpc.health.v1.Health/Check"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
STREAM = 1
MAX_FRAME_BYTES = 16 * 1024
SERVING = 1
STATUS_NAMES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


async def check_grpc(route: Route, check: GrpcCheck) -> Answer:
    """Passes when the service says SERVING. Raises NoAnswer, HostError."""
    stream = await route.to_pod(check.address, check.port)
    try:
        await stream.send(compose_call(check))
        status = read_status(await read_message(stream))
    finally:
        stream.close()
    if status == SERVING:
        return Answer(True)
    return Answer(False, f"service unhealthy (responded with {STATUS_NAMES.get(status, str(status))!r})")


def compose_call(check: GrpcCheck) -> bytes:
    """All that is sent: preface, settings, headers, the message. Pure."""
    service = check.service.encode()
    message = b"\x0a" + _varint(len(service)) + service if service else b""
    headers = b"".join(
        (
            b"\x83\x86",  # :method POST, :scheme http
            b"\x04" + _string(PATH),
            b"\x01" + _string(f"{check.address}:{check.port}"),
            *(b"\x00" + _string(name) + _string(value) for name, value in _HEADERS),
        )
    )
    body = b"\x00" + struct.pack(">I", len(message)) + message
    return b"".join(
        (
            PREFACE,
            frame(SETTINGS, 0, 0, b""),
            frame(HEADERS, END_HEADERS, STREAM, headers),
            frame(DATA, END_STREAM, STREAM, body),
        )
    )


_HEADERS = (("content-type", "application/grpc"), ("te", "trailers"), ("user-agent", "berth-probe/1"))


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """An HTTP/2 frame. Pure."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _string(text: str) -> bytes:
    """HPACK's string without Huffman coding: its length has a prefix of 7 bits."""
    raw = text.encode()
    size = bytes((len(raw),)) if len(raw) < 0x7F else b"\x7f" + _varint(len(raw) - 0x7F)
    return size + raw


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first: protobuf's integers, and what follows the prefix of HPACK's."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


async def read_message(stream: Stream) -> bytes:
    """The first message of the answer. Raises NoAnswer, HostError."""
    body = bytearray()
    async for kind, flags, number, payload in _frames(stream):
        if kind == SETTINGS and not flags & ACK:
            await stream.send(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            await stream.send(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY or (kind == RST_STREAM and number == STREAM):
            raise NoAnswer("the server ended the call")
        elif kind == DATA and number == STREAM:
            body += _without_padding(flags, payload)
            if len(body) >= 5 and len(body) >= 5 + struct.unpack(">I", body[1:5])[0]:
                return bytes(body[5 : 5 + struct.unpack(">I", body[1:5])[0]])
        if kind in (DATA, HEADERS) and number == STREAM and flags & END_STREAM:
            raise NoAnswer("the server has no health service, or does not know this one")
    raise NoAnswer("the connection was closed before an answer came")


def _without_padding(flags: int, payload: bytes) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & PADDED and payload else payload


async def _frames(stream: Stream) -> AsyncIterator[tuple[int, int, int, bytes]]:
    """(kind, flags, stream number, payload) until the connection ends. Raises NoAnswer, HostError."""
    pending = bytearray()
    while True:
        while len(pending) >= 9:
            size = int.from_bytes(pending[:3], "big")
            if size > MAX_FRAME_BYTES:
                raise NoAnswer("the answer is no HTTP/2")
            if len(pending) < 9 + size:
                break
            kind, flags, number = struct.unpack(">BBI", pending[3:9])
            yield kind, flags, number & 0x7F_FF_FF_FF, bytes(pending[9 : 9 + size])
            del pending[: 9 + size]
        block = await stream.receive()
        if not block:
            return
        pending += block


def read_status(message: bytes) -> int:
    """`status` of a HealthCheckResponse, 0 when it is not set. Raises NoAnswer. Pure."""
    if not message:
        return 0
    if message[0] != 0x08 or len(message) < 2:
        raise NoAnswer("the answer is no health status")
    return message[1] & 0x7F
