"""StatefulSets: order, identity, updates, and that no ordinal ever has two pods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from objects.api.apps import ControllerRevision, StatefulSet, StatefulSetRetentionPolicy
from objects.api.core import Taint
from objects.api.meta import ObjectKey, ObjectMeta, OwnerReference
from objects.api.pods import Pod, PodStatus
from objects.api.storage import PersistentVolume, PersistentVolumeClaim
from objects.api.volumes import PersistentVolumeClaimVolumeSource, Volume
from objects.own.config import Host
from reconciler.controllers.garbage import orphaned_dependents, orphaning
from reconciler.controllers.volumes.binding import bound_volume, docker_volume_of, host_of
from reconciler.state.host_status import HostStatus
from tests.unit.controllers.harness import World
from tests.unit.controllers.manifests import stateful_set

OUT_OF_SERVICE = Taint(key="node.kubernetes.io/out-of-service", value="nodeshutdown", effect="NoExecute")


def running(*, seed: int = 0, **how: Any) -> World:
    world = World(seed=seed)
    world.declare(stateful_set(**how))
    world.run()
    world.occurrences.clear()
    return world


def images(world: World) -> dict[str, str]:
    return {pod.name: pod.spec.containers[0].image for pod in world.pods()}


def steps(world: World) -> list[str]:
    """`+db-0` for a creation, `-db-0` for a removal."""
    signs = {"SuccessfulCreate": "+", "SuccessfulDelete": "-"}
    return [signs[one.reason] + one.message.split()[2] for one in world.occurrences if one.reason in signs]


def hold_of(world: World) -> tuple[str, str]:
    live = world.store.get(StatefulSet, "default", "db")
    assert live is not None
    hold = world.holds["statefulset-controller", live.key]
    return hold.reason, hold.message.split(":")[0]


def is_not(image: str) -> Callable[[Pod], bool]:
    return lambda pod: pod.spec.containers[0].image != image


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param({}, {"replicas": 1}, ["-db-2", "-db-1"], id="in, from the highest"),
        pytest.param({}, {"replicas": 5}, ["+db-3", "+db-4"], id="out, in order"),
        pytest.param(
            {}, {"image": "web:2"}, ["-db-2", "+db-2", "-db-1", "+db-1", "-db-0", "+db-0"], id="update, downwards"
        ),
        pytest.param({}, {"image": "web:2", "partition": 2}, ["-db-2", "+db-2"], id="partition keeps the lower ones"),
        pytest.param({}, {"image": "web:2", "strategy": "OnDelete"}, [], id="on delete waits for a person"),
        pytest.param(
            {"parallel": True},
            {"parallel": True, "replicas": 0},
            ["-db-0", "-db-1", "-db-2"],
            id="parallel",
        ),
        pytest.param(
            {"unavailable": 2},
            {"image": "web:2", "unavailable": 2},
            ["-db-2", "-db-1", "+db-1", "+db-2", "-db-0", "+db-0"],
            id="two away at a time",
        ),
    ],
)
def test_order(first: dict[str, Any], second: dict[str, Any], expected: list[str]) -> None:
    world = running(**first)
    world.declare(stateful_set(**second))
    world.run()
    assert steps(world) == expected


def test_start_waits_for_each_before_the_next() -> None:
    world = World()
    world.declare(stateful_set())
    world.settle(1)
    assert list(images(world)) == ["db-0"]
    world.bind_all()
    world.settle(1)
    assert hold_of(world) == ("WaitingForPod", "waiting for pod db-0 to be ready")
    world.run()
    assert list(images(world)) == ["db-0", "db-1", "db-2"]


def test_status_and_rest() -> None:
    world = running()
    live = world.store.get(StatefulSet, "default", "db")
    assert live is not None
    counts = (
        live.status.replicas,
        live.status.ready_replicas,
        live.status.current_replicas,
        live.status.updated_replicas,
    )
    assert (counts, live.status.current_revision) == ((3, 3, 3, 3), live.status.update_revision)
    world.touch_everything()
    assert (world.settle(), world.holds) == (0, {})


def test_pods_have_names_host_names_and_numbers() -> None:
    world = running(replicas=1)
    pod = world.pods()[0]
    assert (pod.spec.hostname, pod.spec.subdomain) == ("db-0", "db")
    assert pod.labels["statefulset.kubernetes.io/pod-name"] == "db-0"
    assert pod.labels["apps.kubernetes.io/pod-index"] == "0"


def test_pod_below_the_partition_comes_back_as_it_was() -> None:
    world = running()
    world.declare(stateful_set("web:2", partition=1))
    world.run()
    world.delete(next(pod for pod in world.pods() if pod.name == "db-0").key)
    world.run()
    assert images(world) == {"db-0": "web:1", "db-1": "web:2", "db-2": "web:2"}


def test_current_revision_is_found_again_when_the_status_is_lost() -> None:
    world = running()
    world.declare(stateful_set("web:2", partition=1))
    world.run()
    live = world.store.get(StatefulSet, "default", "db")
    assert live is not None
    world.put(msgspec.structs.replace(live, status=msgspec.structs.replace(live.status, current_revision="")))
    world.run()
    assert images(world) == {"db-0": "web:1", "db-1": "web:2", "db-2": "web:2"}


def test_new_commit_frees_a_set_that_is_stuck_on_a_bad_one() -> None:
    world = running()
    world.declare(stateful_set("web:2"))
    world.run(is_good=is_not("web:2"))
    assert images(world) == {"db-0": "web:1", "db-1": "web:1", "db-2": "web:2"}
    world.declare(stateful_set("web:3"))
    world.run(is_good=is_not("web:2"))
    assert images(world) == dict.fromkeys(["db-0", "db-1", "db-2"], "web:3")


def test_failed_pod_is_replaced_under_its_name() -> None:
    world = running()
    failed = world.pods()[1]
    world.finish(failed, exit_code=1)
    world.run()
    assert [(pod.name, pod.is_ready) for pod in world.pods()] == [("db-0", True), ("db-1", True), ("db-2", True)]
    assert world.pods()[1].uid != failed.uid


def hosts_of_claims(world: World) -> dict[str, str]:
    """Claim → the host that holds its data, '' while it is not bound."""
    claims = world.store.all_of(PersistentVolumeClaim)
    return {
        claim.name: host_of(volume) if (volume := bound_volume(world.store, claim)) is not None else ""
        for claim in claims
    }


def test_claims_are_made_once_stay_and_hold_their_pod_on_its_host() -> None:
    world = running(claims=("data",))
    before = world.store.all_of(PersistentVolumeClaim)
    assert hosts_of_claims(world) == {"data-db-0": "n1", "data-db-1": "n2", "data-db-2": "n3"}
    world.declare(stateful_set(replicas=0, claims=("data",)))
    world.run()
    world.add_host("n0")
    world.declare(stateful_set("web:2", claims=("data",)))
    world.run()
    assert world.store.all_of(PersistentVolumeClaim) == before
    assert {pod.name: pod.node_name for pod in world.pods()} == {"db-0": "n1", "db-1": "n2", "db-2": "n3"}
    source = world.pods()[0].spec.volumes[0].persistent_volume_claim
    assert source is not None
    assert source.claim_name == "data-db-0"


def volumes_of_claims(world: World) -> dict[str, str]:
    """Claim → its Docker volume, without what all names begin with."""
    return {
        claim.name: docker_volume_of(volume).removeprefix("berth-claim_default_data-")
        for claim in world.store.all_of(PersistentVolumeClaim)
        if (volume := bound_volume(world.store, claim)) is not None
    }


def given_up(world: World) -> list[str]:
    volumes = world.store.all_of(PersistentVolume)
    return sorted(docker_volume_of(volume)[25:] for volume in volumes if volume.status.reason == "GivenUp")


def with_policy(*, when_scaled: str = "Retain", when_deleted: str = "Retain", **how: Any) -> StatefulSet:
    policy = StatefulSetRetentionPolicy(when_deleted=when_deleted, when_scaled=when_scaled)
    return stateful_set(claims=("data",), persistent_volume_claim_retention_policy=policy, **how)


@pytest.mark.parametrize(
    ("when_scaled", "after", "again"),
    [("Retain", ["db-0", "db-1", "db-2"], "db-2"), ("Delete", ["db-0"], "db-2_1")],
)
def test_claims_of_a_scale_in_go_if_the_policy_says_so_and_the_data_stays(
    when_scaled: str, after: list[str], again: str
) -> None:
    world = World()
    world.declare(with_policy(when_scaled=when_scaled))
    world.run()
    world.declare(with_policy(when_scaled=when_scaled, replicas=1))
    world.run()
    assert sorted(volumes_of_claims(world).values()) == after
    assert given_up(world) == ([] if when_scaled == "Retain" else ["db-1", "db-2"])
    world.declare(with_policy(when_scaled=when_scaled))
    world.run()
    assert volumes_of_claims(world)["data-db-2"] == again
    assert len(world.store.all_of(PersistentVolume)) == (3 if when_scaled == "Retain" else 5)


def test_a_claim_is_kept_by_a_scale_in_that_is_taken_back_in_time() -> None:
    """Its pod has not been told to end: the highest goes first, and does not end yet."""
    world = World()
    world.declare(with_policy(when_scaled="Delete"))
    world.run()
    world.declare(with_policy(when_scaled="Delete", replicas=1))
    world.settle()
    assert [pod.name for pod in world.pods() if pod.is_terminating] == ["db-2"]
    world.declare(with_policy(when_scaled="Delete"))
    world.run()
    assert volumes_of_claims(world) == {"data-db-0": "db-0", "data-db-1": "db-1", "data-db-2": "db-2_1"}


def test_a_claim_that_is_to_go_waits_for_whoever_uses_it_and_its_next_pod_for_the_claim() -> None:
    world = World()
    world.declare(with_policy(when_scaled="Delete"))
    world.run()
    source = PersistentVolumeClaimVolumeSource(claim_name="data-db-2")
    reader = msgspec.structs.replace(
        next(pod for pod in world.pods() if pod.name == "db-2").spec,
        volumes=(Volume(name="data", persistent_volume_claim=source),),
    )
    metadata = ObjectMeta(name="reader", namespace="default", uid="reader")
    world.put(Pod(metadata=metadata, spec=reader, status=PodStatus(phase="Running", start_time=world.now)))
    world.declare(with_policy(when_scaled="Delete", replicas=2))
    world.run()
    world.declare(with_policy(when_scaled="Delete"))
    world.run()
    assert hold_of(world) == ("ClaimEnding", "data-db-2 has to go with its last pod first, and is still used")
    claim = next(claim for claim in world.store.all_of(PersistentVolumeClaim) if claim.name == "data-db-2")
    assert world.holds["garbage-collector", claim.key].message == (
        "data-db-2 is to be deleted when nobody uses it any more: used by reader"
    )
    world.remove(ObjectKey("Pod", "default", "reader"))
    world.run()
    assert volumes_of_claims(world)["data-db-2"] == "db-2_1"


@pytest.mark.parametrize("annotation", ["", "orphan"])
@pytest.mark.parametrize("when_deleted", ["Retain", "Delete"])
def test_claims_of_a_deleted_set_go_with_their_pods_if_the_policy_says_so(when_deleted: str, annotation: str) -> None:
    world = World()
    world.declare(with_policy(when_deleted=when_deleted))
    world.run()
    owner = world.store.find(ObjectKey("StatefulSet", "default", "db"))
    assert owner is not None
    if annotation:
        owner = orphaning(owner)
        world.put(owner)
        for freed in orphaned_dependents(world.store, owner):
            world.apply(freed)
    world.remove(owner.key)
    world.settle()
    assert len(world.pods()) == len(volumes_of_claims(world)) == 3
    world.run()
    is_kept = bool(annotation) or when_deleted == "Retain"
    assert len(volumes_of_claims(world)) == (3 if is_kept else 0)
    assert given_up(world) == ([] if is_kept else ["db-0", "db-1", "db-2"])


def test_a_claim_that_another_process_said_to_go_stays_with_the_pod_that_came_after() -> None:
    """What is remembered may be older than the pods that are found: no pod is made for a claim that is to go."""
    world = World()
    world.declare(with_policy(when_scaled="Delete"))
    world.run()
    claim = next(claim for claim in world.store.all_of(PersistentVolumeClaim) if claim.name == "data-db-1")
    earlier = OwnerReference(api_version="v1", kind="Pod", name="db-1", uid="earlier", controller=True)
    metadata = msgspec.structs.replace(claim.metadata, owner_references=(earlier,))
    world.put(msgspec.structs.replace(claim, metadata=metadata))
    world.declare(with_policy(when_scaled="Delete", image="web:2"))
    world.run()
    assert volumes_of_claims(world)["data-db-1"] == "db-1"


def test_cut_off_host_blocks_its_ordinal_for_as_long_as_it_takes() -> None:
    world = running()
    cut_off = next(pod for pod in world.pods() if pod.node_name == "n2")
    world.silence("n2")
    for _ in range(10):
        world.settle(3600)
        world.run_kubelets()
    assert [pod.uid for pod in world.pods() if pod.name == cut_off.name] == [cut_off.uid]
    assert hold_of(world) == ("HostUnknown", f"pod {cut_off.name} may still run on host n2, which does not answer")


@pytest.mark.parametrize("how", ["removed", "out of service"])
def test_certainly_gone_host_frees_its_ordinal(how: str) -> None:
    world = running()
    lost = next(pod for pod in world.pods() if pod.node_name == "n2")
    world.silence("n2")
    world.settle(1)
    host = world.store.get(Host, "", "n2")
    assert host is not None
    if how == "removed":
        world.remove(host.key)
    else:
        world.declare(msgspec.structs.replace(host, spec=msgspec.structs.replace(host.spec, taints=(OUT_OF_SERVICE,))))
    world.run()
    found = next(pod for pod in world.pods() if pod.name == lost.name)
    assert (found.uid != lost.uid, found.node_name in ("n1", "n3"), found.is_ready) == (True, True, True)


def test_nothing_is_made_while_a_host_was_not_seen_since_the_start() -> None:
    world = World(hosts=("n1", "n3"))
    world.declare(Host(metadata=ObjectMeta(name="n2"), spec=world.store.all_of(Host)[0].spec))
    world.put(HostStatus(metadata=ObjectMeta(name="n2"), pod_subnet="10.244.2.0/24"))
    world.declare(stateful_set())
    world.run()
    assert (world.pods(), hold_of(world)) == ([], ("HostUnknown", "db-0 may still run on n2, not seen since the start"))
    world.answer("n2")
    world.run()
    assert list(images(world)) == ["db-0", "db-1", "db-2"]


def test_host_that_only_joins_and_is_not_reached_blocks_nothing() -> None:
    world = World(hosts=("n1", "n3"))
    world.declare(Host(metadata=ObjectMeta(name="n2"), spec=world.store.all_of(Host)[0].spec))
    world.put(HostStatus(metadata=ObjectMeta(name="n2"), reason="HostUnreachable"))
    world.declare(stateful_set())
    world.run()
    assert list(images(world)) == ["db-0", "db-1", "db-2"]


def test_history_is_limited() -> None:
    world = World()
    for number in range(5):
        world.declare(stateful_set(f"web:{number}", revision_history_limit=1))
        world.run()
    assert len(world.store.all_of(ControllerRevision)) == 2
