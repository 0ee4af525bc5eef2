"""Completion indexes as a Job's status writes them (`0-3,5`) and as sets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Set
from itertools import groupby

from objects.api.pods import Pod

INDEX_KEY = "batch.kubernetes.io/job-completion-index"
"""Label and annotation on the pods of an indexed Job."""


def parse_indexes(text: str, *, below: int) -> frozenset[int]:
    """The indexes that `text` names and that are less than `below`; what cannot be read ends the list.

    "0-2,5" -> {0, 1, 2, 5}
    """
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            break
        found.update(range(int(first), min(int(last or first) + 1, below)))
    return frozenset(found)


def format_indexes(indexes: Iterable[int]) -> str:
    """The shortest text for a set of indexes: {0, 1, 2, 5, 6} -> "0-2,5,6"."""
    runs = groupby(enumerate(sorted(indexes)), key=lambda pair: pair[1] - pair[0])
    return ",".join(_format_run([index for _, index in run]) for _, run in runs)


def _format_run(run: list[int]) -> str:
    if len(run) < 3:
        return ",".join(str(index) for index in run)
    return f"{run[0]}-{run[-1]}"


def index_of(pod: Pod) -> int | None:
    """The completion index that a pod works on, None when it says none."""
    text = pod.annotations.get(INDEX_KEY, pod.labels.get(INDEX_KEY, ""))
    return int(text) if text.isascii() and text.isdigit() else None


def first_free_indexes(count: int, *, completions: int, taken: Set[int]) -> list[int]:
    """The `count` lowest indexes below `completions` that are not taken, or as many as there are."""
    free = (index for index in range(completions) if index not in taken)
    return [index for index, _ in zip(free, range(count), strict=False)]
