"""Draining a host: everything leaves that may, as fast as budgets allow and no faster."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from objects.api.meta import LabelSelector, ObjectKey, ObjectMeta
from objects.api.pods import Pod, Toleration
from objects.api.policy import PodDisruptionBudget, PodDisruptionBudgetSpec
from objects.own.config import Host
from reconciler.controllers.base import Context, Delete
from reconciler.controllers.node.drain import DRAIN, DRAIN_GRACE_PERIOD, reconcile
from reconciler.state.desired import with_notes
from tests.unit.controllers.harness import START, World
from tests.unit.controllers.manifests import daemon_set, deployment, template

HOLD = ("drain-controller", ObjectKey("Host", "", "n1"))


def drain(world: World, name: str = "n1", **annotations: str) -> None:
    host = world.store.get(Host, "", name)
    assert host is not None
    metadata = msgspec.structs.replace(
        host.metadata, annotations={DRAIN: world.now.isoformat(), **host.annotations, **annotations}
    )
    world.put(
        msgspec.structs.replace(host, metadata=metadata, spec=msgspec.structs.replace(host.spec, unschedulable=True))
    )


def budget(**spec: int | str) -> PodDisruptionBudget:
    return PodDisruptionBudget(
        metadata=ObjectMeta(name="most", namespace="default"),
        spec=PodDisruptionBudgetSpec(selector=LabelSelector(match_labels={"app": "web"}), **spec),  # type: ignore[arg-type]
    )


def counts(world: World) -> dict[str, int]:
    return {name: len(world.store.pods_on(name)) for name in ("n1", "n2", "n3")}


def test_pods_of_a_drained_host_move_to_others() -> None:
    world = World()
    world.declare(deployment(replicas=6))
    world.run()
    drain(world)
    world.run()
    assert counts(world) == {"n1": 0, "n2": 3, "n3": 3}
    assert world.messages("Evicted") == ["Evicted: host n1 is being drained"] * 2
    assert world.settle(1) == 0


@pytest.mark.parametrize(
    ("spec", "at_once"),
    [
        pytest.param({"max_unavailable": 1}, 1, id="one at a time"),
        pytest.param({"min_available": "50%"}, 2, id="all of the host"),
        pytest.param({"min_available": 6}, 0, id="none"),
    ],
)
def test_no_more_pods_leave_at_once_than_the_budget_allows(spec: dict[str, int | str], at_once: int) -> None:
    world = World()
    world.declare(budget(**spec))
    world.declare(deployment(replicas=6))
    world.run()
    drain(world)
    world.settle(1)
    assert sum(pod.is_terminating for pod in world.pods()) == at_once
    assert (HOLD in world.holds) is (at_once < 2)


def test_a_budget_is_kept_in_every_moment_and_the_drain_ends() -> None:
    world = World()
    world.declare(budget(min_available=5))
    world.declare(deployment(replicas=6))
    world.run()
    least = 6

    def look(seen: World) -> None:
        nonlocal least
        least = min(least, sum(pod.is_ready and not pod.is_terminating for pod in seen.pods()))

    world.after_each = look
    drain(world)
    drain(world, "n2")
    world.run(60)
    assert (counts(world), least) == ({"n1": 0, "n2": 0, "n3": 6}, 5)


def test_what_waits_says_for_which_budget() -> None:
    world = World()
    world.declare(budget(max_unavailable=0))
    world.declare(deployment(replicas=3))
    world.run()
    drain(world)
    world.settle(1)
    (waiting,) = world.store.pods_on("n1")
    assert world.holds[HOLD].message == (
        f"draining n1, waiting for disruption budgets: default/{waiting.name} (budget most allows no disruption)"
    )


def test_pods_of_daemon_sets_and_those_that_tolerate_the_cordon_stay() -> None:
    world = World()
    world.declare(daemon_set())
    tolerant = bare("tolerant", tolerations=(Toleration(operator="Exists"),))
    world.put(tolerant)
    world.run()
    world.bind(world.store.get(Pod, "default", "tolerant") or tolerant, "n1")
    drain(world)
    world.run()
    assert counts(world)["n1"] == 2


@pytest.mark.parametrize(("node_name", "leaves"), [("", True), ("n1", False)], ids=["scheduled here", "pinned"])
@pytest.mark.parametrize("age", [-60, 0, 60])
def test_a_bare_pod_leaves_unless_its_manifest_names_the_host(age: int, node_name: str, leaves: bool) -> None:
    """Clocks of who asks and of who runs differ, so it does not matter when the pod was made."""
    world = World()
    pod = with_notes(bare("lone", node_name=node_name), "shop")
    created = msgspec.structs.replace(pod.metadata, creation_timestamp=START + timedelta(seconds=age))
    world.put(msgspec.structs.replace(pod, metadata=created))
    world.bind(world.pods()[0], "n1")
    drain(world)
    world.settle(1)
    assert world.pods()[0].is_terminating is leaves


def test_pods_whose_template_names_the_host_stay() -> None:
    world = World()
    pinned = deployment(replicas=2)
    pod_spec = msgspec.structs.replace(pinned.spec.template.spec, node_name="n1")
    pinned_template = msgspec.structs.replace(pinned.spec.template, spec=pod_spec)
    world.declare(msgspec.structs.replace(pinned, spec=msgspec.structs.replace(pinned.spec, template=pinned_template)))
    world.run()
    drain(world)
    world.run()
    assert counts(world)["n1"] == 2


@pytest.mark.parametrize(
    ("text", "grace"), [("7", 7), ("0", 0), ("soon", None), ("-1", None)], ids=["7", "0", "no number", "negative"]
)
def test_the_grace_period_of_the_request_counts(text: str, grace: int | None) -> None:
    world = World()
    world.declare(deployment(replicas=3))
    world.run()
    drain(world, **{DRAIN_GRACE_PERIOD: text})
    outcome = reconcile(world.store, HOLD[1], Context(now=world.now, random=world.random))
    assert [change.grace_seconds for change in outcome.changes if isinstance(change, Delete)] == [grace]


def test_a_cordon_alone_moves_nothing() -> None:
    world = World()
    world.declare(deployment(replicas=3))
    world.run()
    host = world.store.get(Host, "", "n1")
    assert host is not None
    world.put(msgspec.structs.replace(host, spec=msgspec.structs.replace(host.spec, unschedulable=True)))
    world.run()
    assert counts(world) == {"n1": 1, "n2": 1, "n3": 1}


def bare(name: str, **spec: object) -> Pod:
    made = template("web:1").spec
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}", creation_timestamp=START),
        spec=msgspec.structs.replace(made, **spec),
    )
