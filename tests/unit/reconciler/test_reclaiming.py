"""Unused images in the plan of a host."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from differ.kubelet.actions import Action, ApplyHostPart, EnsureNetwork, HostPart, RemoveImage, RemoveVolume
from differ.kubelet.assignment import HostAssignment, PodNetwork
from differ.kubelet.memory import WorkerMemory
from objects.api.meta import ObjectMeta
from objects.api.pods import (
    Container,
    Pod,
    PodSpec,
    PodStatus,
)
from objects.errors import EngineError
from objects.names import LABEL_CONTAINER, LABEL_MANAGED, LABEL_POD_UID
from objects.observation.host import (
    HostFacts,
    HostObservation,
    ImageFact,
    ObservedContainer,
)
from reconciler.workers.host_pass import plan_pass
from reconciler.workers.reclaiming import plan_reclaiming, plan_sweeping

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
POD_NETWORK = PodNetwork(subnet="10.244.1.0/24", cluster_cidr="10.244.0.0/16")


def pulled(name: str) -> ImageFact:
    return ImageFact(id=f"id-{name}", names=(f"{name}:v1", f"{name}@sha256:{'0' * 64}"), size_bytes=10)


UNUSED, WANTED, PAUSE, ENDED = (pulled(name) for name in ("unused", "wanted", "pause", "ended"))
GONE = tuple(RemoveImage(id=image.id, names=image.names) for image in (UNUSED, ENDED))


def pod(image: str, phase: str = "") -> Pod:
    return Pod(
        metadata=ObjectMeta(name=image, namespace="default", uid=image),
        spec=PodSpec(containers=(Container(name="c", image=f"{image}:v1"),), host_network=True),
        status=PodStatus(phase=phase),
    )


def assignment(*, has_disk_pressure: bool = False) -> HostAssignment:
    return HostAssignment(
        host="h1",
        host_ip="192.0.2.1",
        network=POD_NETWORK,
        pause_image="pause:v1",
        pods=(pod("wanted"), pod("ended", "Failed")),
        has_disk_pressure=has_disk_pressure,
    )


def looked(free: int) -> HostObservation:
    facts = HostFacts(disk_bytes=100, disk_free_bytes=free, images=(UNUSED, WANTED, PAUSE, ENDED))
    return HostObservation(host="h1", now=NOW, facts=facts)


def test_a_full_disk_is_relieved_of_what_was_unused_for_a_while() -> None:
    actions, memory, _ = plan_reclaiming(assignment(), looked(free=5), WorkerMemory(), NOW)
    assert (actions, memory.unused_images) == ((), {UNUSED.id: NOW, ENDED.id: NOW})
    actions, again, _ = plan_reclaiming(assignment(), looked(free=5), memory, LATER)
    assert actions == tuple(sorted(GONE, key=lambda action: action.id))
    assert again is memory
    assert plan_reclaiming(assignment(), looked(free=50), memory, LATER) == ((), memory, None)


def test_under_pressure_at_once() -> None:
    actions, *_ = plan_reclaiming(assignment(has_disk_pressure=True), looked(free=50), WorkerMemory(), NOW)
    assert set(actions) == set(GONE)


def test_what_cannot_be_removed_waits_and_keeps_nobody_else() -> None:
    refused = EngineError("image is being used by stopped container", status=409)
    memory = WorkerMemory().record(GONE[0], refused, NOW)
    told = assignment(has_disk_pressure=True)
    assert plan_reclaiming(told, looked(free=5), memory, NOW)[0] == GONE[1:]
    later = NOW + timedelta(seconds=10)
    assert set(plan_reclaiming(told, looked(free=5), memory, later)[0]) == set(GONE)
    assert memory.record(GONE[0], None, later).image_removals == {}


def test_it_is_part_of_a_pass_and_said_in_the_report() -> None:
    plan, report = plan_pass("h1", assignment(has_disk_pressure=True), looked(free=5), WorkerMemory(), NOW)
    assert [action for action in plan.actions if action.lane == "images"] == sorted(GONE, key=lambda one: one.id)
    assert report.is_reclaiming
    calm = msgspec.structs.replace(assignment(), pods=())
    assert not plan_pass("h1", calm, looked(free=50), WorkerMemory(), NOW)[1].is_reclaiming
    assert plan_pass("h1", None, looked(free=0), WorkerMemory(), NOW)[0].actions == ()


def test_a_pass_says_when_what_could_not_be_removed_is_tried_again() -> None:
    """Nothing else may happen on the host until then."""
    refused = EngineError("it is in use", status=409)
    calm = msgspec.structs.replace(assignment(), pods=())
    seen = with_volumes(LEFT.volume)
    assert plan_pass("h1", calm, seen, WorkerMemory(), NOW)[0].wake_at is None
    of_volume = WorkerMemory().record(LEFT, refused, NOW)
    plan, _ = plan_pass("h1", calm, seen, of_volume, NOW)
    assert (plan.actions, plan.wake_at) == ((), of_volume.volume_removals[LEFT.volume].retry_at)
    of_images = WorkerMemory().record(GONE[0], refused, NOW)
    pressed = msgspec.structs.replace(calm, has_disk_pressure=True)
    plan, _ = plan_pass("h1", pressed, looked(free=5), of_images, NOW)
    assert GONE[0] not in plan.actions
    assert plan.wake_at == of_images.image_removals[GONE[0].id].retry_at


def test_what_an_evicted_pod_left_is_being_removed_until_nothing_is_there() -> None:
    gone = msgspec.structs.replace(pod("gone"), status=PodStatus(phase="Failed", reason="Evicted"))
    told = msgspec.structs.replace(assignment(), pods=(gone,))
    labels = {LABEL_MANAGED: "true", LABEL_POD_UID: "gone", LABEL_CONTAINER: "c"}
    left = ObservedContainer(id="c1", name="berth_c___gone_0", labels=labels, state="exited", restart_policy="no")
    there = msgspec.structs.replace(looked(free=50), containers=(left,))
    assert plan_pass("h1", told, there, WorkerMemory(), NOW)[1].is_reclaiming
    assert not plan_pass("h1", told, looked(free=50), WorkerMemory(), NOW)[1].is_reclaiming


LEFT = RemoveVolume(volume="berth_gone_data")


def with_volumes(*names: str, container_of: str = "") -> HostObservation:
    labels = {LABEL_MANAGED: "true", LABEL_POD_UID: container_of, LABEL_CONTAINER: "c"}
    containers = (ObservedContainer(id="1", name=f"berth_c___{container_of}_0", labels=labels),) if container_of else ()
    return HostObservation(host="h", now=NOW, facts=HostFacts(pod_volumes=names), containers=containers)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(with_volumes("berth_gone_data"), (LEFT,), id="its pod is gone"),
        pytest.param(with_volumes("berth_wanted_data"), (), id="its pod belongs here"),
        pytest.param(with_volumes("berth_gone_data", container_of="gone"), (), id="its pod still has a container"),
        pytest.param(with_volumes("somebody-elses", "berth_odd"), (), id="no name of ours"),
    ],
)
def test_volumes_of_pods_that_are_gone(seen: HostObservation, expected: tuple[RemoveVolume, ...]) -> None:
    assert plan_sweeping(assignment(), seen, WorkerMemory(), NOW) == (expected, None)


@pytest.mark.parametrize(
    "failed",
    [
        pytest.param(EnsureNetwork(network=POD_NETWORK), id="network"),
        pytest.param(
            ApplyHostPart(part=HostPart(name="masquerade", read="", wanted="", apply="")), id="part of the host's state"
        ),
        pytest.param(LEFT, id="volume"),
    ],
)
def test_what_failed_for_an_earlier_assignment_is_not_tried_again_without_one(failed: Action) -> None:
    """A host that left and joined again is only looked at before it is told something: it has no slice yet."""
    memory = WorkerMemory().record(failed, EngineError("refused", status=500), NOW)
    plan, report = plan_pass("h", None, with_volumes("berth_gone_data"), memory, LATER)
    assert (plan.actions, plan.wake_at, report.network_problem) == ((), None, "")
    assert plan.memory == memory


def test_before_the_engine_has_spoken_no_volume_goes() -> None:
    plan, _ = plan_pass("h", None, with_volumes("berth_gone_data"), WorkerMemory(), NOW)
    assert LEFT not in plan.actions


def test_a_volume_that_somebody_uses_is_tried_again_later() -> None:
    memory = WorkerMemory().record(LEFT, EngineError("volume is in use", status=409), NOW)
    seen = with_volumes("berth_gone_data")
    assert plan_sweeping(assignment(), seen, memory, NOW) == ((), memory.volume_removals[LEFT.volume].retry_at)
    assert plan_sweeping(assignment(), seen, memory, LATER) == ((LEFT,), None)
    assert memory.record(LEFT, None, LATER) == WorkerMemory()
