"""Claims: bound with their first pod, found again without memory, never let go of."""

from __future__ import annotations

import msgspec
import pytest

from objects.api.meta import ObjectKey, ObjectMeta
from objects.api.pods import Container, Pod, PodSpec
from objects.api.storage import (
    DOCKER_VOLUMES,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
)
from objects.api.volumes import PersistentVolumeClaimSpec, PersistentVolumeClaimVolumeSource, Volume
from objects.api.volumes import VolumeResourceRequirements as Resources
from objects.names import claim_volume_generation, claim_volume_name, stable_uid
from reconciler.controllers.volumes.binding import (
    bound_volume,
    docker_volume_of,
    host_of,
    why_not_on,
)
from reconciler.state.host_status import HostStatus
from tests.unit.controllers.harness import FACTS, World

KEY = ObjectKey("PersistentVolumeClaim", "default", "data")
VOLUME = "berth-claim_default_data"


def claim(**spec: object) -> PersistentVolumeClaim:
    asked = PersistentVolumeClaimSpec(
        access_modes=("ReadWriteOnce",),
        resources=Resources(requests={"storage": "1Gi"}),
        **spec,  # type: ignore[arg-type]
    )
    return PersistentVolumeClaim(metadata=ObjectMeta(name="data", namespace="default"), spec=asked)


def user(name: str = "user") -> Pod:
    source = PersistentVolumeClaimVolumeSource(claim_name="data")
    spec = PodSpec(
        containers=(Container(name="main", image="web:1"),), volumes=(Volume(name="v", persistent_volume_claim=source),)
    )
    return Pod(metadata=ObjectMeta(name=name, namespace="default", uid=name), spec=spec)


def found(world: World) -> PersistentVolumeClaim:
    live = world.store.find(KEY)
    assert isinstance(live, PersistentVolumeClaim)
    return live


def summary(world: World) -> tuple[str, str, str]:
    """(phase, host of the data, Docker volume)."""
    live = found(world)
    volume = bound_volume(world.store, live)
    if volume is None:
        return live.status.phase, "", ""
    return live.status.phase, host_of(volume), docker_volume_of(volume)


def events(world: World) -> list[str]:
    return [one.reason for one in world.occurrences if one.key == KEY]


def hold(world: World) -> str:
    held = world.holds.get(("persistentvolume-controller", KEY))
    return "" if held is None else f"{held.reason}: {held.message}"


def with_volume(world: World, *hosts: str, volumes: tuple[str, ...] = (VOLUME,)) -> None:
    for host in hosts:
        seen = world.store.get(HostStatus, "", host)
        assert seen is not None
        facts = msgspec.structs.replace(FACTS, claim_volumes=volumes)
        world.put(msgspec.structs.replace(seen, facts=facts))


def test_waits_for_its_first_pod_and_says_so_once() -> None:
    world = World()
    world.declare(claim())
    world.settle()
    world.touch_everything()
    assert (world.settle(), summary(world), events(world)) == (0, ("Pending", "", ""), ["WaitForFirstConsumer"])


def test_is_bound_with_its_first_pod() -> None:
    world = World()
    world.declare(claim())
    world.put(user())
    world.run()
    assert summary(world) == ("Bound", "n1", VOLUME)
    assert found(world).status.capacity == {"storage": "1Gi"}
    assert [why_not_on(world.store, user("other"), host) for host in ("n1", "n2")] == [
        "",
        'the data of claim "data" is on host n1',
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"storage_class_name": "fast"},
            'storage class "fast" does not exist; without a class a Docker volume is made',
            id="unknown class",
        ),
        pytest.param(
            {"storage_class_name": "slow"},
            'provisioner "a.b/c" of storage class "slow" is not known: docker.berth.dev makes Docker volumes',
            id="class of another provisioner",
        ),
        pytest.param(
            {"storage_class_name": ""},
            "it asks for a volume that exists already: those come with the storage work",
            id="no class at all",
        ),
        pytest.param(
            {"volume_name": "disk-7"},
            'volume "disk-7" is not known: volumes that exist already come with the storage work',
            id="named volume",
        ),
    ],
)
def test_that_cannot_be_had_says_why(spec: dict[str, str], expected: str) -> None:
    world = World()
    world.declare(StorageClass(metadata=ObjectMeta(name="slow"), provisioner="a.b/c"))
    world.declare(claim(**spec))
    world.put(user())
    world.run()
    assert (summary(world)[0], hold(world)) == ("Pending", f"ProvisioningFailed: {expected}")
    assert [pod.node_name for pod in world.pods()] == [""]


def test_of_a_class_of_ours_is_bound() -> None:
    world = World()
    world.declare(claim(storage_class_name="local"))
    world.settle()
    world.declare(StorageClass(metadata=ObjectMeta(name="local"), provisioner=DOCKER_VOLUMES))
    world.put(user())
    world.run()
    assert summary(world) == ("Bound", "n1", VOLUME)


