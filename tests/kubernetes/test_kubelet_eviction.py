"""Tables of the kubelet's eviction manager: who goes first, why, and in what words."""

from __future__ import annotations

from typing import Any

from objects.api.pods import Pod
from objects.values.quantity import value
from policies.eviction import (
    DISK,
    MEMORY,
    ContainerUsage,
    PodUsage,
    eviction_message,
    offenders,
    rank_for_eviction,
    storage_limit_exceeded,
)
from policies.pressure import threshold_amount
from tests.kubernetes.loading import load
from tests.kubernetes.tables import Case, table

ONE_DISK = (
    "Docker's root directory is one file system: there are no image, container and node file systems to tell apart"
)
HARD_ONLY = "a Host has hard thresholds only: no grace period, no minimum to reclaim"
OWN_TRANSITION = "pressure ends with a margin and not after a time (reconciler.controllers.node.nodes)"

LEFT_OUT = {
    "kubelet_eviction/eviction_manager__TestInodePressureFsInodes": "inodes are not a figure of Berth's yet",
    "kubelet_eviction/eviction_manager__TestNodeReclaimFuncs": ONE_DISK,
    "kubelet_eviction/helpers__TestAddAllocatableThresholds": "no cgroup of all pods whose memory could be watched",
    "kubelet_eviction/helpers__TestAddContainerFsThresholds": ONE_DISK,
    "kubelet_eviction/helpers__TestCompareThresholdValue": "equality of a Go struct",
    "kubelet_eviction/helpers__TestHasNodeConditions": "whether a list holds a string",
    "kubelet_eviction/helpers__TestNodeConditions": "signals have no names here; each figure has its condition",
    "kubelet_eviction/helpers__TestNodeConditionsLastObservedAt": OWN_TRANSITION,
    "kubelet_eviction/helpers__TestNodeConditionsObservedSince": OWN_TRANSITION,
    "kubelet_eviction/helpers__TestParsePercentage": "thresholds are whole percents, checked when the Host is read",
    "kubelet_eviction/helpers__TestParseThresholdConfig": "flags of the kubelet; a Host's thresholds are two fields",
    "kubelet_eviction/helpers__TestThresholdsFirstObservedAt": HARD_ONLY,
    "kubelet_eviction/helpers__TestThresholdsMetGracePeriod": HARD_ONLY,
    "kubelet_eviction/helpers__TestThresholdsUpdatedStats": "figures come with each look at a host, never older ones",
    "kubelet_eviction/memory_threshold_notifier__TestThresholdDescription": "no kernel notifications without an agent",
    "kubelet_eviction/memory_threshold_notifier__TestUpdateThreshold": "no kernel notifications without an agent",
    "kubelet_eviction/memory_threshold_notifier__TestUpdateThresholdWithInvalidSummary": "as above",
}


def _bytes(text: Any) -> int:
    return value(text) if text else 0


def _pod(made: Case, volumes: Any = None) -> Pod:
    container = {"name": made["name"], "resources": {"requests": made["requests"], "limits": made["limits"]}}
    spec = {"containers": [container], "priority": made["priority"]}
    return load(Pod, {"metadata": {"name": made["name"], "uid": made["name"]}, "spec": {**spec, "volumes": volumes}})


def _usage(made: Case, volume: str = "volume") -> PodUsage:
    """As the Go tests put them: the container has the pod's name, and one local volume."""
    disk = _bytes(made["rootFsUsed"]) + _bytes(made["logsFsUsed"])
    memory = _bytes(made["memoryWorkingSet"])
    container = ContainerUsage(made["name"], memory_bytes=memory, disk_bytes=disk)
    volumes = {volume: _bytes(made["perLocalVolumeUsed"])} if made["perLocalVolumeUsed"] else {}
    return PodUsage((container,), memory, volumes)


def _separate_disks(case: Case) -> str:
    return ONE_DISK if case["dedicatedImageFs"] else ""


@table("kubelet_eviction/eviction_manager__TestDiskPressureNodeFs", leave_out=_separate_disks)
def test_who_goes_first_under_disk_pressure(case: Case) -> None:
    """The Go test evicts the first pod of its list; the others keep their order by the same rules."""
    pods = [_pod(made) for made in case["podToMakes"]]
    usage = {made["name"]: _usage(made) for made in case["podToMakes"]}
    ranked = [pod.name for pod in rank_for_eviction(pods, usage, DISK)]
    assert ranked == [
        "low-priority-high-usage",
        "low-priority-low-usage",
        "above-requests",
        "below-requests",
        "high-priority-high-usage",
    ]


@table("kubelet_eviction/eviction_manager__TestDiskPressureNodeFs_VerifyPodStatus")
def test_message_of_an_evicted_pod(case: Case) -> None:
    """Which file system is short makes no difference to the words."""
    made = {pod["name"]: pod for pod in case["podToMakes"]}
    pods = [_pod(pod) for pod in made.values()]
    usage = {name: _usage(pod) for name, pod in made.items()}
    first = rank_for_eviction(pods, usage, DISK)[0]
    message = eviction_message(
        first,
        usage[first.name],
        DISK,
        threshold_bytes=value(case["thresholdToMonitor"]["Value"]["Quantity"]),
        available_bytes=value("10Gi"),
    )
    assert message == case["evictionMessage"]


@table("kubelet_eviction/eviction_manager__TestStorageLimitEvictions")
def test_storage_limits(case: Case) -> None:
    volumes = case.get("volumes") or []
    pod = _pod(case["pod"], volumes)
    usage = _usage(case["pod"], volumes[0]["name"] if volumes else "volume")
    assert storage_limit_exceeded(pod, usage)
    assert storage_limit_exceeded(pod, PodUsage()) == ""


@table("kubelet_eviction/helpers__TestEvictionMessage")
def test_containers_above_their_request(case: Case) -> None:
    spec: dict[str, Any] = {
        "containers": case["containers"],
        "initContainers": case.get("initContainers"),
        "ephemeralContainers": case.get("ephemeralContainers"),
    }
    pod = load(Pod, {"metadata": {"name": "p"}, "spec": spec})
    used = PodUsage(
        tuple(ContainerUsage(one["name"], memory_bytes=value(one["usage"])) for one in case["containerMemoryStats"])
    )
    expected = [
        (one["name"], value(one["usage"]), value(one["request"])) for one in case.get("expectedContainerMessage") or ()
    ]
    assert offenders(pod, used, MEMORY) == expected


def _reclaim(case: Case) -> str:
    return HARD_ONLY if case.get("enforceMinReclaim") or case.get("enforceMinRelaim") else ""


def _assert_met(case: Case) -> None:
    def signals(thresholds: Any) -> set[str]:
        return {threshold["Signal"] for threshold in thresholds}

    met = set()
    for threshold in case["thresholds"]:
        seen = case["observations"].get(threshold["Signal"])
        if seen is None:
            continue
        said = threshold["Value"]
        limit = said["Quantity"] if said.get("Quantity") else f"{round(said['Percentage'] * 100)}%"
        if value(seen["available"]) < threshold_amount(limit, capacity=_bytes(seen.get("capacity"))):
            met.add(threshold["Signal"])
    assert met == signals(case["result"])


@table("kubelet_eviction/helpers__TestThresholdsMet", leave_out=_reclaim)
def test_threshold(case: Case) -> None:
    _assert_met(case)


@table("kubelet_eviction/helpers__TestPercentageThresholdsMet", leave_out=_reclaim)
def test_threshold_in_percent(case: Case) -> None:
    _assert_met(case)
