"""Pods of a controller in a few files: nothing is lost, a change of one changes its own lines, sizes stay small."""

import difflib
from datetime import UTC, datetime

import msgspec
import pytest
import yaml

from differ.documents.compact_yaml import dump, load
from objects import codec
from objects.api.meta import Condition, ObjectKey, ObjectMeta, OwnerReference
from objects.api.pods import Container, ContainerStatus, Pod, PodIP, PodSpec, PodStatus, Toleration
from reconciler.state.store import Changed, Store
from reconciler.status.content import object_document, render_files, restore
from reconciler.status.pod_files import (
    PodFiles,
    PodReader,
    files_for,
    group_of,
    is_pod_path,
    path_of,
    pods_document,
)
from tests.unit.reconciler.cluster import FakeCluster, deployment

ONE_IP = (PodIP(ip="10.0.0.1"),)
AT = datetime(2026, 1, 1, tzinfo=UTC)
OWNER = OwnerReference(api_version="apps/v1", kind="ReplicaSet", name="web", uid="u-web", controller=True)


def pod(name: str, *, owner: OwnerReference | None = OWNER, labels=None, annotations=None, status=None, **spec) -> Pod:
    return Pod(
        metadata=ObjectMeta(
            name=name,
            namespace="shop",
            uid=f"u-{name}",
            labels={"app": "web"} if labels is None else labels,
            annotations=annotations or {},
            creation_timestamp=AT,
            owner_references=(owner,) if owner else (),
        ),
        spec=PodSpec(**{"containers": (Container(name="c", image="web:1"),), "priority": 0, **spec}),
        status=status or PodStatus(phase="Running", conditions=(Condition(type="Ready", status="True"),)),
    )


def ran(*containers: str, **fields) -> PodStatus:
    said = {"image": "web:1", "image_id": "sha256:1", "ready": True, "started": True, **fields}
    statuses = tuple(ContainerStatus(name=name, container_id=f"docker://{name}", **said) for name in containers)
    return PodStatus(phase="Running", qos_class="Burstable", container_statuses=statuses)


def stored(*pods: Pod) -> Store:
    store = Store()
    for one in pods:
        store.put(one)
    return store


def named(*names: str) -> list[ObjectKey]:
    return [ObjectKey("Pod", "shop", name) for name in names]


@pytest.mark.parametrize(
    ("pods", "before", "files"),
    [
        pytest.param(0, 0, 0, id="none"),
        pytest.param(0, 4, 0, id="none any more"),
        pytest.param(3, 0, 1, id="few"),
        pytest.param(64, 1, 1, id="one file as long as it goes"),
        pytest.param(65, 1, 4, id="one file is too much"),
        pytest.param(500, 0, 16, id="many"),
        pytest.param(600, 16, 16, id="a few more"),
        pytest.param(1200, 16, 64, id="twice as many"),
        pytest.param(90, 16, 4, id="far fewer"),
        pytest.param(1, 1, 1, id="the last one"),
    ],
)
def test_how_many_files(pods, before, files):
    assert files_for(pods, before=before) == files


@pytest.mark.parametrize(
    "pods",
    [
        pytest.param([pod("a", node_name="x")], id="one"),
        pytest.param([pod("a", node_name="x"), pod("b", node_name="y"), pod("c")], id="alike but for their host"),
        pytest.param([pod("db-0", hostname="db-0"), pod("db-1", hostname="db-1")], id="names of their own"),
        pytest.param([pod("a", labels={"n": "1"}), pod("b", labels={})], id="labels of their own"),
        pytest.param([pod("a"), pod("b", containers=(Container(name="c", image="web:2"),))], id="two revisions"),
        pytest.param([pod("a"), pod("b", tolerations=(Toleration(operator="Exists"),))], id="one has more"),
        pytest.param([pod("a", priority=None), pod("b", priority=7)], id="one has nothing"),
        pytest.param([pod("a", annotations={"note": "yes: 1 #\n x"}), pod("b")], id="a note"),
        pytest.param([pod("a", node_name="x", status=PodStatus(phase="Pending"))], id="pending"),
        pytest.param([pod("a"), pod("b"), pod("c", status=PodStatus())], id="nothing is said of one yet"),
        pytest.param(
            [
                pod("a", status=ran("c")),
                pod("b", status=ran("c")),
                pod("d", status=ran("c", ready=False, image="web:2")),
            ],
            id="one is not as the others",
        ),
        pytest.param([pod("a", status=ran("c", "d")), pod("b", status=ran("c"))], id="a container more"),
        pytest.param([pod("a", status=ran("c", started=None)), pod("b", status=ran("c"))], id="not known of one"),
        pytest.param([pod("a", status=PodStatus(pod_ip="10.0.0.1"))], id="an address"),
        pytest.param(
            [pod("a", status=PodStatus(pod_ip="10.0.0.1", pod_ips=(PodIP(ip="10.0.0.1"),)))], id="both fields"
        ),
        pytest.param(
            [pod("a", status=PodStatus(pod_ip="10.0.0.1", pod_ips=(*ONE_IP, PodIP(ip="fd::1"))))],
            id="two addresses",
        ),
    ],
)
def test_what_is_written_is_what_is_read(pods):
    content = dump(pods_document(stored(*pods), [one.key for one in pods]))
    assert PodReader().read(load(content)) == pods
    assert load(content) == yaml.load(content, Loader=yaml.CSafeLoader)


