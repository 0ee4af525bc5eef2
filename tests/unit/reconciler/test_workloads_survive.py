"""What workloads have done, and where their data is, survives the process: by the status branch and the hosts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from objects.api.apps import (
    ControllerRevision,
    ReplicaSet,
    StatefulSet,
    StatefulSetRetentionPolicy,
)
from objects.api.batch import CronJob, Job
from objects.api.meta import KubeObject, ObjectMeta, OwnerReference
from objects.api.pods import Pod
from objects.api.storage import PersistentVolume, PersistentVolumeClaim
from objects.api.volumes import PersistentVolumeClaimSpec
from objects.conditions import is_true
from reconciler.controllers.volumes.binding import bound_volume, host_of
from reconciler.core.health import (
    Health,
    HealthStatus,
    health_of,
    pod_health,
)
from reconciler.state.messages import Restored
from reconciler.state.pod_state import with_past
from reconciler.status.content import (
    INVENTORY_PATH,
    dump,
    inventory_document,
    render_files,
    restore,
)
from tests.unit.controllers.manifests import cron_job, job, stateful_set
from tests.unit.reconciler.cluster import FakeCluster, bare_pod, deployment, make_host

HOSTS = ("a", "b", "c")


def memory_of(cluster: FakeCluster) -> Restored:
    return restore(render_files(cluster.engine.store, cluster.engine.inventory).items())


def after_restart(cluster: FakeCluster, *objects: KubeObject) -> None:
    memory = memory_of(cluster)
    cluster.restart()
    cluster.settle(memory, cluster.desired(*objects))


def settled(*objects: KubeObject, ends: dict[str, str] | None = None) -> FakeCluster:
    cluster = FakeCluster(*HOSTS)
    cluster.ends = ends or {}
    cluster.settle(cluster.desired(*objects))
    return cluster


def whole(cluster: FakeCluster, *kinds: type[KubeObject]) -> dict[str, dict[str, object]]:
    """Everything of these kinds, but for what counts changes."""
    return {
        f"{kind.KIND}/{obj.name}": {
            **msgspec.to_builtins(obj),
            "metadata": msgspec.to_builtins(
                msgspec.structs.replace(obj.metadata, resource_version="", generation=0, owner_references=())
            ),
            "spec": msgspec.json.encode(getattr(obj, "spec", None)),
            "data": msgspec.json.encode(getattr(obj, "data", None)),
            "status": {
                k: v for k, v in msgspec.to_builtins(obj).get("status", {}).items() if k != "observedGeneration"
            },
        }
        for kind in kinds
        for obj in cluster.engine.store.all_of(kind)
    }


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_finished_job_is_not_run_again(phase: str) -> None:
    work = job(backoff_limit=0)
    cluster = settled(work, ends={"work-": phase})
    before = whole(cluster, Job, Pod)
    condition = "Complete" if phase == "Succeeded" else "Failed"
    assert [is_true(one.status.conditions, condition) for one in cluster.engine.store.all_of(Job)] == [True]
    after_restart(cluster, work)
    assert whole(cluster, Job, Pod).keys() == before.keys()
    assert whole(cluster, Job) == {key: one for key, one in before.items() if key.startswith("Job/")}


def test_a_finished_job_whose_pods_are_gone_is_not_run_again() -> None:
    work = job()
    cluster = settled(work, ends={"work-": "Succeeded"})
    memory = memory_of(cluster)
    done = [(pod.uid, "Succeeded") for pod in cluster.pods()]
    for pods in cluster.hosts.values():
        pods.clear()
    cluster.restart()
    cluster.settle(memory, cluster.desired(work))
    assert [(pod.uid, pod.status.phase) for pod in cluster.pods()] == done


def test_a_cron_job_neither_loses_nor_doubles_a_time() -> None:
    tick = cron_job("*/1 * * * *")
    cluster = settled(tick, ends={"tick-": "Succeeded"})
    for _ in range(3):
        cluster.now += timedelta(seconds=60)
        cluster.settle()
    before = whole(cluster, Job)
    assert len(before) == 3
    after_restart(cluster, tick)
    assert whole(cluster, Job) == before
    cluster.now += timedelta(seconds=60)
    cluster.settle()
    live = cluster.engine.store.get(CronJob, "default", "tick")
    assert live is not None
    assert live.status.last_schedule_time == cluster.now.replace(second=0, microsecond=0)


def test_a_job_of_a_cron_job_that_was_not_written_down_is_the_same_job() -> None:
    tick = cron_job("*/1 * * * *")
    cluster = settled(tick)
    memory = memory_of(cluster)
    cluster.now += timedelta(seconds=60)
    cluster.settle()
    before, uids = whole(cluster, Job).keys(), cluster.running_uids
    assert len(before) == 1
    cluster.restart()
    cluster.settle(memory, cluster.desired(tick))
    assert (whole(cluster, Job).keys(), cluster.running_uids) == (before, uids)


def database(image: str = "web:1", *, partition: int = 0) -> StatefulSet:
    asked = PersistentVolumeClaimSpec(access_modes=("ReadWriteOnce",))
    written = stateful_set(image, partition=partition)
    template = PersistentVolumeClaim(metadata=ObjectMeta(name="data"), spec=asked)
    return msgspec.structs.replace(
        written, spec=msgspec.structs.replace(written.spec, volume_claim_templates=(template,))
    )


def places(cluster: FakeCluster) -> dict[str, str]:
    """Claim → host of its data."""
    store = cluster.engine.store
    return {
        claim.name: host_of(volume)
        for claim in store.all_of(PersistentVolumeClaim)
        if (volume := bound_volume(store, claim)) is not None
    }


def test_a_stateful_set_keeps_its_revisions_and_claims() -> None:
    cluster = settled(database())
    cluster.settle(cluster.desired(database("web:2", partition=2), commit="c2"))
    kinds = (ControllerRevision, PersistentVolumeClaim, PersistentVolume, StatefulSet)
    before, running, uids = whole(cluster, *kinds), cluster.running, cluster.running_uids
    after_restart(cluster, database("web:2", partition=2))
    assert whole(cluster, *kinds) == before
    assert (cluster.running, cluster.running_uids) == (running, uids)
    assert cluster.images == ["web:1", "web:1", "web:2"]


def test_claims_hold_their_pods_on_their_hosts_also_when_all_pods_were_gone() -> None:
    cluster = settled(database())
    before, running = places(cluster), cluster.running
    empty = msgspec.structs.replace(database(), spec=msgspec.structs.replace(database().spec, replicas=0))
    cluster.settle(cluster.desired(empty, commit="c2"))
    assert (cluster.running_uids, places(cluster)) == (set(), before)
    after_restart(cluster, database("web:2"))
    assert (places(cluster), cluster.running) == (before, running)


def test_a_process_without_memory_finds_the_data_where_the_pods_are() -> None:
    cluster = settled(database())
    before, running, uids = places(cluster), cluster.running, cluster.running_uids
    cluster.restart()
    cluster.settle(cluster.desired(database()))
    assert (places(cluster), cluster.running, cluster.running_uids) == (before, running, uids)


@pytest.mark.parametrize("follows", [True, False], ids=["after another process", "the first of all"])
def test_an_ordinal_waits_for_a_silent_host_also_when_nothing_was_written_down(*, follows: bool) -> None:
    """A kill between the first pods of a cluster and its first status: only that somebody was in charge is known."""
    cluster = settled(stateful_set(replicas=1))
    (host,) = [name for name, pods in cluster.hosts.items() if pods]
    cluster.silent = {host}
    cluster.restart()
    memory = Restored(follows=follows)
    cluster.settle(memory, cluster.desired(stateful_set(replicas=1)))
    elsewhere = [pod for name, pods in cluster.running.items() if name != host for pod in pods]
    assert elsewhere == ([] if follows else ["db-0"])


def dropping(*, replicas: int = 3, **policy: str) -> StatefulSet:
    """Claims go with the pods of a scale-in, or as `policy` says."""
    retention = StatefulSetRetentionPolicy(**(policy or {"when_deleted": "Retain", "when_scaled": "Delete"}))
    written = database()
    spec = msgspec.structs.replace(written.spec, replicas=replicas, persistent_volume_claim_retention_policy=retention)
    return msgspec.structs.replace(written, spec=spec)


def mounted(cluster: FakeCluster) -> dict[str, str]:
    """Claim → the Docker volume that its pod is told to use."""
    told = (cluster.engine.assignment(host) for host in HOSTS)
    return {claim: volume for one in told if one is not None for (_, claim), volume in one.claim_volumes.items()}


@pytest.mark.parametrize("is_written", [True, False], ids=["known from the branch", "by the hosts alone"])
@pytest.mark.parametrize("is_running", [True, False])
def test_a_fresh_volume_stays_the_claims_over_a_kill(*, is_written: bool, is_running: bool) -> None:
    """Of a claim that gave one up. The status branch may not know yet that it did."""
    cluster = settled(dropping())
    memory = memory_of(cluster)
    cluster.settle(cluster.desired(dropping(replicas=2), commit="c2"))
    cluster.settle(cluster.desired(dropping(), commit="c3"))
    before, uids = mounted(cluster), cluster.running_uids
    assert before["data-db-2"] == "berth-claim_default_data-db-2_1"
    if is_written:
        memory = memory_of(cluster)
    if not is_running:
        cluster.hosts = {name: {} for name in HOSTS}
    cluster.restart()
    cluster.settle(memory, cluster.desired(dropping()))
    assert mounted(cluster) == before
    assert cluster.running_uids == uids or not is_running
    claims = cluster.engine.store.all_of(PersistentVolumeClaim)
    assert [claim.metadata.owner_references for claim in claims] == [(), (), ()]
    cluster.settle(
        cluster.desired(
            msgspec.structs.replace(
                dropping(), spec=msgspec.structs.replace(dropping().spec, template=database("web:2").spec.template)
            ),
            commit="c4",
        )
    )
    assert mounted(cluster) == before


def test_what_a_claim_gave_up_is_not_found_again() -> None:
    """Neither after a scale-in nor over a kill: the next pod of this ordinal begins with nothing."""
    cluster = settled(dropping())
    cluster.settle(cluster.desired(dropping(replicas=2), commit="c2"))
    after_restart(cluster, dropping(replicas=2))
    assert sorted(mounted(cluster)) == ["data-db-0", "data-db-1"]
    cluster.settle(cluster.desired(dropping(), commit="c3"))
    assert mounted(cluster)["data-db-2"] == "berth-claim_default_data-db-2_1"


def test_claims_of_a_set_that_leaves_git_go_with_it_if_they_are_to() -> None:
    cluster = settled(dropping(when_deleted="Delete", when_scaled="Retain"))
    cluster.settle(cluster.desired(commit="c2"))
    assert (cluster.engine.store.all_of(PersistentVolumeClaim), cluster.running_uids) == ([], set())
    after_restart(cluster)
    cluster.settle(cluster.desired(dropping(when_deleted="Delete", when_scaled="Retain"), commit="c3"))
    assert set(mounted(cluster).values()) == {f"berth-claim_default_data-db-{ordinal}_1" for ordinal in range(3)}


def test_a_claim_that_git_holds_comes_back_with_a_fresh_volume() -> None:
    """Somebody wrote it himself, under the name that the set gives its own."""
    asked = PersistentVolumeClaimSpec(access_modes=("ReadWriteOnce",))
    own = PersistentVolumeClaim(metadata=ObjectMeta(name="data-db-2", namespace="default"), spec=asked)
    cluster = settled(own, dropping())
    cluster.settle(cluster.desired(own, dropping(replicas=2), commit="c2"))
    (claim,) = [one for one in cluster.engine.store.all_of(PersistentVolumeClaim) if one.name == "data-db-2"]
    assert (claim.status.phase, claim.spec.volume_name) == ("Pending", "")


def test_pods_that_share_a_claim_share_its_host() -> None:
    claim = PersistentVolumeClaim(
        metadata=ObjectMeta(name="shared", namespace="default"),
        spec=PersistentVolumeClaimSpec(access_modes=("ReadWriteMany",)),
    )
    template = database().spec.template
    volumes = msgspec.convert([{"name": "v", "persistentVolumeClaim": {"claimName": "shared"}}], tuple)
    pods = [
        Pod(
            metadata=ObjectMeta(name=f"user-{number}", namespace="default"),
            spec=msgspec.convert({**msgspec.to_builtins(template.spec), "volumes": volumes}, type(template.spec)),
        )
        for number in range(6)
    ]
    cluster = settled(claim, *pods)
    assert [len(names) for names in cluster.running.values() if names] == [6]
    assert [name for name, names in cluster.running.items() if names] == [places(cluster)["shared"]]
    after_restart(cluster, claim, *pods)
    assert places(cluster) == {"shared": next(name for name, names in cluster.running.items() if names)}


def test_who_waits_for_data_of_a_host_that_is_gone_says_so_and_what_to_do() -> None:
    cluster = settled(database())
    lost = places(cluster)["data-db-0"]
    cluster.hosts.pop(lost)
    cluster.settle(cluster.desired(database(), commit="c2"))
    store = cluster.engine.store
    (pod,) = [pod for pod in store.all_of(Pod) if pod.name == "db-0"]
    (claim,) = [claim for claim in store.all_of(PersistentVolumeClaim) if claim.name == "data-db-0"]
    reason = f'0/2 hosts fit: 2 the data of claim "data-db-0" is on {lost}, which is gone'
    remedy = "bring that host back; if it is lost, so is the data: berth delete pvc, or a claim of another name"
    assert pod_health(pod) == Health(HealthStatus.PROGRESSING, f"db-0 is pending: {reason} (what would help: {remedy})")
    assert health_of(store, claim) == Health(
        HealthStatus.DEGRADED,
        f"the data of claim data-db-0 is on host {lost}, which is not in Git; its pods wait: "
        "bring that host back, or, if it is lost: berth delete pvc data-db-0, or a claim of another name",
    )


@pytest.mark.parametrize("is_read_again", [False, True], ids=["once", "killed and read again"])
def test_a_claim_whose_host_is_lost_gets_a_fresh_volume_when_a_commit_gives_the_old_one_up(
    *, is_read_again: bool
) -> None:
    cluster = settled(database())
    lost = places(cluster)["data-db-1"]
    (volume,) = [
        claim.spec.volume_name
        for claim in cluster.engine.store.all_of(PersistentVolumeClaim)
        if claim.name == "data-db-1"
    ]
    cluster.hosts.pop(lost)
    cluster.settle(cluster.desired(database(), commit="c2"))
    assert "db-1" not in [name for names in cluster.running.values() for name in names]
    memory = memory_of(cluster)
    word = cluster.desired(database(), commit="c3", given_up=frozenset({volume}))
    cluster.settle(word)
    now = places(cluster)
    assert (now["data-db-1"] in cluster.hosts, mounted(cluster)["data-db-1"]) == (
        True,
        "berth-claim_default_data-db-1_1",
    )
    assert [name for names in cluster.running.values() for name in names if name == "db-1"] == ["db-1"]
    if is_read_again:
        # What was not written down is told again: it names the volume that is given up, not the claim.
        uids = cluster.running_uids
        cluster.restart()
        cluster.settle(memory, word)
        assert (places(cluster), cluster.running_uids) == (now, uids)


@pytest.mark.parametrize("is_marked", [True, False])
def test_a_pod_that_was_just_made_elsewhere_shows_that_its_claim_gave_the_old_volume_up(*, is_marked: bool) -> None:
    """A kill when the pod was there, its new volume not yet, and nothing written down."""
    cluster = settled(dropping())
    old = places(cluster)["data-db-2"]
    volumes = {one.name: one.spec.volume_name for one in cluster.engine.store.all_of(PersistentVolumeClaim)}
    given_up = frozenset({volumes["data-db-2"]}) if is_marked else frozenset()
    memory = memory_of(cluster)
    cluster.settle(cluster.desired(dropping(replicas=2), commit="c2"))
    cordoned = msgspec.structs.replace(
        make_host(old), spec=msgspec.structs.replace(make_host(old).spec, unschedulable=True)
    )
    cluster.settle(cluster.desired(dropping(), cordoned, commit="c3"))
    (new,) = [host for host, names in cluster.running.items() if "db-2" in names]
    assert new != old
    cluster.volumes[new].discard("berth-claim_default_data-db-2_1")
    uids = cluster.running_uids
    cluster.restart()
    cluster.settle(memory, cluster.desired(dropping(), cordoned, commit="c3", given_up=given_up))
    assert (places(cluster)["data-db-2"], mounted(cluster)["data-db-2"]) == (new, "berth-claim_default_data-db-2_1")
    assert cluster.running_uids == uids


@pytest.mark.parametrize("how", ["word", "policy"])
@pytest.mark.parametrize("is_removed", [True, False], ids=["leaves Git", "is seen"])
def test_a_volume_is_not_given_up_while_nobody_knows_what_runs_on_its_host(*, how: str, is_removed: bool) -> None:
    """After a kill, with a host that was not seen since."""
    is_word = how == "word"
    policy = {"when_deleted": "Retain" if is_word else "Delete", "when_scaled": "Retain"}
    cluster = settled(dropping(**policy))
    lost = places(cluster)["data-db-1"]
    volumes = {one.name: one.spec.volume_name for one in cluster.engine.store.all_of(PersistentVolumeClaim)}
    cluster.settle(cluster.desired(dropping(replicas=0, **policy), commit="c2"))
    memory = msgspec.structs.replace(memory_of(cluster), follows=True)
    cluster.silent = {lost}
    cluster.restart()
    given_up = frozenset({volumes["data-db-1"]}) if is_word else frozenset()
    rest = (dropping(replicas=0, **policy),) if is_word else ()
    cluster.settle(memory, cluster.desired(*rest, commit="c3", given_up=given_up))

    def reason() -> str:
        found = cluster.engine.store.get(PersistentVolume, "", volumes["data-db-1"])
        return found.status.reason if found is not None else "gone"

    assert reason() == ""
    reasons = {one.message.rpartition(": ")[2] for one in cluster.engine.holds.values()}
    assert f"a pod may still use it on host {lost}, not seen since the start" in reasons
    if is_removed:
        cluster.hosts.pop(lost)
    cluster.silent = set()
    cluster.settle(cluster.desired(*rest, commit="c4"))
    assert reason() == "GivenUp"


def test_a_volume_that_is_used_is_given_up_when_its_pod_has_ended() -> None:
    cluster = settled(database())
    claims = {claim.name: claim for claim in cluster.engine.store.all_of(PersistentVolumeClaim)}
    before = mounted(cluster)
    given_up = frozenset({claims["data-db-2"].spec.volume_name})
    cluster.settle(cluster.desired(database(), commit="c2", given_up=given_up))
    assert mounted(cluster) == before
    (hold,) = [one for (name, _), one in cluster.engine.holds.items() if name == "persistentvolume-controller"]
    assert hold.message == "berth-claim_default_data-db-2 is to be given up when nobody uses it any more: used by db-2"
    after_restart(cluster, database())
    assert mounted(cluster) == before
    cluster.settle(cluster.desired(database("web:2"), commit="c3"))
    assert mounted(cluster) == {**before, "data-db-2": "berth-claim_default_data-db-2_1"}


@pytest.mark.parametrize("is_killed", [False, True], ids=["goes-on", "killed-afterwards"])
def test_pods_of_an_owner_that_went_alone_live_on(*, is_killed: bool) -> None:
    cluster = settled(database(), deployment(replicas=2))
    before, labels = cluster.running_uids, {host: dict(pods) for host, pods in cluster.hosts.items()}
    orphaned = frozenset({"StatefulSet/default/db", "Deployment/default/web"})
    cluster.settle(cluster.desired(commit="c2", orphaned=orphaned))
    assert cluster.running_uids == before
    if is_killed:
        # Containers tell what their pods were when they were made: owned.
        cluster.hosts = labels
        after_restart(cluster)
        assert cluster.running_uids == before
    cluster.settle(cluster.desired(deployment(replicas=2), commit="c3"))
    assert cluster.running_uids == before
    cluster.settle(cluster.desired(commit="c4"))
    assert {pod.name for pod in cluster.pods()} == {"db-0", "db-1", "db-2"}


@pytest.mark.parametrize("is_terminating", [False, True], ids=["its owner went alone", "it was to go after its owner"])
def test_owners_that_a_pod_lost_stay_lost(*, is_terminating: bool) -> None:
    found = Pod(
        metadata=ObjectMeta(
            name="p", uid="u", owner_references=(OwnerReference(name="work", uid="w", controller=True),)
        )
    )
    deleted_at = datetime(2026, 1, 1, tzinfo=UTC) if is_terminating else None
    before = Pod(metadata=ObjectMeta(name="p", uid="u", deletion_timestamp=deleted_at))
    after = with_past(found, before)
    assert (after.metadata.owner_references, after.metadata.deletion_timestamp) == ((), deleted_at)


def test_work_that_was_done_for_a_job_that_is_gone_does_not_count_for_its_successor() -> None:
    cluster = settled(job(completions=2))
    (host,) = (name for name, pods in cluster.hosts.items() if pods)
    before = cluster.running_uids
    cluster.silent.add(host)
    cluster.restart()
    cluster.settle(cluster.desired(commit="c2"))
    cluster.settle(cluster.desired(job(completions=2), commit="c3"))
    cluster.ends = {"work": "Succeeded"}
    cluster.silent.clear()
    cluster.settle()
    (work,) = cluster.engine.store.all_of(Job)
    assert is_true(work.status.conditions, "Complete")
    done = {pod.uid for pod in cluster.pods()}
    assert (len(done), done & before) == (2, set())


@pytest.mark.parametrize("is_killed", [False, True], ids=["goes-on", "killed-meanwhile"])
def test_what_only_a_commit_between_had_does_not_stay(*, is_killed: bool) -> None:
    """Two commits may be taken in together."""
    cluster = settled(deployment())
    if is_killed:
        memory = memory_of(cluster)
        cluster.restart()
        cluster.step(memory)
    between = cluster.desired(deployment(), deployment(name="api"), job(), commit="c2")
    cluster.settle(between, cluster.desired(deployment(), commit="c3"))
    assert {pod.labels["app"] for pod in cluster.pods()} == {"web"}
    assert cluster.engine.store.all_of(Job) == []


def test_pods_on_their_way_out_bring_no_revision_back_into_a_deployment_that_came_back() -> None:
    cluster = settled(deployment("web:v1", replicas=1))
    (host,) = (name for name, pods in cluster.hosts.items() if pods)
    cluster.silent.add(host)
    cluster.settle(cluster.desired(commit="c2"))
    memory = memory_of(cluster)
    cluster.restart()
    cluster.settle(memory, cluster.desired(deployment("web:v2"), commit="c3"))
    assert [one.name for one in cluster.engine.store.all_of(ReplicaSet)] == ["web-webv2"]
    assert [pod.is_terminating for pod in cluster.pods() if pod.node_name == host] == [True]


@pytest.mark.parametrize(
    ("is_held", "is_killed"),
    [(False, False), (True, False), (True, True)],
    ids=["overtaken", "held-by-the-budget", "killed-meanwhile"],
)
def test_an_owner_that_is_to_go_alone_does_so_also_later(*, is_held: bool, is_killed: bool) -> None:
    others = [deployment(name=f"api-{number}", replicas=1) for number in range(9)]
    cluster = settled(deployment(), *others)
    web = {pod.uid for pod in cluster.pods() if pod.labels["app"] == "web"}
    left = others[:1] if is_held else others
    alone = cluster.desired(*left, commit="c2", orphaned=frozenset({"Deployment/default/web"}))
    after = cluster.desired(*left, bare_pod(), commit="c3", confirmations=("all",))
    if is_held:
        cluster.settle(alone)
        assert cluster.engine.deployed.held
        if is_killed:
            deployed = cluster.engine.deployed
            document = inventory_document(
                cluster.engine.store, deployed.inventory, deployed.protected, deployed.kept, deployed.alone
            )
            files = render_files(cluster.engine.store, deployed.inventory) | {INVENTORY_PATH: dump(document)}
            gone = [deployment(), *others[1:]]
            memory = restore(files.items())
            memory = msgspec.structs.replace(memory, commit="c2", objects=(*memory.objects, *gone))
            cluster.restart()
            cluster.settle(memory, cluster.desired(*left, commit="c2"))
            assert cluster.engine.deployed.held
        cluster.settle(after)
    else:
        cluster.settle(alone, after)
    assert web <= cluster.running_uids
    assert {pod.labels.get("app") for pod in cluster.pods()} == {"web", None, *(one.name for one in left)}
