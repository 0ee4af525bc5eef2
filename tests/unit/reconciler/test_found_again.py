"""What a fresh process makes of what it finds when the status branch is behind, and somebody tidied up besides.

Each of these was met in a simulated history first (`tests/simulation`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import msgspec
import pytest

from differ.kubelet.memory import WorkerMemory
from objects.api.apps import ReplicaSet, StatefulSet
from objects.api.batch import Job, JobTemplateSpec
from objects.api.containers import Container
from objects.api.meta import ObjectKey, ObjectMeta
from objects.api.pods import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStatus,
    Pod,
    PodSpec,
    PodStatus,
)
from objects.own.config import Host
from reconciler.core.adoption import is_fragment
from reconciler.state.messages import HostReport, HostSilent, Restored
from reconciler.state.pod_state import terminating
from reconciler.status.content import render_files, restore
from reconciler.workers.host_pass import plan_pass, remember
from tests.unit.controllers.manifests import cron_job, job, stateful_set
from tests.unit.differ.building import NOW, SANDBOX_ID, assign, container, exited, found, make_pod, observe
from tests.unit.reconciler.cluster import FACTS, FakeCluster, bare_pod, deployment, running


def memory_of(cluster: FakeCluster) -> Restored:
    return restore(render_files(cluster.engine.store, cluster.engine.inventory).items())


def sizes(cluster: FakeCluster) -> dict[str, int | None]:
    return {one.name: one.spec.replicas for one in cluster.engine.store.all_of(ReplicaSet)}


def test_replica_sets_have_the_size_of_what_is_found_and_not_what_was_written_long_ago() -> None:
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment(replicas=1)))
    memory = memory_of(cluster)
    cluster.settle(cluster.desired(deployment(replicas=4), commit="c2"))
    before = cluster.running_uids
    cluster.silent.add("b")
    cluster.step(*map(cluster.report, cluster.hosts))
    cluster.silent.clear()
    cluster.restart()
    cluster.settle(memory, cluster.desired(deployment(replicas=4), commit="c2"))
    assert (cluster.running_uids, sizes(cluster)) == (before, {"web-webv1": 4})


def test_a_revision_nobody_wrote_down_is_found_with_all_its_pods_those_of_a_silent_host_included() -> None:
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment(replicas=4)))
    memory = memory_of(cluster)
    known = tuple(obj for obj in memory.objects if not isinstance(obj, ReplicaSet))
    cluster.silent.add("b")
    cluster.restart()
    cluster.step(msgspec.structs.replace(memory, objects=known), cluster.desired(deployment(replicas=4)))
    result = cluster.step(*map(cluster.report, cluster.hosts))
    taken = [c.key.name for c in result.changed if isinstance(c.new, Pod) and c.new.is_terminating]
    assert (sizes(cluster), taken) == ({"web-webv1": 4}, [])


def names_and_uids(cluster: FakeCluster) -> dict[str, list[tuple[str, str]]]:
    return {host: sorted((pod.name, pod.uid) for pod in pods.values()) for host, pods in cluster.hosts.items()}


def test_a_remembered_ordinal_is_not_made_beside_its_successor_on_a_host_that_comes_back() -> None:
    """Simulated: a status that is behind, a restart while the host is silent, and the host is back."""
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(stateful_set(replicas=1)))
    memory = memory_of(cluster)
    newer = cluster.desired(stateful_set("web:2", replicas=1), commit="c2")
    cluster.settle(newer)
    before = names_and_uids(cluster)
    cluster.silent.add("a")
    cluster.restart()
    cluster.step(memory, newer)
    cluster.step(cluster.report("a"))
    cluster.silent.clear()
    for _ in range(5):
        cluster.step(cluster.report("a"))
        assert names_and_uids(cluster) == before


def test_a_remembered_ordinal_is_not_made_again_where_it_is_gone_while_it_may_be_elsewhere() -> None:
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(stateful_set(replicas=1)))
    memory = memory_of(cluster)
    (home,) = (host for host, pods in cluster.hosts.items() if pods)
    other = "b" if home == "a" else "a"
    ((_, pod),) = cluster.hosts[home].items()
    moved = msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, uid="moved"))
    cluster.hosts[home].clear()
    cluster.hosts[other]["moved"] = moved
    cluster.silent.update("ab")
    cluster.restart()
    cluster.step(memory, cluster.desired(stateful_set(replicas=1)))
    for back in (home, other):
        cluster.step(*map(cluster.report, cluster.hosts))
        cluster.silent.discard(back)
        cluster.settle()
        assert cluster.running_uids == {"moved"}, back


def test_an_address_that_was_given_on_is_taken_from_who_is_only_remembered() -> None:
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(deployment(replicas=1)))
    memory = memory_of(cluster)
    (old,) = cluster.pods()
    cluster.hosts["a"].clear()
    metadata = msgspec.structs.replace(old.metadata, name="web-webv1-other", uid="other")
    cluster.hosts["a"]["other"] = msgspec.structs.replace(old, metadata=metadata)
    cluster.restart()
    cluster.silent.add("a")
    cluster.step(memory, cluster.desired(deployment(replicas=2)))
    cluster.step(cluster.report("a"))
    cluster.silent.clear()
    cluster.step(cluster.report("a"))
    addresses = {pod.uid: pod.status.pod_ip for pod in cluster.pods()}
    assert addresses["other"] == old.status.pod_ip
    assert len(set(addresses.values())) == len(addresses)


FRAGMENT = Pod(
    metadata=ObjectMeta(name="web-webv1-x", namespace="default", uid="uid-x"),
    spec=PodSpec(containers=(Container(name="c", image="web:v1"),)),
    status=running(NOW),
)


def test_a_pod_that_nobody_knows_any_more_is_ended_under_a_name_that_is_in_nobodys_way() -> None:
    assert is_fragment(FRAGMENT)
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired())
    cluster.step(HostReport(host="a", facts=FACTS, unknown=(FRAGMENT,), pod_subnet="10.244.0.0/24"))
    assert [(pod.name, pod.is_terminating) for pod in cluster.pods()] == [("web-webv1-x~uid-x", True)]


def test_a_pod_without_its_manifest_is_what_the_status_branch_says() -> None:
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(deployment(replicas=1)))
    memory = memory_of(cluster)
    (before,) = cluster.pods()
    metadata = ObjectMeta(name=before.name, namespace="default", uid=before.uid)
    cluster.hosts["a"] = {before.uid: msgspec.structs.replace(FRAGMENT, metadata=metadata)}
    cluster.restart()
    cluster.step(memory, cluster.desired(deployment(replicas=1)))
    cluster.step(cluster.report("a"))
    (after,) = cluster.pods()
    assert (after.spec, after.metadata.owner_references) == (before.spec, before.metadata.owner_references)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(("c", True), id="in Git when the process began"),
        pytest.param(("d", False), id="joined since"),
    ],
)
def test_a_host_that_an_earlier_process_may_have_used_blocks_ordinals(case: tuple[str, bool]) -> None:
    name, blocks = case
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment()))
    memory = memory_of(cluster)
    hosts = cluster.desired().objects
    late = msgspec.structs.replace(next(obj for obj in hosts if isinstance(obj, Host)), metadata=ObjectMeta(name=name))
    cluster.restart()
    wanted = stateful_set(replicas=1)
    first = cluster.desired(*(late,) * blocks)
    silence = HostSilent(host=name, reason="HostUnreachable", message="no route")
    cluster.step(memory, first, *(silence,) * blocks)
    cluster.step(*map(cluster.report, cluster.hosts))
    cluster.step(cluster.desired(late, wanted, commit="c2"))
    cluster.step(silence, *map(cluster.report, cluster.hosts))
    held = cluster.engine.holds.get(("statefulset-controller", ObjectKey(StatefulSet.KIND, "default", "db")))
    assert (held is not None and held.reason == "HostUnknown") is blocks


def test_a_job_that_is_taken_out_of_git_and_comes_back_has_done_nothing_yet() -> None:
    cluster = FakeCluster("a")
    cluster.ends = {"work-": "Succeeded"}
    cluster.settle(cluster.desired(job()))
    memory = memory_of(cluster)
    (before,) = (pod.uid for pod in cluster.pods())
    cluster.restart()
    cluster.settle(memory, cluster.desired(job()))
    cluster.settle(cluster.desired(commit="c2"))
    cluster.settle(cluster.desired(job(), commit="c3"))
    assert [(pod.uid == before, pod.status.phase) for pod in cluster.pods()] == [(False, "Succeeded")]


@pytest.mark.parametrize("indexed", [pytest.param(False, id="was counted"), pytest.param(True, id="was indexed")])
def test_a_job_of_a_cron_job_counts_as_it_was_begun_although_the_template_is_another_now(indexed: bool) -> None:
    before, after = (
        msgspec.structs.replace(
            tick, spec=msgspec.structs.replace(tick.spec, job_template=JobTemplateSpec(spec=job(indexed=mode).spec))
        )
        for tick, mode in ((cron_job("*/1 * * * *"), indexed), (cron_job("*/1 * * * *"), not indexed))
    )
    cluster = FakeCluster("a")
    cluster.ends = {"tick-": "Succeeded"}
    cluster.settle(cluster.desired(before))
    memory = memory_of(cluster)
    cluster.now += timedelta(seconds=60)
    cluster.settle()
    (done,) = (pod.uid for pod in cluster.pods())
    cluster.restart()
    cluster.settle(memory, cluster.desired(after, commit="c2"))
    assert [(pod.uid, pod.status.phase) for pod in cluster.pods()] == [(done, "Succeeded")]


def test_a_job_of_a_cron_job_counts_the_restarts_of_the_pods_that_it_was_begun_with() -> None:
    """Its CronJob's template restarts nothing any more: such a pod would restart for ever."""
    before, after = (
        msgspec.structs.replace(tick, spec=msgspec.structs.replace(tick.spec, job_template=JobTemplateSpec(spec=work)))
        for tick, work in (
            (cron_job("*/1 * * * *"), job(restart_policy="OnFailure").spec),
            (cron_job("*/1 * * * *"), job(restart_policy="Never").spec),
        )
    )
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(before))
    memory = memory_of(cluster)
    cluster.now += timedelta(seconds=60)
    cluster.settle()
    cluster.restart()
    cluster.settle(memory, cluster.desired(after, commit="c2"))
    (rebuilt,) = cluster.engine.store.all_of(Job)
    assert rebuilt.spec.template.spec.restart_policy == "OnFailure"


