"""Names, labels and uids that Berth derives: the one place that knows how they look.

Everything here is deterministic, so that a process without memory finds what an earlier one made.
"""

from __future__ import annotations

import random
import re
import uuid
from typing import NamedTuple

from objects.api.meta import ObjectKey

LABEL_PREFIX = "berth.dev/"
LABEL_MANAGED = "berth.dev/managed"
"""On every container and network that we made; its absence makes a container foreign."""
LABEL_CLUSTER = "berth.dev/cluster"
LABEL_POD_UID = "berth.dev/pod-uid"
LABEL_POD_NAME = "berth.dev/pod-name"
LABEL_POD_NAMESPACE = "berth.dev/pod-namespace"
LABEL_CONTAINER = "berth.dev/container"
LABEL_ROLE = "berth.dev/role"
"""`sandbox`, `init`, `sidecar` or `main`."""
LABEL_SPEC_HASH = "berth.dev/spec-hash"
"""Hash of everything the container was composed from: differs when it must be replaced."""
LABEL_FILES_HASH = "berth.dev/files-hash"
"""Hash of the ConfigMap and Secret files that a sandbox's pod had when it was made."""
LABEL_CLAIM = "berth.dev/claim"
"""On a Docker volume: the claim (`namespace/name`) whose data it holds. Nothing of ours removes such a volume."""
LABEL_CHARGE = "berth.dev/charge"
"""On a Docker volume that says who is in charge (`objects.own.charge`): the epoch. With it, who and since when."""
LABEL_HOLDER = "berth.dev/holder"
LABEL_HOLDER_NAME = "berth.dev/holder-name"
LABEL_SINCE = "berth.dev/since"
LABEL_LAST_WORDS = "berth.dev/last-words"
"""On containers that may leave a message at their end: `policy:path`, path '' where no file can be read."""
LABEL_POD = "berth.dev/pod"
"""The pod's manifest as JSON, on the container that owns its namespaces."""

POD_TEMPLATE_HASH = "pod-template-hash"
ANNOTATION_TEMPLATE_HASH = "berth.dev/template-hash"
"""On objects from Git that hold a pod template (and on bare Pods): its hash as written, before defaulting."""
ANNOTATION_APPLICATION = "berth.dev/application"
"""On bare Pods: which Application they came with, so that their host alone tells whose policy they are under."""
ANNOTATION_PINNED = "berth.dev/pinned"
"""On bare Pods: `true` where the manifest names the host (`spec.nodeName`), so that they come back to no other."""
ANNOTATIONS_WITH_MANIFEST = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "kapp.k14s.io/original",
        "objectset.rio.cattle.io/applied",
        "banzaicloud.com/last-applied",
    }
)
"""Where tools that apply manifests keep the last one: on a Secret they hold its values, also those of earlier times."""

ANNOTATION_UNREAD = "berth.dev/unread"
"""On a ConfigMap or Secret that is deployed and of which nobody knows the content: why. Never in a manifest."""

_UID_NAMESPACE = uuid.UUID("5a1c6a3e-6a0b-5a53-8f4d-0c1f6e0b7a11")
_SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' alphabet for generated names: no vowels, no look-alikes, so no words appear by chance."""


def stable_uid(key: ObjectKey, *, salt: str = "") -> str:
    """A uid derived from the key: the same object has the same uid in every process."""
    return str(uuid.uuid5(_UID_NAMESPACE, "\0".join((*key, salt))))


def random_uid(source: random.Random) -> str:
    """A uid (UUID, version 4) from a seeded source. Spelled here: 50,000 pods get one in a step."""
    number = source.getrandbits(128)
    number = number & ~(0xF000 << 64 | 0xC000 << 48) | 0x4000 << 64 | 0x8000 << 48
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def random_suffix(source: random.Random, length: int = 5) -> str:
    """The tail of a generated pod name (`x7k2p`)."""
    return "".join(source.choice(_SAFE_ALPHABET) for _ in range(length))


def safe_encode(text: str) -> str:
    """Replace vowels and look-alikes as Kubernetes does with hashes in names (`rand.SafeEncodeString`)."""
    return "".join(_SAFE_ALPHABET[ord(char) % len(_SAFE_ALPHABET)] for char in text)


class ContainerName(NamedTuple):
    """The parts of `berth_<container>_<pod>_<namespace>_<uid>_<attempt>`; none of them may hold a `_`."""

    container: str
    pod: str
    namespace: str
    uid: str
    attempt: int

    def __str__(self) -> str:
        return f"berth_{self.container}_{self.pod}_{self.namespace}_{self.uid}_{self.attempt}"


SANDBOX_CONTAINER = "POD"
"""Container part of a sandbox's name: upper case cannot collide with a container of the manifest."""


def parse_container_name(name: str) -> ContainerName | None:
    """name: as Docker gives it, with or without the leading slash. None when it is not one of ours."""
    parts = name.lstrip("/").split("_")
    if len(parts) != 6 or parts[0] != "berth" or not parts[5].isdigit():
        return None
    return ContainerName(parts[1], parts[2], parts[3], parts[4], int(parts[5]))


def volume_name(pod_uid: str, volume: str) -> str:
    """The Docker volume of a pod's own volume (`emptyDir` and friends); it goes with the pod."""
    return f"berth_{pod_uid}_{volume}"


def pod_of_volume(name: str) -> str:
    """The pod uid in what `volume_name` made; '' for any other name."""
    parts = name.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] == "berth" else ""


_LONGEST_VOLUME_NAME = 200
"""A volume is a directory on its host: file systems end names at 255 bytes."""


def claim_volume_name(namespace: str, claim: str, generation: int = 0) -> str:
    """The Docker volume of a claim, the same in every process and on every host.

    generation: how many volumes the claim gave up before this one.
    """
    name = f"berth-claim_{namespace}_{claim}"
    if len(name) > _LONGEST_VOLUME_NAME:
        name = f"{name[: _LONGEST_VOLUME_NAME - 37]}-{uuid.uuid5(_UID_NAMESPACE, name)}"
    return f"{name}_{generation}" if generation else name


def claim_volume_generation(volume: str) -> tuple[str, int]:
    """The name that a claim's first Docker volume has, and the generation of `volume`: `claim_volume_name` undone."""
    match = re.fullmatch(r"([^_]+_[^_]+_[^_]+)_([1-9][0-9]*)", volume)
    return (match[1], int(match[2])) if match else (volume, 0)
