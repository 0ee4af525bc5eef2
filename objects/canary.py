"""Our own strategies of a Deployment, as its annotations say them. Pure.

    berth.dev/strategy: canary | blue-green
    berth.dev/canary-steps: "10%:30s, 50%:hold, 80%"

A canary goes in steps: so many of the pods are new, then a pause (`30s`, `5m`, `1h`), or `hold` until a commit changes
the steps; a step without a pause only waits until its pods are available. Blue-green keeps all old pods until all new
ones are available.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from objects.errors import InvalidInput

STRATEGY = "berth.dev/strategy"
CANARY_STEPS = "berth.dev/canary-steps"
CANARY, BLUE_GREEN = "canary", "blue-green"

_STEP = re.compile(r"(\d{1,3})%(?::(?:(\d{1,6})([smh])|(hold)))?")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


class CanaryStep(NamedTuple):
    """percent: of the pods that are new. pause: after they are available; None: until a commit says otherwise."""

    percent: int
    pause: timedelta | None = timedelta()


def strategy_of(annotations: Mapping[str, str]) -> str:
    """`canary`, `blue-green`, or '' for Kubernetes' own."""
    return annotations.get(STRATEGY, "")


def parse_canary_steps(text: str) -> tuple[CanaryStep, ...]:
    """`10%:30s, 50%:hold` → its steps. Raises InvalidInput for malformed or falling ones."""
    steps: list[CanaryStep] = []
    for word in text.split(","):
        match = _STEP.fullmatch(word.strip())
        if match is None or not 0 < int(match[1]) <= 100:
            raise InvalidInput(f"'{word.strip()}' is no step like 10%, 10%:30s or 10%:hold")
        if steps and int(match[1]) < steps[-1].percent:
            raise InvalidInput(f"{match[1]}% comes after {steps[-1].percent}%: steps only grow")
        pause = None if match[4] else timedelta(seconds=int(match[2] or 0) * _SECONDS[match[3] or "s"])
        steps.append(CanaryStep(int(match[1]), pause))
    return tuple(steps)


def strategy_problem(annotations: Mapping[str, str]) -> tuple[str, str] | None:
    """(annotation, what is wrong with it); None when all is well."""
    strategy, steps = strategy_of(annotations), annotations.get(CANARY_STEPS)
    if STRATEGY in annotations and strategy not in (CANARY, BLUE_GREEN):
        return STRATEGY, f"'{strategy}' is not {CANARY} or {BLUE_GREEN}"
    if strategy == CANARY and steps is None:
        return STRATEGY, f"a canary needs steps: {CANARY_STEPS}"
    if steps is None:
        return None
    if strategy != CANARY:
        return CANARY_STEPS, f"has no meaning without {STRATEGY}: {CANARY}"
    try:
        parse_canary_steps(steps)
    except InvalidInput as error:
        return CANARY_STEPS, error.message
    return None
