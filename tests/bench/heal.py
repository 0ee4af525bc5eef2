"""What dies comes back: how long a pod's container is away after its process died, was killed by command, or removed.

By the engine's own clock: from the event that says it died to the one that says a container of the same pod started
(or of the pod that replaces it: a removed container is the same pod's again). Swarm on the same engines makes another
task each time, on whichever host: there the next start of any of them counts. It is told to wait for nothing before.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from objects.names import LABEL_POD_UID
from reconciler.state.messages import Desired
from tests.bench import floor, kubernetes, swarm
from tests.bench.case import Settings, bench_lab, main
from tests.bench.contender import (
    IMAGES,
    PODS,
    WAIT_SECONDS,
    WEB,
    Contender,
    desired,
    is_web,
    new_cluster,
    running,
    web,
)
from tests.bench.eyes import Event, Eyes, Seen
from tests.bench.figures import Figure, median, percentile
from tests.lab.cluster import Cluster
from tests.lab.errors import LabError
from tests.lab.host import LabHost
from tests.lab.lab import Lab

SAMPLES = 24
"""Of one kind; each another pod, else back-off would be measured."""
SWARM_SAMPLES = 8
FLOOR_SAMPLES = 12
HEAL_SECONDS = 30.0
MOST_RATIO = 1.25
"""Berth beside the floor: to see the death, to decide, to say what to do. No goal in seconds: on one machine a plain
start took 0.3 s on one day and 0.55 s on another."""


def kill_process(host: LabHost, container_id: str) -> None:
    """As the kernel does it to a process out of memory."""
    host.exec(["kill", "-KILL", str(host.api().inspect_container(container_id)["State"]["Pid"])])


def kill_container(host: LabHost, container_id: str) -> None:
    """As a person does it; Docker then leaves the container down."""
    host.api().kill(container_id)


def remove_container(host: LabHost, container_id: str) -> None:
    host.api().remove_container(container_id, force=True)


DEEDS = {
    "process killed": (kill_process, 2.0, kubernetes.KILLED),
    "docker kill": (kill_container, 2.0, kubernetes.KILLED),
    "docker rm -f": (remove_container, None, kubernetes.DELETED),
}
"""What is done: by whom, the goal for the p99 in seconds, and what Kubernetes needs."""


def run(settings: Settings) -> Sequence[Figure]:
    count = 6 if settings.is_quick else SAMPLES
    figures: list[Figure] = []
    with bench_lab(settings) as (lab, home):
        cluster = new_cluster(lab, home)
        with running(cluster) as berth, Eyes(cluster.hosts) as eyes:
            samples = {
                title: _measure(settings, cluster, berth, eyes, deed, count) for title, (deed, *_) in DEEDS.items()
            }
        with swarm.running(lab, home) as stack, Eyes(lab.hosts) as eyes:
            stack.deploy(PODS, IMAGES[0])
            beside = {title: _measure_swarm(settings, lab, eyes, deed) for title, (deed, *_) in DEEDS.items()}
        least = median(_measure_floor(settings, lab, desired(cluster, replicas=PODS)))
    for title, (_, most_p99, noted) in DEEDS.items():
        found, name = samples[title], f"heal: {title}, running again"
        value, swarms = median(found), median(beside[title])
        figures.append(Figure(f"{name}, median", value, "s", None, "floor", least, MOST_RATIO, found))
        figures.append(Figure(f"{name}, median", value, "s", None, "swarm", swarms, 1.0))
        figures.append(Figure(f"{name}, median", value, "s", None, kubernetes.NAME, noted))
        figures.append(Figure(f"{name}, p99 of {count}", percentile(found, 0.99), "s", most_p99))
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


def _measure_swarm(settings: Settings, lab: Lab, eyes: Eyes, deed: Callable[[LabHost, str], None]) -> tuple[float, ...]:
    """The same with tasks of the stack."""
    source, samples = random.Random(1), []
    for _ in range(2 if settings.is_quick else SWARM_SAMPLES):
        time.sleep(source.uniform(0.2, 0.6))
        victim = source.choice(sorted(eyes.running(swarm.is_task), key=lambda seen: seen.id))
        mark = eyes.mark
        deed(lab.host(victim.host), victim.id)

        def away(mark: int = mark, victim: Seen = victim) -> float | None:
            events = eyes.events_since(mark)
            died = next((event.at for event in events if (event.action, event.id) == ("die", victim.id)), None)
            started = next((event.at for event in events if event.action == "start"), None)
            return None if died is None or started is None else started - died

        eyes.wait(lambda _: away() is not None, "swarm to heal", timeout_seconds=HEAL_SECONDS)
        samples.append(away() or 0.0)
        eyes.wait(lambda seen: sum(map(swarm.is_task, seen)) == PODS, "30 tasks", timeout_seconds=HEAL_SECONDS)
    settings.say(f"swarm, {deed.__name__}: median {median(samples):.3f} s, worst {max(samples):.3f} s")
    return tuple(samples)


def _measure_floor(settings: Settings, lab: Lab, wanted: Desired) -> tuple[float, ...]:
    """Containers as Berth makes them, and `POST /containers/ID/start` when the engine says that one died."""
    source, samples = random.Random(1), []
    (requests,) = floor.requests_of(lab.hosts, wanted)
    with floor.open_floor(wanted) as plain, Eyes(lab.hosts) as eyes:
        plain.start_all(requests, parallel=floor.PARALLEL[0])
        for victim in sorted(eyes.running(lambda _: True), key=lambda seen: seen.id)[:FLOOR_SAMPLES]:
            time.sleep(source.uniform(0.2, 0.6))
            mark = eyes.mark
            kill_process(lab.host(victim.host), victim.id)

            def at(action: str, mark: int = mark, victim: Seen = victim) -> float | None:
                events = (event for event in eyes.events_since(mark) if event.id == victim.id)
                return next((event.at for event in events if event.action == action), None)

            eyes.wait(lambda _, at=at: at("die") is not None, "a death", timeout_seconds=HEAL_SECONDS)
            plain.start(victim.host, victim.id)
            eyes.wait(lambda _, at=at: at("start") is not None, "a start", timeout_seconds=HEAL_SECONDS)
            samples.append((at("start") or 0.0) - (at("die") or 0.0))
        plain.remove(floor.containers_on(lab.hosts))
    settings.say(f"floor, started at once: median {median(samples):.3f} s, worst {max(samples):.3f} s")
    return tuple(samples)


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
