"""The controllers' work queue: what fails or spins is held for its key, the others go on; timers are kept once."""

import random
from datetime import UTC, datetime, timedelta

from objects.api.core import ConfigMap
from objects.api.meta import ObjectKey, ObjectMeta
from reconciler.controllers.base import Context, Controller, Delete, Hold, Outcome, Put, own_key
from reconciler.core.controller_loop import MAX_ROUNDS_PER_KEY, ControllerLoop
from reconciler.state.store import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTEXT = Context(now=NOW, random=random.Random(1))
GOOD, BAD = (ConfigMap(metadata=ObjectMeta(name=name, namespace="d")) for name in ("good", "bad"))


def run(reconcile, *objects):
    store, seen = Store(), []
    loop = ControllerLoop([Controller(name="c", watches={"ConfigMap": own_key}, reconcile=reconcile)])

    def carry_out(name, outcome):
        seen.append((name, outcome))
        for change in outcome.changes:
            written = store.put(change.obj)
            if written is not None:
                loop.mark(store, None, change.obj)

    for obj in objects:
        loop.mark(store, None, obj)
    loop.run(store, CONTEXT, carry_out, {})
    return loop, seen


def test_a_controller_that_raises_is_held_for_that_key_only():
    def reconcile(view, key, context):
        return 1 / 0 if key.name == "bad" else Outcome(hold=None)

    loop, seen = run(reconcile, BAD, GOOD)
    message = "c failed: ZeroDivisionError: division by zero"
    until = NOW + timedelta(seconds=1)
    assert loop.holds == {("c", BAD.key): Hold("InternalError", message, until)}
    assert loop.wake_at == until
    assert [outcome.occurrences[0].message for _, outcome in seen if outcome.occurrences] == [message]
    assert len(seen) == 2


def test_a_controller_that_never_rests_is_stopped():
    counter = iter(range(10**6))

    def reconcile(view, key, context):
        return Outcome(changes=(Put(ConfigMap(metadata=GOOD.metadata, data={"n": str(next(counter))})),))

    loop, seen = run(reconcile, GOOD)
    assert len(seen) == MAX_ROUNDS_PER_KEY + 1
    assert loop.holds["c", GOOD.key].reason == "LoopBreaker"


def test_a_timer_is_kept_once_and_dropped_when_it_is_not_wanted_any_more():
    wanted = [NOW + timedelta(seconds=9), NOW + timedelta(seconds=5), None]

    def reconcile(view, key, context):
        return Outcome(again_at=wanted.pop(0))

    loop = ControllerLoop([Controller(name="c", watches={"ConfigMap": own_key}, reconcile=reconcile)])
    seen = []
    for expected in (NOW + timedelta(seconds=9), NOW + timedelta(seconds=5), None):
        loop.mark(Store(), None, GOOD)
        loop.run(Store(), CONTEXT, lambda *_: None, {})
        seen.append(loop.wake_at == expected)
    assert seen == [True, True, True]


def test_what_is_due_becomes_dirty_once():
    calls: list[ObjectKey] = []

    def reconcile(view, key, context):
        calls.append(key)
        return Outcome(again_at=NOW + timedelta(seconds=1) if len(calls) == 1 else None)

    loop = ControllerLoop([Controller(name="c", watches={"ConfigMap": own_key}, reconcile=reconcile)])
    loop.mark(Store(), None, GOOD)
    for seconds in (0, 0.5, 1, 2):
        loop.mark_due(NOW + timedelta(seconds=seconds))
        loop.run(Store(), CONTEXT, lambda *_: None, {})
    assert calls == [GOOD.key, GOOD.key]


def test_who_finds_facts_runs_before_who_decides_by_them_whatever_became_dirty_first():
    order = []

    def noting(name):
        def reconcile(view, key, context):
            order.append((name, key.name))
            return Outcome()

        return Controller(name=name, watches={"ConfigMap": own_key}, reconcile=reconcile)

    facts = noting("facts")

    def decide(view, key, context):
        order.append(("decisions", key.name))
        return Outcome(changes=(Put(BAD),)) if key == GOOD.key else Outcome()

    decisions = Controller(name="decisions", watches={"ConfigMap": own_key}, reconcile=decide)
    store, loop = Store(), ControllerLoop([facts, decisions])

    def carry_out(_, outcome):
        for change in outcome.changes:
            store.put(change.obj)
            loop.mark(store, None, change.obj)

    loop.mark(store, None, GOOD)
    loop.run(store, CONTEXT, carry_out, {})
    assert order == [("facts", "good"), ("decisions", "good"), ("facts", "bad"), ("decisions", "bad")]


def test_many_objects_that_are_tidied_away_are_one_change_to_who_owns_them():
    owner = ConfigMap(metadata=ObjectMeta(name="owner", namespace="d"))
    parts = [ConfigMap(metadata=ObjectMeta(name=f"part-{n}", namespace="d")) for n in range(2 * MAX_ROUNDS_PER_KEY)]
    looks = []

    def count(view, key, context):
        looks.append(len(view.all_of(ConfigMap)))
        return Outcome()

    def tidy(view, key, context):
        return Outcome(changes=(Delete(key, ""),)) if key.name.startswith("part") and view.find(key) else Outcome()

    owning = Controller(name="owner", watches={"ConfigMap": lambda _view, _part: [owner.key]}, reconcile=count)
    tidying = Controller(name="tidying", watches={"ConfigMap": own_key}, reconcile=tidy)
    store, loop = Store(), ControllerLoop([owning, tidying])

    def carry_out(_, outcome):
        for change in outcome.changes:
            gone = store.remove(change.key)
            loop.mark(store, None, gone.old)

    for obj in (owner, *parts):
        store.put(obj)
        loop.mark(store, None, obj)
    loop.run(store, CONTEXT, carry_out, {})
    assert (looks, loop.holds) == ([1 + len(parts), 1], {})
