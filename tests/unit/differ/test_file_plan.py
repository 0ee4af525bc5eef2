"""When volumes are written: before the first start, when their content changed, and in each life of a sandbox."""

from __future__ import annotations

import msgspec
import pytest

from differ.kubelet.actions import (
    Action,
    CreateContainer,
    RenameContainer,
    StartContainer,
    WriteFiles,
)
from differ.kubelet.containers.environment import PodContext
from differ.kubelet.containers.spec import compose_sandbox
from differ.kubelet.memory import PodMemory, WorkerMemory
from differ.kubelet.pods import plan_host
from objects.api.core import ConfigMap
from objects.api.meta import ObjectMeta
from objects.api.pods import VolumeMount
from objects.api.volumes import ConfigMapVolumeSource, EmptyDirVolumeSource, Volume
from objects.names import LABEL_FILES_HASH
from objects.observation.host import ObservedContainer
from tests.unit.differ.building import NOW, ago, assign, container, found, make_pod, observe, show

CONFIG_MAP = ConfigMap(metadata=ObjectMeta(name="c", namespace="default"), data={"k": "v"})
MOUNT = VolumeMount(name="v", mount_path="/srv/data")
FILES = make_pod(
    container(volume_mounts=(MOUNT,)), volumes=(Volume(name="v", config_map=ConfigMapVolumeSource(name="c")),)
)
ASSIGNED = assign(FILES, config_maps={("default", "c"): CONFIG_MAP})
HASH = compose_sandbox(PodContext(FILES, ASSIGNED), attempt=0).labels[LABEL_FILES_HASH]


def sandbox(**fields: object) -> ObservedContainer:
    plain = found(FILES, "POD")
    return found(FILES, "POD", **{"labels": {**plain.labels, LABEL_FILES_HASH: HASH}, **fields})


def kinds(actions: tuple[Action, ...]) -> list[str]:
    return [type(action).__name__ for action in actions]


OTHER = f"other@{ago(61)}"
SAME = f"{HASH}@{ago(61)}"


@pytest.mark.parametrize(
    ("containers", "written", "expected"),
    [
        pytest.param((sandbox(),), "", ["WriteFiles", "CreateContainer"], id="before-the-first-start"),
        pytest.param((sandbox(), found(FILES)), "", [], id="a-fresh-process-believes-the-label"),
        pytest.param((sandbox(), found(FILES)), SAME, [], id="written"),
        pytest.param((sandbox(), found(FILES)), OTHER, ["RenameContainer", "WriteFiles"], id="changed"),
        pytest.param(
            (sandbox(labels={**sandbox().labels, LABEL_FILES_HASH: "old"}), found(FILES)),
            "",
            ["RenameContainer", "WriteFiles"],
            id="changed-while-nobody-looked",
        ),
        pytest.param((sandbox(attempt=1), found(FILES)), "", ["WriteFiles"], id="written-again-once-before"),
        pytest.param((sandbox(attempt=1), found(FILES)), SAME, [], id="written-again-by-us"),
        pytest.param(
            (sandbox(finished_at=ago(62)), found(FILES)), "", ["WriteFiles"], id="the-sandbox-was-started-again"
        ),
        pytest.param(
            (sandbox(finished_at=ago(62)), found(FILES)), f"{HASH}@{ago(999)}", ["WriteFiles"], id="in-another-life"
        ),
    ],
)
def test_files_are_written(containers: tuple[ObservedContainer, ...], written: str, expected: list[str]) -> None:
    memory = WorkerMemory(pods={FILES.uid: PodMemory(files_written=written)})
    plan = plan_host(ASSIGNED, observe(*containers), memory, NOW)
    assert kinds(plan.actions) == expected


PART = VolumeMount(name="v", mount_path="/k", sub_path="k")


@pytest.mark.parametrize(
    ("containers", "mount", "tidied"),
    [
        pytest.param((sandbox(),), MOUNT, (), id="nothing-was-there-before"),
        pytest.param((sandbox(attempt=1), found(FILES)), MOUNT, ("v",), id="another-content"),
        pytest.param((sandbox(finished_at=ago(62)),), MOUNT, ("v",), id="another-life"),
        pytest.param((sandbox(attempt=1), found(FILES)), PART, (), id="a-part-shows-what-it-began-with"),
    ],
)
def test_what_earlier_contents_left_is_taken_out(
    containers: tuple[ObservedContainer, ...], mount: VolumeMount, tidied: tuple[str, ...]
) -> None:
    spec = msgspec.structs.replace(FILES.spec, containers=(container(volume_mounts=(mount,)),))
    pod = msgspec.structs.replace(FILES, spec=spec)
    plan = plan_host(assign(pod, config_maps=ASSIGNED.config_maps), observe(*containers), WorkerMemory(), NOW)
    (write,) = [action for action in plan.actions if isinstance(action, WriteFiles)]
    assert write.tidied == tidied


def test_what_is_missing_keeps_the_pod_waiting() -> None:
    plan = plan_host(assign(FILES), observe(sandbox()), WorkerMemory(), NOW)
    expected = 'Pending [main ContainerCreating: volume "v": configmap "c" not found r0]'
    assert (plan.actions, show(plan.statuses[FILES.uid])) == ((), expected)


def test_what_runs_goes_on_without_what_is_gone() -> None:
    plan = plan_host(assign(FILES), observe(sandbox(), found(FILES)), WorkerMemory(), NOW)
    assert (plan.actions, show(plan.statuses[FILES.uid])) == ((), "Running ready [main running r0]")


def test_one_container_is_written_through_before_it_starts() -> None:
    pod = make_pod(container(volume_mounts=(MOUNT,)), volumes=(Volume(name="v", empty_dir=EmptyDirVolumeSource()),))
    create, write, start = plan_host(assign(pod), observe(), WorkerMemory(), NOW).actions
    assert isinstance(create, CreateContainer)
    assert create.start is False
    assert isinstance(write, WriteFiles)
    assert (write.id, write.directory, [entry.path for entry in write.entries]) == (create.spec.name, "/srv", ["data"])
    assert isinstance(start, StartContainer)
    assert start.id == create.spec.name
    again = plan_host(assign(pod), observe(found(pod, state="created", started_at=None)), WorkerMemory(), NOW)
    assert kinds(again.actions) == ["WriteFiles", "StartContainer"]


def test_the_mark_of_a_change_is_the_sandboxs_name() -> None:
    memory = WorkerMemory(pods={FILES.uid: PodMemory(files_written=OTHER)})
    rename, write = plan_host(ASSIGNED, observe(sandbox(), found(FILES)), memory, NOW).actions
    assert isinstance(rename, RenameContainer)
    assert rename.name == f"berth_POD_web_default_{FILES.uid}_1"
    assert isinstance(write, WriteFiles)
    assert write.mark == SAME
    assert [entry.path.split("/")[0] for entry in write.entries] == ["v"] * 4
