"""HTTP in: a signed webhook that wakes the poll at once, and a health endpoint. Carries no payload further.

GitHub, Gitea, Forgejo and generic senders sign the body with HMAC-SHA-256 (`X-Hub-Signature-256: sha256=…`,
`X-Gitea-Signature`); GitLab sends the secret itself (`X-Gitlab-Token`). What a push says is not believed: the
repository is asked.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable, Mapping

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MAX_BODY_BYTES = 5 * 2**20
"""Larger than any forge's push event (GitHub cuts at 25 MB, typical ones have 10 KB)."""


def is_signed(headers: Mapping[str, str], body: bytes, secret: bytes) -> bool:
    """Whether the request comes from somebody who knows `secret`. Compares in constant time. Pure.

    headers: lower-case names. An empty secret signs nothing.
    """
    if not secret:
        return False
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    signature = headers.get("x-hub-signature-256", "").removeprefix("sha256=") or headers.get("x-gitea-signature", "")
    if signature:
        return hmac.compare_digest(signature, digest)
    return hmac.compare_digest(headers.get("x-gitlab-token", "").encode(), secret)


def build_app(*, secret: bytes, wake: Callable[[], None], is_ready: Callable[[], bool]) -> Starlette:
    """`POST /webhook` (signed), `GET /healthz` (the process runs), `GET /readyz` (a commit is in force)."""

    async def webhook(request: Request) -> Response:
        if int(request.headers.get("content-length") or 0) > MAX_BODY_BYTES:
            return JSONResponse({"error": "body is too large"}, status_code=413)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return JSONResponse({"error": "body is too large"}, status_code=413)
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
    """Serves an app in a thread until `stop`. port 0 takes a free one; `port` then tells which."""

    def __init__(self, app: Starlette, *, address: str, port: int) -> None:
        config = uvicorn.Config(app, host=address, port=port, log_level="warning", access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="webhook", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_serving(self) -> bool:
        return self._server.started

    @property
    def port(self) -> int:
        """The port it listens on; only once `is_serving`."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=5)
