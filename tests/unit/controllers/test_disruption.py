from __future__ import annotations

import pytest

from objects.api.meta import IntOrString, LabelSelector, ObjectMeta
from objects.api.policy import PodDisruptionBudget, PodDisruptionBudgetSpec
from policies.disruption import Budget, budget_of
from tests.unit.controllers.harness import World
from tests.unit.controllers.manifests import deployment

PODS = LabelSelector(match_labels={"app": "web"})


@pytest.mark.parametrize(
    ("least", "most", "pods", "asked_for", "healthy", "expected"),
    [
        pytest.param(2, None, 3, 3, 3, Budget(3, 2, 3, 1), id="a number of pods must stay"),
        pytest.param("50%", None, 3, 3, 3, Budget(3, 2, 3, 1), id="a share rounds up"),
        pytest.param(None, 1, 3, 3, 3, Budget(3, 2, 3, 1), id="one may be away"),
        pytest.param(None, 1, 2, 3, 2, Budget(3, 2, 2, 0), id="a lost pod uses the budget up"),
        pytest.param(None, "34%", 3, 3, 3, Budget(3, 1, 3, 2), id="a share away rounds up"),
        pytest.param(5, None, 3, 3, 3, Budget(3, 5, 3, 0), id="more than there are"),
        pytest.param(0, None, 0, 0, 0, Budget(0, 0, 0, 0), id="no pods"),
        pytest.param(None, None, 2, 2, 2, Budget(2, 1, 2, 1), id="nothing said: one must stay"),
    ],
)
def test_budget(
    least: IntOrString | None, most: IntOrString | None, pods: int, asked_for: int, healthy: int, expected: Budget
) -> None:
    spec = PodDisruptionBudgetSpec(selector=PODS, min_available=least, max_unavailable=most)
    assert budget_of(spec, pods=pods, asked_for=asked_for, healthy=healthy) == expected


def test_status_follows_pods_and_sizes() -> None:
    world = World()
    spec = PodDisruptionBudgetSpec(selector=PODS, max_unavailable=1)
    world.declare(PodDisruptionBudget(metadata=ObjectMeta(name="web", namespace="default"), spec=spec))
    world.declare(deployment())
    world.run()

    def allowed() -> int:
        found = world.store.get(PodDisruptionBudget, "default", "web")
        assert found is not None
        return found.status.disruptions_allowed

    assert allowed() == 1
    world.set_ready(world.pods()[0], ready=False)
    world.settle(1)
    assert allowed() == 0
    world.declare(deployment(replicas=2))
    world.run()
    assert allowed() == 1
    world.touch_everything()
    assert world.settle() == 0
