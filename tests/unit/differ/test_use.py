"""What pods, and containers of others, use: from readings of counters."""

from __future__ import annotations

import pytest

from differ.kubelet.usage import cpu_millis, foreign_loads, pod_uses
from objects.api.meta import ObjectMeta
from objects.api.pods import Container, Pod, PodSpec
from objects.api.volumes import EmptyDirVolumeSource, HostPathVolumeSource, Volume
from objects.names import LABEL_CONTAINER, LABEL_MANAGED, LABEL_POD_UID, SANDBOX_CONTAINER, volume_name
from objects.observation.figures import (
    ContainerSample,
    ContainerUse,
    ForeignLoad,
    HostVitals,
    Measurement,
    PodUse,
)
from objects.observation.host import ObservedContainer

LEFT = HostVitals(memory_available_bytes=1, disk_bytes=1, disk_free_bytes=1)
SECOND = 10**9


def reading(at: float, volumes: dict[str, int] | None = None, **samples: ContainerSample) -> Measurement:
    return Measurement(vitals=LEFT, uptime_seconds=at, containers=samples, volumes=volumes or {})


def ours(id_: str, container: str, uid: str = "u1", **fields: object) -> ObservedContainer:
    labels = {LABEL_MANAGED: "true", LABEL_POD_UID: uid, LABEL_CONTAINER: container}
    return ObservedContainer(
        **{"id": id_, "name": f"berth_{container}___{uid}_0", "labels": labels, "state": "running", **fields}
    )  # type: ignore[arg-type]


POD = Pod(
    metadata=ObjectMeta(name="web", namespace="default", uid="u1"),
    spec=PodSpec(
        containers=(Container(name="app", image="i"), Container(name="log", image="i")),
        volumes=(
            Volume(name="cache", empty_dir=EmptyDirVolumeSource()),
            Volume(name="memory", empty_dir=EmptyDirVolumeSource(medium="Memory")),
            Volume(name="host", host_path=HostPathVolumeSource(path="/x")),
        ),
    ),
)
FOUND = (ours("c1", "app"), ours("c2", "log"), ours("c0", SANDBOX_CONTAINER))


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param(reading(0, a=ContainerSample(cpu_nanos=2 * SECOND)), 3 * SECOND, 100, id="a tenth of a processor"),
        pytest.param(reading(0, a=ContainerSample(cpu_nanos=0)), 25 * SECOND, 2500, id="more than one processor"),
        pytest.param(reading(0, a=ContainerSample(cpu_nanos=3 * SECOND)), 3 * SECOND, 0, id="idle"),
        pytest.param(reading(0, a=ContainerSample(cpu_nanos=9 * SECOND)), SECOND, None, id="started anew"),
        pytest.param(reading(0), SECOND, None, id="new"),
        pytest.param(reading(0, a=ContainerSample(memory_bytes=1)), SECOND, None, id="not known before"),
        pytest.param(reading(0, a=ContainerSample(cpu_nanos=0)), None, None, id="not known now"),
        pytest.param(reading(10, a=ContainerSample(cpu_nanos=0)), SECOND, None, id="no time passed"),
        pytest.param(None, SECOND, None, id="one reading only"),
    ],
)
def test_cpu(before: Measurement | None, now: int | None, expected: int | None) -> None:
    assert cpu_millis("a", reading(10, a=ContainerSample(cpu_nanos=now)), before) == expected


def test_pods() -> None:
    before = reading(0, c1=ContainerSample(cpu_nanos=0), c2=ContainerSample(cpu_nanos=0))
    now = reading(
        10,
        {volume_name("u1", "cache"): 70, volume_name("u1", "memory"): 80, "foreign": 90},
        c1=ContainerSample(cpu_nanos=SECOND, memory_bytes=11, disk_bytes=12),
        c2=ContainerSample(cpu_nanos=2 * SECOND, memory_bytes=21, disk_bytes=22),
        c0=ContainerSample(cpu_nanos=1, memory_bytes=2, disk_bytes=3),
        other=ContainerSample(memory_bytes=5),
    )
    other = Pod(metadata=ObjectMeta(name="not-started", namespace="default", uid="u2"))
    assert pod_uses(now, before, (POD, other), FOUND) == {
        "u1": PodUse(
            containers=(
                ContainerUse(name="app", cpu_millis=100, memory_bytes=11, disk_bytes=12),
                ContainerUse(name="log", cpu_millis=200, memory_bytes=21, disk_bytes=22),
            ),
            volumes={"cache": 70},
        )
    }


def test_containers_of_others() -> None:
    containers = (
        ObservedContainer(
            id="o1",
            name="limited",
            state="running",
            cpu_quota_micros=50_000,
            memory_bytes=1000,
            host_ports=(("tcp", "0.0.0.0", 80),),
        ),
        ObservedContainer(id="o2", name="free", state="paused"),
        ObservedContainer(id="o3", name="ended", state="exited", host_ports=(("tcp", "", 81),)),
        *FOUND,
    )
    before = reading(0, o1=ContainerSample(cpu_nanos=0), o2=ContainerSample(cpu_nanos=0))
    now = reading(
        10,
        o1=ContainerSample(cpu_nanos=SECOND, memory_bytes=10),
        o2=ContainerSample(cpu_nanos=SECOND, memory_bytes=20),
    )
    limited = ForeignLoad(name="limited", cpu_millis=500, memory_bytes=1000, ports=(("tcp", "0.0.0.0", 80),))
    measured = foreign_loads(containers, now, before)
    assert measured == (ForeignLoad(name="free", cpu_millis=100, memory_bytes=20), limited)
    assert foreign_loads(containers, None, None) == (ForeignLoad(name="free"), limited)
