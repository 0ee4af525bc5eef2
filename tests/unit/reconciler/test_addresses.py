"""Slices of hosts and addresses of pods."""

import itertools

import msgspec
import pytest

from objects.api.batch import Job, JobSpec
from objects.api.core import Namespace, Node
from objects.api.meta import ObjectMeta
from objects.api.pods import Container, Pod, PodSpec, PodStatus, PodTemplateSpec, Toleration
from objects.conditions import find_condition
from objects.defaults import default
from objects.own.config import (
    Cluster,
    ClusterSpec,
    Host,
    NetworkSettings,
)
from reconciler.assigning.addresses import AddressBook, Slice, choose_address, slice_for_host
from reconciler.assigning.slices import SliceBook
from reconciler.cli.printing.cluster import host_state
from reconciler.state.host_status import HostStatus
from reconciler.state.messages import Desired, HostReport, HostSilent
from tests.unit.controllers.manifests import daemon_set
from tests.unit.reconciler.cluster import FakeCluster, deployment, make_host

NETWORK = NetworkSettings(pod_cidr="10.1.0.0/22", host_prefix=24)


@pytest.mark.parametrize(
    ("taken", "chosen"),
    [
        pytest.param([], "10.1.0.0/24", id="the first"),
        pytest.param(["10.1.0.0/24", "10.1.2.0/24"], "10.1.1.0/24", id="a gap is filled"),
        pytest.param(["10.1.0.128/25"], "10.1.1.0/24", id="a slice chosen by hand blocks what it touches"),
        pytest.param(["10.1.0.0/23"], "10.1.2.0/24", id="one that is as wide as two blocks two"),
        pytest.param(["10.2.0.0/24", "fd00::/64"], "10.1.0.0/24", id="one from elsewhere blocks nothing"),
        pytest.param([f"10.1.{n}.0/24" for n in range(4)], "", id="all taken"),
        pytest.param(["10.0.0.0/8"], "", id="one that holds the whole pool"),
    ],
)
def test_the_first_free_slice(taken, chosen):
    book = SliceBook()
    for number, subnet in enumerate(taken):
        book.take(f"h{number}", subnet)
    assert book.first_free(NETWORK) == chosen


def test_a_slice_is_free_again_when_nobody_has_it_any_more():
    book = SliceBook()
    assert book.first_free(NETWORK) == "10.1.0.0/24"
    for host in ("a", "b"):
        book.take(host, "10.1.0.0/24")
    book.take("c", "10.1.1.0/24")
    assert book.first_free(NETWORK) == "10.1.2.0/24"
    book.take("a", "")
    assert book.first_free(NETWORK) == "10.1.2.0/24"
    book.take("b", "10.1.3.0/24")
    assert book.first_free(NETWORK) == "10.1.0.0/24"
    assert book.first_free(NetworkSettings(pod_cidr="10.1.0.0/22", host_prefix=23)) == ""


def test_a_slice_that_is_remembered_stays_its_hosts():
    book = SliceBook()
    book.remember({"a": "10.1.0.0/24", "b": "10.1.1.0/24"})
    assert (book.of("a"), book.first_free(NETWORK)) == ("10.1.0.0/24", "10.1.2.0/24")
    book.take("a", "10.1.0.0/24")
    book.take("a", "")
    assert (book.of("a"), book.first_free(NETWORK)) == ("10.1.0.0/24", "10.1.2.0/24")
    assert (book.copy().of("a"), book.copy().first_free(NETWORK)) == ("10.1.0.0/24", "10.1.2.0/24")


@pytest.mark.parametrize(
    ("taken", "after", "chosen"),
    [
        pytest.param([], "", "10.1.0.2", id="behind network and gateway"),
        pytest.param(["10.1.0.2"], "", "10.1.0.3", id="the next free"),
        pytest.param([], "10.1.0.4", "10.1.0.5", id="an address rests before it is used again"),
        pytest.param(["10.1.0.6"], "10.1.0.5", "10.1.0.2", id="around the end, never the broadcast address"),
        pytest.param([f"10.1.0.{n}" for n in range(2, 7)], "", None, id="full"),
        pytest.param([], "10.9.9.9", "10.1.0.2", id="after an address of another slice"),
    ],
)
def test_choose_address(taken, after, chosen):
    assert choose_address("10.1.0.0/29", taken, after=after) == chosen


