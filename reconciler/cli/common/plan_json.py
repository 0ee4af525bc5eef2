"""A plan as JSON, for programs."""

from __future__ import annotations

import msgspec

from differ.documents.objects import FieldChange
from differ.documents.plan import Plan


def render_json(plan: Plan) -> str:
    """One document, indented, ending with a newline. Keys of objects are `Kind/namespace/name`."""
    document = {
        "from": plan.from_commit,
        "to": plan.to_commit,
        "objects": [
            {
                "kind": change.key.kind,
                "namespace": change.key.namespace,
                "name": change.key.name,
                "action": change.action,
                "application": change.application,
                "fields": [_field(field) for field in change.fields],
            }
            for change in plan.objects
        ],
        "pods": msgspec.to_builtins(plan.pods),
        "waiting": msgspec.to_builtins(plan.waiting),
        "capacity": msgspec.to_builtins(plan.capacity),
        "warnings": plan.warnings,
        "unknownHosts": plan.unknown_hosts,
        "heldDeletions": plan.held_deletions,
        "isAtRest": plan.is_at_rest,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _field(field: FieldChange) -> dict[str, object]:
    return {"path": field.path, "operation": field.operation, "old": field.old, "new": field.new}
