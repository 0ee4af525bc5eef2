"""Who is evicted first, and in what words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from objects.api.meta import ObjectMeta
from objects.api.pods import (
    Container,
    Pod,
    PodSpec,
    ResourceRequirements,
)
from objects.api.volumes import EmptyDirVolumeSource, Volume
from policies.eviction import (
    DISK,
    MEMORY,
    ContainerUsage,
    PodUsage,
    eviction_message,
    rank_for_eviction,
    storage_limit_exceeded,
)

MIB = 1024 * 1024


def _pod(name: str, memory: str = "", priority: int = 0, **spec: Any) -> Pod:
    requests = {"memory": memory} if memory else {}
    container = Container(name="main", resources=ResourceRequirements(requests=requests))
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", uid=name),
        spec=PodSpec(**{"containers": (container,), "priority": priority, **spec}),
    )


def _uses(mebibytes: int) -> PodUsage:
    return PodUsage((ContainerUsage("main", memory_bytes=mebibytes * MIB),), mebibytes * MIB)


RANKS = [
    pytest.param(
        (_pod("guaranteed", "300Mi"), _pod("best-effort"), _pod("burstable", "50Mi")),
        {"guaranteed": 250, "best-effort": 20, "burstable": 90},
        ["burstable", "best-effort", "guaranteed"],
        id="most-above-its-request",
    ),
    pytest.param(
        (_pod("important", priority=10), _pod("small")),
        {"important": 900, "small": 1},
        ["small", "important"],
        id="priority-before-amount",
    ),
    pytest.param(
        (_pod("low", "100Mi", priority=-5), _pod("high", "100Mi", priority=5)),
        {"low": 50, "high": 101},
        ["high", "low"],
        id="above-its-request-before-priority",
    ),
    pytest.param((_pod("b"), _pod("a")), {"b": 5, "a": 5}, ["a", "b"], id="alike-by-uid"),
    pytest.param((_pod("known"), _pod("unknown")), {"known": 500}, ["unknown", "known"], id="unknown-first"),
    pytest.param((_pod("critical", priority=2_000_000_000),), {"critical": 500}, [], id="critical-never"),
]


@pytest.mark.parametrize(("pods", "mebibytes", "order"), RANKS)
def test_order_under_memory_pressure(pods: tuple[Pod, ...], mebibytes: dict[str, int], order: list[str]) -> None:
    usage = {name: _uses(amount) for name, amount in mebibytes.items()}
    assert [pod.name for pod in rank_for_eviction(pods, usage, MEMORY)] == order


def test_pods_that_leave_already_are_not_evicted() -> None:
    finished = _pod("finished")
    finished = msgspec.structs.replace(finished, status=msgspec.structs.replace(finished.status, phase="Succeeded"))
    assert rank_for_eviction([finished], {}, MEMORY) == []


def test_message() -> None:
    message = eviction_message(
        _pod("p", "100Mi"), _uses(150), MEMORY, threshold_bytes=200 * MIB, available_bytes=90 * MIB
    )
    assert message == (
        "The node was low on resource: memory. Threshold quantity: 200Mi, available: 90Mi. "
        "Container main was using 150Mi, request is 100Mi, has larger consumption of memory. "
    )


VOLUME = Volume(name="scratch", empty_dir=EmptyDirVolumeSource(size_limit="1Mi"))
IN_MEMORY = Volume(name="scratch", empty_dir=EmptyDirVolumeSource(medium="Memory", size_limit="1Mi"))
LIMITED = Container(name="main", resources=ResourceRequirements(limits={DISK: "2Mi"}))
LIMITS = [
    pytest.param(_pod("p", volumes=(VOLUME,)), 0, MIB, "", id="volume-exactly-full"),
    pytest.param(
        _pod("p", volumes=(VOLUME,)),
        0,
        MIB + 1,
        'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". ',
        id="volume-above",
    ),
    pytest.param(_pod("p", volumes=(IN_MEMORY,)), 0, 0, "", id="memory-volume-is-no-disk"),
    pytest.param(
        _pod("p", containers=(LIMITED,)),
        3 * MIB,
        0,
        "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. ",
        id="containers-together",
    ),
]


@pytest.mark.parametrize(("pod", "layer", "volume", "message"), LIMITS)
def test_local_storage_limits(pod: Pod, layer: int, volume: int, message: str) -> None:
    used = PodUsage((ContainerUsage("main", disk_bytes=layer),), 0, {"scratch": volume} if volume else {})
    assert storage_limit_exceeded(pod, used) == message