def statuses(*given: ContainerStatus) -> Iterable[Pod]:
    metadata = ObjectMeta(name="web", namespace="default", uid="uid-web")
    yield Pod(metadata=metadata, status=PodStatus(phase="Running", container_statuses=given))


def test_a_new_worker_knows_how_often_a_container_was_restarted_and_how_it_ended() -> None:
    ended = ContainerStateTerminated(exit_code=137, reason="OOMKilled")
    runs = ContainerState(running=ContainerStateRunning(started_at=NOW))
    over = ContainerState(terminated=ended)
    memory = remember(
        statuses(
            ContainerStatus(name="again", container_id="docker://1", restart_count=3, state=runs, last_state=over),
            ContainerStatus(name="over", restart_count=1, state=over),
            ContainerStatus(name="new"),
        )
    ).pod("uid-web")
    known = {name: (one.restarts, one.last_termination) for name, one in memory.containers.items()}
    assert known == {"again": (3, ended), "over": (1, ended)}


JOB_POD = make_pod(container("main"), init_containers=(container("first"),), restart_policy="Never")


def test_a_pod_that_has_ended_is_over_although_its_host_has_no_pod_network() -> None:
    """As a fresh process sees it before it has told the host anything."""
    mode = f"container:{SANDBOX_ID}"
    seen = observe(
        found(JOB_POD, "POD", state="exited", exit_code=137),
        exited(JOB_POD, "first", 0, network_mode=mode),
        exited(JOB_POD, "main", 0, network_mode=mode),
        pod_network=None,
    )
    plan, _ = plan_pass("host-1", assign(JOB_POD), seen, WorkerMemory(), NOW)
    assert plan.statuses[JOB_POD.uid].phase == "Succeeded"


