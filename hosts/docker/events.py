"""Container events of one host, as they happen: a hint to look at once, never the only source of anything.

Docker remembers 256 events and forgets them when it is restarted; so after each (re)connection `on_gap` says that
something may have been missed and everything has to be listed. Reconnecting asks for the events since the last one
seen, too, so that what the list cannot show (a container that came and went) is mostly not lost.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from hosts.docker.engine import Engine
from hosts.docker.streams import LineStream, follow_lines
from objects.errors import EngineUnavailable, HostError
from objects.names import LABEL_MANAGED
from objects.own.charge import is_marker_name

ACTIONS = ("create", "start", "restart", "die", "oom", "stop", "pause", "unpause", "destroy", "rename", "update")
"""Those that change what a list shows. `exec_*` would come with every probe; `kill` adds nothing to `die`."""

DISCONNECT = "disconnect"
"""The one event of networks that counts: a container was taken off one. No event of the container tells that."""

CHARGE = "charge"
"""Not Docker's word: a volume was made that says who is in charge. Other volumes are nobody's news."""

BEGIN_SECONDS = 15.0
"""The engine answers at once, before the first event."""

RECONNECT_FIRST_SECONDS = 0.1
RECONNECT_MOST_SECONDS = 5.0
"""An engine that was restarted is noticed within this time; a dead host costs nothing, its link refuses at once."""


class ContainerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """time_nanos: the host's clock, since 1970. exit_code: of `die`. labels: the container's, our own among them.

    Of a CHARGE, name is the volume's, and there is no container.
    """

    time_nanos: int
    action: str
    container_id: str
    name: str = ""
    image: str = ""
    exit_code: int | None = None
    labels: dict[str, str] = {}

    @property
    def may_be_ours(self) -> bool:
        """Whether the labels that it tells are those of a container that Berth made. A DISCONNECT tells none."""
        return LABEL_MANAGED in self.labels


class EventCursor:
    """Up to where events were followed, over connections. One stream at a time."""

    def __init__(self) -> None:
        self._last_nanos = 0
        self._seen_at_last: set[tuple[str, str]] = set()

    def params(self) -> dict[str, str]:
        """Of `GET /events`: what is news for us, from the last event on."""
        wanted = {"type": ["container", "network", "volume"], "event": [*ACTIONS, DISCONNECT]}
        params = {"filters": json.dumps(wanted)}
        if self._last_nanos:
            seconds, nanos = divmod(self._last_nanos, 10**9)
            params["since"] = f"{seconds}.{nanos:09}"
        return params

    def read(self, line: bytes) -> ContainerEvent | None:
        """The event of a line; None if it is no news."""
        event = parse_event(line)
        return event if event is not None and self._is_new(event) else None

    def _is_new(self, event: ContainerEvent) -> bool:
        """Whether it was not given on before. `since` is inclusive, so the last one comes again."""
        mark = (event.container_id or event.name, event.action)
        if event.time_nanos != self._last_nanos:
            self._last_nanos = event.time_nanos
            self._seen_at_last = {mark}
            return True
        is_new = mark not in self._seen_at_last
        self._seen_at_last.add(mark)
        return is_new


class EventStream:
    """Follows one engine in a thread of its own until `stop`: for hosts that forward no Unix sockets, since what
    `hosts.streams.engine_events` does holds no thread. Callbacks run there: they must be quick and not raise.

    on_event: one container event. on_gap: the stream runs now, events before may be lost: list everything.
    on_lost: the stream broke, with the reason; it is taken up again by itself.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        on_event: Callable[[ContainerEvent], None],
        on_gap: Callable[[], None],
        on_lost: Callable[[HostError], None],
        random: Random,
    ) -> None:
        self._engine = engine
        self._on_event = on_event
        self._on_gap = on_gap
        self._on_lost = on_lost
        self._random = random
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._lines: LineStream | None = None
        self._failures = 0
        self._cursor = EventCursor()
        self._thread = threading.Thread(target=self._run, name=f"events {engine.host}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; returns when it did, or after 2 s when it hangs in a call to a dead host."""
        with self._lock:
            self._stopping.set()
            if self._lines is not None:
                self._lines.close()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
                failure: HostError = EngineUnavailable("Docker Engine ended its events", host=self._engine.host)
            except HostError as error:
                failure = error
            if self._stopping.is_set():
                return
            self._on_lost(failure)
            self._failures += 1
            most = min(RECONNECT_MOST_SECONDS, RECONNECT_FIRST_SECONDS * 2 ** min(self._failures - 1, 10))
            self._stopping.wait(most * self._random.uniform(0.5, 1.0))

    def _follow(self) -> None:
        with self._engine.deadline(BEGIN_SECONDS):
            lines = follow_lines(self._engine, "/events", self._cursor.params())
        with self._lock:
            self._lines = lines
        try:
            # Looked at after `_lines` is set: `stop` either finds the stream there, or we find its wish here.
            if self._stopping.is_set():
                return
            self._failures = 0
            self._on_gap()
            for line in lines:
                if (event := self._cursor.read(line)) is not None:
                    self._on_event(event)
        finally:
            lines.close()


def parse_event(line: bytes) -> ContainerEvent | None:
    """Read one line of `GET /events`; None if it is no news for us or no JSON object (a cut line)."""
    try:
        raw: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(raw, dict) or raw.get("Type") not in ("container", "network", "volume"):
        return None
    actor = raw.get("Actor") or {}
    attributes = dict(actor.get("Attributes") or {})
    if raw["Type"] == "network":
        return _parse_network_event(raw, attributes)
    if raw["Type"] == "volume":
        return _parse_volume_event(raw, str(actor.get("ID", "")))
    code = attributes.pop("exitCode", None)
    attributes.pop("execDuration", None)  # of `die`, since Engine 25: no label of the container either
    return ContainerEvent(
        time_nanos=int(raw.get("timeNano") or 0),
        action=str(raw.get("Action", "")),
        container_id=str(actor.get("ID", "")),
        name=str(attributes.pop("name", "")),
        image=str(attributes.pop("image", "")),
        exit_code=int(code) if code is not None else None,
        labels={name: str(value) for name, value in attributes.items()},
    )


def _parse_network_event(raw: dict[str, Any], attributes: dict[str, Any]) -> ContainerEvent | None:
    container_id = str(attributes.get("container", ""))
    if raw.get("Action") != DISCONNECT or not container_id:
        return None
    return ContainerEvent(time_nanos=int(raw.get("timeNano") or 0), action=DISCONNECT, container_id=container_id)


def _parse_volume_event(raw: dict[str, Any], volume: str) -> ContainerEvent | None:
    if raw.get("Action") != "create" or not is_marker_name(volume):
        return None
    return ContainerEvent(time_nanos=int(raw.get("timeNano") or 0), action=CHARGE, container_id="", name=volume)
