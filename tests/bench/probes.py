"""What probes cost the reconciler: 1,000 probed containers, one probe each every 10 s, on three real hosts.

A thousand containers would measure this machine and not us, so a few stand for all: each host has one, asked as many
times a second as a third of a thousand would be. Commands are asked at a tenth of the rate, and counted tenfold (what
the links cost anyway is counted once): their cost on the hosts (a process each) would drown everything else here. They
come in groups as large as they would be at the full rate: 33 a second, those of 0.1 s together.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from differ.kubelet.probes.checks import (
    Check,
    ExecCheck,
    HttpCheck,
    TcpCheck,
)
from differ.kubelet.probes.probing import READINESS, ProbeOrder
from hosts.runtime.docker_runtime import DockerRuntime
from objects.api.pods import Probe
from tests.bench.case import Settings, bench_lab, main
from tests.bench.figures import Figure
from tests.lab.host import LabHost
from tests.lab.links import engine_of

CONTAINERS = 1000
PERIOD_SECONDS = 10
MOST_PERIODS = 3
MOST_PERCENT = 10.0
NAME = "probed"


def run(settings: Settings) -> Sequence[Figure]:
    settings = replace(settings, seconds=min(MOST_PERIODS, max(2, settings.seconds / PERIOD_SECONDS)) * PERIOD_SECONDS)
    with bench_lab(settings) as (lab, _), _containers(lab.hosts) as addresses:
        return [
            _measure(settings, lab.hosts, addresses, "httpGet"),
            _measure(settings, lab.hosts, addresses, "tcpSocket"),
            _measure(settings, lab.hosts, addresses, "exec", share=10, group=4),
        ]


@contextmanager
def _containers(hosts: Sequence[LabHost]) -> Iterator[dict[str, tuple[str, str]]]:
    """A web server on each host: host → (container id, address)."""
    found = {}
    try:
        for host in hosts:
            container_id = host.docker("run", "-d", "--name", NAME, "web:v1")
            address = host.docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", NAME)
            found[host.name] = (container_id, address)
        yield found
    finally:
        for host in hosts:
            host.docker("rm", "-f", NAME)


def _measure(
    settings: Settings,
    hosts: Sequence[LabHost],
    addresses: dict[str, tuple[str, str]],
    kind: str,
    *,
    share: int = 1,
    group: int = 1,
) -> Figure:
    settings.say(f"{kind} for {settings.seconds:g} s")
    count = CONTAINERS // len(hosts) // share
    with ExitStack() as stack:
        runtimes = []
        for host in hosts:
            runtime = DockerRuntime(stack.enter_context(engine_of(host)), random=Random(5))
            stack.callback(runtime.close)
            runtimes.append((runtime, addresses[host.name], runtime.observe().now))
        idle = _cpu_share(PERIOD_SECONDS) if share > 1 else 0.0
        is_known = group == 1  # then they come at times of their own; else a group keeps the beat of when it was given
        for most in range(group, count + group, group) if group > 1 else [count]:
            for runtime, (container_id, address), now in runtimes:
                numbers = range(min(most, count))
                runtime.keep_probing([_order(container_id, address, kind, one, now, is_known) for one in numbers])
            if group > 1:
                time.sleep(PERIOD_SECONDS * group / count)
        time.sleep(PERIOD_SECONDS)  # every probe was asked once; from here on they keep their beat
        busy = _cpu_share(max(settings.seconds, 2 * PERIOD_SECONDS))
        percent = 100 * (idle + share * (busy - idle))
        facts = [fact for runtime, _, _ in runtimes for fact in runtime.observe().probes]
    passing = sum(fact.passes is True for fact in facts)
    why = next((fact.message for fact in facts if fact.message), "")
    assert passing == len(facts) >= CONTAINERS // share - len(hosts), f"{passing} of {len(facts)} probes pass: {why}"
    name = f"{CONTAINERS} {kind} probes every {PERIOD_SECONDS} s: CPU, share of a core"
    return Figure(name, percent, "%", MOST_PERCENT)


def _cpu_share(seconds: float) -> float:
    """What this process uses of a core, from now on."""
    cpu, began = time.process_time(), time.monotonic()
    time.sleep(seconds)
    return (time.process_time() - cpu) / (time.monotonic() - began)


def _order(container_id: str, address: str, kind: str, number: int, now: datetime, is_known: bool) -> ProbeOrder:
    checks: dict[str, Check] = {
        "httpGet": HttpCheck(address=address, port=80),
        "tcpSocket": TcpCheck(address=address, port=80),
        "exec": ExecCheck(command=("true",)),
    }
    return ProbeOrder(
        container_id=container_id,
        kind=f"{READINESS}-{number}",
        started_at=now - timedelta(minutes=1),
        began_at=now - timedelta(minutes=1),
        check=checks[kind],
        probe=Probe(period_seconds=PERIOD_SECONDS, timeout_seconds=5, failure_threshold=3, success_threshold=1),
        is_known=is_known,
    )


if __name__ == "__main__":
    main("probes", run)
