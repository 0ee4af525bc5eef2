"""Looks at an engine that answers from memory: what is asked for again, and what is not waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from hosts.network.declared_state import HostStateFact
from hosts.observe.engine import Observer
from hosts.ssh.commands import CommandResult
from objects.errors import EngineUnavailable
from objects.own.charge import Charge, marker_labels, marker_name

FACTS = b"disk 4096 1000 250 64 32\nmemory 2048 kB\ntasks 1\nlimit 9\nboot 5a1c\n"


WAIT_SECONDS = 10


class PlainEngine:
    """The calls of an engine that a look makes. state: of its one container; asked: how often it was asked for.

    listed: what the list says of it, if that is something else. may_answer: while it is not set, nobody gets an answer
    for the container.
    """

    host = "h"

    def __init__(self) -> None:
        self.state = "running"
        self.listed = ""
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.charges: list[Charge] = []
        self.asked_for_charges = 0
        channel = SimpleNamespace(close=lambda: None)
        self.link = SimpleNamespace(
            clock=lambda: 0.0,
            run=lambda *_, **__: CommandResult(0, FACTS, b""),
            connection_number=1,
            open_tcp=lambda *_, **__: channel,
        )
        self.forwards_sockets = True
        self.api = self

    def containers(self, *, all: bool) -> list[dict[str, Any]]:  # noqa: A002 - the SDK's word
        return [{"Id": "1", "Names": ["/n"], "Image": "web:v1", "State": self.listed or self.state, "Status": ""}]

    def deadline(self, _seconds: float) -> nullcontext[None]:
        return nullcontext()

    def inspect_container(self, container_id: str) -> dict[str, Any]:
        self.asked += 1
        assert self.may_answer.wait(WAIT_SECONDS)
        state = {"Status": self.state, "StartedAt": "", "FinishedAt": ""}
        return {"Id": container_id, "Name": "/n", "State": state, "Config": {}, "HostConfig": {}}

    def inspect_network(self, _: str) -> dict[str, Any]:
        return {}

    def info(self) -> dict[str, Any]:
        return {}

    def version(self) -> dict[str, Any]:
        return {}

    def networks(self) -> list[dict[str, Any]]:
        return []

    def images(self) -> list[dict[str, Any]]:
        return []

    def volumes(self, *, filters: dict[str, str] | None = None) -> dict[str, Any]:
        if filters is None:
            return {"Volumes": None}
        self.asked_for_charges += 1
        return {
            "Volumes": [{"Name": marker_name(charge), "Labels": marker_labels(charge)} for charge in self.charges]
            or None
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
    return Observer(engine, network="pods", host_state=state, on_late=late.release)  # type: ignore[arg-type]


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
