"""Which pods belong together, so that they are spread: those that one service or one controller selects."""

from __future__ import annotations

from typing import Final

from objects.api.meta import LabelSelector, LabelSelectorRequirement, ObjectKey
from objects.selectors import requirements_match
from policies.scheduling.matching import PodMatcher, Requirements, hashable_selector, in_order
from policies.scheduling.shape import PodShape

_OWNERS: Final = ("ReplicaSet", "StatefulSet", "ReplicationController")
_PER_POD_LABELS: Final = ("statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index")


class WorkloadIndex:
    """Selectors of services and controllers by namespace. version moves with every change."""

    def __init__(self) -> None:
        self.version = 0
        self._services: dict[str, dict[ObjectKey, Requirements]] = {}
        self._owners: dict[ObjectKey, Requirements] = {}

    def set(self, key: ObjectKey, selector: LabelSelector | None) -> None:
        """Take over or forget (None) a workload."""
        known = self._services.setdefault(key.namespace, {}) if key.kind == "Service" else self._owners
        requirements = hashable_selector(selector)
        if known.get(key) == requirements:
            return
        if requirements is None:
            del known[key]
        else:
            known[key] = requirements
        self.version += 1

    def peers_of(self, shape: PodShape) -> PodMatcher | None:
        """The pods among which a pod of this shape is to be spread; None when it belongs to nothing.

        Kubernetes' default selector: what all its services and its controller ask for, together. A service without a
        selector selects nothing.
        """
        requirements: set[LabelSelectorRequirement] = set()
        services = self._services.get(shape.namespace, {}).values()
        parts = [wanted for wanted in services if wanted and requirements_match(wanted, shape.labels)]
        if shape.owner is not None and shape.owner.kind in _OWNERS:
            parts.append(self._owners.get(shape.owner) or _own_labels(shape))
        for part in parts:
            requirements.update(part)
        if not requirements:
            return None
        return PodMatcher(frozenset((shape.namespace,)), None, in_order(requirements))


def _own_labels(shape: PodShape) -> Requirements:
    """For a controller that nobody told us of: its pods have the same labels, but for those that number them."""
    labels = {key: value for key, value in shape.labels.items() if key not in _PER_POD_LABELS}
    return hashable_selector(LabelSelector(match_labels=labels)) or ()
