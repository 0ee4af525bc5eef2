"""Our own strategies of a Deployment, as its annotations say them. Pure.

    berth.dev/strategy: canary | blue-green
    berth.dev/canary-steps: "10%:30s if errors, 50%:hold, 80%:1m if errors and latency"
    berth.dev/canary-checks: |
      errors: sum(rate(errors_total{app="web"}[1m])) < 0.5 for 30s
      latency: histogram_quantile(0.9, sum(rate(seconds_bucket[1m])) by (le)) <= 0.2 for 3 times

A canary goes in steps: so many of the pods are new, then a pause (`30s`, `5m`, `1h`), or `hold` until a commit changes
the steps; a step without a pause only waits until its pods are available. A step with checks goes on only when each of
them has held as long (or as often in a row) as it says, and ends the canary when one has been broken as long. A check
is a PromQL query, a comparison and a number. Blue-green keeps all old pods until all new ones are available.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import NamedTuple

from objects.errors import InvalidInput

STRATEGY = "berth.dev/strategy"
CANARY_STEPS = "berth.dev/canary-steps"
CANARY_CHECKS = "berth.dev/canary-checks"
CANARY, BLUE_GREEN = "canary", "blue-green"

MAX_LASTING = timedelta(hours=1)
"""What was measured longer ago is not remembered."""
MAX_TIMES = 100
_STEP = re.compile(r"(\d{1,3})%(?::(?:(\d{1,6})([smh])|(hold)))?(?:\s+if\s+(.+))?")
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_CHECK = re.compile(
    r"(?P<name>[^:\s]*)\s*:\s*(?P<query>.+?)\s*(?P<comparison><=|>=|==|!=|<|>)\s*(?P<threshold>[-+]?[0-9][0-9.eE+-]*)"
    r"(?:\s+for\s+(?:(?P<lasting>\d{1,6})(?P<unit>[smh])|(?P<times>\d{1,6})\s+times?))?"
)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


class CanaryStep(NamedTuple):
    """percent: of the pods that are new. pause: after they are available; None: until a commit says otherwise.

    checks: names of those that have to hold before the next step.
    """

    percent: int
    pause: timedelta | None = timedelta()
    checks: tuple[str, ...] = ()


class CanaryCheck(NamedTuple):
    """A value that is looked at again and again. times, lasting: so often in a row and so long it has to be so."""

    name: str
    query: str
    comparison: str
    threshold: float
    times: int = 1
    lasting: timedelta = timedelta()

    def holds(self, value: float) -> bool:
        return _COMPARISONS[self.comparison](value, self.threshold)


def strategy_of(annotations: Mapping[str, str]) -> str:
    """`canary`, `blue-green`, or '' for Kubernetes' own."""
    return annotations.get(STRATEGY, "")


def parse_canary_steps(text: str) -> tuple[CanaryStep, ...]:
    """`10%:30s if errors, 50%:hold` → its steps. Raises InvalidInput for malformed or falling ones."""
    steps: list[CanaryStep] = []
    for word in text.split(","):
        match = _STEP.fullmatch(word.strip())
        if match is None or not 0 < int(match[1]) <= 100:
            raise InvalidInput(f"'{word.strip()}' is no step like 10%, 10%:30s, 10%:hold or 10%:30s if errors")
        if steps and int(match[1]) < steps[-1].percent:
            raise InvalidInput(f"{match[1]}% comes after {steps[-1].percent}%: steps only grow")
        pause = None if match[4] else _span(match[2], match[3])
        checks = tuple(re.split(r"\s+and\s+", match[5].strip())) if match[5] else ()
        steps.append(CanaryStep(int(match[1]), pause, checks))
    return tuple(steps)


def parse_canary_checks(text: str) -> dict[str, CanaryCheck]:
    """One check a line → by name. Raises InvalidInput for malformed ones and two of one name."""
    checks: dict[str, CanaryCheck] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        check = _parse_check(line)
        if check.name in checks:
            raise InvalidInput(f"check '{check.name}' is there twice")
        checks[check.name] = check
    return checks


def _parse_check(line: str) -> CanaryCheck:
    match = _CHECK.fullmatch(line)
    try:
        threshold = float(match["threshold"]) if match is not None else 0.0
    except ValueError:
        match = None
    if match is None:
        raise InvalidInput(f"'{line}' is no check like errors: QUERY < 0.5, with `for 30s` or `for 3 times` behind")
    if not _NAME.fullmatch(match["name"]):
        raise InvalidInput(f"'{match['name']}' is no name of a check: lower-case letters, digits and '-'")
    times, lasting = int(match["times"] or 1), _span(match["lasting"], match["unit"])
    if not 1 <= times <= MAX_TIMES or lasting > MAX_LASTING:
        raise InvalidInput(f"check '{match['name']}' may ask for 1 to {MAX_TIMES} times or at most 1h")
    return CanaryCheck(match["name"], match["query"], match["comparison"], threshold, times, lasting)


def _span(count: str | None, unit: str | None) -> timedelta:
    return timedelta(seconds=int(count or 0) * _SECONDS[unit or "s"])


def checks_of(annotations: Mapping[str, str]) -> dict[str, CanaryCheck]:
    """The checks that some step of a canary asks for, by name. Raises InvalidInput."""
    if strategy_of(annotations) != CANARY or CANARY_CHECKS not in annotations:
        return {}
    used = {name for step in parse_canary_steps(annotations.get(CANARY_STEPS, "100%")) for name in step.checks}
    return {name: check for name, check in parse_canary_checks(annotations[CANARY_CHECKS]).items() if name in used}


def strategy_problem(annotations: Mapping[str, str]) -> tuple[str, str] | None:
    """(annotation, what is wrong with it); None when all is well."""
    strategy, steps = strategy_of(annotations), annotations.get(CANARY_STEPS)
    if STRATEGY in annotations and strategy not in (CANARY, BLUE_GREEN):
        return STRATEGY, f"'{strategy}' is not {CANARY} or {BLUE_GREEN}"
    if strategy == CANARY and steps is None:
        return STRATEGY, f"a canary needs steps: {CANARY_STEPS}"
    for name in (CANARY_STEPS, CANARY_CHECKS):
        if name in annotations and strategy != CANARY:
            return name, f"has no meaning without {STRATEGY}: {CANARY}"
    return _steps_problem(steps, annotations.get(CANARY_CHECKS)) if steps is not None else None


def _steps_problem(steps: str, checks: str | None) -> tuple[str, str] | None:
    try:
        asked = {name for step in parse_canary_steps(steps) for name in step.checks}
    except InvalidInput as error:
        return CANARY_STEPS, error.message
    try:
        known = parse_canary_checks(checks or "")
    except InvalidInput as error:
        return CANARY_CHECKS, error.message
    if missing := sorted(asked - known.keys()):
        return CANARY_STEPS, f"there is no check '{missing[0]}' in {CANARY_CHECKS}"
    if unused := sorted(known.keys() - asked):
        return CANARY_CHECKS, f"no step asks for check '{unused[0]}'"
    return None
