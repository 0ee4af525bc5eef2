"""What a case found: figures with their goals, as a table for people and as JSON for machines. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured value.

    most: the goal for the value itself. beside, beside_value: what it is compared with; most_ratio: the goal for
    value / beside_value. A figure without any goal is for information. samples: what the value is the median of.
    """

    name: str
    value: float
    unit: str
    most: float | None = None
    beside: str = ""
    beside_value: float | None = None
    most_ratio: float | None = None
    samples: tuple[float, ...] = ()

    @property
    def ratio(self) -> float | None:
        return None if not self.beside_value else self.value / self.beside_value

    @property
    def goal(self) -> str:
        """As text; empty when there is none."""
        parts = [] if self.most is None else [f"<= {_number(self.most)} {self.unit}".rstrip()]
        if self.most_ratio is not None:
            parts.append(f"<= {self.most_ratio:g} x {self.beside}")
        return ", ".join(parts)

    @property
    def verdict(self) -> str:
        if not self.goal:
            return ""
        is_met = self.most is None or self.value <= self.most
        if self.most_ratio is not None:
            is_met = is_met and self.ratio is not None and self.ratio <= self.most_ratio
        return "ok" if is_met else "MISSED"


def median(samples: Iterable[float]) -> float:
    return float(statistics.median(samples))


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` (0 … 1) of them do not exceed: of 20 samples p99 is the worst."""
    return sorted(samples)[max(0, math.ceil(len(samples) * share) - 1)]


def as_document(figure: Figure) -> dict[str, Any]:
    """The figure and what follows from it, for JSON."""
    return {**asdict(figure), "ratio": figure.ratio, "goal": figure.goal, "verdict": figure.verdict}


def from_document(document: dict[str, Any]) -> Figure:
    """The inverse of `as_document`."""
    kept = {name: document[name] for name in Figure.__dataclass_fields__}
    return Figure(**{**kept, "samples": tuple(kept["samples"])})


def table(figures: Iterable[Figure]) -> str:
    """Aligned columns, one line a figure."""
    head = ("figure", "Berth", "beside", "", "ratio", "goal", "")
    rows = [head, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = []
    for row in rows:
        cells = [
            row[column].rjust(widths[column]) if column in (1, 3, 4) else row[column].ljust(widths[column])
            for column in range(len(head))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    beside = "" if figure.beside_value is None else f"{_number(figure.beside_value)} {figure.unit}".rstrip()
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    value = f"{_number(figure.value)} {figure.unit}".rstrip()
    return (figure.name, value, figure.beside, beside, ratio, figure.goal, figure.verdict)


def _number(value: float) -> str:
    """Three significant digits, no exponent."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
