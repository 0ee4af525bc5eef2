"""Docker Engine of one host: the SDK's `APIClient` on top of the host's SSH link.

`Engine.api` has every call of the SDK; whatever goes wrong is raised as `objects.errors`: EngineError with the HTTP
status, DiskFull, EngineUnavailable, DeadlineExceeded, HostUnreachable and the link's own. No call is repeated here.

The SDK's `ssh://` is not used: it runs a command per connection, never reconnects and knows no deadlines.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import docker.auth
import docker.constants
import docker.errors
import docker.utils.proxy
import requests
import urllib3.exceptions
from docker.transport.basehttpadapter import BaseHTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from hosts.docker.channel_socket import EngineSocket
from hosts.docker.dial import EngineDialer, StreamPool
from hosts.ssh.link import SshLink
from objects.errors import DeadlineExceeded, DiskFull, EngineError, EngineUnavailable, HostError

CALL_SECONDS = 60.0
"""For one answer. Most take milliseconds; `create` on a slow disk or `stop` with its grace period take longest."""

DIAL_SECONDS = 15.0
"""For a stream to the engine when the call itself may take for ever (events, followed logs)."""

SDK_API_VERSION = docker.constants.DEFAULT_DOCKER_API_VERSION


class _Connection(HTTPConnection):
    """One request. Its stream comes from the pool of streams and goes back there."""

    sock: EngineSocket | None

    def __init__(self, streams: StreamPool) -> None:
        super().__init__("docker")
        self._streams = streams

    def connect(self) -> None:
        seconds = self.timeout if isinstance(self.timeout, (int, float)) else DIAL_SECONDS
        self.sock = self._streams.take(seconds)
        self.sock.settimeout(seconds)

    @property
    def is_connected(self) -> bool:
        return self.sock is not None and self.sock.is_open

    def retire(self) -> None:
        """The answer was read to its end: keep the stream, drop the rest."""
        stream, self.sock = self.sock, None
        if stream is not None:
            self._streams.give_back(stream)


class _Requests(HTTPConnectionPool):
    """urllib3's request machinery without its pool: streams are pooled, connections are not."""

    def __init__(self, streams: StreamPool) -> None:
        super().__init__("docker")
        self._streams = streams

    def _get_conn(self, *_: Any, **__: Any) -> _Connection:
        return _Connection(self._streams)

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.retire()