def test_a_bare_pod_that_had_to_leave_a_silent_host_still_has_to_after_a_kill() -> None:
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(bare_pod()))
    (pod,) = cluster.pods()
    cluster.silent.add(pod.node_name)
    ending = terminating(pod, grace_seconds=None, now=cluster.now)
    memory = Restored(objects=(ending,), inventory={pod.key: ""})
    cluster.restart()
    cluster.settle(memory, cluster.desired(bare_pod()))
    assert [(one.uid, one.node_name, one.is_terminating) for one in cluster.pods()] == [(pod.uid, pod.node_name, True)]
    cluster.silent.clear()
    cluster.settle()
    assert [one.is_terminating for one in cluster.pods()] == [False]


def addresses(cluster: FakeCluster) -> dict[str, str]:
    return {pod.name: pod.status.pod_ip for pod in cluster.pods()}


def test_a_host_that_comes_back_knows_the_addresses_of_its_pods_better_than_an_old_status() -> None:
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(bare_pod(), deployment(replicas=1)))
    real, memory = addresses(cluster), memory_of(cluster)
    swapped = dict(zip(real, reversed(real.values()), strict=True))
    objects = tuple(
        msgspec.structs.replace(obj, status=msgspec.structs.replace(obj.status, pod_ip=swapped[obj.name]))
        if isinstance(obj, Pod)
        else obj
        for obj in memory.objects
    )
    cluster.silent.add("a")
    cluster.restart()
    cluster.settle(
        msgspec.structs.replace(memory, objects=objects), cluster.desired(bare_pod(), deployment(replicas=1))
    )
    assert addresses(cluster) == swapped
    cluster.silent.clear()
    cluster.settle()
    assert addresses(cluster) == real


def test_who_has_ended_takes_no_address_from_who_runs() -> None:
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(bare_pod()))
    (lone,) = cluster.pods()
    over = msgspec.structs.replace(
        lone,
        metadata=msgspec.structs.replace(lone.metadata, name="over", uid="over"),
        status=msgspec.structs.replace(lone.status, phase="Succeeded"),
    )
    cluster.hosts["a"]["over"] = over
    cluster.ends = {"over": "Succeeded"}
    cluster.settle()
    assert addresses(cluster)["lone"] == lone.status.pod_ip != ""
