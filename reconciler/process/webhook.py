"""HTTP in: a signed webhook that wakes the poll at once, and a health endpoint. Carries no payload further.

GitHub, Gitea, Forgejo, Bitbucket and generic senders sign the body with HMAC-SHA-256 (`X-Hub-Signature-256: sha256=…`,
`X-Gitea-Signature`, `X-Hub-Signature: sha256=…`); GitLab sends the secret itself (`X-Gitlab-Token`). What a push says
is not believed: the repository is asked. Who has not shown a signature yet holds a connection for seconds only.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from objects.errors import InvalidInput

MAX_BODY_BYTES = 5 * 2**20
"""Larger than any forge's push event (GitHub cuts at 25 MB, typical ones have 10 KB)."""
REQUEST_SECONDS = 10.0
"""For the head of a request, and again for its body: a forge sends both at once."""
MAX_CONNECTIONS = 64
"""Open at a time, all of them: one more is told 503."""


def is_signed(headers: Mapping[str, str], body: bytes, secret: bytes) -> bool:
    """Whether the request comes from somebody who knows `secret`. Compares in constant time. Pure.

    headers: lower-case names. An empty secret signs nothing.
    """
    if not secret:
        return False
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    signature = _signature(headers)
    # As bytes: of two texts, one that is not ASCII is no wrong signature but an error.
    if signature:
        return hmac.compare_digest(signature.encode(), digest.encode())
    return hmac.compare_digest(headers.get("x-gitlab-token", "").encode(), secret)


def _signature(headers: Mapping[str, str]) -> str:
    """The HMAC-SHA-256 that a sender gives, hexadecimal; '' for none. GitHub's `X-Hub-Signature: sha1=…` is none."""
    hub = headers.get("x-hub-signature-256", "") or headers.get("x-hub-signature", "")
    if hub.startswith("sha256="):
        return hub.removeprefix("sha256=")
    return headers.get("x-gitea-signature", "")


_THE_END = {"connection": "close"}


async def _body_of(request: Request) -> bytes:
    """The body of a request; of one that is too large no more than shows it."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            break
    return body


def build_app(
    *,
    secret: bytes,
    wake: Callable[[], None],
    is_ready: Callable[[], bool],
    request_seconds: float = REQUEST_SECONDS,
) -> Starlette:
    """`POST /webhook` (signed), `GET /healthz` (the process runs), `GET /readyz` (a commit is in force)."""

    async def webhook(request: Request) -> Response:
        if int(request.headers.get("content-length") or 0) > MAX_BODY_BYTES:
            return JSONResponse({"error": "body is too large"}, status_code=413, headers=_THE_END)
        try:
            async with asyncio.timeout(request_seconds):
                body = await _body_of(request)
        except TimeoutError:
            return JSONResponse({"error": "the body did not come in time"}, status_code=408, headers=_THE_END)
        if len(body) > MAX_BODY_BYTES:
            return JSONResponse({"error": "body is too large"}, status_code=413, headers=_THE_END)
        if not is_signed(request.headers, body, secret):
            return JSONResponse({"error": "signature is missing or wrong"}, status_code=401)
        wake()
        return JSONResponse({"status": "accepted"}, status_code=202)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        ready = is_ready()
        return JSONResponse({"status": "ready" if ready else "starting"}, status_code=200 if ready else 503)

    return Starlette(
        routes=[
            Route("/webhook", webhook, methods=["POST"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
        ]
    )


class WebhookServer:
    """Serves an app in a thread until `stop`. port 0 takes a free one; `port` then tells which.

    request_seconds: how long a connection may be open before the head of its first request is there.
    """

    def __init__(self, app: Starlette, *, address: str, port: int, request_seconds: float = REQUEST_SECONDS) -> None:
        self._address = (address, port)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=_protocol_with(request_seconds),
                log_level="warning",
                access_log=False,
                lifespan="off",
                limit_concurrency=MAX_CONNECTIONS,
            )
        )
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)

    def start(self) -> None:
        """Listen, then serve. Raises InvalidInput when the address cannot be listened on."""
        address, port = self._address
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            self._socket = socket.create_server((address.strip("[]"), port), family=family)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            raise InvalidInput(
                f"cannot listen for webhooks on {address}:{port}: {why}",
                hint="name another address with --webhook, or end what uses it",
            ) from error
        self._thread.start()

    def _run(self) -> None:
        assert self._socket is not None
        self._server.run(sockets=[self._socket])

    @property
    def is_serving(self) -> bool:
        return self._server.started

    @property
    def port(self) -> int:
        """The port it listens on; only after `start`."""
        assert self._socket is not None
        return int(self._socket.getsockname()[1])

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=5)
        if self._socket is not None:
            self._socket.close()


def _protocol_with(request_seconds: float) -> type[H11Protocol]:
    """HTTP that ends a connection on which no request has begun in time; uvicorn itself waits for ever."""

    class Impatient(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.loop.call_later(request_seconds, self._end_if_silent)

        def _end_if_silent(self) -> None:
            if cast(object, self.cycle) is None and not self.transport.is_closing():
                self.transport.close()

    return Impatient
