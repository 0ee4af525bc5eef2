"""The watcher can fail: whoever breaks a promise is found out within a few histories."""

from importlib import import_module

import msgspec
import pytest

from tests.simulation.world import STEPS, World

HISTORIES = 10
"""At most; the first of each row is one that is known to show it."""


def one_more(real):
    return lambda *given, **named: real(*given, **named) + 1


def one_less(real):
    return lambda *given, **named: real(*given, **named) - 1


def one_more_of(field):
    def breaks(real):
        def broken(*given, **named):
            found = real(*given, **named)
            return msgspec.structs.replace(found, **{field: getattr(found, field) + 1})

        return broken

    return breaks


def certain(real):
    return lambda *given, **_: real(*given, is_certain=True)


def always(answer):
    return lambda _real: lambda *_given, **_named: answer


ROLLOUT, STATEFUL = "reconciler.controllers.rollout", "reconciler.controllers.stateful"
DAEMON = "reconciler.controllers.daemon.update"


@pytest.mark.parametrize(
    ("first", "broken", "breaks", "said"),
    [
        pytest.param(2, f"{ROLLOUT}.arithmetic.fenceposts_of", one_more_of("max_surge"), "at most", id="surge"),
        pytest.param(2, f"{ROLLOUT}.strategies.min_available", one_less, "are available, .* must be", id="available"),
        pytest.param(5, f"{STATEFUL}.steps.max_unavailable", one_more, "are away, at most", id="stateful"),
        pytest.param(8, f"{DAEMON}.allowance_of", one_more_of("max_unavailable"), "are without", id="daemon"),
        pytest.param(12, f"{DAEMON}.allowance_of", one_more_of("max_surge"), "has two on", id="daemon surge"),
        pytest.param(0, "reconciler.controllers.jobs.work.wanted_active", one_more, "run or succeeded", id="job twice"),
        pytest.param(0, "reconciler.controllers.node.lifecycle._evicted", certain, "left the store", id="gone"),
        pytest.param(0, "reconciler.core.scheduling.choose_address", always("10.244.0.2"), "both have", id="address"),
        pytest.param(0, "reconciler.controllers.deployment.hold_of", always(None), "nobody says why", id="reason"),
    ],
)
def test_a_broken_promise_is_seen(monkeypatch, first, broken, breaks, said):
    module, _, name = broken.rpartition(".")
    monkeypatch.setattr(broken, breaks(getattr(import_module(module), name)))
    with pytest.raises(AssertionError, match=said):
        for seed in range(first, first + HISTORIES):
            world = World(seed)
            for _ in range(STEPS):
                world.step()
            world.calm()
