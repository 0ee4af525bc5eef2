"""An engine that only looks: it follows what hosts show, pods that end included."""

import msgspec

from objects.api.apps import Deployment
from objects.api.core import Node
from objects.own.config import HostSpec
from reconciler.cli.common.rollout_progress import RolloutProgress, progress_of
from reconciler.process.compose import silent_hosts
from reconciler.status.content import render_files, restore
from tests.unit.reconciler.cluster import FakeCluster, bare_pod, deployment, make_host


def watched() -> tuple[FakeCluster, FakeCluster]:
    """A cluster that acts, and somebody who looks at the same hosts."""
    acting = FakeCluster("a", "b")
    acting.settle(acting.desired(deployment(replicas=4), bare_pod()))
    looking = FakeCluster("a", "b", is_observer=True)
    looking.hosts = acting.hosts
    looking.step(looking.desired(deployment(replicas=4), bare_pod()), *map(looking.report, looking.hosts))
    return acting, looking


def shown(looking: FakeCluster) -> dict[str, list[str]]:
    looking.step(*map(looking.report, looking.hosts))
    return {name: sorted(pod.name for pod in looking.engine.store.pods_on(name)) for name in looking.hosts}


def test_pods_that_end_are_not_shown_any_more():
    acting, looking = watched()
    assert shown(looking) == acting.running
    acting.settle(acting.desired(deployment("web:v2", replicas=2), commit="c2"))
    assert shown(looking) == acting.running


def test_an_update_that_ends_while_one_looks_is_complete():
    acting, looking = watched()
    updated = deployment("web:v2", replicas=4)
    acting.step(acting.desired(updated, bare_pod(), commit="c2"))
    looking.step(looking.desired(updated, bare_pod(), commit="c2"))
    for _ in range(20):
        acting.step(*map(acting.report, acting.hosts))
        shown(looking)
    seen = looking.engine.store.get(Deployment, "default", "web")
    assert progress_of(seen) == RolloutProgress('deployment "web" successfully rolled out', is_done=True)


def test_a_bare_pod_that_moves_is_shown_once_under_its_name():
    acting, looking = watched()
    (old,) = (name for name, pods in acting.running.items() if "lone" in pods)
    new = "b" if old == "a" else "a"
    uid = next(uid for uid, pod in acting.hosts[old].items() if pod.name == "lone")
    acting.hosts[new][uid] = acting.hosts[old].pop(uid)
    looking.step(looking.report(new))
    assert "lone" in {pod.name for pod in looking.engine.store.pods_on(new)}
    assert shown(looking) == acting.running


def test_a_silent_host_keeps_what_was_seen_of_it():
    acting, looking = watched()
    before = shown(looking)
    acting.hosts["b"].clear()
    looking.silent.add("b")
    assert shown(looking) == before


def test_a_host_that_was_uncordoned_is_shown_without_its_taint_although_the_status_is_older():
    acting = FakeCluster("a")
    cordoned = msgspec.structs.replace(
        make_host("a"), spec=HostSpec(address="192.0.2.1", host_key="ssh-ed25519 AAAA", unschedulable=True)
    )
    message = acting.desired()
    others = tuple(obj for obj in message.objects if obj.key != cordoned.key)
    acting.settle(msgspec.structs.replace(message, objects=(*others, cordoned)))
    engine = acting.engine
    assert engine.store.get(Node, "", "a").spec.taints
    looking = FakeCluster("a", is_observer=True)
    restored = restore(render_files(engine.store, engine.inventory).items())
    looking.step(restored, looking.desired(commit="c2"), looking.report("a"))
    assert looking.engine.store.get(Node, "", "a").spec.taints == ()


def test_who_looks_knows_from_the_status_which_hosts_did_not_answer():
    """So that a dead host costs everybody who looks two seconds, not its whole time to connect."""
    acting, _ = watched()
    acting.silent = {"b"}
    acting.settle()
    written = restore(render_files(acting.engine.store, acting.engine.inventory).items())
    told = silent_hosts(written)
    assert list(told) == ["b"]
    assert (told["b"].reason, told["b"].message) == ("HostUnreachable", "no answer within 2 s, nor before: no route")
