"""What dies comes back: how long a pod's container is away after its process died, was killed by command, or removed.

By the engine's own clock: from the event that says it died to the one that says a container of the same pod started
(or of the pod that replaces it: a removed container is the same pod's again).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from objects.names import LABEL_POD_UID
from tests.bench.case import Settings, bench_lab, main
from tests.bench.contender import PODS, WAIT_SECONDS, WEB, Contender, is_web, new_cluster, running, web
from tests.bench.eyes import Event, Eyes, Seen
from tests.bench.figures import Figure, median, percentile
from tests.lab.cluster import Cluster
from tests.lab.errors import LabError
from tests.lab.host import LabHost

SAMPLES = 24
"""Of one kind; each another pod, else back-off would be measured."""
HEAL_SECONDS = 30.0


def kill_process(host: LabHost, container_id: str) -> None:
    """As the kernel does it to a process out of memory."""
    host.exec(["kill", "-KILL", str(host.api().inspect_container(container_id)["State"]["Pid"])])


def kill_container(host: LabHost, container_id: str) -> None:
    """As a person does it; Docker then leaves the container down."""
    host.api().kill(container_id)


def remove_container(host: LabHost, container_id: str) -> None:
    host.api().remove_container(container_id, force=True)


def run(settings: Settings) -> Sequence[Figure]:
    count = 6 if settings.is_quick else SAMPLES
    figures: list[Figure] = []
    with bench_lab(settings) as (lab, home):
        cluster = new_cluster(lab, home)
        with running(cluster) as berth, Eyes(cluster.hosts) as eyes:
            samples = [
                _measure(settings, cluster, berth, eyes, deed, count)
                for deed in (kill_process, kill_container, remove_container)
            ]
    for title, found in zip(("process killed", "docker kill", "docker rm -f"), samples, strict=True):
        most = (1.0, None) if title == "docker rm -f" else (0.5, 2.0)
        figures.append(Figure(f"heal: {title}, running again, median", median(found), "s", most[0], samples=found))
        figures.append(Figure(f"heal: {title}, running again, p99 of {count}", percentile(found, 0.99), "s", most[1]))
    return figures


def _measure(
    settings: Settings,
    cluster: Cluster,
    berth: Contender,
    eyes: Eyes,
    deed: Callable[[LabHost, str], None],
    count: int,
) -> tuple[float, ...]:
    """Fresh pods, so that none has crashed before; then one after another."""
    berth.push("pods", {WEB: web(PODS)})
    eyes.wait(lambda seen: sum(map(is_web, seen)) == PODS, "30 pods", timeout_seconds=WAIT_SECONDS)
    berth.settle()
    source = random.Random(1)
    victims = source.sample(sorted(eyes.running(is_web), key=lambda seen: seen.id), count)
    samples = tuple(_heal(cluster, eyes, deed, victim, source) for victim in victims)
    settings.say(f"{deed.__name__}: median {median(samples):.3f} s, worst {max(samples):.3f} s")
    berth.push("none", {WEB: web(0)})
    eyes.wait(lambda seen: not any(map(is_web, seen)), "no pod", timeout_seconds=WAIT_SECONDS)
    berth.settle()
    return samples


def _heal(
    cluster: Cluster, eyes: Eyes, deed: Callable[[LabHost, str], None], victim: Seen, source: random.Random
) -> float:
    time.sleep(source.uniform(0.2, 0.6))  # not in step with anything that ticks
    mark = eyes.mark
    deed(cluster.host(victim.host), victim.id)
    pod = victim.labels[LABEL_POD_UID]
    eyes.wait(lambda _: _away(eyes.events_since(mark), pod) is not None, "healing", timeout_seconds=HEAL_SECONDS)
    away = _away(eyes.events_since(mark), pod)
    if away is None:
        raise LabError("an event was lost")
    return away


def _away(events: Sequence[Event], pod: str) -> float | None:
    """Seconds between the last death of the pod's container and the start after it; None while it is not back."""
    ours = [event for event in events if event.labels.get(LABEL_POD_UID) == pod]
    died = next((event.at for event in ours if event.action == "die"), None)
    started = next((event.at for event in ours if event.action == "start"), None)
    return None if died is None or started is None else started - died


if __name__ == "__main__":
    main("heal", run)
