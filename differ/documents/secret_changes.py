"""What a plan says of a changed Secret: which keys, never which values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from objects.api.core import Secret
from objects.names import ANNOTATIONS_WITH_MANIFEST
from objects.secrets import MASK

CHANGED = f"{MASK} (changed)"


def with_changes_marked(document: Mapping[str, Any], old: Secret, new: Secret) -> dict[str, Any]:
    """`document`, which is `new` encoded, with a mark where a masked value differs from that of `old`.

    What was added or removed shows by its key. Compared with `old` encoded, exactly what changed differs.
    """
    result = dict(document)
    for field, before, after in (
        ("data", old.data, new.data),
        ("stringData", old.string_data, new.string_data),
    ):
        if field in result:
            changed = {key for key, value in after.items() if key in before and before[key] != value}
            result[field] = {key: CHANGED if key in changed else text for key, text in result[field].items()}
    altered = {
        name
        for name in ANNOTATIONS_WITH_MANIFEST
        if name in old.annotations and old.annotations[name] != new.annotations.get(name)
    }
    metadata = dict(result["metadata"])
    if "annotations" in metadata:
        annotations = metadata["annotations"]
        metadata["annotations"] = {name: CHANGED if name in altered else text for name, text in annotations.items()}
    result["metadata"] = metadata
    return result
