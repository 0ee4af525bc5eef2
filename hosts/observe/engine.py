"""Looks at one engine: complete or not at all, and cheap when nothing changed.

A look lists all containers. What the list does not show (exit codes, settings) is asked for container by container,
once, and again when the list differs, an event named it, or a minute has passed: then all known ones in one piece with
the list, and by themselves those that are not as they were. A container that the engine is slow to answer for is shown
as it was before, and named as such.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from msgspec import structs

from differ.kubelet.identity import is_ours as is_our_container
from differ.kubelet.identity import own_name
from hosts.docker.engine import Engine
from hosts.network.declared_state import HostState, HostStateFact
from hosts.observe.answers import (
    CHARGES,
    CONTAINERS,
    FACTS,
    INFO,
    NETWORKS,
    VOLUMES,
    container_path,
    digest_of,
    read_list,
    read_object,
)
from hosts.observe.container_facts import compose_container, compose_just_made, parse_time
from hosts.observe.facts import FactsReader
from hosts.observe.inspection import Inspections
from hosts.observe.last_words import read_last_words
from hosts.ssh.shell import LastingShell
from hosts.streams.engine_reading import EngineReading
from hosts.streams.engine_requests import Reply
from objects.errors import EngineError
from objects.names import LABEL_MANAGED
from objects.observation.host import (
    HostObservation,
    HostTraits,
    NetworkFact,
    ObservedContainer,
)
from objects.own.charge import Charge, marker_name

OK = 200

COMPLETE_SECONDS = 60.0
"""After this everything is asked for anew: events are hints, and hints get lost."""
ANSWER_SECONDS = 20.0
"""For one answer to a question. Lists come in milliseconds; while a fresh process waits for a hung host, all wait."""


class _Known(NamedTuple):
    """A container as it was seen last. digest: of the answer that showed it so, b"" while that was not compared."""

    fingerprint: Any
    container: ObservedContainer
    digest: bytes = b""


class Observer:
    """Looks at one engine. Thread-safe: `invalidate` may be called while a look goes on, which then is repeated
    later.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        network: str,
        host_state: HostState,
        reading: EngineReading,
        shell: LastingShell,
        on_late: Callable[[], None] = lambda: None,
    ) -> None:
        """on_late: called when the engine has answered for a container that a look did not wait for. The others are the
        ways to ask: whoever gives them closes them.
        """
        self._engine = engine
        self._reading = reading
        self._host_state = host_state
        self._inspections = Inspections(self._inspect, on_late=on_late, name=engine.host)
        self._network = network
        self._clock = engine.link.clock
        self._facts = FactsReader(engine, shell)
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._changed: set[str] = set()
        self._acted_on: set[str] = set()
        self._doubted: set[str] = set()
        self._complete_at: float | None = None
        self._must_ask_network = True
        self._network_fact: NetworkFact | None = None
        self._must_ask_charges = True
        self._hears_of_charges = False
        self._doubted_charge = ""
        self._charges: tuple[Charge, ...] = ()
        self._host_time = (datetime.fromtimestamp(0, UTC), 0.0)
        self._steady_time: tuple[datetime, float] | None = None

    def invalidate(self, container_id: str) -> None:
        """The container may have changed."""
        with self._lock:
            self._changed.add(container_id)

    @contextmanager
    def acting_on(self, container_id: str) -> Iterator[None]:
        """While the block lasts, the container is shown as it was before. One block a container at a time.

        The engine does not answer for a container that it is just starting or removing; waiting for that would hold up
        what is known of all others. Whoever acts knows better than to plan from it.
        """
        self._acted_on.add(container_id)
        try:
            yield
        finally:
            self._acted_on.discard(container_id)
            # The list goes on saying `created` of a running container whose state did not fit on the disk.
            self._doubted.add(container_id)

    def doubt(self, container_id: str) -> None:
        """A start of a container that was just made has failed: the list does not say so, it must be asked itself."""
        self._doubted.add(container_id)
        self.invalidate(container_id)

    def has_own(self, container_id: str) -> bool:
        """Whether the last look showed a container of ours by this id."""
        known = self._known.get(container_id)
        return known is not None and is_our_container(known.container)

    def invalidate_all(self) -> None:
        """Anything may have changed (events were missed, the host was restarted)."""
        with self._lock:
            self._complete_at = None

    def invalidate_charges(self, marker: str = "") -> None:
        """A mark of who is in charge was made or removed. marker: one that somebody else may have made just now."""
        with self._lock:
            self._must_ask_charges = True
            if marker and marker not in map(marker_name, self._charges):
                self._doubted_charge = marker

    def hear_of_charges(self, *, hears: bool) -> None:
        """Whether events tell of new marks; while they do not, every look asks."""
        with self._lock:
            self._hears_of_charges = hears

    @property
    def doubted_charge(self) -> str:
        """A mark that appeared and that no look has shown yet."""
        return self._doubted_charge

    def invalidate_network(self) -> None:
        """The pod network may have been made, changed or removed."""
        with self._lock:
            self._must_ask_network = True

    def invalidate_facts(self) -> None:
        """What the host tells of itself may have changed: an image was pulled, the engine may be set up anew."""
        self._facts.expire()

    def observe(self) -> HostObservation:
        """A complete look. Raises HostError."""
        with self._lock:
            changed, self._changed = self._changed, set()
            is_complete = self._complete_at is None or self._clock() - self._complete_at >= COMPLETE_SECONDS
            if is_complete:
                self._complete_at = self._clock()
                self._host_state.invalidate()
            asks_network = self._must_ask_network or is_complete
            asks_charges = self._must_ask_charges or is_complete or not self._hears_of_charges
            self._must_ask_network = self._must_ask_charges = False
            doubted = self._doubted_charge
        try:
            facts = None if is_complete else self._facts.known(max_age_seconds=COMPLETE_SECONDS)
            told, compared = self._ask(
                has_facts=facts is not None,
                network=asks_network,
                charges=asks_charges,
                compare=self._to_compare() if is_complete else (),
            )
            if facts is None:
                if is_complete:
                    self._engine.streams.close_idle()  # of actions that were done since the last minute
                    self._host_time = _time_of(told[INFO])
                    self._steady_time = self._steady_time or self._host_time
                facts = self._facts.read({path: told[path].content for path in FACTS})
            if asks_network:
                self._network_fact = self._facts.networks(told[NETWORKS].content).named(self._network)
            charges = self._charges
            if asks_charges:
                charges = self._facts.charges(told[VOLUMES if VOLUMES in told else CHARGES].content)
            now, steady = self.host_now(), self.steady_now()
            summaries = read_list(told[CONTAINERS].content)
            unchanged = self._unchanged(compared)
            containers, unanswered = self._look(summaries, changed, is_complete=is_complete, unchanged=unchanged)
        except BaseException:
            with self._lock:
                self._changed |= changed
                self._must_ask_network = self._must_ask_network or asks_network
                self._must_ask_charges = self._must_ask_charges or asks_charges
                if is_complete:
                    self._complete_at = None
            raise
        state = self._host_state.observe()
        with self._lock:
            self._charges = charges
            if asks_charges and self._doubted_charge in (doubted, *map(marker_name, charges)):
                self._doubted_charge = ""
        return HostObservation(
            host=self._engine.host,
            now=now,
            facts=structs.replace(facts, traits=_with_state(facts.traits, state)),
            containers=containers,
            unanswered=unanswered,
            pod_network=self._network_fact,
            host_parts=state.digests,
            charges=charges,
            steady=steady,
        )

    def _ask(
        self, *, has_facts: bool, network: bool, charges: bool, compare: Sequence[str]
    ) -> tuple[dict[str, Reply], dict[str, Reply]]:
        """(replies by path, replies by the ids of the containers to compare, as far as they came). In one piece; the
        list of containers comes after all that pods may be judged by.
        """
        paths = list(() if has_facts else FACTS)
        if has_facts and network:
            paths.append(NETWORKS)
        if has_facts and charges:
            paths.append(CHARGES)
        paths.append(CONTAINERS)
        extra = [container_path(container_id) for container_id in compare]
        replies = self._reading.get(paths, extra=extra, timeout_seconds=ANSWER_SECONDS)
        # Those for containers may be fewer than were asked for.
        return dict(zip(paths, replies, strict=False)), dict(zip(compare, replies[len(paths) :], strict=False))

    def _to_compare(self) -> Sequence[str]:
        """The containers that are known and that the engine answers for at once, as far as can be told before."""
        late = self._inspections.late
        return [one for one in self._known if one not in self._acted_on and one not in late]

    def _unchanged(self, replies: Mapping[str, Reply]) -> set[str]:
        """The ids of those that are as they were when they were asked for last."""
        unchanged: set[str] = set()
        for container_id, reply in replies.items():
            known, digest = self._known[container_id], digest_of(reply.content)
            if reply.status != OK or (known.digest != digest and not self._shows(reply.content, known.container)):
                continue
            self._known[container_id] = known._replace(digest=digest)
            unchanged.add(container_id)
        return unchanged

    def _shows(self, content: bytes, container: ObservedContainer) -> bool:
        """Whether it is shown like this; an engine lists mounts in any order."""
        shown = compose_container(read_object(content), network=self._network)
        return shown == structs.replace(container, termination_message="")

    def _look(
        self, summaries: Sequence[Mapping[str, Any]], changed: set[str], *, is_complete: bool, unchanged: set[str]
    ) -> tuple[tuple[ObservedContainer, ...], frozenset[str]]:
        """(all containers, the ids of those that are shown as they were)."""
        known: dict[str, _Known] = {}
        asked: dict[str, Any] = {}
        anew: set[str] = set()
        for summary in summaries:
            container_id = str(summary["Id"])
            print_ = _fingerprint(summary)
            before = self._known.get(container_id)
            # A container that was just made may have been acted on by its name.
            called = {container_id, *(str(name).lstrip("/") for name in summary.get("Names") or ())}
            is_same = container_id in unchanged and self._doubted.isdisjoint(called)
            is_new = not is_same and (is_complete or not changed.isdisjoint(called))
            if (
                before is not None
                and before.fingerprint == print_
                and not is_new
                and container_id not in self._inspections.late
            ):
                known[container_id] = before
                continue
            if before is not None and container_id in self._acted_on:
                self.invalidate(container_id)  # what came of it is asked when it is over
                known[container_id] = before
                continue
            if _is_just_made(summary) and self._doubted.isdisjoint(called) and not is_complete:
                known[container_id] = _Known(print_, compose_just_made(summary))
                continue
            if is_new and self._inspections.is_under_way(container_id):
                self.invalidate(container_id)  # the answer to come may be older than the change
            elif is_new:
                anew.add(container_id)
            self._doubted -= called
            asked[container_id] = print_
        try:
            answers = self._inspections.ask(asked, must=asked.keys() - self._known.keys(), anew=anew)
        except BaseException:
            with self._lock:
                self._changed |= asked.keys()
            raise
        for container_id, container in answers.found.items():
            if container is not None:
                known[container_id] = _Known(asked[container_id], container)
        known |= {container_id: self._known[container_id] for container_id in answers.late}
        self._known = known
        shown = sorted((one.container for one in known.values()), key=lambda container: container.id)
        return tuple(shown), answers.late

    def _inspect(self, container_id: str) -> ObservedContainer | None:
        """None: it is gone since it was listed."""
        with self._engine.deadline(ANSWER_SECONDS):
            try:
                details: dict[str, Any] = self._engine.api.inspect_container(container_id)
            except EngineError as error:
                if error.status == 404:
                    return None
                raise
            container = compose_container(details, network=self._network)
            said = read_last_words(self._engine, details)
        return structs.replace(container, termination_message=said) if said else container

    def host_now(self) -> datetime:
        """The host's clock, as far as the last complete look told."""
        return self._running_on(*self._host_time)

    def steady_now(self) -> datetime:
        """What the host's clock would show if nobody had set it since the first look."""
        return self._running_on(*(self._steady_time or self._host_time))

    def _running_on(self, told: datetime, at: float) -> datetime:
        return told + timedelta(seconds=self._clock() - at)


