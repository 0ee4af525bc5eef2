"""What really runs on the hosts, seen past ssh and past Berth: the same eyes for every contender.

Each engine's events are followed on its own socket, so watching costs next to nothing and every moment is known to the
millisecond; what a wait came to is confirmed by the engines' lists, as `docker ps` shows them.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.lab.errors import LabError
from tests.lab.host import LabHost

CHANGES = ("start", "die", "destroy")
CONFIRM_SECONDS = 5.0


class UnixConnection(http.client.HTTPConnection):
    """HTTP on a Unix socket, with nothing between."""

    def __init__(self, path: Path, *, timeout: float | None) -> None:
        super().__init__("engine", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(frozen=True)
class Seen:
    """A running container. since: our monotonic clock when its start was seen; started_at: the engine's, seconds."""

    host: str
    id: str
    image: str
    labels: dict[str, str] = field(hash=False)
    since: float
    started_at: float


@dataclass(frozen=True)
class Event:
    """at: the engine's clock, seconds since 1970."""

    host: str
    action: str
    id: str
    labels: dict[str, str] = field(hash=False)
    at: float


class Eyes:
    """Follows the engines of some hosts while it is open. Thread-safe."""

    def __init__(self, hosts: Iterable[LabHost]) -> None:
        self._hosts = list(hosts)
        self._changed = threading.Condition()
        self._running: dict[str, Seen] = {}
        self._events: list[Event] = []
        self._problem = ""
        self._is_closing = False
        self._streams: list[UnixConnection] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        for host in self._hosts:
            stream = UnixConnection(host.docker_socket, timeout=None)
            filters = urllib.parse.quote(json.dumps({"type": ["container"], "event": list(CHANGES)}))
            stream.request("GET", f"/events?filters={filters}")
            answer = stream.getresponse()
            self._streams.append(stream)
            # Listed after the stream began: nothing falls between.
            for item in listed(host):
                if item["State"] == "running":
                    self._note_start(host.name, item["Id"], item["Image"], item["Labels"], 0.0)
            thread = threading.Thread(target=self._follow, args=(host.name, answer), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closing = True
        for stream in self._streams:
            if stream.sock is not None:
                stream.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)
        for stream in self._streams:
            stream.close()

    def running(self, belongs: Callable[[Seen], bool]) -> list[Seen]:
        """Those that run now."""
        with self._changed:
            return [seen for seen in self._running.values() if belongs(seen)]

    def events_since(self, mark: int) -> list[Event]:
        with self._changed:
            return self._events[mark:]

    @property
    def mark(self) -> int:
        """For `events_since`: everything that comes from now on."""
        with self._changed:
            return len(self._events)

    def wait(self, is_so: Callable[[list[Seen]], bool], what: str, *, timeout_seconds: float) -> float:
        """Wait until `is_so` of what runs. Returns our monotonic clock at the event that made it so."""
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            while not is_so(list(self._running.values())):
                remaining = deadline - time.monotonic()
                if self._problem or remaining <= 0:
                    raise LabError(self._problem or f"waited {timeout_seconds:g} s in vain for: {what}")
                self._changed.wait(remaining)
            return time.monotonic()

    def confirm(self, belongs: Callable[[dict[str, Any]], bool], count: int) -> None:
        """Compare with what the engines list: exactly `count` running containers. Raises LabError."""
        deadline = time.monotonic() + CONFIRM_SECONDS
        while True:
            found = [item for host in self._hosts for item in listed(host) if item["State"] == "running"]
            number = sum(map(belongs, found))
            if number == count:
                return
            if time.monotonic() > deadline:
                raise LabError(f"the engines list {number} running containers, not {count}")
            time.sleep(0.1)

    def _follow(self, host: str, answer: http.client.HTTPResponse) -> None:
        try:
            for line in answer:
                self._take(host, json.loads(line))
            problem = f"the events of {host} ended"
        except (OSError, ValueError, http.client.HTTPException) as error:
            problem = f"the events of {host} broke off: {error}"
        with self._changed:
            self._problem = "" if self._is_closing else problem
            self._changed.notify_all()

    def _take(self, host: str, raw: dict[str, Any]) -> None:
        actor = raw["Actor"]
        attributes = actor["Attributes"]
        at = raw["timeNano"] / 1e9
        with self._changed:
            self._events.append(Event(host, raw["Action"], actor["ID"], attributes, at))
            if raw["Action"] == "start":
                self._note_start(host, actor["ID"], attributes.get("image", ""), attributes, at)
            else:
                self._running.pop(actor["ID"], None)
            self._changed.notify_all()

    def _note_start(self, host: str, id_: str, image: str, labels: dict[str, str], at: float) -> None:
        self._running[id_] = Seen(host, id_, image, labels, time.monotonic(), at)


def listed(host: LabHost) -> list[dict[str, Any]]:
    """All containers of an engine, as it lists them."""
    connection = UnixConnection(host.docker_socket, timeout=30)
    try:
        connection.request("GET", "/containers/json?all=true")
        found: list[dict[str, Any]] = json.loads(connection.getresponse().read())
        return found
    finally:
        connection.close()
