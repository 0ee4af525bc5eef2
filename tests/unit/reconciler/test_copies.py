"""What is kept lives on when its commit is lost: by its copy on the status branch, and if that is lost too, unread."""

from __future__ import annotations

import msgspec
import pytest

from objects.api.apps import (
    DaemonSet,
    DaemonSetSpec,
    Deployment,
    ReplicaSet,
    StatefulSet,
    StatefulSetSpec,
)
from objects.api.batch import (
    CronJob,
    CronJobSpec,
    Job,
    JobSpec,
    JobTemplateSpec,
)
from objects.api.core import ConfigMap, Secret
from objects.api.meta import KubeObject, ObjectKey, ObjectMeta
from objects.names import ANNOTATION_UNREAD
from objects.own.config import Application, ApplicationSpec
from objects.secrets import SecretValue
from reconciler.state.copies import (
    copy_document,
    copy_path,
    find_stand_in,
    read_copies,
    read_copy,
    unread_objects,
)
from reconciler.state.messages import Restored
from reconciler.status.content import (
    INVENTORY_PATH,
    dump,
    inventory_document,
    render_files,
    render_readme,
    restore,
)
from tests.unit.reconciler.cluster import FakeCluster, bare_pod, deployment

WEB = ObjectKey("Deployment", "default", "web")
SHOP = Application(metadata=ObjectMeta(name="shop"), spec=ApplicationSpec(path="apps/shop", prune=False))
WHY = "the last commit that had it is gone"


def meta(name: str) -> ObjectMeta:
    return ObjectMeta(name=name, namespace="default")


def workload(kind: str) -> KubeObject:
    web = deployment(replicas=2)
    template, selector = web.spec.template, web.spec.selector
    once = msgspec.structs.replace(template, spec=msgspec.structs.replace(template.spec, restart_policy="Never"))
    made: dict[str, KubeObject] = {
        "Deployment": web,
        "StatefulSet": StatefulSet(
            metadata=meta("web"), spec=StatefulSetSpec(replicas=2, selector=selector, template=template)
        ),
        "DaemonSet": DaemonSet(metadata=meta("web"), spec=DaemonSetSpec(selector=selector, template=template)),
        "Job": Job(metadata=meta("web"), spec=JobSpec(template=once, parallelism=2, completions=2)),
        "CronJob": CronJob(
            metadata=meta("web"),
            spec=CronJobSpec(schedule="* * * * *", job_template=JobTemplateSpec(spec=JobSpec(template=once))),
        ),
    }
    return made[kind]


def settled(*objects: KubeObject) -> FakeCluster:
    """A cluster in which all `objects` belong to an Application that is not to be pruned, and run."""
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(SHOP, *objects, application={obj.key: "shop" for obj in objects}))
    for _ in range(70):
        cluster.step(*map(cluster.report, cluster.hosts))
    return cluster


def memory(cluster: FakeCluster) -> Restored:
    """What lies on the status branch."""
    store, deployed = cluster.engine.store, cluster.engine.deployed
    document = inventory_document(store, deployed.inventory, deployed.protected, deployed.kept, deployed.alone)
    return restore((render_files(store, deployed.inventory) | {INVENTORY_PATH: dump(document)}).items())


def begin_again(cluster: FakeCluster, *, forgotten: tuple[type, ...] = (), **words: object) -> FakeCluster:
    """A fresh process after a commit that drops the objects, which neither a commit nor a copy tells any more."""
    restored = memory(cluster)
    objects = tuple(obj for obj in restored.objects if not isinstance(obj, forgotten))
    unread = {key: WHY for key, application in restored.inventory.items() if application == "shop"}
    restored = msgspec.structs.replace(restored, objects=objects, unread=unread, commit="c1")
    cluster.restart()
    cluster.settle(restored, cluster.desired(SHOP, commit="c2", **words))
    return cluster


@pytest.mark.parametrize(
    "obj",
    [
        pytest.param(deployment(), id="Deployment"),
        pytest.param(ConfigMap(metadata=meta("settings"), data={"a": "b: ü\n"}), id="ConfigMap"),
        pytest.param(SHOP, id="Application"),
    ],
)
def test_a_copy_says_what_git_says(obj: KubeObject) -> None:
    cluster = settled(obj) if obj is not SHOP else settled()
    live = cluster.engine.store.find(obj.key)
    assert live is not None
    files = {str(copy_path(obj.key)): dump(copy_document(live))}
    assert read_copy(files, obj.key) == obj
    assert read_copies(files) == {obj.key: obj}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {wrong: 1}\n", id="field"),
        pytest.param(b"a: [", id="no YAML"),
        pytest.param(b"- 1\n", id="no mapping"),
        pytest.param(dump(copy_document(deployment("web:***"))), id="masked"),
        pytest.param(dump(copy_document(deployment(name="other"))), id="of something else"),
    ],
)
def test_a_copy_that_cannot_be_relied_on_is_none(content: bytes) -> None:
    files = {str(copy_path(WEB)): content}
    assert (read_copy(files, WEB), read_copies(files)) == (None, {})


