"""The scheduler loop in the engine: preemption, descheduling, plug-ins that fail, addresses."""

import msgspec

from objects.api.meta import ObjectMeta
from objects.api.policy import PriorityClass
from objects.own.config import (
    Cluster,
    ClusterSpec,
    Host,
    HostSpec,
    PluginWeight,
    SchedulerProfile,
    SchedulingSettings,
)
from policies.scheduling.profiles import Rules
from reconciler.controllers import CONTROLLERS
from reconciler.core.engine import Engine
from reconciler.core.scheduling import DESCHEDULING_PAUSE
from tests.unit.reconciler.cluster import FakeCluster, bare_pod, deployment


def asking(obj, memory):
    """The pod or workload with a memory request."""
    spec = obj.spec if not hasattr(obj.spec, "template") else obj.spec.template.spec
    container = spec.containers[0]
    resources = msgspec.structs.replace(container.resources, requests={"memory": memory})
    spec = msgspec.structs.replace(spec, containers=(msgspec.structs.replace(container, resources=resources),))
    if not hasattr(obj.spec, "template"):
        return msgspec.structs.replace(obj, spec=spec)
    template = msgspec.structs.replace(obj.spec.template, spec=spec)
    return msgspec.structs.replace(obj, spec=msgspec.structs.replace(obj.spec, template=template))


def urgent(pod):
    return msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, priority_class_name="urgent"))


URGENT = PriorityClass(metadata=ObjectMeta(name="urgent"), value=1000)


def test_an_urgent_pod_takes_the_place_of_one_that_matters_less():
    cluster = FakeCluster("a")
    low = asking(deployment(replicas=1), "5Gi")
    cluster.settle(cluster.desired(low))
    cluster.settle(cluster.desired(low, URGENT, urgent(asking(bare_pod(), "5Gi")), commit="c2"))
    assert cluster.running == {"a": ["lone"]}
    events = [record.occurrence.reason for record in cluster.engine.events]
    assert "Preempted" in events


def test_a_victim_is_known_to_have_had_to_go():
    cluster = FakeCluster("a")
    low = asking(deployment(replicas=1), "5Gi")
    cluster.settle(cluster.desired(low))
    cluster.step(cluster.desired(low, URGENT, urgent(asking(bare_pod(), "5Gi")), commit="c2"))
    victim = next(pod for pod in cluster.pods() if pod.is_terminating)
    assert [(c.status, c.reason) for c in victim.status.conditions if c.type == "DisruptionTarget"] == [
        ("True", "PreemptionByScheduler")
    ]


def test_nothing_is_moved_unless_the_cluster_wants_that():
    assert spread_after_a_host_returns(descheduler=False) == {"a": 4, "b": 0}


def test_pods_move_to_a_host_that_came_back_one_a_minute():
    assert spread_after_a_host_returns(descheduler=True) == {"a": 3, "b": 1}


def spread_after_a_host_returns(*, descheduler):
    cluster = FakeCluster("a", "b")
    settings = Cluster(spec=ClusterSpec(scheduling=SchedulingSettings(descheduler=descheduler)))
    web = deployment(replicas=4)

    def desired(commit, *, cordoned):
        host = Host(
            metadata=ObjectMeta(name="b"),
            spec=HostSpec(address="192.0.2.1", host_key="ssh-ed25519 AAAA", unschedulable=cordoned),
        )
        message = cluster.desired(web, commit=commit)
        others = tuple(obj for obj in message.objects if obj.key not in (host.key, settings.key))
        return msgspec.structs.replace(message, objects=(settings, *others, host))

    cluster.settle(desired("c1", cordoned=True))
    cluster.settle(desired("c2", cordoned=False))
    cluster.now += DESCHEDULING_PAUSE
    cluster.settle()
    return {name: len(pods) for name, pods in cluster.running.items()}


class Broken:
    name = "Broken"
    helped_by = ()

    def __getattr__(self, name):
        raise RuntimeError("plug-in is broken")


def test_a_plug_in_that_fails_places_nothing_and_ends_nothing():
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(deployment()))
    before = cluster.running
    rules = Rules().with_plugins((Broken(),), ())
    cluster.engine = Engine(CONTROLLERS, source=cluster.engine._random, rules=rules)
    for _ in range(4):
        cluster.step(cluster.desired(deployment(replicas=4)), *map(cluster.report, cluster.hosts))
    assert cluster.running == before
    failed = [r.occurrence.message for r in cluster.engine.events if r.occurrence.reason == "SchedulerFailed"]
    assert failed == ["it is not placed: RuntimeError: plug-in is broken"] * len(failed)
    assert failed


def test_a_wrong_profile_holds_its_own_pods_and_no_others():
    cluster = FakeCluster("a")
    profile = SchedulerProfile(name="mine", priorities=(PluginWeight(name="Longest"),))
    settings = Cluster(spec=ClusterSpec(scheduling=SchedulingSettings(profiles=(profile,))))
    waits = bare_pod(name="waits")
    waits = msgspec.structs.replace(waits, spec=msgspec.structs.replace(waits.spec, scheduler_name="mine"))
    message = cluster.desired(waits, bare_pod(name="goes"))
    objects = tuple(obj for obj in message.objects if obj.key != settings.key)
    cluster.settle(msgspec.structs.replace(message, objects=(settings, *objects)))
    assert cluster.running == {"a": ["goes"]}
    (condition,) = cluster.engine.store.find(waits.key).status.conditions
    assert condition.message.startswith(
        "scheduler 'mine' cannot be used: priority of profile mine 'Longest' does not exist (one of Balanced"
    )
