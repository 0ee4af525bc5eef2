"""Reads what a metrics endpoint of a pod says: the text format of Prometheus, or anything by regular expressions. Pure.

Several series of one name (by label) are one value of the pod: their sum.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from objects.errors import InvalidInput
from objects.observation.metrics import MetricEndpoint, MetricPattern, MetricReading

_SAMPLE = re.compile(
    r"""(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
        (?:\{(?:[^"}]|"(?:\\.|[^"\\])*")*\})?
        [ \t]+(?P<value>\S+)""",
    re.VERBOSE,
)
"""A line `name{label="value",…} 1.5 [timestamp]`. Braces and quotes may stand in label values."""
_TOTAL = "_total"


def read_metrics(endpoint: MetricEndpoint, names: Iterable[str], text: str) -> dict[str, MetricReading]:
    """The metrics of these names; those that the answer does not hold are missing."""
    if endpoint.patterns:
        return read_by_patterns(endpoint.patterns, names, text)
    return parse_exposition(text, names)


def parse_exposition(text: str, names: Iterable[str]) -> dict[str, MetricReading]:
    """Metrics in the text format of Prometheus (0.0.4) or OpenMetrics. What is not a number counts not at all.

    A metric is a counter when its `# TYPE` says so, or when it has none and its name ends in `_total`.
    """
    wanted = set(names)
    types: dict[str, str] = {}
    sums: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            words = line.split()
            if len(words) >= 4 and words[1] == "TYPE":
                types[words[2]] = words[3].lower()
            continue
        found = _SAMPLE.match(line)
        if found is not None and found["name"] in wanted:
            value = _number(found["value"])
            if value is not None:
                sums[found["name"]] = sums.get(found["name"], 0.0) + value
    return {name: MetricReading(value=value, is_counter=_is_counter(name, types)) for name, value in sums.items()}


def _is_counter(name: str, types: Mapping[str, str]) -> bool:
    # OpenMetrics types the family (`requests`), the older format the sample (`requests_total`).
    kind = types.get(name, types.get(name.removesuffix(_TOTAL), ""))
    return kind == "counter" or (not kind and name.endswith(_TOTAL))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def read_by_patterns(patterns: Iterable[MetricPattern], names: Iterable[str], text: str) -> dict[str, MetricReading]:
    """Metrics by regular expressions: the first match counts, its first group is the number."""
    wanted = set(names)
    readings: dict[str, MetricReading] = {}
    for one in patterns:
        found = compile_pattern(one.pattern).search(text) if one.name in wanted else None
        value = _number(found.group(1)) if found is not None else None
        if value is not None:
            readings[one.name] = MetricReading(value=value, is_counter=one.is_counter)
    return readings


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A regular expression with a group. Raises InvalidInput."""
    try:
        compiled = re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise InvalidInput(f"regular expression {pattern!r}: {error}") from error
    if not compiled.groups:
        raise InvalidInput(f"regular expression {pattern!r} has no group that holds the value")
    return compiled
