"""Scheduler plug-ins of installed packages, found by the entry points `berth.predicates` and `berth.priorities`.

An edge: reads what is installed. What a plug-in has to look like is in docs/scheduling.md.
"""

from __future__ import annotations

import importlib.metadata
from typing import Any

from objects.errors import InvalidInput
from policies.scheduling.profiles import Rules


def load_rules() -> Rules:
    """Our rules and those of plug-ins. Raises InvalidInput for one that cannot be loaded, or a name used twice."""
    return Rules().with_plugins(_load("berth.predicates"), _load("berth.priorities"))


def _load(group: str) -> list[Any]:
    return [
        _make(entry) for entry in sorted(importlib.metadata.entry_points(group=group), key=lambda entry: entry.name)
    ]


def _make(entry: importlib.metadata.EntryPoint) -> Any:
    try:
        return entry.load()()
    except Exception as error:
        raise InvalidInput(
            f"scheduler plug-in {entry.name} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}",
            hint="mend or uninstall the package that brings it",
        ) from error
