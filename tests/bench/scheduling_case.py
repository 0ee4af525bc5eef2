"""Placing pods as figures: through `engine.step` first, then the scheduler alone beside kube-scheduler's CI floors.

The headline is `tests.bench.scheduling_engine`: pods of owners, templates in turns, each pod of a template of its own.

And how that grows with the number of hosts, and the memory of it all. Where the time goes in each case is written to
`bench-results/scheduling-profile.txt`, by runs of their own: a profiler slows down what it watches.
"""

from __future__ import annotations

import itertools
import resource
from collections.abc import Sequence
from contextlib import redirect_stdout

from tests.bench import scheduling, scheduling_engine
from tests.bench.case import RESULTS, Settings, main
from tests.bench.figures import Figure

GROWING = "basic"
MOST_GROWTH = 0.99
"""Slower than the number of hosts."""

HOSTS = 5000
"""What the floors hold for."""

MOST_SHARE = 0.1
"""Of kube-scheduler's time per pod: ten times its rate."""


def run(settings: Settings) -> Sequence[Figure]:
    figures = [figure for name in scheduling_engine.CASES for figure in _through_engine(name, settings)]
    figures += [_figure(name, settings) for name in scheduling.CASES]
    figures += _growth(settings)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures.append(Figure(f"scheduling: peak memory, up to {scheduling.SWEEP[-1]:,} hosts", peak, "MB"))
    if not settings.is_quick:
        _write_profiles()
    return figures


def _through_engine(name: str, settings: Settings) -> list[Figure]:
    """What the choice of a place costs in a step of the engine, and what the whole step does for a pod."""
    make, rate = scheduling_engine.CASES[name]
    found = scheduling_engine.measure(make())
    title = f"scheduling through engine.step: {name}, {HOSTS:,} hosts"
    figures = [
        Figure(f"{title}, a pod's place", 1e6 * found.choosing_seconds / found.pods, "us", 1e6 / rate),
        Figure(f"{title}, a pod is bound", 1e6 * found.binding_seconds / found.pods, "us"),
        Figure(f"{title}, a pod in the whole step", 1e6 * found.seconds / found.pods, "us"),
    ]
    for one in figures:
        settings.say(f"{one.name}: {one.value:.0f} {one.unit}")
    return figures


def _growth(settings: Settings) -> list[Figure]:
    """Cost of a pod over the number of hosts; from each number to the next it has to grow less than the hosts do."""
    results = [scheduling.measure(GROWING, hosts) for hosts in scheduling.SWEEP]
    for result in results:
        settings.say(scheduling.show(result))
    costs = {result.hosts: 1e6 * result.seconds / max(1, result.bound) for result in results}
    figures = [Figure(f"scheduling: {GROWING}, a pod on {hosts:,} hosts", cost, "us") for hosts, cost in costs.items()]
    worst = max((costs[more] / costs[less]) / (more / less) for less, more in itertools.pairwise(costs))
    return [
        *figures,
        Figure("scheduling: growth of a pod's cost / growth of hosts, worst step", worst, "", MOST_GROWTH),
    ]


def _write_profiles() -> None:
    with (RESULTS / "scheduling-profile.txt").open("w") as file, redirect_stdout(file):
        for name in scheduling.CASES:
            print(f"--- {name}, {HOSTS:,} hosts")
            scheduling.measure(name, HOSTS, profile=True)


def _figure(name: str, settings: Settings) -> Figure:
    result = scheduling.measure(name, HOSTS)
    settings.say(scheduling.show(result))
    micros = 1e6 * result.seconds / max(1, result.bound)
    floor = 1e6 / result.floor if result.floor else None
    title = f"scheduling: {name}, a pod on {HOSTS:,} hosts"
    return Figure(title, micros, "us", None, "kube-scheduler", floor, MOST_SHARE if floor else None)


if __name__ == "__main__":
    main("scheduling", run)
