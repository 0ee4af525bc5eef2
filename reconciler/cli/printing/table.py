"""Tables of text: columns as wide as their widest cell, three blanks between, as kubectl sets them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from objects.api.meta import KubeObject
from reconciler.state.store import View

NONE: Final = "<none>"
UNSET: Final = "<unset>"
GAP: Final = "   "


class Column(NamedTuple):
    """wide: shown with `-o wide` only."""

    name: str
    wide: bool = False


class Surroundings(NamedTuple):
    """What a row may need besides its object: the time, and the objects that this one is about."""

    view: View
    now: datetime


class TablePrinter(NamedTuple):
    """How a kind is listed. row: one cell for each column, the wide ones too."""

    columns: tuple[Column, ...]
    row: Callable[[Any, Surroundings], tuple[str, ...]]

    def cells(self, obj: KubeObject, around: Surroundings, *, wide: bool) -> tuple[str, ...]:
        cells = zip(self.columns, self.row(obj, around), strict=True)
        return tuple(cell for column, cell in cells if wide or not column.wide)

    def headings(self, *, wide: bool) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if wide or not column.wide)


def columns(names: str, wide: str = "") -> tuple[Column, ...]:
    """Columns from their names with `|` between; those in `wide` come last."""
    shown = tuple(Column(name) for name in names.split("|"))
    return shown + tuple(Column(name, wide=True) for name in wide.split("|") if name)


def render_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines without trailing blanks. No headings: rows alone (`--no-headers`)."""
    lines = [list(headings), *map(list, rows)] if headings else list(map(list, rows))
    if not lines:
        return []
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    return [GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def joined(items: Iterable[str], *, empty: str = NONE, separator: str = ",") -> str:
    """Items with commas, `<none>` when there are none."""
    return separator.join(items) or empty


def labels_text(labels: dict[str, str]) -> str:
    """`a=b,c=d` in order of keys, as `--show-labels` has it."""
    return joined(f"{key}={value}" for key, value in sorted(labels.items()))