def test_values_of_secrets_are_never_copied_and_neither_are_pods() -> None:
    secret = Secret(metadata=meta("login"), data={"password": SecretValue(b"correct-horse")})
    cluster = settled(secret, bare_pod(), deployment())
    copies = sorted(path for path in render_files(cluster.engine.store, cluster.engine.inventory) if "desired/" in path)
    assert [path for path in copies if "/default/" in path] == ["desired/default/deployment/web.yaml"]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"])
@pytest.mark.parametrize("forgotten", [(), (ReplicaSet, Job)], ids=["", "status is behind"])
def test_pods_of_a_kept_owner_that_nobody_can_read_live_on(kind: str, forgotten: tuple[type, ...]) -> None:
    cluster = settled(workload(kind))
    before = cluster.running_uids
    assert len(before) >= 1
    begin_again(cluster, forgotten=forgotten)
    assert before <= cluster.running_uids
    key = ObjectKey(kind, "default", "web")
    assert cluster.engine.inventory[key] == "shop"
    assert unread_objects(cluster.engine.store, cluster.engine.inventory) == {key: WHY}
    assert memory(cluster).inventory[key] == "shop"
    assert any(hold.reason == "OwnerUnread" for hold in cluster.engine.holds.values())
    page = render_readme(
        cluster.engine.store,
        cluster.engine.inventory,
        commit="c2",
        unread=unread_objects(cluster.engine.store, cluster.engine.inventory),
    )
    assert f"**Kept, but not known**\n\n```\n{key}: {WHY}\n```".encode() in page


def test_it_comes_back_into_git_as_if_nothing_had_been() -> None:
    cluster = settled(deployment())
    before = cluster.running_uids
    begin_again(cluster)
    cluster.settle(cluster.desired(SHOP, deployment(), application={WEB: "shop"}, commit="c3"))
    assert cluster.running_uids == before
    assert cluster.engine.store.get(Deployment, "default", "web") is not None
    assert find_stand_in(cluster.engine.store, WEB) is None


@pytest.mark.parametrize("forgotten", [(), (ReplicaSet,)], ids=["", "status is behind"])
def test_it_goes_with_all_it_made_when_it_may(forgotten: tuple[type, ...]) -> None:
    cluster = begin_again(settled(deployment()), forgotten=forgotten)
    pruned = msgspec.structs.replace(SHOP, spec=msgspec.structs.replace(SHOP.spec, prune=True))
    cluster.settle(cluster.desired(pruned, commit="c3"))
    assert (cluster.running_uids, WEB in cluster.engine.inventory) == (set(), False)
    assert find_stand_in(cluster.engine.store, WEB) is None


def test_it_goes_alone_when_that_is_asked() -> None:
    cluster = settled(workload("StatefulSet"))
    before = cluster.running_uids
    begin_again(cluster)
    pruned = msgspec.structs.replace(SHOP, spec=msgspec.structs.replace(SHOP.spec, prune=True))
    cluster.settle(cluster.desired(pruned, commit="c3", orphaned=frozenset({"StatefulSet/default/web"})))
    assert cluster.running_uids == before
    assert ObjectKey("StatefulSet", "default", "web") not in cluster.engine.inventory


@pytest.mark.parametrize("kind", [ConfigMap, Secret], ids=["ConfigMap", "Secret"])
def test_a_config_that_nobody_can_read_is_not_a_missing_one(kind: type[KubeObject]) -> None:
    config = kind(metadata=meta("settings"))
    cluster = begin_again(settled(config))
    live = cluster.engine.store.find(config.key)
    assert live is not None and live.annotations[ANNOTATION_UNREAD] == WHY
    back = cluster.desired(SHOP, config, application={config.key: "shop"}, commit="c3")
    cluster.settle(back)
    live = cluster.engine.store.find(config.key)
    assert live is not None and ANNOTATION_UNREAD not in live.annotations
