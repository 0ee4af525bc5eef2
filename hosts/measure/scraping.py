"""Reads metrics endpoints of pods over the host's SSH link: one GET each, several side by side, none for long.

What a pod answers is only handed on; what it means is in `policies.autoscaling`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from hosts.probes.http_check import parse_status
from hosts.ssh.link import SshLink
from hosts.streams.coroutines import Stream, run_waiting
from hosts.streams.pods import NoAnswer, open_stream, over_tls
from objects.observation.metrics import Scrape, Scraped

ANSWER_SECONDS = 3.0
"""A pod that is slower than this is not measured this time: the next look is 10 s away."""
AT_ONCE = 8
MAX_BODY_BYTES = 4 * 1024 * 1024
"""Large servers tell a few hundred kilobytes; one that never ends must not fill our memory."""


def scrape_pods(link: SshLink, scrapes: Sequence[Scrape]) -> tuple[Scraped, ...]:
    """The answers, in the order given. Raises HostError when the host cannot be reached."""
    if not scrapes:
        return ()
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(scrapes)), thread_name_prefix=f"scrape {link.host}") as pool:
        return tuple(pool.map(lambda one: _scrape(link, one), scrapes))


def _scrape(link: SshLink, scrape: Scrape) -> Scraped:
    endpoint = scrape.endpoint
    try:
        plain = open_stream(link, scrape.address, endpoint.port, timeout_seconds=ANSWER_SECONDS)
        try:
            return Scraped(scrape=scrape, text=run_waiting(_ask(plain, scrape), link.clock))
        finally:
            plain.close()
    except NoAnswer as failure:
        return Scraped(scrape=scrape, problem=f"port {endpoint.port}{endpoint.path}: {failure}")


async def _ask(plain: Stream, scrape: Scrape) -> str:
    stream = await over_tls(plain, scrape.address) if scrape.endpoint.is_tls else plain
    await stream.send(compose_get(scrape))
    return await read_answer(stream)


def compose_get(scrape: Scrape) -> bytes:
    """The request, in HTTP/1.0: its answer comes in one piece and ends with the connection. Pure."""
    address = f"[{scrape.address}]" if ":" in scrape.address else scrape.address
    lines = (
        f"GET {scrape.endpoint.path} HTTP/1.0",
        f"Host: {address}:{scrape.endpoint.port}",
        "User-Agent: berth-metrics/1",
        "Accept: text/plain;version=0.0.4;q=1,*/*;q=0.1",
    )
    return "\r\n".join((*lines, "", "")).encode("utf-8", errors="replace")


async def read_answer(stream: Stream) -> str:
    """The body of an answer with status 200. Raises NoAnswer, HostError."""
    answer = bytearray()
    while block := await stream.receive():
        answer += block
        if len(answer) > MAX_BODY_BYTES:
            raise NoAnswer(f"the answer is longer than {MAX_BODY_BYTES} bytes")
    return parse_answer(bytes(answer))


def parse_answer(answer: bytes) -> str:
    """Raises NoAnswer. Pure."""
    head, found, body = answer.partition(b"\r\n\r\n")
    status = parse_status(head.partition(b"\r\n")[0])
    if status != 200:
        raise NoAnswer(f"status {status}")
    if not found:
        raise NoAnswer("the answer breaks off")
    return body.decode("utf-8", errors="replace")