def test_choose_address_of_a_long_slice():
    assert choose_address("fd00::/120", [], after="fd00::fe") == "fd00::2"
    taken = ["fd00:0:0:0::2", "FD00::3"]
    assert choose_address("fd00::/120", taken, after="fd00::1") == "fd00::4"


def a_pod(address: str = "10.1.0.2", *, on: str = "h1", **status) -> Pod:
    spec = PodSpec(node_name=on, host_network=status.pop("host_network", False))
    return Pod(metadata=ObjectMeta(name="p", namespace="n"), spec=spec, status=PodStatus(pod_ip=address, **status))


@pytest.mark.parametrize(
    ("writes", "on_h1"),
    [
        pytest.param([a_pod()], {"10.1.0.2"}, id="bound"),
        pytest.param([a_pod("")], set(), id="without an address"),
        pytest.param([a_pod(host_network=True)], set(), id="the host's own address"),
        pytest.param([a_pod(), a_pod("10.1.0.3")], {"10.1.0.3"}, id="another one"),
        pytest.param([a_pod(), a_pod(on="h2")], set(), id="on another host"),
        pytest.param([a_pod(on="h2"), a_pod()], {"10.1.0.2"}, id="from another host"),
        pytest.param([a_pod(), a_pod(phase="Failed")], set(), id="ended"),
        pytest.param([a_pod(), None], set(), id="gone"),
        pytest.param([a_pod(), None, a_pod()], {"10.1.0.2"}, id="made again"),
    ],
)
def test_addresses_that_pods_hold(writes, on_h1):
    book = AddressBook()
    for old, new in itertools.pairwise([None, *writes]):
        book.observe(old, new)
        book.observe(old, new)
    assert book.taken_on("h1") == on_h1


HELD = "10.1.0.0/24"
FREE = "10.1.1.0/24"
OTHER = "10.1.2.0/24"
AWAY = (
    "which got it while this host was away: pods that have addresses of it here are ended, "
    "then the host gets another one"
)
CONFLICT = "podCIDR 10.1.0.0/24 overlaps with 10.1.0.0/24 of host a: "


@pytest.mark.parametrize(
    ("found", "given", "chosen", "has_pods", "expected"),
    [
        pytest.param("", "", "", False, Slice(FREE), id="a new host"),
        pytest.param(OTHER, "", "", False, Slice(OTHER), id="its own network from an earlier process"),
        pytest.param(HELD, "", "", False, Slice(FREE), id="came back, another host has its slice by now"),
        pytest.param(HELD, OTHER, "", True, Slice(OTHER), id="its network is still to be replaced"),
        pytest.param(HELD, HELD, "", False, Slice(FREE), id="remembered of the time before it left"),
        pytest.param(HELD, "", OTHER, False, Slice(OTHER), id="came back with a slice chosen by hand"),
        pytest.param(
            HELD, "", HELD, False, Slice("", "PodCIDRConflict", CONFLICT + "choose another one"), id="chosen, not free"
        ),
        pytest.param(
            HELD,
            "",
            "",
            True,
            Slice("", "PodCIDRGivenAway", f"{CONFLICT.removesuffix(': ')}, {AWAY}"),
            id="came back with pods",
        ),
    ],
)
def test_a_host_beside_one_that_has_the_first_slice(found, given, chosen, has_pods, expected):
    book = SliceBook()
    book.take("a", HELD)
    book.take("b", given)
    host = with_slice("b", chosen)
    made = slice_for_host(
        host, "b", found, NETWORK, book, is_in_use=lambda name: name == "a", given=given, has_pods=has_pods
    )
    assert made == expected


def test_beside_one_that_is_only_remembered_to_have_its_slice_no_pod_is_ended():
    """The status branch may be older than what runs."""
    book = SliceBook()
    book.take("a", HELD)
    made = slice_for_host(
        with_slice("b"), "b", HELD, NETWORK, book, is_in_use=lambda name: name == "a", is_seen=lambda _: False
    )
    remedy = "containers of its pods have it in their settings: remove them"
    assert made == Slice("", "PodCIDRConflict", CONFLICT + remedy)


# --- through the engine ----------------------------------------------------------------------------------------------


