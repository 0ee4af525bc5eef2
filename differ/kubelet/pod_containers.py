"""Which of the containers on a host belong to a pod, and which of them count. Pure.

Only ours count (`differ.kubelet.identity`); of these labels decide, since somebody may have renamed one. Of two that
claim to be the same container of a pod (a create whose answer was lost) one is chosen and the others are surplus.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from differ.kubelet.containers.restarts import is_alive
from differ.kubelet.identity import is_ours, own_name
from objects.api.meta import ObjectMeta
from objects.api.pods import Container, Pod, PodSpec
from objects.names import (
    LABEL_CONTAINER,
    LABEL_POD,
    LABEL_POD_NAME,
    LABEL_POD_NAMESPACE,
    LABEL_POD_UID,
    SANDBOX_CONTAINER,
)
from objects.observation.host import ObservedContainer


class PodContainers(NamedTuple):
    """current: by name in the manifest (SANDBOX_CONTAINER for the sandbox); surplus: to be removed."""

    current: dict[str, ObservedContainer]
    surplus: tuple[ObservedContainer, ...] = ()

    @property
    def sandbox(self) -> ObservedContainer | None:
        return self.current.get(SANDBOX_CONTAINER)


def group_by_pod(containers: Iterable[ObservedContainer]) -> dict[str, tuple[ObservedContainer, ...]]:
    """Our containers by pod uid, in the order given."""
    groups: dict[str, list[ObservedContainer]] = {}
    for container in containers:
        if is_ours(container):
            groups.setdefault(container.labels[LABEL_POD_UID], []).append(container)
    return {uid: tuple(group) for uid, group in groups.items()}


def choose_current(containers: Sequence[ObservedContainer]) -> PodContainers:
    """Of each container of the pod the best that is there: alive before dead, then the highest attempt, then the
    newest.
    """
    current: dict[str, ObservedContainer] = {}
    surplus = []
    for container in sorted(containers, key=_rank, reverse=True):
        name = container.labels.get(LABEL_CONTAINER, "")
        if name in current:
            surplus.append(container)
        else:
            current[name] = container
    return PodContainers(dict(sorted(current.items())), tuple(surplus))


def _rank(container: ObservedContainer) -> tuple[bool, int, float, str]:
    name = own_name(container)
    created = container.created_at.timestamp() if container.created_at else 0.0
    return is_alive(container), name.attempt if name else -1, created, container.id


def rebuild_pod(uid: str, containers: Sequence[ObservedContainer]) -> Pod:
    """The pod that these containers of a host tell of.

    From the manifest in the label of its namespace owner; if that is gone or unreadable, as much as names and labels
    say: enough to stop and remove it.
    """
    for container in containers:
        text = container.labels.get(LABEL_POD)
        if not text:
            continue
        try:
            pod = msgspec.json.decode(text, type=Pod)
        except msgspec.DecodeError:
            # Written by another version or damaged: the pod is then known by name only.
            continue
        if pod.uid == uid:
            return pod
    labels = containers[0].labels
    names = dict.fromkeys(container.labels.get(LABEL_CONTAINER, "") for container in containers)
    metadata = ObjectMeta(name=labels.get(LABEL_POD_NAME, ""), namespace=labels.get(LABEL_POD_NAMESPACE, ""), uid=uid)
    images = {container.labels.get(LABEL_CONTAINER, ""): container.image for container in containers}
    mains = tuple(Container(name=name, image=images[name]) for name in names if name not in ("", SANDBOX_CONTAINER))
    return Pod(metadata=metadata, spec=PodSpec(containers=mains))
