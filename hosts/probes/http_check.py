"""An HTTP probe: one GET, its status code, and redirects as the kubelet follows them. Not a general HTTP client."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from msgspec import structs

from differ.kubelet.probes.checks import HttpCheck
from differ.kubelet.probes.probing import Answer
from hosts.streams.coroutines import Stream
from hosts.streams.pods import NoAnswer, over_tls
from hosts.streams.routes import Route

USER_AGENT = "berth-probe/1"
MAX_REDIRECTS = 10
MAX_HEAD_BYTES = 64 * 1024


class HttpHead(NamedTuple):
    """The beginning of an answer. location: where a redirect leads, as written."""

    status: int
    location: str = ""


async def check_http(route: Route, check: HttpCheck) -> Answer:
    """Passes with 200 to 399. A redirect on the same host is followed; one to elsewhere is taken as an answer.

    Raises NoAnswer, HostError.
    """
    for _ in range(MAX_REDIRECTS):
        head = await fetch_head(route, check)
        target = redirect_target(check, head)
        if target is None:
            break
        check = target
    else:
        return Answer(False, f"stopped after {MAX_REDIRECTS} redirects")
    if 200 <= head.status < 400:
        return Answer(True)
    return Answer(False, f"HTTP probe failed with statuscode: {head.status}")


async def fetch_head(route: Route, check: HttpCheck) -> HttpHead:
    """Ask once and read the head of the answer. Raises NoAnswer, HostError."""
    plain = await route.to_pod(check.address, check.port)
    try:
        stream = await over_tls(plain, check.address) if check.is_tls else plain
        await stream.send(compose_request(check))
        return await read_head(stream)
    finally:
        plain.close()


def compose_request(check: HttpCheck) -> bytes:
    """The request; headers of the manifest replace ours. Pure."""
    names = {name.lower() for name, _ in check.headers}
    default_port = 443 if check.is_tls else 80
    address = f"[{check.address}]" if ":" in check.address else check.address
    host = address if check.port == default_port else f"{address}:{check.port}"
    ours = (("Host", host), ("User-Agent", USER_AGENT), ("Accept", "*/*"))
    headers = [*((name, value) for name, value in ours if name.lower() not in names), *check.headers]
    lines = [
        f"GET {check.path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers if value or name != "Accept"),
    ]
    return "\r\n".join((*lines, "Connection: close", "", "")).encode("utf-8", errors="replace")


async def read_head(stream: Stream) -> HttpHead:
    """Read up to what matters: the status line, and of a redirect all headers. Raises NoAnswer, HostError."""
    head = bytearray()
    while True:
        block = await stream.receive()
        head += block
        line, found, rest = bytes(head).partition(b"\r\n")
        if found:
            status = parse_status(line)
            if status // 100 != 3 or b"\r\n\r\n" in head or not block:
                return HttpHead(status, parse_location(rest))
        if not block:
            raise NoAnswer("the connection was closed before an answer came")
        if len(head) > MAX_HEAD_BYTES:
            raise NoAnswer("the answer is no HTTP")


def parse_status(line: bytes) -> int:
    """The code of a status line. Raises NoAnswer. Pure."""
    parts = line.split(b" ", 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not (parts[1].isdigit() and len(parts[1]) == 3):
        raise NoAnswer(f"the answer is no HTTP: {line[:60].decode(errors='replace')}")
    return int(parts[1])


def parse_location(headers: bytes) -> str:
    """The `Location` among header lines, '' without one. Pure."""
    for line in headers.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"location":
            return value.strip().decode(errors="replace")
    return ""


def redirect_target(check: HttpCheck, head: HttpHead) -> HttpCheck | None:
    """Where to ask next; None when the answer stands: no redirect, or one that leads to another host. Pure."""
    if head.status not in (301, 302, 303, 307, 308) or not head.location:
        return None
    address = f"[{check.address}]" if ":" in check.address else check.address
    base = f"{'https' if check.is_tls else 'http'}://{address}:{check.port}{check.path}"
    try:
        url = urlsplit(urljoin(base, head.location))
        port = url.port
    except ValueError:
        return None
    if url.hostname != check.address or url.scheme not in ("http", "https"):
        return None
    is_tls = url.scheme == "https"
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return structs.replace(check, port=port or (443 if is_tls else 80), is_tls=is_tls, path=path)