class _Adapter(BaseHTTPAdapter):
    """What `requests` sends by."""

    def __init__(self, streams: StreamPool) -> None:
        super().__init__()
        self._requests = _Requests(streams)

    def get_connection(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._requests

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._requests

    def request_url(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> str:
        return request.path_url


class EngineClient(docker.APIClient):
    """The SDK's client with our transport, our errors and nothing of this machine's own Docker configuration."""

    def __init__(self, engine: Engine, streams: StreamPool) -> None:
        # A version is given, else the constructor would call the API; the real one is asked for later.
        super().__init__(base_url="http://docker:80", version=SDK_API_VERSION, timeout=int(engine.call_seconds))
        self._engine = engine
        self._host = engine.host
        self.trust_env = False  # no proxies, no netrc
        self.adapters.clear()
        self.mount("http+docker://", _Adapter(streams))
        self.base_url = "http+docker://ssh"  # the SDK takes over streams by this name
        self._general_configs: dict[str, Any] = {}
        self._proxy_configs = docker.utils.proxy.ProxyConfig()
        self._auth_configs = docker.auth.AuthConfig({})

    def negotiate(self) -> None:
        """Use the newest API version that both sides know."""
        answer = self.version(api_version=False)
        newest, oldest = answer.get("ApiVersion", ""), answer.get("MinAPIVersion", "")
        if not newest:
            raise EngineUnavailable("the engine names no API version", host=self._host)
        self._version = choose_api_version(newest, oldest)

    def versioned(self, path: str) -> str:
        """The URL of an API path, for calls that the SDK has no method for."""
        return f"{self.base_url}{self.versioned_path(path)}"

    def versioned_path(self, path: str) -> str:
        """The same without what names the transport: for requests that are written by hand."""
        return f"/v{self._version}{path}"

    def check(self, response: requests.Response) -> None:
        """Raise the error that the engine answered with, if it did."""
        self._raise_for_status(response)

    def _set_request_timeout(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        if kwargs.get("timeout") is None:  # the SDK would wait for a pull for ever
            kwargs["timeout"] = self._engine.call_seconds
        return kwargs

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        with translated(self._host):
            return super().send(request, **kwargs)

    def _raise_for_status(self, response: requests.Response) -> None:
        if response.status_code >= 400:
            with translated(self._host):
                body = response.content
            raise self._engine.refusal(response.status_code, body)


def choose_api_version(newest: str, oldest: str) -> str:
    """The newest version that engine and SDK both speak; the engine's oldest where all of its are newer. Pure.

    newest, oldest: of the engine, as "1.51" and "1.24"; an oldest of "" is none.
    """
    if _version_key(oldest) > _version_key(SDK_API_VERSION):
        return oldest
    return min(newest, SDK_API_VERSION, key=_version_key)


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


class Engine:
    """Thread-safe; connects and asks for the API version when first used."""

    def __init__(
        self, link: SshLink, *, socket_path: str = "/var/run/docker.sock", call_seconds: float = CALL_SECONDS
    ) -> None:
        self.link = link
        self.socket_path = socket_path
        self.streams = StreamPool(EngineDialer(link, socket_path))
        self._default_seconds = call_seconds
        self._of_thread = threading.local()
        self._lock = threading.Lock()
        self._client: EngineClient | None = None

    @property
    def host(self) -> str:
        return self.link.host

    @property
    def open_streams(self) -> int:
        """Streams to the engine that are open now, idle ones included."""
        return self.streams.open_count

    @property
    def forwards_sockets(self) -> bool | None:
        """Whether the host's sshd forwards Unix sockets; None before anything was asked of the engine."""
        return self.streams.forwards_sockets

    @property
    def is_forwarded(self) -> bool:
        """Whether streams to the engine are channels of this connection, and the API version is agreed: then requests
        by hand need not wait for anything first."""
        return self.agreed is not None and self.streams.is_forwarded

    @property
    def agreed(self) -> EngineClient | None:
        """The SDK's client if an API version is agreed on, without waiting for it."""
        with self._lock:
            return self._client

    @property
    def api(self) -> EngineClient:
        """The SDK's client, API version agreed. Raises what a call raises."""
        with self._lock:
            client = self._client
        if client is None:
            client = EngineClient(self, self.streams)
            client.negotiate()  # not under the lock: a slow host would queue up everybody
            with self._lock:
                client = self._client = self._client or client
        return client

    @property
    def call_seconds(self) -> float:
        """How long a call of this thread waits for an answer."""
        seconds: float | None = getattr(self._of_thread, "seconds", None)
        return self._default_seconds if seconds is None else seconds

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Give this thread's calls inside the block another time to wait for an answer."""
        before: float | None = getattr(self._of_thread, "seconds", None)
        self._of_thread.seconds = seconds
        try:
            yield
        finally:
            self._of_thread.seconds = before

    def ping(self, *, timeout_seconds: float) -> None:
        """Raise the reason if the engine does not answer: EngineUnavailable when SSH works and it hangs."""
        with self.deadline(timeout_seconds):
            try:
                self.api.ping()
            except DeadlineExceeded as error:
                raise EngineUnavailable("Docker Engine hangs", host=self.host, hint="see its log") from error

    def refusal(self, status: int, body: bytes) -> HostError:
        """The error for an HTTP status of 400 or more. body: JSON with a `message`, or text."""
        message = _message_of(body) or f"status {status}"
        if status == 400 and "API version" in message:
            with self._lock:
                self._client = None  # the engine was exchanged under us: agree on a version again
        if "no space left on device" in message:
            return DiskFull(message, host=self.host, hint="free space in Docker's root directory")
        return EngineError(message, status=status, host=self.host)

    def close(self) -> None:
        """Close idle streams; the link stays."""
        self.streams.close()


def _message_of(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        return body.decode(errors="replace").strip()[:500]
    return str(answer.get("message", "")) if isinstance(answer, dict) else ""


@contextmanager
def translated(host: str) -> Iterator[None]:
    """Turn what requests, urllib3 and the SDK still raise by themselves into our errors.

    Needed around reading a streamed answer; calls of `Engine.api` do it themselves.
    """
    try:
        yield
    except docker.errors.APIError as error:
        raise EngineError(str(error.explanation), status=error.status_code or 0, host=host) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        raise EngineUnavailable(f"Docker Engine broke off its answer: {error}", host=host) from error
