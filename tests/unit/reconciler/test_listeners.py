"""A listener that raises is held, said and tried again with all that it was not told; nobody else notices."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import timedelta

import msgspec

from objects.api.core import ConfigMap
from objects.api.meta import ObjectMeta
from objects.own.config import Cluster
from reconciler.core.engine import Engine
from reconciler.process.listeners import Listeners
from reconciler.state.messages import Desired
from reconciler.state.store import Changed
from tests.unit.reconciler.cluster import START


def settings(value: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data={"mode": value})


class Told:
    """What a listener was told, as (name, before, now). is_broken: it raises instead."""

    def __init__(self) -> None:
        self.is_broken = False
        self.calls: list[list[tuple[str, str, str]]] = []

    def note(self, _: Engine, changed: Iterable[Changed]) -> None:
        if self.is_broken:
            raise ValueError("no colour")
        self.calls.append([(one.key.name, mode(one.old), mode(one.new)) for one in changed])


def mode(obj: object) -> str:
    return obj.data["mode"] if isinstance(obj, ConfigMap) else ""


def test_a_listener_that_raises_is_told_again_and_stops_no_other() -> None:
    engine, good, bad, woken = Engine((), source=random.Random(0)), Told(), Told(), []
    listeners = Listeners(engine, wake=lambda: woken.append(True))
    listeners.add("bad", bad.note)
    listeners.add("good", good.note)
    key = settings("").key
    one, two, three = (settings(text) for text in ("1", "2", "3"))
    other = msgspec.structs.replace(one, metadata=ObjectMeta(name="other", namespace="default"))

    def step(seconds: float, *changed: Changed) -> None:
        engine.step((), START + timedelta(seconds=seconds))
        listeners.tell(changed)

    bad.is_broken = True
    step(0, Changed(key, None, one))
    assert woken == [True], "the engine has to learn when it is tried again"
    assert engine.step((), START).wake_at == START + timedelta(seconds=1)
    assert [(part, hold.message) for (part, _), hold in engine.holds.items()] == [
        ("listener bad", "ValueError: no colour")
    ]
    step(0.5, Changed(key, one, two))
    assert woken == [True], "before its time it is not tried"
    step(1, Changed(other.key, None, other))
    assert engine.step((), START + timedelta(seconds=1)).wake_at == START + timedelta(seconds=3)
    bad.is_broken = False
    step(2, Changed(key, two, three))
    assert bad.calls == []
    step(3)
    step(4)
    assert bad.calls == [[("settings", "", "3"), ("other", "", "1")], []]
    assert [call for call in good.calls if call] == [
        [("settings", "", "1")],
        [("settings", "1", "2")],
        [("other", "", "1")],
        [("settings", "2", "3")],
    ]
    assert len(good.calls) == 6, "also when nothing has changed"
    assert engine.holds == {}
    assert engine.step((), START + timedelta(seconds=4)).wake_at is None
    said = [str(one.occurrence.message) for one in engine.events]
    assert said == ["listener bad failed: ValueError: no colour"]


def test_a_hold_that_began_before_the_cluster_had_a_name_ends_with_it() -> None:
    """Under another name it would be due for ever, and the engine would be called without a pause."""
    engine, bad = Engine((), source=random.Random(0)), Told()
    listeners = Listeners(engine, wake=lambda: None)
    listeners.add("bad", bad.note)
    bad.is_broken = True
    engine.step((), START)
    listeners.tell(())
    bad.is_broken = False
    cluster = Cluster(metadata=ObjectMeta(name="main"))
    engine.step([Desired(commit="c1", objects=(cluster,))], START + timedelta(seconds=2))
    assert engine.cluster_key == cluster.key
    listeners.tell(())
    assert engine.holds == {}
