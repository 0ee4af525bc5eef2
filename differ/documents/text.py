"""A plan as plain text, for a terminal or a log. Pure; colours are the caller's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from differ.documents.objects import FieldChange
from differ.documents.plan import Capacity, Plan
from objects.hashing import canonical_json

SIGNS = {
    "create": "+",
    "update": "~",
    "delete": "-",
    "restart": "!",
    "place": ">",
    "add": "+",
    "replace": "~",
    "remove": "-",
}
MAX_VALUE_LENGTH = 200


def render_text(plan: Plan) -> str:
    """All that a plan says, one fact a line; ends with a newline."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    if plan.is_empty:
        yield "No changes."
    for change in plan.objects:
        yield f"{SIGNS[change.action]} {change.key}" + (f"  [{change.application}]" if change.application else "")
        for field in change.fields:
            yield f"    {field_line(field)}"
    if plan.pods:
        yield ""
        yield "Pods:"
    for pod in plan.pods:
        where = f"on {pod.host}" if pod.host else "finds no host"
        why = f": {pod.why}" if pod.why else ""
        yield f"  {SIGNS[pod.action]} {pod.namespace}/{pod.name}  {pod.action} {where}  ({pod.owner}){why}"
    for title, facts in (
        ("Will wait", [f"{item.subject}: {item.reason}" for item in plan.waiting]),
        ("Warnings", list(plan.warnings)),
        ("Hosts that were not reached (what they run is unknown)", list(plan.unknown_hosts)),
        ("Deletions are held", [plan.held_deletions] if plan.held_deletions else []),
    ):
        if facts:
            yield ""
            yield f"{title}:"
            yield from (f"  {fact}" for fact in facts)
    if plan.pods:
        yield ""
        yield "Left on the hosts afterwards:"
        yield from (f"  {capacity_line(row)}" for row in plan.capacity)
    if not plan.is_at_rest:
        yield ""
        yield "The simulation did not come to rest within its bounds: this plan shows its beginning."
    yield ""
    yield summary(plan)


def summary(plan: Plan) -> str:
    """One line: `2 to create, 1 to update, 0 to delete; pods: 3 created, 1 deleted`."""
    objects = {
        action: sum(change.action == action for change in plan.objects) for action in ("create", "update", "delete")
    }
    pods = Counter(change.action for change in plan.pods)
    placed = f", {pods['place']} placed" if pods["place"] else ""
    return (
        f"Plan: {objects['create']} to create, {objects['update']} to update, {objects['delete']} to delete; "
        f"pods: {pods['create']} created, {pods['delete']} deleted, {pods['restart']} restarted{placed}."
    )


def capacity_line(row: Capacity) -> str:
    """`host-1  cpu 2.5 of 4, memory 5.8Gi of 7.8Gi, 98 of 110 pods`: what is left."""
    cpu, memory = row.cpu_allocatable - row.cpu_requested, row.memory_allocatable - row.memory_requested
    return (
        f"{row.host}  cpu {_cores(cpu)} of {_cores(row.cpu_allocatable)}, "
        f"memory {_gibibytes(memory)} of {_gibibytes(row.memory_allocatable)}, "
        f"{row.max_pods - row.pods} of {row.max_pods} pods"
    )


def _cores(millis: int) -> str:
    return f"{millis / 1000:g}"


def _gibibytes(amount: int) -> str:
    return f"{amount / 2**30:.1f}Gi"


def field_line(field: FieldChange) -> str:
    """`~ spec.replicas: 3 -> 5`."""
    sign = SIGNS[field.operation]
    if field.old is None:
        return f"{sign} {field.path}: {show_value(field.new)}"
    if field.new is None:
        return f"{sign} {field.path}: {show_value(field.old)}"
    return f"{sign} {field.path}: {show_value(field.old)} -> {show_value(field.new)}"


def show_value(value: Any) -> str:
    """A value on one line, shortened."""
    text = value if isinstance(value, str) else canonical_json(value).decode()
    text = text.replace("\n", "\\n")
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[: MAX_VALUE_LENGTH - 1]}…"
