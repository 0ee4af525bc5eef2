"""The status branch: what is written, and that a fresh process reads back what it needs."""

from datetime import timedelta

import msgspec
import pytest

from objects.api.apps import ControllerRevision, Deployment
from objects.api.core import (
    ConfigMap,
    Namespace,
    Node,
    Secret,
)
from objects.api.meta import Condition, ObjectKey, ObjectMeta
from objects.api.pods import Pod, PodStatus
from objects.own.config import Host
from objects.secrets import SecretValue
from reconciler.core.health import health_of
from reconciler.state.messages import Restored
from reconciler.status.content import (
    dump,
    object_document,
    render_files,
    render_readme,
    restore,
    status_path,
)
from tests.unit.reconciler.cluster import FakeCluster, bare_pod, deployment

WEB = ObjectKey("Deployment", "default", "web")


def status_files(cluster: FakeCluster) -> dict[str, bytes]:
    return render_files(cluster.engine.store, cluster.engine.inventory)


def settled() -> FakeCluster:
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment(), bare_pod(), application={WEB: "shop"}))
    return cluster


def test_one_file_an_object_none_for_objects_without_status():
    kinds = sorted({path.rsplit("/", 1)[0] for path in status_files(settled())})
    assert [kind for kind in kinds if not kind.startswith("desired/")] == [
        "hosts",
        "inventory.yaml",
        "objects/default/deployment",
        "objects/default/pod",
        "objects/default/pods/replicaset.web-webv1",
        "objects/default/replicaset",
    ]


def test_what_git_holds_is_written_without_its_spec():
    cluster = settled()
    live = cluster.engine.store.find(WEB)
    document = object_document(cluster.engine.store, live, cluster.engine.inventory)
    assert sorted(document) == ["apiVersion", "definedIn", "health", "kind", "metadata", "status"]
    assert document["health"] == {"status": "Healthy"}


def test_a_fresh_process_goes_on_where_the_last_one_was():
    cluster = settled()
    before = cluster.engine.store.get(Deployment, "default", "web")
    host = cluster.engine.store.get(Host, "", "a")
    node = cluster.engine.store.get(Node, "", "a")
    restored = restore(status_files(cluster).items())
    cluster.restart()
    cluster.settle(restored, cluster.desired(deployment(), bare_pod(), application={WEB: "shop"}))
    after = cluster.engine.store.get(Deployment, "default", "web")
    assert after.status == before.status
    assert after.metadata.creation_timestamp == before.metadata.creation_timestamp
    assert cluster.engine.store.get(Host, "", "a").metadata.creation_timestamp == host.metadata.creation_timestamp
    assert cluster.engine.store.get(Node, "", "a").status.conditions == node.status.conditions
    assert cluster.engine.inventory[WEB] == "shop"


def test_what_has_no_file_of_its_own_is_as_old_as_it_was():
    cluster = FakeCluster("a")
    config = ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"))
    cluster.settle(cluster.desired(config))
    first = cluster.engine.store.find(config.key).metadata.creation_timestamp
    later = ConfigMap(metadata=ObjectMeta(name="later", namespace="default"))
    cluster.settle(cluster.desired(config, later, commit="c2"))
    second = cluster.engine.store.find(later.key).metadata.creation_timestamp
    restored = restore(status_files(cluster).items())
    cluster.restart()
    cluster.settle(restored, cluster.desired(config, later, commit="c2"))
    ages = {obj.name: obj.metadata.creation_timestamp for obj in cluster.engine.store.all_of(ConfigMap)}
    assert ages == {"settings": first, "later": second}
    assert first < second
    assert cluster.engine.store.get(Namespace, "", "default").metadata.creation_timestamp == first


