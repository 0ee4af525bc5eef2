"""What a person could do about a pod that fits nowhere: one sentence for each reason that has an obvious remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from policies.scheduling.placement import describe_amount
from policies.scheduling.predicates.volumes import GONE
from policies.scheduling.requests import PODS
from policies.scheduling.rules import Rejection

_MOST_HINTS: Final = 3


def what_would_help(rejections: Iterable[Rejection]) -> tuple[str, ...]:
    """The remedies, those for the most hosts first; none for reasons whose remedy is not for us to say."""
    every = tuple(rejections)
    lacking = [one for one in every if one.predicate == "PodFitsResources" and one.reason.unit != PODS]
    hints = (_free_amounts(lacking) if one in lacking else _HINTS.get(one.predicate, _nothing)(one) for one in every)
    return tuple(dict.fromkeys(hint for hint in hints if hint))[:_MOST_HINTS]


def _free_amounts(lacking: list[Rejection]) -> str:
    """One sentence for all that is lacking: none of it alone would do."""
    by_host: dict[str, list[str]] = {}
    for one in lacking:
        amount = describe_amount(one.reason.unit, one.reason.short)
        by_host.setdefault(one.example, []).append(f"{amount} more {one.reason.unit}")
    if len(by_host) > 1:
        return "request less, or add a host"
    ((host, amounts),) = by_host.items()
    free = f"{', '.join(amounts[:-1])} and {amounts[-1]}" if len(amounts) > 1 else amounts[0]
    return f"{free} free on {host} would do; or request less, or add a host"


def _nothing(_: Rejection) -> str:
    return ""


def _labels(one: Rejection) -> str:
    return f"give a host the {one.reason.text.removeprefix('without ')}, or change what the pod selects"


def _claims(one: Rejection) -> str:
    text = one.reason.text
    if text.endswith("not found"):
        return "commit the claim, or let the pod name another one"
    if text.endswith(GONE):
        return "bring that host back; if it is lost, so is the data: berth delete pvc, or a claim of another name"
    return ""


def _pod_affinity(one: Rejection) -> str:
    text = one.reason.text
    if text.startswith("no pod"):
        return "run the pod that this one wants beside it, or only prefer its company"
    if text.startswith("without label"):
        return f"give a host the {text.removeprefix('without ').partition(',')[0]}"
    return "add a host, or only prefer to stay apart"


_HINTS: Final[dict[str, Callable[[Rejection], str]]] = {
    "PodFitsResources": lambda one: f"raise maxPods of host {one.example}, or add a host",
    "MatchNodeSelector": _labels,
    "CheckNodeCondition": lambda one: f"`berth describe host {one.example}` says what is wrong there",
    "CheckNodeUnschedulable": lambda one: f"`berth uncordon {one.example}`",
    "PodToleratesNodeTaints": lambda one: f"let the pod tolerate {one.reason.text}, or remove it from {one.example}",
    "PodFitsHostPorts": lambda one: f"use another host port, or stop what holds it on {one.example}",
    "PodTopologySpread": lambda _: "raise maxSkew, say ScheduleAnyway, or add hosts where the fewest pods are",
    "MatchInterPodAffinity": _pod_affinity,
    "CheckVolumeBinding": _claims,
    "NoVolumeZoneConflict": lambda _: "add a host, or room on one, in the zone of the volume",
    "NoDiskConflict": lambda _: "stop the pod that has it, or use another volume",
    "MaxVolumeCount": lambda one: f"add a host, or raise the limit of host {one.example}",
}
"""By predicate. `PodFitsHost` has none: no pod that names its host is judged by others."""
