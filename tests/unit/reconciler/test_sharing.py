"""Pods that were read one by one hold in common what they have alike."""

import msgspec

from objects import codec
from objects.api.meta import ObjectMeta, OwnerReference
from objects.api.pods import Container, EnvVar, Pod, PodSpec, Toleration
from reconciler.state.sharing import Sharing
from reconciler.status.content import render_files, restore
from tests.unit.reconciler.cluster import FakeCluster, deployment


def found(name: str, *, image: str = "web:1") -> Pod:
    """As a host tells of it: nothing in it is in any other pod."""
    pod = Pod(
        metadata=ObjectMeta(
            name=name,
            namespace="shop",
            labels={"app": "web"},
            owner_references=(OwnerReference(kind="ReplicaSet", name="web", uid="u"),),
        ),
        spec=PodSpec(
            containers=(Container(name="c", image=image, env=(EnvVar(name="A", value="1"),)),),
            tolerations=(Toleration(operator="Exists"),),
            node_name=name,
        ),
    )
    read = codec.decode(codec.encode(pod))
    assert isinstance(read, Pod)
    return read


def test_what_is_alike_is_there_once_and_pods_stay_what_they_are():
    sharing = Sharing()
    pods = [found("a"), found("b"), found("c", image="web:2")]
    a, b, c = map(sharing.pod, pods)
    assert [a, b, c] == pods
    assert a.spec.containers is b.spec.containers is not c.spec.containers
    assert a.spec.tolerations is b.spec.tolerations is c.spec.tolerations
    assert a.metadata.labels is c.metadata.labels
    assert a.metadata.owner_references is b.metadata.owner_references


def test_a_pod_that_is_known_already_gives_its_parts_where_they_are_equal():
    sharing = Sharing()
    known, same, other = sharing.pod(found("a")), found("a"), found("a", image="web:2")
    assert sharing.pod(same, known) == same
    assert sharing.pod(same, known).spec.containers is known.spec.containers
    assert sharing.pod(other, known) == other
    assert sharing.pod(other, known).metadata.labels is known.metadata.labels


def test_a_fresh_engine_holds_the_pods_that_it_finds_once_and_forgets_what_it_was_told_of_them():
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment(replicas=4)))
    memory = restore(render_files(cluster.engine.store, cluster.engine.inventory).items())
    gone = msgspec.structs.replace(found("gone"), metadata=msgspec.structs.replace(found("gone").metadata, uid="g"))
    gone = msgspec.structs.replace(gone, spec=msgspec.structs.replace(gone.spec, node_name="a"))
    memory = msgspec.structs.replace(memory, objects=(*memory.objects, gone))
    cluster.restart()
    for pods in cluster.hosts.values():
        pods.update({uid: codec.decode(codec.encode(pod)) for uid, pod in pods.items()})
    cluster.step(memory, cluster.desired(deployment(replicas=4)), *map(cluster.report, cluster.hosts))
    pods = cluster.engine.store.all_of(Pod)
    assert len({id(pod.spec.containers) for pod in pods}) == 1 < len(pods)
    assert cluster.engine._memory.pods == {"g": gone}
    on_a = {pod.name for pod in cluster.engine.last_known_pods("a")}
    assert on_a == {"gone", *(pod.name for pod in pods if pod.spec.node_name == "a")}
