"""What an earlier process left on the status branch, as far as it is still needed. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from objects.api.autoscaling import HorizontalPodAutoscaler
from objects.api.meta import ObjectKey
from objects.api.pods import Pod
from reconciler.state.messages import Remembered, Restored
from reconciler.state.sharing import Sharing
from reconciler.state.store import Store


class Memory:
    """pods: those of the earlier process by uid. remembered: what is popped once the object is in the store again."""

    def __init__(self) -> None:
        self.restored: Restored | None = None
        self.pods: dict[str, Pod] = {}
        self.remembered: dict[ObjectKey, Remembered] = {}
        self._pods_on: dict[str, dict[str, Pod]] = {}
        # Until the start, while pods come that were read one by one.
        self._sharing: Sharing | None = Sharing()

    def take(self, message: Restored) -> None:
        self.restored = message
        self._keep({obj.uid: self.shared(obj) for obj in message.objects if isinstance(obj, Pod)})
        self.remembered = dict(message.remembered)

    def shared(self, pod: Pod) -> Pod:
        """An equal pod that holds in common with others what they have alike, as long as many are found."""
        return pod if self._sharing is None else self._sharing.pod(pod, self.pods.get(pod.uid))

    def _keep(self, pods: dict[str, Pod]) -> None:
        self.pods, self._pods_on = pods, {}
        for pod in pods.values():
            self._pods_on.setdefault(pod.spec.node_name, {})[pod.uid] = pod

    def copy(self) -> Memory:
        twin = Memory()
        twin.restored, twin.pods, twin._pods_on = self.restored, self.pods, self._pods_on
        twin.remembered = dict(self.remembered)
        twin._sharing = None
        return twin

    def forget(self, store: Store) -> None:
        """What was restored is in the store: only sizes, slices and pods that it lacks may be asked for again."""
        self._sharing = None
        self._keep({uid: pod for uid, pod in self.pods.items() if store.by_uid(uid) is None})
        if self.restored is None:
            return
        autoscaler = HorizontalPodAutoscaler.KIND
        sizes = {key: memory for key, memory in self.remembered.items() if key.kind == autoscaler}
        self.restored = msgspec.structs.replace(
            self.restored, objects=(), remembered=sizes, kept={}, copies={}, unread={}
        )

    @property
    def commit(self) -> str:
        """The commit in force by the status branch; '' for none."""
        return self.restored.commit if self.restored else ""

    @property
    def of_objects(self) -> Mapping[ObjectKey, Remembered]:
        """All that was remembered of objects, also what is in the store again; after `forget` only autoscaled sizes."""
        return self.restored.remembered if self.restored else {}

    @property
    def subnets(self) -> Mapping[str, str]:
        """Slices by host."""
        return self.restored.subnets if self.restored else {}

    @property
    def inventory(self) -> Mapping[ObjectKey, str]:
        """What the earlier process had deployed."""
        return self.restored.inventory if self.restored else {}

    @property
    def is_continued(self) -> bool:
        """Whether somebody was in charge before, who may have told hosts what this process knows nothing of."""
        return self.restored is not None and (self.restored.follows or bool(self.restored.inventory))

    @property
    def is_ahead(self) -> bool:
        """Whether the earlier process recorded whatever must not be done twice before it was begun."""
        return self.restored is not None and self.restored.is_ahead

    def pods_on(self, host: str) -> Mapping[str, Pod]:
        """By uid."""
        return self._pods_on.get(host, {})