def test_what_pods_have_alike_is_written_once_and_is_there_once_when_it_is_read():
    pods = [pod(f"web-{number}", node_name=f"host-{number}") for number in range(9)]
    content = dump(pods_document(stored(*pods), [one.key for one in pods]))
    assert content.count(b"web:1") == 1
    first, *others = PodReader().read(load(content))
    for one in others:
        assert one.spec.containers is first.spec.containers
        assert one.metadata.labels is first.metadata.labels


def test_a_change_of_one_pod_changes_its_own_lines():
    pods = [pod(f"web-{number}", node_name="x") for number in range(20)]
    keys = [one.key for one in pods]
    before = dump(pods_document(stored(*pods), keys)).decode().splitlines()
    failed = PodStatus(phase="Running", conditions=(Condition(type="Ready", status="False", reason="Slow"),))
    pods[7] = msgspec.structs.replace(pods[7], status=failed)
    after = dump(pods_document(stored(*pods), keys)).decode().splitlines()
    lines = [line for line in difflib.unified_diff(before, after, lineterm="", n=0) if line[0] in "+-"]
    assert len(lines) <= 8, lines
    assert not any("web-" in line for line in lines if "starting" not in line)


def test_whose_files():
    assert path_of(group_of(pod("a")), 3) == "objects/shop/pods/replicaset.web/3.yaml"
    assert group_of(pod("a", owner=None)) is None
    assert is_pod_path("objects/shop/pods/replicaset.web/3.yaml")
    assert is_pod_path("objects/shop/pod/web-x.yaml")
    assert not is_pod_path("objects/shop/replicaset/pod.yaml")
    assert not is_pod_path("desired/shop/pod/web-x.yaml")


def test_files_of_a_controller_follow_its_pods():
    files, web = PodFiles(), [pod(f"web-{number:03}") for number in range(100)]
    assert files.note(Changed(one.key, None, one) for one in web[:40])
    assert {file.path: len(file.inside) for file in files.outdated()}.keys() == {
        "objects/shop/pods/replicaset.web/0.yaml",
        "objects/shop/pods/replicaset.web/1.yaml",
    }
    assert [*files.outdated()] == [*files.outdated()], "until it is settled"
    files.settle()
    assert not [*files.outdated()]
    files.note([Changed(web[5].key, web[5], web[5])])
    (file,) = files.outdated()
    assert file.touched == (web[5].key,) and set(file.touched) < set(file.inside)
    files.settle()
    files.note(Changed(one.key, one, None) for one in web[:40])
    assert [(file.path[-6:], file.inside) for file in files.outdated()] == [("0.yaml", ()), ("1.yaml", ())]
    assert sum(len(file.touched) for file in files.outdated()) == 40, "what was recorded of them is no more"
    files.settle()
    assert not files.note([])


def test_a_pod_that_changes_its_controller_changes_its_file():
    files, own, freed = PodFiles(), pod("a"), pod("a", owner=None)
    files.note([Changed(own.key, None, own)])
    files.settle()
    files.note([Changed(own.key, own, freed)])
    assert [(file.path, file.inside) for file in files.outdated()] == [("objects/shop/pods/replicaset.web/0.yaml", ())]


def test_what_could_not_be_written_stays_outdated():
    files, one = PodFiles(), pod("a")
    files.note([Changed(one.key, None, one)])
    before = [*files.outdated()]
    files.settle({group_of(one)})
    assert [*files.outdated()] == before != []


def test_a_branch_of_an_earlier_version_is_read_as_one_of_this():
    """Earlier ones wrote each pod whole, as PyYAML does."""
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment()))
    store, inventory = cluster.engine.store, cluster.engine.inventory
    files = render_files(store, inventory)
    old = {path: content for path, content in files.items() if not is_pod_path(path)}
    for path, content in [*old.items()]:
        old[path] = yaml.dump(load(content), Dumper=yaml.CSafeDumper, sort_keys=False, width=120).encode()
    for one in store.all_of(Pod):
        document = object_document(store, one, inventory)
        text = yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, width=120)
        old[f"objects/default/pod/{one.name}.yaml"] = text.encode()
    now, before = restore(files.items()), restore(old.items())
    assert sorted(map(codec.encode_json, now.objects)) == sorted(map(codec.encode_json, before.objects))
    assert msgspec.structs.replace(now, objects=(), copies={}) == msgspec.structs.replace(before, objects=(), copies={})
    assert any(isinstance(one, Pod) for one in now.objects)
