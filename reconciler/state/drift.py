"""Applications that only show drift (`selfHeal: false`): which pods are theirs, and what of them is out of sync. Pure.

Drift is what a person does to a container that goes on existing: pausing it, another name, other limits. One that ended
or is gone is started again whoever ended it, as Kubernetes would: Docker does not tell a person from a crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from objects.api.meta import Condition, KubeObject, ObjectKey, controller_of
from objects.api.pods import Pod
from objects.conditions import IN_SYNC, find_condition
from objects.names import ANNOTATION_APPLICATION
from objects.own.config import Application
from reconciler.state.store import Reader

Inventory = Mapping[ObjectKey, str]
"""What is deployed from Git: key → Application."""


def application_of(view: Reader, obj: KubeObject, inventory: Inventory) -> str:
    """The Application that an object, or whoever controls it, was deployed with; '' when there is none."""
    current: KubeObject | None = obj
    while current is not None:
        application = inventory.get(current.key) or current.annotations.get(ANNOTATION_APPLICATION, "")
        if application:
            return application
        owner = controller_of(current)
        current = view.find(ObjectKey(owner.kind, current.namespace, owner.name)) if owner is not None else None
    return ""


def left_alone(view: Reader, pods: Iterable[Pod], inventory: Inventory) -> frozenset[str]:
    """The uids of those of `pods` whose drift is only shown."""
    lenient = {application.name for application in view.all_of(Application) if not application.spec.self_heal}
    if not lenient:
        return frozenset()
    return frozenset(pod.uid for pod in pods if application_of(view, pod, inventory) in lenient)


def drift_by_application(view: Reader, inventory: Inventory) -> dict[str, str]:
    """Application → what of its pods is out of sync, one line; only those that have drifted."""
    return drift_of(view, view.all_of(Pod), inventory)


def drift_of(view: Reader, pods: Iterable[Pod], inventory: Inventory) -> dict[str, str]:
    """The same, where it is known which pods may have drifted."""
    found: dict[str, list[str]] = {}
    for pod in pods:
        condition = drift_condition(pod)
        if condition is not None:
            application = application_of(view, pod, inventory)
            found.setdefault(application, []).append(f"pod {pod.namespace}/{pod.name}: {condition.message}")
    return {application: "; ".join(sorted(lines)) for application, lines in sorted(found.items())}


def drift_condition(pod: Pod) -> Condition | None:
    """What a pod says of its drift; None when it is in sync."""
    condition = find_condition(pod.status.conditions, IN_SYNC)
    return condition if condition is not None and condition.status == "False" else None
