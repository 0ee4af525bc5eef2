"""Rollouts over random histories: commits, scalings, lost readiness, silent hosts, controllers in any order.

Held is what the reconciler itself does: it never asks for more than desired + maxSurge pods, never takes an available
pod away below desired − maxUnavailable, and comes to rest with exactly what the last commit says.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from objects.api.apps import Deployment, ReplicaSet
from objects.api.pods import Pod
from reconciler.controllers.pods.owned import is_active
from reconciler.controllers.rollout.arithmetic import max_total, min_available
from tests.unit.controllers.harness import World
from tests.unit.controllers.manifests import deployment

SHARE = st.one_of(st.integers(0, 3), st.sampled_from(["0%", "25%", "50%", "100%"]))
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(1, 4)),
        st.tuples(st.just("scale"), st.integers(0, 6)),
        st.tuples(st.just("unready"), st.integers(0, 9)),
        st.tuples(st.just("silence"), st.integers(1, 3)),
        st.tuples(st.just("answer"), st.integers(1, 3)),
        st.tuples(st.just("kubelets"), st.integers(1, 2)),
        st.tuples(st.just("kill"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.sampled_from([1, 60, 400])),
    ),
    max_size=25,
)


def is_good(pod: Pod) -> bool:
    """Images with an even number never become ready."""
    return int(pod.spec.containers[0].image.split(":")[1]) % 2 == 1


class Watcher:
    """Compares the world before and after each call of a controller; pods are made and deleted by different calls, so
    their number counts when the controllers rest, which is when hosts hear of it."""

    def __init__(self, world: World) -> None:
        self.before = self._look(world)
        world.after_each = self.look

    def renew(self, world: World) -> None:
        """Something else than a controller changed the world."""
        self.before = self._look(world)

    def look(self, world: World) -> None:
        now = self._look(world)
        live = world.store.get(Deployment, "default", "web")
        if live is not None:
            size, available = now
            taken = self.before[1] - {pod.uid for pod in world.pods() if is_active(pod)}
            if size > self.before[0]:
                assert size <= max_total(live), "asks for more pods than desired + maxSurge"
            if taken:
                assert len(available) >= min_available(live), "took an available pod below desired - maxUnavailable"
        self.before = now

    @staticmethod
    def _look(world: World) -> tuple[int, set[str]]:
        size = sum(replica_set.spec.replicas or 0 for replica_set in world.store.all_of(ReplicaSet))
        return size, {pod.uid for pod in world.pods() if is_active(pod) and pod.is_ready}


def apply(world: World, wanted: dict[str, Any], operation: str, value: int) -> None:
    pods = [pod for pod in world.pods() if is_active(pod)]
    match operation:
        case "commit":
            wanted["image"] = f"web:{value}"
            world.declare(deployment(**wanted))
        case "scale":
            wanted["replicas"] = value
            world.declare(deployment(**wanted))
        case "unready" if pods:
            world.set_ready(pods[value % len(pods)], ready=False)
        case "kill" if pods:
            world.delete(pods[value % len(pods)].key)
        case "silence":
            world.silence(f"n{value}")
        case "answer":
            world.answer(f"n{value}")
        case "kubelets":
            world.run_kubelets(is_good=is_good)


def settle(world: World, watcher: Watcher, seconds: float = 1) -> None:
    watcher.renew(world)
    active = sum(is_active(pod) for pod in world.pods())
    world.settle(seconds)
    live = world.store.get(Deployment, "default", "web")
    assert live is not None
    assert sum(is_active(pod) for pod in world.pods()) <= max(active, max_total(live))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(operations=OPERATIONS, surge=SHARE, unavailable=SHARE, seed=st.integers(0, 1000))
def test_rolling_update_keeps_its_promises(
    operations: list[tuple[str, int]], surge: int | str, unavailable: int | str, seed: int
) -> None:
    world = World(seed=seed, shuffled=True)
    wanted: dict[str, Any] = {"image": "web:1", "replicas": 3, "surge": surge, "unavailable": unavailable}
    world.declare(deployment(**wanted))
    watcher = Watcher(world)
    for operation, value in operations:
        apply(world, wanted, operation, value)
        settle(world, watcher, value if operation == "wait" else 1)
    come_to_rest(world, watcher, wanted)


def come_to_rest(world: World, watcher: Watcher, wanted: dict[str, Any]) -> None:
    """Everybody answers and the last commit is good: now everything must be as it says."""
    for host in ("n1", "n2", "n3"):
        world.answer(host)
    wanted["image"] = "web:5"
    world.declare(deployment(**wanted))
    for _ in range(40):
        settle(world, watcher)
        world.run_kubelets(is_good=is_good)
    settle(world, watcher)
    pods = [(pod.spec.containers[0].image, pod.is_ready) for pod in world.pods()]
    assert pods == [("web:5", True)] * wanted["replicas"]
    world.touch_everything()
    assert (world.settle(), world.holds) == (0, {})
