"""A plan: what a commit changes and what follows from it, as one value. Rendering: `text` and `markdown` beside it.

Made by `reconciler.plan.simulate`, which runs the real controllers on a copy of the live state; nothing here decides.
"""

from __future__ import annotations

from differ.documents.objects import FieldChange
from differ.kubelet.assignment import DifferStruct
from objects.api.meta import ObjectKey


class ObjectChange(DifferStruct):
    """One object of the commit. action: `create`, `update` or `delete`. fields: empty for create and delete."""

    key: ObjectKey
    action: str
    application: str = ""
    fields: tuple[FieldChange, ...] = ()


class PodChange(DifferStruct):
    """One pod that comes, goes, is restarted in place, or finds the host that it waited for.

    action: `create`, `delete`, `restart` or `place`. owner: the object of the commit that it belongs to. host: where it
    goes or was; '' when it finds no place. why: what takes it away other than its own workload (it is preempted, moved,
    drained …), '' for nothing.
    """

    name: str
    namespace: str
    action: str
    owner: str
    host: str = ""
    why: str = ""


class Waiting(DifferStruct):
    """Something that does not come to rest. subject: an object; reason: why, for a person."""

    subject: str
    reason: str


class Capacity(DifferStruct):
    """What pods ask of a host after the plan, and containers of others take. cpu in millicores, memory in bytes."""

    host: str
    cpu_requested: int
    cpu_allocatable: int
    memory_requested: int
    memory_allocatable: int
    pods: int
    max_pods: int


class Plan(DifferStruct):
    """from_commit, to_commit: ids, '' for "nothing yet". unknown_hosts: not observed; what they run is not known.

    is_at_rest: the simulation came to an end within its bounds.
    """

    from_commit: str
    to_commit: str
    objects: tuple[ObjectChange, ...] = ()
    pods: tuple[PodChange, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    warnings: tuple[str, ...] = ()
    capacity: tuple[Capacity, ...] = ()
    unknown_hosts: tuple[str, ...] = ()
    held_deletions: str = ""
    is_at_rest: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return not self.objects and not self.pods
