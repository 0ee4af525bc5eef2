"""Results of scheduling: where a pod goes, or why nowhere and what would help."""

from __future__ import annotations

from typing import Final, NamedTuple

from objects.values.quantity import canonical
from policies.scheduling.requests import CPU, EPHEMERAL_STORAGE, MEMORY
from policies.scheduling.rules import Event, Reason, Rejection

_MEBIBYTE: Final = 1024 * 1024
_MEGABYTE: Final = 10**6
_MOST_REASONS: Final = 8
"""A message is read by people: further reasons are counted, not listed."""


class Unschedulable(NamedTuple):
    """Why a pod has no host. rejections: by reason, the most frequent first; several may concern one host.

    helped_by: events after which it is worth trying again. note: a reason that has nothing to do with hosts. outlook:
    what happens next, such as a preemption. hints: what a person could do.
    """

    hosts: int
    rejections: tuple[Rejection, ...] = ()
    helped_by: frozenset[Event] = frozenset()
    note: str = ""
    outlook: str = ""
    hints: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """`0/5 hosts fit: 2 insufficient memory (short by 300Mi), 1 host port 8080 taken by other/nginx`"""
        if self.note:
            return self.note
        if not self.hosts:
            return "0/0 hosts fit: the cluster has no hosts"
        listed = [describe_rejection(rejection) for rejection in self.rejections[:_MOST_REASONS]]
        if len(self.rejections) > _MOST_REASONS:
            listed.append(f"{len(self.rejections) - _MOST_REASONS} more reasons")
        outlook = f"; {self.outlook}" if self.outlook else ""
        return f"0/{self.hosts} hosts fit: {', '.join(listed)}{outlook}"


class Placement(NamedTuple):
    """The decision about one pod.

    node: the host it is bound to; None when it must wait. nominated_node: where it will go once the `victims` (uids)
    have left. unschedulable: set exactly when `node` is None.
    """

    uid: str
    node: str | None = None
    nominated_node: str = ""
    victims: tuple[str, ...] = ()
    unschedulable: Unschedulable | None = None


def describe_rejection(rejection: Rejection) -> str:
    reason = rejection.reason
    if rejection.differs:
        reason = reason._replace(detail=f"{reason.detail} and others")
    return f"{rejection.hosts} {describe_reason(reason, at_least=rejection.hosts > 1)}"


def describe_reason(reason: Reason, *, at_least: bool = False) -> str:
    """`insufficient memory (short by 300Mi)`. at_least: other hosts are short by more."""
    text = f"{reason.text} {reason.detail}".rstrip()
    if reason.short:
        text += f" (short by {'at least ' if at_least else ''}{describe_amount(reason.unit, reason.short)})"
    return text


def describe_amount(resource: str, amount: int) -> str:
    """Whole units as people write them: `300Mi`, `250M`, `250m`, `2`. Odd numbers of bytes are rounded up to Mi."""
    if resource == CPU:
        return canonical(f"{amount}m")
    if resource not in (MEMORY, EPHEMERAL_STORAGE):
        return str(amount)
    if amount % _MEGABYTE == 0:
        return canonical(amount)
    return canonical(f"{-(-amount // _MEBIBYTE)}Mi")