def cluster_of(*hosts: Host, prefix: int = 24, pool: str = "10.1.0.0/22") -> tuple[FakeCluster, Desired]:
    """A cluster whose hosts are as given, and the commit that says so."""
    cluster = FakeCluster(*(host.name for host in hosts))
    network = NetworkSettings(pod_cidr=pool, host_prefix=prefix)
    settings = Cluster(metadata=ObjectMeta(name="main"), spec=ClusterSpec(network=network))
    return cluster, Desired(commit="c", objects=(settings, Namespace(metadata=ObjectMeta(name="default")), *hosts))


def with_slice(name: str, pod_cidr: str = "") -> Host:
    host = make_host(name)
    return msgspec.structs.replace(host, spec=msgspec.structs.replace(host.spec, pod_cidr=pod_cidr))


def ready(cluster: FakeCluster, name: str) -> tuple[str, str]:
    node = cluster.engine.store.get(Node, "", name)
    assert node is not None
    found = find_condition(node.status.conditions, "Ready")
    assert found is not None
    return found.status, found.reason


def subnets(cluster: FakeCluster) -> dict[str, str]:
    return {one.name: one.pod_subnet for one in cluster.engine.store.all_of(HostStatus)}


def test_a_host_without_a_slice_is_not_ready_and_says_why_until_one_is_free():
    cluster, desired = cluster_of(*map(with_slice, "abcde"))
    cluster.settle(desired)
    assert subnets(cluster)["e"] == ""
    assert ready(cluster, "e") == ("False", "NoFreePodCIDR")
    assert ready(cluster, "a") == ("True", "EngineReady")
    said = [one.occurrence for one in cluster.engine.events if one.occurrence.reason == "NoFreePodCIDR"]
    assert [(one.key.name, one.type) for one in said] == [("e", "Warning")]
    assert "all slices (/24) of the pod network 10.1.0.0/22 are taken" in said[0].message
    assert [hold.reason for (_, key), hold in cluster.engine.holds.items() if key.name == "e"] == ["NoFreePodCIDR"]
    del cluster.hosts["b"]
    cluster.settle(msgspec.structs.replace(desired, objects=tuple(o for o in desired.objects if o.name != "b")))
    assert (subnets(cluster)["e"], ready(cluster, "e")) == ("10.1.1.0/24", ("True", "EngineReady"))


def test_a_slice_chosen_by_hand_that_another_host_has_is_refused_by_name():
    cluster, desired = cluster_of(with_slice("a"))
    cluster.settle(desired)
    cluster.hosts["b"], cluster.volumes["b"] = {}, set()
    cluster.settle(msgspec.structs.replace(desired, objects=(*desired.objects, with_slice("b", "10.1.0.128/25"))))
    assert subnets(cluster) == {"a": "10.1.0.0/24", "b": ""}
    assert ready(cluster, "b") == ("False", "PodCIDRConflict")
    node = cluster.engine.store.get(Node, "", "b")
    assert "overlaps with 10.1.0.0/24 of host a" in find_condition(node.status.conditions, "Ready").message


def test_a_host_that_comes_back_when_another_has_its_slice_gets_a_new_one():
    """Its network is still there from before; nothing hangs on it."""
    cluster, desired = cluster_of(with_slice("a"), with_slice("b"))
    cluster.settle(desired)
    without = tuple(o for o in desired.objects if o.name != "b")
    del cluster.hosts["b"]
    cluster.hosts["c"], cluster.volumes["c"] = {}, set()
    cluster.settle(msgspec.structs.replace(desired, objects=(*without, with_slice("c"))))
    assert subnets(cluster) == {"a": "10.1.0.0/24", "c": "10.1.1.0/24"}
    cluster.hosts["b"] = {}
    cluster.step(msgspec.structs.replace(desired, objects=(*desired.objects, with_slice("c"))))
    for _ in range(3):
        seen = cluster.report("b")
        assert isinstance(seen, HostReport)
        cluster.step(cluster.report("a"), msgspec.structs.replace(seen, pod_subnet="10.1.1.0/24"), cluster.report("c"))
    assert subnets(cluster) == {"a": "10.1.0.0/24", "b": "10.1.2.0/24", "c": "10.1.1.0/24"}
    assert ready(cluster, "b") == ("True", "EngineReady")


