"""The scheduler's own bench (`tests.bench.scheduling`) as figures: time per pod beside kube-scheduler's CI floors."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench import scheduling
from tests.bench.case import Settings, main
from tests.bench.figures import Figure

HOSTS = 5000
"""What the floors hold for."""

MOST_SHARE = 0.1
"""Of kube-scheduler's time per pod: ten times its rate."""


def run(settings: Settings) -> Sequence[Figure]:
    return [_figure(name, settings) for name in scheduling.CASES]


def _figure(name: str, settings: Settings) -> Figure:
    result = scheduling.measure(name, HOSTS)
    settings.say(scheduling.show(result))
    micros = 1e6 * result.seconds / max(1, result.bound)
    floor = 1e6 / result.floor if result.floor else None
    title = f"scheduling: {name}, a pod on {HOSTS:,} hosts"
    return Figure(title, micros, "us", None, "kube-scheduler", floor, MOST_SHARE if floor else None)


if __name__ == "__main__":
    main("scheduling", run)