def _time_of(info: Reply) -> tuple[datetime, float]:
    """(the host's clock, ours at the same time)."""
    told = parse_time(str(read_object(info.content).get("SystemTime", "")))
    return told or datetime.fromtimestamp(0, UTC), (info.asked_at + info.came_at) / 2


def _with_state(traits: HostTraits, state: HostStateFact) -> HostTraits:
    return structs.replace(
        traits,
        root_refused=state.root_refused,
        root_remedy=state.root_remedy,
        has_iptables=state.has_iptables,
    )


def _fingerprint(summary: Mapping[str, Any]) -> Any:
    """What the list says of a container, apart from the running clock in its `Status`."""
    networks = (summary.get("NetworkSettings") or {}).get("Networks") or {}
    addresses = tuple((name, settings.get("IPAddress", "")) for name, settings in sorted(networks.items()))
    return summary.get("State"), tuple(summary.get("Names") or ()), addresses, "(Paused)" in summary.get("Status", "")


def _is_just_made(summary: Mapping[str, Any]) -> bool:
    """Whether the list alone tells enough.

    Asking for a container that is just being started waits until it is: that would hold up the look at all others. An
    image whose name has moved on is listed by its id: then the name must be asked for. And what has our labels under
    another name than ours may be ours, renamed, or come from an image that was committed: the list does not tell.
    """
    if summary.get("State") != "created" or str(summary.get("Image", "")).startswith("sha256:"):
        return False
    return LABEL_MANAGED not in (summary.get("Labels") or {}) or own_name(compose_just_made(summary)) is not None
