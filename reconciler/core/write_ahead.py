"""What has to be on the status branch before a host may act on it. Pure.

An ordinal must never run twice, and the data of a claim lies in one place. So that a fresh process knows where both
may be although a host does not answer, their places are recorded first and acted on then: an ordinal's pod with its
host, a claim's volume with its host. What is not recorded was never begun. Other pods may run twice for a while, and
wait for no commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from objects.api.apps import StatefulSet
from objects.api.meta import KubeObject, ObjectKey, controller_of
from objects.api.pods import Pod
from objects.api.storage import PersistentVolume, PersistentVolumeClaim
from reconciler.controllers.volumes.binding import bound_volume, claims_of, host_of
from reconciler.state.messages import Recording
from reconciler.state.store import View

Places = Mapping[ObjectKey, str]
"""Pod of an ordinal, or PersistentVolume → its host."""


class Records:
    """What the status branch has of places, as far as that can be relied on. Owned by the engine.

    places: recorded, and nobody is about to replace it. announced: how many `Recording` messages came.
    """

    def __init__(self) -> None:
        self.places: dict[ObjectKey, str] = {}
        self.announced = 0

    def announce(self, message: Recording) -> None:
        """The branch is about to say something else."""
        self.announced += 1
        self.replace([*self.places] if message.keys is None else message.keys, message.places)

    def replace(self, keys: Iterable[ObjectKey], places: Places) -> None:
        """Of these objects it will say `places`: what it had of them ends, but for what stays the same."""
        for key in keys:
            if self.places.get(key, "") != places.get(key, ""):
                self.places.pop(key, None)


def place_of(obj: KubeObject | None) -> str:
    """The host that has to be recorded of an object; '' for one that has none, or needs no record."""
    if isinstance(obj, PersistentVolume):
        return host_of(obj)
    return obj.spec.node_name if isinstance(obj, Pod) and is_ordinal(obj) else ""


def places_of(objects: Iterable[KubeObject]) -> dict[ObjectKey, str]:
    """All that is to be recorded of these objects."""
    return {obj.key: place for obj in objects if (place := place_of(obj))}


def is_ordinal(pod: Pod) -> bool:
    """Whether the pod is one of a StatefulSet."""
    owner = controller_of(pod)
    return owner is not None and owner.kind == StatefulSet.KIND


def must_wait(view: View, pod: Pod, recorded: Places) -> bool:
    """Whether a pod's host must not be told of it yet. One that ends, or of which a container was seen, waits for
    nothing: it was begun.
    """
    if pod.is_terminating or pod.is_finished or pod.status.container_statuses or pod.status.init_container_statuses:
        return False
    if is_ordinal(pod) and recorded.get(pod.key) != pod.spec.node_name:
        return True
    for name in claims_of(pod):
        claim = view.get(PersistentVolumeClaim, pod.namespace, name)
        volume = bound_volume(view, claim) if claim is not None else None
        if volume is not None and host_of(volume) and recorded.get(volume.key) != host_of(volume):
            return True
    return False