def with_a_host_away() -> tuple[FakeCluster, Desired]:
    """A cluster whose host `c` has the slice of `b`, which left with its pods; and the commit that has `b` again."""
    cluster, desired = cluster_of(with_slice("a"), with_slice("b"))
    agent = daemon_set(pod={"tolerations": (Toleration(operator="Exists"),)})
    objects = (*desired.objects, default(agent), deployment(replicas=4, name="site"))
    cluster.settle(msgspec.structs.replace(desired, objects=objects))
    pods = cluster.hosts.pop("b")
    assert {pod.name.split("-")[0] for pod in pods.values()} == {"agent", "site"}
    cluster.hosts["c"], cluster.volumes["c"] = {}, set()
    without = msgspec.structs.replace(desired, objects=(*(o for o in objects if o.name != "b"), with_slice("c")))
    cluster.settle(without)
    assert subnets(cluster) == {"a": "10.1.0.0/24", "c": "10.1.1.0/24"}
    cluster.hosts["b"] = pods
    return cluster, msgspec.structs.replace(without, objects=(*without.objects, with_slice("b")))


def test_a_host_that_comes_back_with_pods_of_a_slice_that_another_has_ends_them_and_gets_a_new_one():
    """Not even a pod that tolerates everything stays: packets to it go to the other host."""
    cluster, back = with_a_host_away()
    old = {pod.uid for pod in cluster.hosts["b"].values()}
    cluster.step(back)
    states = []
    for _ in range(12):
        seen = cluster.report("b")
        assert isinstance(seen, HostReport)
        network = "10.1.1.0/24" if old & cluster.running_uids else seen.pod_subnet
        cluster.step(cluster.report("a"), msgspec.structs.replace(seen, pod_subnet=network), cluster.report("c"))
        if not states or states[-1] != ready(cluster, "b"):
            states.append(ready(cluster, "b"))
            if states == [("False", "PodCIDRGivenAway")]:
                host, status = cluster.engine.store.get(Host, "", "b"), cluster.engine.store.get(HostStatus, "", "b")
                assert host_state(host, status) == "PodCIDRGivenAway"
                assert not [pod for pod in cluster.engine.store.pods_on("b") if pod.uid not in old]
    assert states == [("False", "PodCIDRGivenAway"), ("True", "EngineReady")]
    assert subnets(cluster)["b"] == "10.1.2.0/24"
    assert not old & cluster.running_uids
    assert [name.split("-")[0] for name in cluster.running["b"]] == ["agent"]
    said = [one.occurrence for one in cluster.engine.events if one.occurrence.reason == "PodCIDRGivenAway"]
    assert ("b", "Warning") in [(one.key.name, one.type) for one in said]
    cluster.settle()


def test_a_slice_chosen_by_hand_is_not_given_to_another_host_before_its_own_is_seen():
    cluster, desired = cluster_of(with_slice("a"), with_slice("b", "10.1.0.0/24"))
    cluster.step(desired, HostSilent(host="b", reason="HostUnreachable", message="no"))
    cluster.step(cluster.report("a"))
    cluster.settle()
    assert subnets(cluster) == {"a": "10.1.1.0/24", "b": "10.1.0.0/24"}


def test_a_slice_that_is_chosen_later_does_not_replace_the_one_that_containers_have():
    cluster, desired = cluster_of(with_slice("a"))
    cluster.settle(desired)
    objects = tuple(o for o in desired.objects if o.name != "a")
    cluster.settle(msgspec.structs.replace(desired, objects=(*objects, with_slice("a", "10.1.2.0/24"))))
    assert subnets(cluster) == {"a": "10.1.0.0/24"}
    assert ready(cluster, "a") == ("True", "PodCIDRChanged")
    assert [one.occurrence.reason for one in cluster.engine.events].count("PodCIDRChanged") == 1


def test_finished_pods_give_their_addresses_back():
    cluster, desired = cluster_of(with_slice("a"), with_slice("b"), prefix=29)
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels={"job": "many"}),
        spec=PodSpec(containers=(Container(name="c", image="web:v1"),), restart_policy="Never"),
    )
    job = Job(
        metadata=ObjectMeta(name="many", namespace="default"),
        spec=JobSpec(completions=40, parallelism=4, template=template),
    )
    cluster.ends["many"] = "Succeeded"
    cluster.settle(msgspec.structs.replace(desired, objects=(*desired.objects, default(job))), rounds=200)
    live = cluster.engine.store.get(Job, "default", "many")
    assert live.status.succeeded == 40
