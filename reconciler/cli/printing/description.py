"""A description as data, and how it is laid out: labels, values, sections in sections, as `kubectl describe` has it.

A description is a list of (label, value). A value is a text (of one or more lines), a list of lines under the label, or
another description under it; one that is empty is shown as `<none>`, one that is None is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from reconciler.cli.printing.table import NONE

Value: TypeAlias = "str | list[str] | Description | None"
Description: TypeAlias = "Sequence[tuple[str, Value]]"

INDENT = "  "


def render_description(description: Description, *, depth: int = 0) -> list[str]:
    """Lines. Values of one line stand in a column of their own, longer ones below their label."""
    pad = INDENT * depth
    width = max((len(label) for label, value in description if isinstance(value, str)), default=0) + 1
    lines: list[str] = []
    for label, value in description:
        if value is None:
            continue
        if not value or isinstance(value, str):
            first, *more = (value if isinstance(value, str) and value else NONE).splitlines()
            lines.append(f"{pad}{label + ':':<{width}}  {first}".rstrip())
            lines += [f"{pad}{'':<{width}}  {line}".rstrip() for line in more]
            continue
        lines.append(f"{pad}{label}:")
        if isinstance(value[0], str):
            lines += [f"{pad}{INDENT}{line}".rstrip() for line in value]
        else:
            lines += render_description(_as_description(value), depth=depth + 1)
    return lines


def _as_description(value: list[str] | Description) -> Description:
    return [item for item in value if not isinstance(item, str)]


def mapping_text(mapping: dict[str, str], *, separator: str = "=") -> str:
    """`key=value`, one a line in order of keys; `<none>` when empty."""
    return "\n".join(f"{key}{separator}{value}" for key, value in sorted(mapping.items())) or NONE