@pytest.mark.parametrize("host", ["", "a", "elsewhere"])
def test_a_bare_pod_is_as_old_as_it_was_and_waits_since_when_it_waited(host):
    waiting = bare_pod(name="waits")
    pod_spec = msgspec.structs.replace(waiting.spec, node_selector={"disk": "ssd"}, node_name=host)
    waiting = msgspec.structs.replace(waiting, spec=pod_spec)
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(waiting))
    before = cluster.engine.store.find(waiting.key)
    restored = restore(status_files(cluster).items())
    cluster.restart()
    cluster.now += timedelta(hours=1)
    cluster.settle(restored, cluster.desired(waiting))
    after = cluster.engine.store.find(waiting.key)
    assert after.metadata.creation_timestamp == before.metadata.creation_timestamp
    if host != "a":
        assert after.status.conditions == before.status.conditions


def test_inventory_and_slices_are_read_back():
    restored = restore(status_files(settled()).items())
    assert restored.inventory[WEB] == "shop"
    assert restored.subnets == {"a": "10.244.0.0/24", "b": "10.244.1.0/24"}


def test_files_of_other_people_are_passed_over():
    assert restore([("notes.txt", b"\xff"), ("docs/objects.yaml", b"a: [")]) == Restored()


def test_no_secret_reaches_the_branch():
    cluster = FakeCluster("a")
    secret = Secret(
        metadata=ObjectMeta(name="login", namespace="default"), data={"password": SecretValue(b"correct-horse")}
    )
    cluster.settle(cluster.desired(secret, deployment()))
    written = b"\n".join(status_files(cluster).values())
    assert b"login" in written
    assert b"correct-horse" not in written
    assert b"Y29ycmVjdC1ob3JzZQ" not in written


def test_the_overview_says_what_is_wrong():
    cluster = settled()
    cluster.silent.add("b")
    cluster.step(cluster.report("b"))
    page = render_readme(
        cluster.engine.store,
        cluster.engine.inventory,
        commit="abc",
        by="berth run of root@nas",
        refused="apps/web.yaml:3: no",
        held="8 of 10",
    ).decode()
    assert page.splitlines()[:20] == [
        "# Cluster status",
        "",
        "Desired commit in force: `abc`",
        "",
        "Written by `berth run of root@nas`",
        "",
        "**The newest commit is refused**",
        "",
        "```",
        "apps/web.yaml:3: no",
        "```",
        "",
        "**Deletions are held**",
        "",
        "```",
        "8 of 10",
        "```",
        "",
        "| application | health | |",
        "|---|---|---|",
    ]
    assert "| b | no | 2 | host b is not ready: no route |" in page


def test_what_controllers_made_is_written_whole_and_internal_kinds_not_at_all():
    cluster = settled()
    store, inventory = cluster.engine.store, cluster.engine.inventory
    revision = ControllerRevision(
        metadata=ObjectMeta(name="db-1", namespace="default", uid="r"), revision=1, data={"a": 1}
    )
    assert status_path(ObjectKey("AutoscalerState", "default", "web")) is None
    assert status_path(ObjectKey("HostStatus", "", "a")) is None
    path = status_path(revision.key)
    document = object_document(store, revision, inventory)
    assert restore([(path, dump(document))]).objects == (revision,)


def test_a_rollout_that_is_stuck_says_so_and_why_in_one_sentence():
    cluster = settled()
    deadline = Condition(
        type="Progressing",
        status="False",
        reason="ProgressDeadlineExceeded",
        message='"web" has timed out progressing.',
    )
    store = cluster.engine.store
    live = store.find(WEB)
    stuck = msgspec.structs.replace(live.status, updated_replicas=1, conditions=(deadline,))
    (pod, *_) = [pod for pod in store.all_of(Pod) if pod.name != "lone"]
    store.put(msgspec.structs.replace(pod, status=PodStatus(phase="Failed", reason="Evicted")))
    stuck = msgspec.structs.replace(live, status=stuck)
    assert health_of(store, stuck).message == f'"web" has timed out progressing: {pod.name} failed: Evicted'
