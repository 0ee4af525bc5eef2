"""Looks at an engine that answers from memory: what is asked for again, and what is not waited for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from hosts.network.declared_state import HostStateFact
from hosts.observe.answers import CHARGES, CONTAINERS, IMAGES, NETWORKS, VOLUMES
from hosts.observe.engine import COMPLETE_SECONDS, Observer
from hosts.streams.engine_requests import Reply
from objects.errors import EngineUnavailable
from objects.observation.host import HostObservation
from objects.own.charge import Charge, marker_labels, marker_name

FACTS = "disk 4096 1000 250 64 32\nmemory 2048 kB\ntasks 1\nlimit 9\nboot 5a1c\n"


WAIT_SECONDS = 10


class PlainEngine:
    """What a look asks of an engine. state: of its one container; asked: how often it was asked for by itself.

    listed: what the list says of it, if that is something else. may_answer: while it is not set, nobody gets an answer
    for the container; is_slow: while lists are answered at once. paths: all that was asked for.
    """

    host = "h"

    def __init__(self) -> None:
        self.state = "running"
        self.memory = 0
        self.mounts = ["a", "b"]
        self.listed = ""
        self.asked = 0
        self.is_slow = False
        self.paths: list[str] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.charges: list[Charge] = []
        self.now = 0.0
        channel = SimpleNamespace(close=lambda: None)
        self.link = SimpleNamespace(
            clock=lambda: self.now,
            connection_number=1,
            open_tcp=lambda *_, **__: channel,
        )
        self.forwards_sockets = True
        self.streams = SimpleNamespace(close_idle=lambda: None)
        self.api = self

    def get(self, paths: Sequence[str], *, extra: Sequence[str], timeout_seconds: float) -> tuple[Reply, ...]:
        self.paths += paths
        asked = [*paths, *(() if self.is_slow else extra)]
        return tuple(Reply(200, json.dumps(self._answer(path)).encode(), 0.0, 0.0) for path in asked)

    def _answer(self, path: str) -> Any:
        match path:
            case _ if path == CONTAINERS:
                return [
                    {"Id": "1", "Names": ["/n"], "Image": "web:v1", "State": self.listed or self.state, "Status": ""}
                ]
            case _ if path in (VOLUMES, CHARGES):
                return {
                    "Volumes": [
                        {"Name": marker_name(charge), "Labels": marker_labels(charge)} for charge in self.charges
                    ]
                    or None
                }
            case _ if path in (IMAGES, NETWORKS):
                return []
            case "/containers/1/json":
                return self._details("1")
        return {}

    @property
    def asked_for_charges(self) -> int:
        return self.paths.count(VOLUMES) + self.paths.count(CHARGES)

    def deadline(self, _seconds: float) -> nullcontext[None]:
        return nullcontext()

    def inspect_container(self, container_id: str) -> dict[str, Any]:
        self.asked += 1
        assert self.may_answer.wait(WAIT_SECONDS)
        return self._details(container_id)

    def _details(self, container_id: str) -> dict[str, Any]:
        state = {"Status": self.state, "StartedAt": "", "FinishedAt": ""}
        host = {"Memory": self.memory}
        return {
            "Id": container_id,
            "Name": "/n",
            "State": state,
            "Config": {},
            "HostConfig": host,
            "Mounts": self.mounts,
        }


@pytest.fixture
def engine() -> Iterator[PlainEngine]:
    engine = PlainEngine()
    yield engine
    engine.may_answer.set()


@pytest.fixture
def late() -> threading.Semaphore:
    """How often the observer said that an answer has come late."""
    return threading.Semaphore(0)


@pytest.fixture
def observer(engine: PlainEngine, late: threading.Semaphore) -> Observer:
    state = SimpleNamespace(observe=HostStateFact, invalidate=lambda: None)
    shell = SimpleNamespace(ask=lambda *_, **__: FACTS)
    return Observer(
        engine,  # type: ignore[arg-type]
        network="pods",
        host_state=state,  # type: ignore[arg-type]
        reading=engine,  # type: ignore[arg-type]
        shell=shell,  # type: ignore[arg-type]
        on_late=late.release,
    )


def look(observer: Observer) -> list[str]:
    return [container.state for container in observer.observe().containers]


def test_a_container_that_did_not_change_is_asked_for_once(engine: PlainEngine, observer: Observer) -> None:
    assert (look(observer), look(observer), engine.asked) == (["running"], ["running"], 1)


@pytest.mark.parametrize("is_told", [pytest.param(True, id="by an event"), pytest.param(False, id="by the list")])
def test_a_container_that_changed_is_asked_for_again(engine: PlainEngine, observer: Observer, is_told: bool) -> None:
    look(observer)
    if is_told:
        observer.invalidate("1")
    else:
        engine.state = "exited"
    assert (look(observer), engine.asked) == ([engine.state], 2)


def test_a_container_that_is_acted_on_is_shown_as_it_was(engine: PlainEngine, observer: Observer) -> None:
    engine.state = "exited"
    look(observer)
    with observer.acting_on("1"):
        engine.state = "running"
        assert (look(observer), engine.asked) == (["exited"], 1)
    engine.state = "exited"
    assert (look(observer), engine.asked) == (["exited"], 2), "it ran, and nothing but its details tells"


def test_a_list_that_still_says_created_is_not_believed_after_a_start(engine: PlainEngine, observer: Observer) -> None:
    look(observer)
    engine.state = "created"
    assert (look(observer), engine.asked) == (["created"], 1), "the list is enough"
    engine.listed, engine.state = "created", "running"
    with observer.acting_on("1"):
        pass
    observer.invalidate("1")
    assert (look(observer), engine.asked) == (["running"], 2)


def look_at_all(engine: PlainEngine, observer: Observer) -> HostObservation:
    """The look that is due each minute."""
    engine.now += COMPLETE_SECONDS
    return observer.observe()


def test_a_complete_look_asks_for_nothing_by_itself_when_all_is_as_it_was(
    engine: PlainEngine, observer: Observer
) -> None:
    first = observer.observe()
    second, engine.mounts = look_at_all(engine, observer), ["b", "a"]
    third = look_at_all(engine, observer)
    assert engine.asked == 1
    assert third.containers[0] is second.containers[0] is first.containers[0]
    assert third.facts.images is first.facts.images


@pytest.mark.parametrize("is_slow", [pytest.param(False, id="compared"), pytest.param(True, id="not told in time")])
def test_what_no_list_and_no_event_tells_is_seen_by_a_complete_look(
    engine: PlainEngine, observer: Observer, is_slow: bool
) -> None:
    observer.observe()
    look_at_all(engine, observer)
    engine.memory, engine.is_slow = 64, is_slow
    assert [one.memory_bytes for one in observer.observe().containers] == [0]
    assert [one.memory_bytes for one in look_at_all(engine, observer).containers] == [64]
    engine.memory = 0  # its details are again what they were
    observer.invalidate("1")
    assert [one.memory_bytes for one in observer.observe().containers] == [0]
    engine.memory = 64
    assert [one.memory_bytes for one in look_at_all(engine, observer).containers] == [64]


def test_details_that_are_again_what_they_were_before_a_change_are_not_taken_for_unchanged(
    engine: PlainEngine, observer: Observer
) -> None:
    observer.observe()
    look_at_all(engine, observer)
    engine.memory = 64
    observer.invalidate("1")
    assert [one.memory_bytes for one in observer.observe().containers] == [64]
    engine.memory = 0
    assert [one.memory_bytes for one in look_at_all(engine, observer).containers] == [0]


def test_one_that_nobody_has_seen_before_is_asked_for(engine: PlainEngine, observer: Observer) -> None:
    with observer.acting_on("1"):
        assert (look(observer), engine.asked) == (["running"], 1)


def test_a_container_that_is_not_answered_for_is_shown_as_it_was(
    engine: PlainEngine, observer: Observer, late: threading.Semaphore
) -> None:
    look(observer)
    engine.state = "exited"
    engine.may_answer.clear()
    seen = observer.observe()
    assert ([one.state for one in seen.containers], seen.unanswered) == (["running"], {"1"})
    assert (look(observer), engine.asked) == (["running"], 2), "asked once, however often one looks"
    engine.may_answer.set()
    assert late.acquire(timeout=WAIT_SECONDS)
    seen = observer.observe()
    assert ([one.state for one in seen.containers], seen.unanswered, engine.asked) == (["exited"], frozenset(), 2)


def test_an_answer_from_before_a_change_is_not_believed(
    engine: PlainEngine, observer: Observer, late: threading.Semaphore
) -> None:
    look(observer)
    engine.may_answer.clear()
    observer.invalidate("1")
    observer.observe()
    observer.invalidate("1")  # after it was asked for
    observer.observe()
    engine.may_answer.set()
    assert late.acquire(timeout=WAIT_SECONDS)
    assert (look(observer), engine.asked) == (["running"], 3)


def test_a_container_that_changes_all_the_time_is_seen(
    engine: PlainEngine, observer: Observer, late: threading.Semaphore
) -> None:
    look(observer)
    engine.state = "exited"
    engine.may_answer.clear()
    observer.observe()
    engine.may_answer.set()
    assert late.acquire(timeout=WAIT_SECONDS)
    engine.may_answer.clear()
    observer.invalidate("1")
    seen = observer.observe()  # asks anew, which takes long again
    assert ([one.state for one in seen.containers], seen.unanswered) == (["exited"], frozenset())
    engine.state = "running"
    engine.may_answer.set()
    assert late.acquire(timeout=WAIT_SECONDS)
    assert look(observer) == ["running"]


def test_what_could_not_be_asked_is_asked_again(
    engine: PlainEngine, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(observer)

    def refuse(_: str) -> dict[str, Any]:
        raise EngineUnavailable("gone", host="h")

    with monkeypatch.context() as patch:
        patch.setattr(engine, "inspect_container", refuse)
        observer.invalidate("1")
        with pytest.raises(EngineUnavailable):
            observer.observe()
    assert (look(observer), engine.asked) == (["running"], 2)


FIRST = Charge(epoch=7, holder="a1")
SECOND = Charge(epoch=8, holder="b2")


def test_marks_are_asked_for_once_while_events_tell_of_new_ones(engine: PlainEngine, observer: Observer) -> None:
    engine.charges = [SECOND, FIRST]
    assert observer.observe().charges == (FIRST, SECOND)
    observer.hear_of_charges(hears=True)
    assert (observer.observe().charges, engine.asked_for_charges) == ((FIRST, SECOND), 1)
    engine.charges = [SECOND]
    observer.invalidate_charges()
    assert (observer.observe().charges, engine.asked_for_charges) == ((SECOND,), 2)
    observer.hear_of_charges(hears=False)
    observer.observe()
    observer.observe()
    assert engine.asked_for_charges == 4


def test_a_new_mark_is_doubted_until_a_look_shows_it(engine: PlainEngine, observer: Observer) -> None:
    engine.charges = [FIRST]
    observer.observe()
    observer.hear_of_charges(hears=True)
    observer.invalidate_charges(marker_name(FIRST))
    assert observer.doubted_charge == "", "it was seen already"
    engine.charges = [FIRST, SECOND]
    observer.invalidate_charges(marker_name(SECOND))
    assert observer.doubted_charge == marker_name(SECOND)
    assert observer.observe().charges == (FIRST, SECOND)
    assert observer.doubted_charge == ""
