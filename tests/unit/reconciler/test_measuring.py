"""When a host is measured and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from differ.kubelet.assignment import HostAssignment, MeasureOrder, PodNetwork
from differ.kubelet.usage import foreign_loads
from objects.api.meta import ObjectMeta
from objects.api.pods import Container, Pod, PodSpec
from objects.errors import CommandFailed, DeadlineExceeded, HostError
from objects.names import LABEL_CONTAINER, LABEL_MANAGED, LABEL_POD_UID
from objects.observation.figures import (
    ContainerSample,
    ContainerUse,
    ForeignLoad,
    HostUse,
    HostVitals,
    Measurement,
    PodUse,
)
from objects.observation.host import HostFacts, HostObservation, ObservedContainer
from objects.observation.metrics import MetricEndpoint, Scrape, Scraped
from reconciler.state.messages import HostMeasured
from reconciler.workers.measurement_schedule import HostMeter, Part, steady_vitals

START = datetime(2026, 1, 1, tzinfo=UTC)
POD = Pod(
    metadata=ObjectMeta(name="web", namespace="default", uid="u1"),
    spec=PodSpec(containers=(Container(name="app", image="i"),)),
)
OURS = ObservedContainer(
    id="c1",
    name="berth_app___u1_0",
    state="running",
    labels={LABEL_MANAGED: "true", LABEL_POD_UID: "u1", LABEL_CONTAINER: "app"},
)
FOREIGN = ObservedContainer(id="o1", name="database", state="running")


def at_once(call: Callable[[], tuple[Scraped, ...]]) -> Future[tuple[Scraped, ...]]:
    """Runs a call as another thread would, but now."""
    done: Future[tuple[Scraped, ...]] = Future()
    done.set_result(call())
    return done


class Scripted:
    """A host that burns half a processor in each container. asked: what was measured, in order."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.asked: list[tuple[bool, bool]] = []
        self.asked_at: list[int] = []
        self.refuses = self.refuses_disk = False
        self.memory_available_bytes = 1000
        self._clock = clock

    def measure(self, *, containers: bool = False, disk: bool = False) -> Measurement:
        self.asked.append((containers, disk))
        self.asked_at.append((self._clock() - START).seconds)
        if disk and self.refuses_disk:
            raise DeadlineExceeded("no answer", host="h1")
        if self.refuses:
            raise CommandFailed("administratively prohibited", host="h1")
        uptime = (self._clock() - START).total_seconds()
        disk_bytes = 7 if disk else None
        sample = ContainerSample(cpu_nanos=int(uptime * 5e8), memory_bytes=64, disk_bytes=disk_bytes)
        return Measurement(
            vitals=HostVitals(
                memory_available_bytes=self.memory_available_bytes, disk_bytes=100, disk_free_bytes=50, tasks=3
            ),
            uptime_seconds=uptime,
            containers={"c1": sample, "o1": sample} if containers else {},
        )

    def scrape(self, scrapes: Sequence[Scrape]) -> tuple[Scraped, ...]:
        """Ten requests a second, five of them now; whoever is asked at another port hangs up."""
        requests = (self._clock() - START).total_seconds() * 10
        text = f"# TYPE requests counter\nrequests {requests}\nrunning 5\n"
        return tuple(
            Scraped(scrape=one, text=text) if one.endpoint.port == 80 else Scraped(scrape=one, problem="refused")
            for one in scrapes
        )


class Bench:
    """A meter with its host and a clock."""

    def __init__(self, order: MeasureOrder, *containers: ObservedContainer) -> None:
        self.now = START
        self.host = Scripted(lambda: self.now)
        self.meter = HostMeter(START, submit=at_once)
        self.seen = HostObservation(host="h1", now=START, facts=HostFacts(memory_bytes=2000), containers=containers)
        network = PodNetwork(subnet="10.244.1.0/24", cluster_cidr="10.244.0.0/16")
        self.assignment = HostAssignment(
            host="h1", host_ip="", network=network, pause_image="", pods=(POD,), measure=order
        )

    def run(self, seconds: int) -> list[HostMeasured]:
        """Let time pass, second by second; returns what is told meanwhile."""
        told = []
        for _ in range(seconds):
            self.now += timedelta(seconds=1)
            question = self.meter.next_question(self.assignment, self.seen, self.now)
            if question is None:
                continue
            try:
                reading = self.meter.ask(self.host, question)  # type: ignore[arg-type]
            except HostError as error:
                self.meter.fail(question, error, self.now)
            else:
                told.append(self.meter.take(question, reading, self.now))
        return [news for news in told if news is not None]

    @property
    def facts(self) -> HostFacts:
        """What a look tells now."""
        return self.meter.renewed(self.seen).facts


