"""Claims on a host: a pod waits for their volumes, these are made ready first, and they outlive it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from differ.kubelet.actions import (
    CreateContainer,
    Mount,
    PrepareVolume,
    RemoveVolume,
)
from differ.kubelet.pods import plan_host
from hosts.volumes.claims import open_command
from objects.api.pods import PodSecurityContext, VolumeMount
from objects.api.volumes import PersistentVolumeClaimVolumeSource, Volume
from objects.names import LABEL_CLAIM, LABEL_MANAGED
from tests.unit.differ.building import NO_MEMORY, NOW, after, assign, container, exited, found, make_pod, observe, show

VOLUMES = (Volume(name="v", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="data")),)
MAIN = container(volume_mounts=(VolumeMount(name="v", mount_path="/data"),))
POD = make_pod(MAIN, volumes=VOLUMES)
BOUND = {("default", "data"): "berth-claim_default_data"}
LABELS = {LABEL_MANAGED: "true", LABEL_CLAIM: "default/data"}


def test_a_pod_waits_for_its_claim() -> None:
    plan = plan_host(assign(POD), observe(), NO_MEMORY, NOW)
    message = 'claim "data" has no volume on this host yet'
    assert plan.actions == ()
    assert show(plan.statuses[POD.uid]) == f"Pending [main ContainerCreating: {message} r0]"


def test_a_pod_that_runs_does_not_mind_that_its_claim_is_gone() -> None:
    plan = plan_host(assign(POD), observe(found(POD)), NO_MEMORY, NOW)
    assert (plan.actions, show(plan.statuses[POD.uid])) == ((), "Running ready [main running r0]")


@pytest.mark.parametrize(
    ("security", "mode", "group"),
    [
        pytest.param(None, 0o777, 0, id="everybody's"),
        pytest.param(PodSecurityContext(fs_group=70), 0o2777, 70, id="a group's"),
    ],
)
def test_the_volume_is_made_ready_before_the_container(
    security: PodSecurityContext | None, mode: int, group: int
) -> None:
    pod = make_pod(MAIN, volumes=VOLUMES, security_context=security)
    prepare, create = plan_host(assign(pod, claim_volumes=BOUND), observe(), NO_MEMORY, NOW).actions
    assert prepare == PrepareVolume(
        pod_uid=pod.uid, container="main", volume=BOUND["default", "data"], labels=LABELS, mode=mode, group=group
    )
    assert isinstance(create, CreateContainer)
    assert create.spec.mounts == (Mount(source="berth-claim_default_data", target="/data", labels=LABELS),)


def test_a_pod_that_goes_leaves_the_volume() -> None:
    pod = make_pod(
        MAIN,
        volumes=(*VOLUMES, Volume(name="own")),
        deletion_timestamp=after(30),
        deletion_grace_period_seconds=30,
    )
    plan = plan_host(assign(pod, claim_volumes=BOUND), observe(exited(pod)), NO_MEMORY, NOW)
    assert [action.volume for action in plan.actions if isinstance(action, RemoveVolume)] == [f"berth_{pod.uid}_own"]


@pytest.mark.parametrize(
    ("mode", "content", "expected"),
    [
        pytest.param(0o755, "", 0o777, id="as Docker made it"),
        pytest.param(0o700, "", 0o700, id="a database's own"),
        pytest.param(0o755, "file", 0o755, id="in use"),
    ],
)
def test_only_a_fresh_directory_is_opened(tmp_path: Path, mode: int, content: str, expected: int) -> None:
    place = tmp_path / "a volume"
    place.mkdir(mode=0o755)
    place.chmod(mode)
    if content:
        (place / content).touch()
    # Root's in a real volume; here whoever runs the test.
    command = open_command(str(place), mode=0o777, group=place.stat().st_gid)
    done = subprocess.run(
        ["sh", "-c", command.replace("-user 0", f"-user {place.stat().st_uid}")], check=False, capture_output=True
    )
    assert (done.returncode, done.stderr, place.stat().st_mode & 0o7777) == (0, b"", expected)
