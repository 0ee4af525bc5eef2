"""What a person could do about a pod that fits nowhere: one sentence for each reason that has an obvious remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from policies.scheduling.placement import describe_amount
from policies.scheduling.requests import PODS
from policies.scheduling.rules import Rejection

_MOST_HINTS: Final = 3


def what_would_help(rejections: Iterable[Rejection]) -> tuple[str, ...]:
    """The remedies, those for the most hosts first; none for reasons whose remedy is not for us to say."""
    hints = (_HINTS[one.predicate](one) for one in rejections if one.predicate in _HINTS)
    return tuple(dict.fromkeys(hint for hint in hints if hint))[:_MOST_HINTS]


def _free_amounts(one: Rejection) -> str:
    reason = one.reason
    if reason.unit == PODS:
        return f"raise maxPods of host {one.example}, or add a host"
    amount = describe_amount(reason.unit, reason.short)
    return f"{amount} more {reason.unit} free on {one.example} would do; or request less, or add a host"


def _labels(one: Rejection) -> str:
    return f"give a host the {one.reason.text.removeprefix('without ')}, or change what the pod selects"


_HINTS: Final[dict[str, Callable[[Rejection], str]]] = {
    "PodFitsResources": _free_amounts,
    "MatchNodeSelector": _labels,
    "CheckNodeUnschedulable": lambda one: f"`berth uncordon {one.example}`",
    "PodToleratesNodeTaints": lambda one: f"let the pod tolerate {one.reason.text}, or remove it from {one.example}",
    "PodFitsHostPorts": lambda one: f"use another host port, or stop what holds it on {one.example}",
    "PodTopologySpread": lambda _: "raise maxSkew, say ScheduleAnyway, or add hosts where the fewest pods are",
    "CheckVolumeBinding": lambda one: f"create what is missing: {one.reason.text}",
}
"""By predicate."""