@pytest.mark.parametrize(
    ("order", "containers", "expected"),
    [
        pytest.param(MeasureOrder(), (OURS,), [(False, False)] * 6, id="only what the host has left"),
        pytest.param(MeasureOrder(containers=True), (OURS,), [(True, False)] * 6, id="pods"),
        pytest.param(
            MeasureOrder(disk=True), (OURS,), [(False, True), *[(False, False)] * 5], id="disk, once a minute"
        ),
        pytest.param(
            MeasureOrder(containers=True, disk=True, is_pressed=True), (OURS,), [(True, True)] * 26, id="under pressure"
        ),
        pytest.param(
            MeasureOrder(), (OURS, FOREIGN), [(True, False), *[(False, False)] * 5], id="others first, once a minute"
        ),
    ],
)
def test_how_often_what_is_measured(
    order: MeasureOrder, containers: tuple[ObservedContainer, ...], expected: list[tuple[bool, bool]]
) -> None:
    bench = Bench(order, *containers)
    bench.run(60)
    assert bench.host.asked == expected


def test_what_is_told_of_pods() -> None:
    bench = Bench(MeasureOrder(containers=True), OURS)
    vitals = HostVitals(memory_available_bytes=1000, disk_bytes=100, disk_free_bytes=50, tasks=3)
    first = PodUse(containers=(ContainerUse(name="app", memory_bytes=64),))
    use = HostUse(at=START + timedelta(seconds=10), pods={"u1": first})
    assert bench.run(10) == [HostMeasured(host="h1", vitals=vitals, use=use)]
    second = PodUse(containers=(ContainerUse(name="app", cpu_millis=500, memory_bytes=64),))
    use = HostUse(at=START + timedelta(seconds=20), window_seconds=10, pods={"u1": second})
    assert bench.run(10) == [HostMeasured(host="h1", vitals=vitals, use=use)]


def scrape(port: int) -> Scrape:
    return Scrape(pod_uid="u1", address="10.244.1.2", endpoint=MetricEndpoint(port=port), names=("requests", "running"))


def test_what_pods_tell_themselves() -> None:
    bench = Bench(MeasureOrder(containers=True, scrapes=(scrape(80),)), OURS)
    told = [news.use.pods["u1"].values for news in bench.run(30) if news.use is not None]
    assert told == [{"running": 5}, {"running": 5, "requests": 10}, {"running": 5, "requests": 10}]


def test_a_pod_that_does_not_answer_says_why() -> None:
    bench = Bench(MeasureOrder(containers=True, scrapes=(scrape(81), scrape(80))), OURS)
    (news,) = bench.run(10)
    assert news.use is not None
    use = news.use.pods["u1"]
    assert (use.values, use.problem) == ({"running": 5}, "refused")


def test_a_slow_pod_keeps_nobody_waiting() -> None:
    answers: list[Future[tuple[Scraped, ...]]] = []

    def later(call: Callable[[], tuple[Scraped, ...]]) -> Future[tuple[Scraped, ...]]:
        answers.append(Future())
        return answers[-1]

    bench = Bench(MeasureOrder(containers=True, scrapes=(scrape(80),)), OURS)
    bench.meter = HostMeter(START, submit=later)
    assert [dict(news.use.pods["u1"].values) for news in bench.run(20) if news.use is not None] == [{}, {}]
    assert len(answers) == 1
    answers[0].set_result(bench.host.scrape((scrape(80),)))
    assert [news.use.pods["u1"].values for news in bench.run(10) if news.use is not None] == [{"running": 5}]


def test_rates_under_pressure_are_averaged_over_more_than_a_breath() -> None:
    bench = Bench(MeasureOrder(containers=True, is_pressed=True), OURS)
    bench.run(10)
    windows = [news.use.window_seconds for news in bench.run(16) if news.use is not None]
    assert windows == [2, 4, 6, 8, 10, 10, 10, 10]