def test_is_found_again_by_the_pod_that_uses_it() -> None:
    world = World()
    world.put(user())
    world.bind(user(), "n2")
    world.declare(claim())
    world.settle()
    assert (summary(world), events(world)) == (("Bound", "n2", VOLUME), ["VolumeFound"])


def test_is_found_again_by_its_volume() -> None:
    world = World()
    with_volume(world, "n3")
    world.declare(claim())
    world.settle()
    assert summary(world) == ("Bound", "n3", VOLUME)


def test_whose_volume_is_found_twice_waits_for_a_person() -> None:
    world = World()
    world.declare(claim())
    with_volume(world, "n3", "n1")
    world.settle()
    assert hold(world) == "AmbiguousVolume: a volume of this claim lies on n1, n3: remove all but the right one"
    with_volume(world, "n1")
    seen = world.store.get(HostStatus, "", "n3")
    assert seen is not None
    world.put(msgspec.structs.replace(seen, facts=FACTS))
    world.put(user())
    world.run()
    assert summary(world) == ("Bound", "n1", VOLUME)


def test_gets_no_new_volume_while_its_data_may_be_on_an_unseen_host() -> None:
    world = World()
    world.put(HostStatus(metadata=ObjectMeta(name="n9"), pod_subnet="10.244.9.0/24"))
    host = world.store.find(ObjectKey("Host", "", "n1"))
    assert host is not None
    world.declare(msgspec.structs.replace(host, metadata=ObjectMeta(name="n9")))
    world.declare(claim())
    world.put(user())
    world.run()
    assert [pod.node_name for pod in world.pods()] == [""]
    world.answer("n9")
    world.run()
    assert summary(world)[0] == "Bound"


def test_data_stays_when_the_claim_goes_and_is_its_own_again_when_it_comes_back() -> None:
    world = World()
    world.declare(claim())
    world.put(user())
    world.run()
    world.remove(ObjectKey("Pod", "default", "user"))
    world.remove(KEY)
    world.settle()
    volume = world.store.get(PersistentVolume, "", f"pvc-{stable_uid(KEY)}")
    assert volume is not None
    assert volume.status.phase == "Released"
    world.declare(claim())
    world.settle()
    assert summary(world) == ("Bound", "n1", VOLUME)


def test_that_gave_volumes_up_is_found_again_by_its_newest() -> None:
    """Nobody remembers it: the volumes on hosts tell how many there were."""
    world = World()
    with_volume(world, "n1", volumes=(VOLUME, "berth-claim_default_data-2", "berth-claim_default_data-2_7"))
    with_volume(world, "n3", volumes=(f"{VOLUME}_2",))
    world.declare(claim())
    world.settle()
    assert summary(world) == ("Bound", "n3", f"{VOLUME}_2")
    places = {docker_volume_of(one): host_of(one) for one in world.store.all_of(PersistentVolume)}
    assert places == {VOLUME: "n1", f"{VOLUME}_1": "", f"{VOLUME}_2": "n3"}
    assert {one.status.phase for one in world.store.all_of(PersistentVolume)} == {"Bound", "Released"}
    assert (world.settle(), [one.spec.volume_name for one in (found(world),)]) == (0, [f"pvc-{stable_uid(KEY)}-2"])


@pytest.mark.parametrize("name", ["data", "d" * 253])
def test_that_is_remembered_with_its_last_volume_gets_the_newer_one_that_a_host_shows(name: str) -> None:
    world = World()
    asked = msgspec.structs.replace(claim(), metadata=ObjectMeta(name=name, namespace="default"))
    world.declare(asked)
    with_volume(world, "n2", volumes=(claim_volume_name("default", name),))
    world.settle()
    with_volume(world, "n3", volumes=(claim_volume_name("default", name, 1),))
    world.settle()
    live = world.store.find(asked.key)
    assert isinstance(live, PersistentVolumeClaim)
    volume = bound_volume(world.store, live)
    assert volume is not None
    assert (host_of(volume), docker_volume_of(volume)) == ("n3", claim_volume_name("default", name, 1))


@pytest.mark.parametrize("generation", [0, 1, 12])
@pytest.mark.parametrize("name", ["data", "d" * 253])
def test_the_generation_is_read_from_the_name_of_a_volume(name: str, generation: int) -> None:
    volume = claim_volume_name("default", name, generation)
    assert claim_volume_generation(volume) == (claim_volume_name("default", name), generation)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("data", "berth-claim_default_data", id="short"),
        pytest.param(
            "d" * 253, f"berth-claim_default_{'d' * 143}-ed71093b-4b37-5a8b-972c-871dac4ef0cd", id="cut, with a hash"
        ),
    ],
)
def test_names_of_volumes(name: str, expected: str) -> None:
    assert claim_volume_name("default", name) == expected
