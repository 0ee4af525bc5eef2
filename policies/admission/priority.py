"""A pod's priority, from its PriorityClass. Pure. Source of the rule: Kubernetes' admission plug-in Priority."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from objects.api.pods import PodSpec
from objects.api.policy import PriorityClass
from objects.errors import InvalidInput

SYSTEM_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""Exist in every cluster, as in Kubernetes."""

DEFAULT_PREEMPTION_POLICY = "PreemptLowerPriority"


def with_priority(spec: PodSpec, classes: Iterable[PriorityClass]) -> PodSpec:
    """`spec` with `priority` and `preemptionPolicy` set; one that has a priority already stays as it is.

    A pod that names no class gets the global default (of several the smallest value), else 0. Raises InvalidInput for
    a class that does not exist.
    """
    if spec.priority is not None:
        return spec
    known = list(classes)
    if not spec.priority_class_name:
        default = min((cls for cls in known if cls.global_default), key=lambda cls: cls.value, default=None)
        return _with(spec, default, name=default.name if default else "")
    if spec.priority_class_name in SYSTEM_CLASSES:
        return msgspec.structs.replace(
            spec,
            priority=SYSTEM_CLASSES[spec.priority_class_name],
            preemption_policy=spec.preemption_policy or DEFAULT_PREEMPTION_POLICY,
        )
    chosen = next((cls for cls in known if cls.name == spec.priority_class_name), None)
    if chosen is None:
        raise InvalidInput(
            f"there is no PriorityClass '{spec.priority_class_name}'",
            hint="known: " + ", ".join(sorted({*(cls.name for cls in known), *SYSTEM_CLASSES})),
        )
    return _with(spec, chosen, name=chosen.name)


def _with(spec: PodSpec, chosen: PriorityClass | None, *, name: str) -> PodSpec:
    policy = spec.preemption_policy or (chosen.preemption_policy if chosen else None) or DEFAULT_PREEMPTION_POLICY
    return msgspec.structs.replace(
        spec, priority=chosen.value if chosen else 0, preemption_policy=policy, priority_class_name=name
    )