def test_what_fails_is_tried_again_later_and_later() -> None:
    bench = Bench(MeasureOrder(), OURS)
    bench.host.refuses = True
    assert bench.run(200) == []
    assert bench.host.asked_at == [10, 20, 40, 80, 160]
    failure = bench.meter.failures.find(Part.FIGURES)
    assert failure is not None
    assert (failure.reason, failure.since) == ("CommandFailed", START + timedelta(seconds=10))
    bench.host.refuses = False
    assert len(bench.run(200)) == 1
    assert len(bench.meter.failures) == 0


def test_disk_use_that_fails_takes_no_other_figure_with_it() -> None:
    bench = Bench(MeasureOrder(containers=True, disk=True, is_pressed=True), OURS)
    bench.host.refuses_disk = True
    told = bench.run(60)
    assert len(told) == 24  # each refusal delays the other figures by a second of this bench
    assert [asked for asked in bench.host.asked if asked[1]] == [(True, True)] * 3  # at 10, 20 and 40 s
    assert [part for part, _ in bench.meter.failures.items()] == [Part.DISK]


def test_disk_use_that_is_slow_keeps_no_other_figure() -> None:
    bench = Bench(MeasureOrder(disk=True), OURS)
    slow = bench.meter.next_question(bench.assignment, bench.seen, START + timedelta(seconds=10))
    assert slow is not None and slow.part is Part.DISK
    bench.now += timedelta(seconds=10)
    bench.run(30)
    assert bench.host.asked == [(False, False)] * 3
    assert bench.meter.due_at is not None


def test_a_late_answer_is_of_the_time_of_its_question() -> None:
    bench = Bench(MeasureOrder(disk=True), OURS)
    asked_at = START + timedelta(seconds=10)
    question = bench.meter.next_question(bench.assignment, bench.seen, asked_at)
    assert question is not None
    reading = bench.meter.ask(bench.host, question)  # type: ignore[arg-type]
    told = bench.meter.take(question, reading, asked_at + timedelta(seconds=40))
    assert told is not None and told.use is not None
    assert told.use.at == asked_at


def test_nothing_is_due_while_an_answer_is_waited_for() -> None:
    bench = Bench(MeasureOrder(), OURS)
    later = START + timedelta(seconds=10)
    assert bench.meter.next_question(bench.assignment, bench.seen, later) is not None
    assert bench.meter.due_at is None
    assert bench.meter.next_question(bench.assignment, bench.seen, later + timedelta(hours=1)) is None


def test_an_idle_host_has_no_news() -> None:
    bench = Bench(MeasureOrder(), OURS, FOREIGN)
    assert len(bench.run(70)) == 2  # the second knows how busy others are
    facts = bench.facts
    bench.host.memory_available_bytes = 1030
    assert bench.run(600) == []
    assert bench.facts == facts
    bench.host.memory_available_bytes = 1040
    assert [news.vitals.memory_available_bytes for news in bench.run(10)] == [1040]
    assert bench.facts == msgspec.structs.replace(facts, memory_available_bytes=1040)


def test_others_are_told_at_once_and_with_what_they_use() -> None:
    bench = Bench(MeasureOrder(), FOREIGN)
    assert [news.foreign for news in bench.run(1)] == [(ForeignLoad(name="database", memory_bytes=64),)]
    busy = ForeignLoad(name="database", cpu_millis=500, memory_bytes=64)
    assert [news.foreign for news in bench.run(60)] == [(busy,)]
    limited = ObservedContainer(id="o2", name="cache", state="running", memory_bytes=5)
    bench.seen = msgspec.structs.replace(bench.seen, containers=(FOREIGN, limited))
    assert bench.meter.foreign(foreign_loads(bench.seen.containers, None, None)) == (
        ForeignLoad(name="cache", memory_bytes=5),
        busy,
    )
    bench.seen = msgspec.structs.replace(bench.seen, containers=(limited,))
    assert bench.meter.foreign(foreign_loads(bench.seen.containers, None, None)) == (
        ForeignLoad(name="cache", memory_bytes=5),
    )


def test_small_moves_are_no_news() -> None:
    before = HostVitals(memory_available_bytes=1000, disk_bytes=100, disk_free_bytes=64, tasks=10)
    now = HostVitals(memory_available_bytes=1031, disk_bytes=100, disk_free_bytes=61, tasks=10)
    assert steady_vitals(before, now) == HostVitals(
        memory_available_bytes=1000, disk_bytes=100, disk_free_bytes=61, tasks=10
    )
    assert steady_vitals(None, now) == now
