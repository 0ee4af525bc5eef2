"""The raw floor: the containers that Berth makes, made by nothing but parallel calls to the engines.

The create requests are Berth's own (what its controllers, scheduler and differ ask of simulated hosts), sent over the
same SSH channels by the same client. No plan, no observation, no record: nobody who creates and starts these containers
through Docker's API can be much faster.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from differ.kubelet.actions import CreateContainer
from hosts.docker.container_request import container_request
from hosts.docker.engine import Engine as DockerEngine
from hosts.simulated.host import SimulatedHost
from hosts.ssh.links import SshLinks
from hosts.ssh.target import resolve_target
from objects.own.config import Host
from reconciler.controllers import CONTROLLERS
from reconciler.core.engine import Engine
from reconciler.plan.simulate import SimulatedClock, SimulatedCluster
from reconciler.state.desired import cluster_of
from reconciler.state.messages import Desired
from tests.bench.eyes import listed
from tests.bench.figures import median
from tests.lab.host import LabHost

PARALLEL = (2, 4, 6, 10)
"""Calls at the same time per engine that are tried; the best counts. Between 2 and 10 they hardly differ."""

QUICK = (4,)
GRACE_SECONDS = 5
RUN_SECONDS = 120.0
NETWORK = "berth-pods"


def name_of(parallel: int) -> str:
    """As a contender."""
    return f"floor {parallel}"


def halves(times: Mapping[str, Sequence[float]], *, is_quick: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What is tried before and after Berth's turn of a round: a load that comes or goes meanwhile meets both. Pure.

    times: samples of earlier rounds. All are tried in the first, the better half afterwards.
    """
    parallel: tuple[int, ...] = QUICK if is_quick else PARALLEL
    if not is_quick and any(name_of(number) in times for number in parallel):
        parallel = tuple(sorted(parallel, key=lambda number: median(times[name_of(number)])))[: len(parallel) // 2]
    return parallel[: len(parallel) // 2], parallel[len(parallel) // 2 :]


def best(times: Mapping[str, Sequence[float]]) -> str:
    """The floor with the lowest median, of those that were tried most often. Pure."""
    floors = [name for name in times if name.startswith("floor")]
    most = max(len(times[name]) for name in floors)
    return min((name for name in floors if len(times[name]) == most), key=lambda name: median(times[name]))


@dataclass(frozen=True)
class Request:
    """One `POST /containers/create`."""

    host: str
    name: str
    body: dict[str, Any]


def requests_of(hosts: Sequence[LabHost], *stages: Desired) -> list[list[Request]]:
    """What Berth asks the engines to create, stage after stage, on hosts whose pod network is there."""
    clock = SimulatedClock(datetime.now(UTC))
    simulated = {host.name: _simulated(host, clock) for host in hosts}
    cluster = SimulatedCluster(Engine(CONTROLLERS, source=random.Random(0)), simulated, clock)
    found = []
    for desired in stages:
        for host in simulated.values():
            host.performed.clear()
        if not cluster.run_to_rest(desired):
            raise RuntimeError("the simulated cluster does not come to rest")
        found.append(
            [
                Request(name, action.spec.name, container_request(action.spec))
                for name, host in simulated.items()
                for action in host.performed
                if isinstance(action, CreateContainer)
            ]
        )
    return found


def _simulated(host: LabHost, clock: SimulatedClock) -> SimulatedHost:
    names = [name for image in host.api().images() for name in image["RepoTags"] or ()]
    twin = SimulatedHost(host.name, clock=clock, images=names)
    found = host.api().inspect_network(NETWORK)["IPAM"]["Config"][0]
    twin.engine.set_network(NETWORK, found["Subnet"], found["Gateway"])
    return twin


class Floor:
    """Plain calls to some engines over links of its own. Use `open_floor`."""

    def __init__(self, engines: dict[str, DockerEngine]) -> None:
        self._engines = engines
        for engine in engines.values():
            engine.ping(timeout_seconds=15)

    def start_all(self, requests: Sequence[Request], *, parallel: int) -> float:
        """Create and start them all, so many at the same time per engine. Returns seconds."""

        def work(request: Request) -> None:
            self._run(request)

        return self._in_parallel(requests, work, parallel)

    def roll(self, requests: Sequence[Request], old: dict[str, list[str]], *, surge: int, parallel: int) -> float:
        """Replace: never fewer running than before, never more than `surge` above it. Returns seconds.

        old: host → ids of the containers to be replaced, as many as there are requests.
        """
        surplus = threading.BoundedSemaphore(surge)
        waiting = {host: list(ids) for host, ids in old.items()}

        def work(request: Request) -> None:
            with surplus:
                self._run(request)
                # One more runs than has to, so one of the old may go.
                self._stop(request.host, victim := waiting[request.host].pop())
            self._delete(request.host, victim)

        return self._in_parallel(requests, work, parallel)

    def start(self, host: str, id_: str) -> None:
        """Start a container that is there."""
        api = self._engines[host].api
        api.check(api.post(api.versioned(f"/containers/{id_}/start")))

    def run_to_end(self, request: Request) -> None:
        """Create and start it, and wait until it has ended."""
        api = self._engines[request.host].api
        id_ = self._run(request)
        api.check(api.post(api.versioned(f"/containers/{id_}/wait"), timeout=RUN_SECONDS))

    def run_until_running(self, request: Request) -> None:
        """Create and start it, and ask until the engine says that it runs."""
        id_ = self._run(request)
        while not self._engines[request.host].api.inspect_container(id_)["State"]["Running"]:
            time.sleep(0.01)

    def end_all(self, ids: dict[str, list[str]], *, parallel: int) -> float:
        """Stop and remove containers by host, with their grace, so many at once per engine. Returns seconds."""

        def work(request: Request) -> None:
            self._stop(request.host, request.name)
            self._delete(request.host, request.name)

        return self._in_parallel(
            [Request(host, id_, {}) for host, found in ids.items() for id_ in found], work, parallel
        )

    def remove(self, ids: dict[str, list[str]]) -> None:
        """Remove containers by host, running or not."""
        with ThreadPoolExecutor(12) as pool:
            for host, found in ids.items():
                for id_ in found:
                    pool.submit(self._delete, host, id_)

    def _in_parallel(self, requests: Sequence[Request], work: Any, parallel: int) -> float:
        began = time.monotonic()
        pools = {host: ThreadPoolExecutor(parallel) for host in self._engines}
        futures = [pools[request.host].submit(work, request) for request in requests]
        for future in futures:
            future.result()
        seconds = time.monotonic() - began
        for pool in pools.values():
            pool.shutdown()
        return seconds

    def _run(self, request: Request) -> str:
        """Create and start it; returns its id."""
        api = self._engines[request.host].api
        answer = api.post(api.versioned("/containers/create"), params={"name": request.name}, json=request.body)
        api.check(answer)
        id_ = str(answer.json()["Id"])
        self.start(request.host, id_)
        return id_

    def _stop(self, host: str, id_: str) -> None:
        api = self._engines[host].api
        api.check(api.post(api.versioned(f"/containers/{id_}/stop"), params={"t": GRACE_SECONDS}))

    def _delete(self, host: str, id_: str) -> None:
        api = self._engines[host].api
        api.check(api.delete(api.versioned(f"/containers/{id_}"), params={"force": "true", "v": "true"}))


@contextmanager
def open_floor(desired: Desired) -> Iterator[Floor]:
    """Links to the Hosts of `desired`, opened before anything is measured."""
    hosts = {obj.name: obj for obj in desired.objects if isinstance(obj, Host)}
    links = SshLinks(clock=time.monotonic, random=random.Random(0))
    try:
        ssh = cluster_of(desired.objects).spec.ssh
        engines = {name: DockerEngine(links.link(resolve_target(name, hosts, ssh))) for name in hosts}
        yield Floor(engines)
        for engine in engines.values():
            engine.close()
    finally:
        links.close()


def containers_on(hosts: Sequence[LabHost]) -> dict[str, list[str]]:
    """All containers by host, whoever made them: on a host of the bench everything is ours."""
    return {host.name: [item["Id"] for item in listed(host)] for host in hosts}
