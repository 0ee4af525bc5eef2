"""Canaries over random looks at their metric, restarts that forget these, and controllers in any order.

Held is: a step is passed only by looks that all were good, one after another, as often as the check says; as many bad
ones end the canary for good; what was not measured does neither; and who asks again gets the same answer.
"""

from __future__ import annotations

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from objects.api.apps import Deployment, ReplicaSet
from objects.conditions import find_condition
from objects.own.canary import (
    CANARY,
    CANARY_CHECKS,
    CANARY_STEPS,
    STRATEGY,
)
from reconciler.figures.pod_metrics import QueryAnswer
from tests.unit.controllers.harness import World
from tests.unit.controllers.manifests import deployment, revision_name

GOOD, BAD, NONE = 0.1, 0.9, None
TIMES = 2
OPERATIONS = st.lists(
    st.one_of(
        st.sampled_from([GOOD, BAD, NONE]),
        st.sampled_from(["restart", "unready"]),
    ),
    max_size=20,
)


def bird(image: str) -> Deployment:
    plain = deployment(image, replicas=4, surge=1, unavailable=0, progress_deadline_seconds=600)
    said = {STRATEGY: CANARY, CANARY_STEPS: "25% if e", CANARY_CHECKS: f"e: errors < 0.5 for {TIMES} times"}
    metadata = msgspec.structs.replace(plain.metadata, annotations={**plain.annotations, **said})
    return msgspec.structs.replace(plain, metadata=metadata)


def new_size(world: World) -> int:
    found = world.store.get(ReplicaSet, "default", revision_name("web:2"))
    return (found.spec.replicas or 0) if found is not None else 0


def reason(world: World) -> str:
    live = world.store.get(Deployment, "default", "web")
    assert live is not None
    condition = find_condition(live.status.conditions, "Progressing")
    return condition.reason if condition is not None else ""


def settle(world: World) -> None:
    world.run(rounds=20)


def expected(row: list[float | None]) -> str:
    """What the looks since the pods were there come to."""
    last = row[-TIMES:]
    if len(last) < TIMES or NONE in last:
        return "open"
    return "held" if set(last) == {GOOD} else "broken" if set(last) == {BAD} else "open"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(operations=OPERATIONS, seed=st.integers(0, 1000))
def test_only_a_row_of_good_looks_passes_a_step(operations: list[float | str | None], seed: int) -> None:
    world = World(seed=seed, shuffled=True)
    world.serve_metrics()
    world.declare(bird("web:1"))
    settle(world)
    world.declare(bird("web:2"))
    settle(world)
    row: list[float | None] = []
    for operation in operations:
        if operation == "restart":
            for answer in world.store.all_of(QueryAnswer):
                world.remove(answer.key)
            world.touch_everything()
            row = []
        elif operation == "unready":
            for pod in world.pods():
                if pod.spec.containers[0].image == "web:2":
                    world.set_ready(pod, ready=False)
            row = []
        else:
            world.settle(1)
            row.append(operation if isinstance(operation, float) else None)
            world.answer_queries(errors=row[-1])
        settle(world)
        if expected(row) == "open":
            assert (new_size(world), reason(world)) == (1, "CanaryPaused")
            continue
        break
    if expected(row) == "held":
        assert (new_size(world), reason(world)) == (4, "NewReplicaSetAvailable")
    elif expected(row) == "broken":
        for value in (GOOD, GOOD, GOOD, NONE):
            world.settle(1)
            world.answer_queries(errors=value)
            settle(world)
            assert (new_size(world), reason(world)) == (1, "CanaryFailed")
    world.touch_everything()
    assert world.settle() == 0
