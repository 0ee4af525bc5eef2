"""Asks a Prometheus server: one GET a query, a few side by side, none for long. Only looks.

In this room because it measures what runs, as probes and the scraping of pods do, and because HTTP libraries live here;
`sources` is about what is desired. The server is no host of the cluster: it is reached from where Berth runs. What an
answer means is in `policies.autoscaling.promql`. Everything that goes wrong comes back as the problem of a query, in
words that stay the same as long as it does: they end up in statuses.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import requests
from requests.auth import HTTPBasicAuth

from objects.errors import InvalidInput
from objects.observation.metrics import QueryResult
from objects.own.config import PrometheusSettings
from policies.autoscaling.promql import parse_answer

AT_ONCE = 4
"""A round of queries must not look like an attack to the server."""
MAX_BODY_BYTES = 4 * 1024 * 1024
"""One number was asked for; thousands of series are a mistake in the query."""
_BLOCK_BYTES = 64 * 1024


class _NoAnswer(Exception):
    """The server does not do as asked; the message is for people."""


def ask_prometheus(settings: PrometheusSettings, queries: Sequence[str]) -> tuple[QueryResult, ...]:
    """The answers, in the order given. Takes no longer than two deadlines of a query, whatever the server does."""
    if not queries:
        return ()
    try:
        session = _open_session(settings)
    except _NoAnswer as failure:
        return tuple(QueryResult(query=query, problem=str(failure)) for query in queries)
    pool = ThreadPoolExecutor(max_workers=min(AT_ONCE, len(queries)), thread_name_prefix="prometheus")
    try:
        asked = {query: pool.submit(_ask, session, settings, query) for query in queries}
        wait(asked.values(), timeout=2 * settings.timeout_seconds)
        return tuple(_result(query, asked[query], settings) for query in queries)
    finally:
        # What still hangs ends by its own timeouts: nobody waits for it.
        pool.shutdown(wait=False, cancel_futures=True)


def _result(query: str, asked: Future[float], settings: PrometheusSettings) -> QueryResult:
    if not asked.done():
        return QueryResult(query=query, problem=_too_late(settings))
    try:
        return QueryResult(query=query, value=asked.result())
    except InvalidInput as error:
        return QueryResult(query=query, problem=error.message)
    except _NoAnswer as failure:
        return QueryResult(query=query, problem=str(failure))


def _open_session(settings: PrometheusSettings) -> requests.Session:
    """Nothing of the environment counts: neither proxies nor a netrc may learn or change what is asked."""
    session = requests.Session()
    session.trust_env = False
    session.headers.update({"User-Agent": "berth-metrics/1", "Accept": "application/json"})
    session.headers["Accept-Encoding"] = "identity"
    if settings.ca_file:
        if not Path(settings.ca_file).is_file():
            raise _NoAnswer(f"caFile {settings.ca_file} does not exist on the machine where Berth runs")
        session.verify = settings.ca_file
    if settings.token_file:
        session.headers["Authorization"] = f"Bearer {_secret('tokenFile', settings.token_file)}"
    elif settings.user:
        password = _secret("passwordFile", settings.password_file)
        session.auth = HTTPBasicAuth(settings.user.encode(), password.encode())
    return session


def _secret(field: str, path: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is no text"
        raise _NoAnswer(f"{field} {path} cannot be read: {why}") from None
    if not text or not text.isprintable():
        # A line break inside would become a header of its own.
        raise _NoAnswer(f"{field} {path} must hold one line")
    return text


def _ask(session: requests.Session, settings: PrometheusSettings, query: str) -> float:
    """Raises _NoAnswer, InvalidInput."""
    deadline = time.monotonic() + settings.timeout_seconds
    address = f"{settings.url.rstrip('/')}/api/v1/query"
    asked = {"query": query, "timeout": f"{settings.timeout_seconds:g}s"}
    try:
        # Redirects are not followed: the credentials are for this server.
        with session.get(
            address, params=asked, timeout=settings.timeout_seconds, allow_redirects=False, stream=True
        ) as answer:
            body = b"".join(_blocks(answer, deadline, settings))
            # The API answers a query that it refuses with 400, 422 or 503, and says why.
            if answer.status_code == 200 or body.lstrip().startswith(b"{"):
                return parse_answer(body)
            raise _NoAnswer(f"the metrics server answers with status {answer.status_code}")
    except (requests.RequestException, OSError) as error:
        if any(isinstance(one, TimeoutError | requests.Timeout) for one in _chain(error)):
            raise _NoAnswer(_too_late(settings)) from error
        raise _NoAnswer(f"the metrics server cannot be reached: {_cause(error)}") from error


def _blocks(answer: requests.Response, deadline: float, settings: PrometheusSettings) -> Iterator[bytes]:
    size = 0
    for block in answer.iter_content(_BLOCK_BYTES):
        size += len(block)
        if size > MAX_BODY_BYTES:
            raise _NoAnswer(f"the answer is longer than {MAX_BODY_BYTES} bytes")
        if time.monotonic() > deadline:
            raise _NoAnswer(_too_late(settings))
        yield block


def _too_late(settings: PrometheusSettings) -> str:
    return f"the metrics server does not answer within {settings.timeout_seconds:g} s"


def _cause(error: BaseException) -> str:
    """What was wrong at the bottom, in the system's words: those of the libraries name addresses in memory."""
    told = "the connection breaks off"
    for one in _chain(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {one.verify_message}"
        if isinstance(one, ssl.SSLError):
            return f"TLS fails: {one.reason or 'it speaks none'}"
        if isinstance(one, OSError) and one.strerror:
            told = one.strerror
    return told


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
