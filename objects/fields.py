"""Places inside a manifest and what is wrong there: the common value of decoding, validation and feature notices."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, TypeAlias

FieldPath: TypeAlias = tuple[str | int, ...]
"""Keys and list indices from the top of the manifest, as they are written in the file."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class FieldError(NamedTuple):
    """One thing that is wrong. message: what, and what is allowed; suggestion: what to write instead, or ''."""

    path: FieldPath
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        where = f"{show_path(self.path)}: " if self.path else ""
        return f"{where}{self.message}" + (f" ({self.suggestion})" if self.suggestion else "")


def show_path(path: FieldPath) -> str:
    """`spec.containers[0].image`; keys that are no plain words are quoted: `metadata.labels['example.com/name']`."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            shown += f".{part}" if shown else part
        else:
            shown += f"['{part}']"
    return shown


def value_at(value: Any, path: FieldPath) -> Any:
    """What stands at a place of a document; None when the way there is blocked."""
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value
