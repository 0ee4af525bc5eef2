"""What a look asks one engine for, and what the answers mean; one that came before in the same bytes is not read again.

`read_…` take the content of an answer as it came. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from hosts.docker.charge_markers import read_charges
from hosts.network.pod_network import is_ours
from objects.errors import EngineUnavailable
from objects.names import (
    LABEL_CHARGE,
    LABEL_CLAIM,
    LABEL_POD_UID,
    claim_volume_generation,
    claim_volume_name,
    pod_of_volume,
)
from objects.observation.host import ImageFact, NetworkFact, NetworkRange
from objects.own.charge import Charge

T = TypeVar("T")

CONTAINERS = "/containers/json?all=1"
INFO, VERSION, IMAGES, VOLUMES, NETWORKS = "/info", "/version", "/images/json", "/volumes", "/networks"
FACTS = (INFO, VERSION, IMAGES, VOLUMES, NETWORKS)
"""All that facts are read from. The host's clock comes first: an answer's way is all that makes it wrong."""
CHARGES = f"/volumes?filters={quote(msgspec.json.encode({'label': [LABEL_CHARGE]}).decode())}"


class Remembered(Generic[T]):
    """What the last answer to one question meant. Only a digest of its bytes is kept: a list of images is 100 KB."""

    def __init__(self, read: Callable[[bytes], T]) -> None:
        self._read = read
        self._last: tuple[bytes, T] | None = None

    def of(self, content: bytes) -> T:
        """What this answer means. Raises what `read` raises."""
        digest = digest_of(content)
        last = self._last
        if last is None or last[0] != digest:
            last = self._last = digest, self._read(content)
        return last[1]


def digest_of(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()


def container_path(container_id: str) -> str:
    return f"/containers/{quote(container_id, safe='')}/json"


def network_path(name: str) -> str:
    return f"/networks/{quote(name, safe='')}"


def read_object(content: bytes) -> dict[str, Any]:
    """Raises EngineUnavailable when it is no JSON object."""
    told: dict[str, Any] = _decode(content, dict[str, Any])
    return told


def read_list(content: bytes) -> list[dict[str, Any]]:
    """Raises EngineUnavailable when it is no JSON list of objects; `null` is Go's empty list."""
    return _decode(content, list[dict[str, Any]] | None) or []


def _decode(content: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise EngineUnavailable(f"an answer of Docker Engine is not what it should be: {error}") from error


# --- images, volumes, networks ----------------------------------------------------------------------------------------


def read_images(content: bytes) -> tuple[ImageFact, ...]:
    """What `/images/json` says."""
    return tuple(sorted(map(_image_fact, read_list(content)), key=lambda fact: fact.id))


def _image_fact(image: dict[str, Any]) -> ImageFact:
    names = [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]
    return ImageFact(
        id=str(image["Id"]),
        names=tuple(name for name in names if not name.startswith("<none>")),
        size_bytes=int(image.get("Size", 0)),
    )


class VolumeFacts(msgspec.Struct, frozen=True):
    """Names of volumes that are ours by name and labels, and who left a mark."""

    claim_volumes: tuple[str, ...] = ()
    pod_volumes: tuple[str, ...] = ()
    charges: tuple[Charge, ...] = ()


def read_volumes(content: bytes) -> VolumeFacts:
    """What `/volumes` says."""
    volumes: list[dict[str, Any]] = read_object(content).get("Volumes") or []
    return VolumeFacts(_names_of(volumes, _is_of_claim), _names_of(volumes, _is_of_pod), read_charges(volumes))


def _names_of(volumes: list[dict[str, Any]], is_ours: Callable[[str, dict[str, str]], bool]) -> tuple[str, ...]:
    """The names of those that `is_ours` says so of by name and labels: of a volume of ours the two agree."""
    told = ((str(volume["Name"]), volume.get("Labels") or {}) for volume in volumes)
    return tuple(sorted(name for name, labels in told if is_ours(name, labels)))


def _is_of_pod(name: str, labels: dict[str, str]) -> bool:
    return bool(pod_of_volume(name)) and labels.get(LABEL_POD_UID) == pod_of_volume(name)


def _is_of_claim(name: str, labels: dict[str, str]) -> bool:
    namespace, _, claim = labels.get(LABEL_CLAIM, "").partition("/")
    return bool(claim) and claim_volume_generation(name)[0] == claim_volume_name(namespace, claim)


class NetworkFacts(msgspec.Struct, frozen=True):
    """others: the addresses of all networks but ours. own: ours, by name."""

    others: tuple[NetworkRange, ...] = ()
    own: tuple[NetworkFact, ...] = ()

    def named(self, name: str) -> NetworkFact | None:
        """The network of ours that is called so."""
        return next((one for one in self.own if one.name == name), None)


def read_networks(content: bytes) -> NetworkFacts:
    """What `/networks` says."""
    networks = sorted(read_list(content), key=lambda one: str(one.get("Name", "")))
    own = tuple(fact for network in networks if (fact := network_fact(network)) is not None)
    return NetworkFacts(tuple(ranges_of_others(networks)), own)


def network_fact(network: Mapping[str, Any]) -> NetworkFact | None:
    """What the engine says of one network, if it is ours."""
    if not is_ours(network):
        return None
    ranges = (network.get("IPAM") or {}).get("Config") or [{}]
    subnet, gateway = str(ranges[0].get("Subnet", "")), str(ranges[0].get("Gateway", ""))
    return NetworkFact(name=str(network.get("Name", "")), subnet=subnet, gateway=gateway)


def ranges_of_others(networks: Iterable[Mapping[str, Any]]) -> Iterable[NetworkRange]:
    """The addresses of all of them that are not ours."""
    for network in networks:
        if is_ours(network):
            continue
        for one in (network.get("IPAM") or {}).get("Config") or ():
            if one.get("Subnet"):
                yield NetworkRange(name=str(network.get("Name", "")), subnet=str(one["Subnet"]))
