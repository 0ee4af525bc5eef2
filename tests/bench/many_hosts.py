"""Many hosts in one process: what each costs idle, in CPU, threads and memory, and after a rollout on all of them.

One real sshd on 127.0.0.1 lets us in as often as there are hosts; behind it each has a Docker Engine of its own, which
is a recording (`tests.bench.recorded_engine`). Engine, workers and links are the real ones, in this process, which is
what is measured: sshd and the recordings are others. As root's programs the hosts have stand-ins that do nothing.

    python -m tests.bench.many_hosts [--quick] [--hosts 300]
"""

from __future__ import annotations

import getpass
import json
import os
import random
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hosts.docker.engine import Engine as DockerEngine
from hosts.runtime.docker_runtime import DockerRuntime
from hosts.runtime.interface import HostRuntime
from hosts.ssh.links import SshLinks
from hosts.ssh.target import resolve_target
from objects.api.apps import DaemonSet, DaemonSetSpec
from objects.api.core import Namespace
from objects.api.meta import KubeObject, LabelSelector, ObjectMeta
from objects.api.pods import Container, Pod, PodSpec, PodTemplateSpec
from objects.defaults import default
from objects.names import ANNOTATION_TEMPLATE_HASH
from objects.own.config import Cluster, ClusterSpec, Host, HostSpec, NetworkSettings, SshSettings
from reconciler.controllers import CONTROLLERS
from reconciler.core.engine import Engine
from reconciler.process.daemon import Daemon
from reconciler.state.messages import Desired
from reconciler.state.store import ByName
from tests.bench.case import Settings, main
from tests.bench.figures import Figure
from tests.bench.recorded_engine import IMAGE, socket_path
from tests.unit.hosts.peers import LocalSshd

HOSTS, QUICK_HOSTS = 1000, 100
PODS = 4
"""Of each host, after the rollout."""
IDLE_SECONDS = 65.0
"""At least: once a minute each host is looked at completely, so less would measure luck."""
CHURN_SECONDS, CHURN_RATE = 20.0, 20.0
CALM_SECONDS = 20.0
"""Before anything is measured: threads that have nothing to do end meanwhile."""
MOST_SECONDS = 900.0
"""For all hosts to be seen, or to run their pods."""

STAND_INS = {
    # All rules are as they should be. The script that watches them would load this machine and not us: it waits for a
    # writer who never comes, but at the end.
    "iptables": 'case "$*" in *-S*) echo "-A BERTH-POSTROUTING" ;; esac',
    "iptables-restore": "cat >/dev/null",
    "sleep": "exec cat {folder}/end",
}


def run(settings: Settings) -> Sequence[Figure]:
    count = settings.hosts or (QUICK_HOSTS if settings.is_quick else HOSTS)
    allow_descriptors(20 * count + 1000)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="berth-hosts-")))
        sshd = stack.enter_context(recorded_sshd(folder))
        engines = stack.enter_context(recorded_engines(folder, count))
        cluster = stack.enter_context(running(sshd, folder, count))
        return _measure(settings, cluster, engines, count)


def _measure(settings: Settings, cluster: ManyHosts, engines: subprocess.Popen[str], count: int) -> list[Figure]:
    title = f"{count:,} hosts"
    before = resident_megabytes()
    seconds = cluster.until(lambda: cluster.daemon.engine.is_started, "all hosts to be seen")
    settings.say(f"{title}: seen after {seconds:.1f} s")
    idle_seconds = max(IDLE_SECONDS, settings.seconds)
    cluster.run_for(CALM_SECONDS)
    empty = cluster.cpu_share(idle_seconds)
    settings.say(f"idle without pods: {100 * empty:.2f} % of a core, {cluster.told()}")
    began = time.process_time()
    cluster.tell(*(daemon_set(number) for number in range(PODS)))
    rollout_seconds = cluster.until(lambda: cluster.ready_pods == PODS * count, f"{PODS} pods on each host")
    rollout_cpu = time.process_time() - began
    settings.say(f"rollout on all: {rollout_seconds:.1f} s, most threads {cluster.most_threads}")
    cluster.run_for(CALM_SECONDS)
    full = cluster.cpu_share(idle_seconds)
    settings.say(f"idle with {PODS} pods a host: {100 * full:.2f} % of a core, {cluster.told()}")
    threads, megabytes = threading.active_count() / count, (resident_megabytes() - before) / count
    churned = _churn(cluster, engines)
    is_whole = count >= HOSTS
    share = 25.0 * count / HOSTS
    return [
        Figure(f"{title}: idle, share of a core", 100 * empty, "%", share),
        Figure(f"{title}: idle with {PODS} pods each, share of a core", 100 * full, "%", share),
        Figure(f"{title}: threads a host after a rollout on all", threads, "", 2.1),
        Figure(f"{title}: memory a host after a rollout on all", megabytes, "MB", 0.4 if is_whole else None),
        Figure(f"{title}: most threads during the rollout", cluster.most_threads, ""),
        Figure(f"{title}: seconds for {PODS * count:,} pods", rollout_seconds, "s"),
        Figure(f"{title}: CPU of the rollout, a pod", 1e3 * rollout_cpu / (PODS * count), "ms"),
        Figure(
            f"{CHURN_RATE:g} events/s of others' containers on one host", 100 * (churned - full), "% of a core", 1.0
        ),
    ]


def _churn(cluster: ManyHosts, engines: subprocess.Popen[str]) -> float:
    assert engines.stdin is not None
    engines.stdin.write(f"churn {CHURN_SECONDS:g} {CHURN_RATE:g}\n")
    engines.stdin.flush()
    return cluster.cpu_share(CHURN_SECONDS)


class ManyHosts:
    """A daemon with its workers, stepped by whoever waits for something."""

    def __init__(self, hosts: Sequence[Host], settings: SshSettings) -> None:
        self.links = SshLinks(clock=time.monotonic, random=random.Random(1))
        self._hosts = hosts
        network = NetworkSettings(pod_cidr="10.128.0.0/9")
        self._cluster = Cluster(spec=ClusterSpec(ssh=settings, network=network))
        engine = Engine(CONTROLLERS, source=random.Random(1))
        self.daemon = Daemon(engine, make_runtime=self._runtime, clock=lambda: datetime.now(UTC))
        self.most_threads = 0
        self._commits = 0
        self.tell()

    def _runtime(self, host: Host, engine: Engine) -> HostRuntime:
        target = resolve_target(host.name, ByName(engine.store, Host), engine.settings.ssh)
        docker = DockerEngine(self.links.link(target), socket_path=host.spec.docker_socket)
        return DockerRuntime(docker, random=random.Random(host.name))

    def tell(self, *objects: KubeObject) -> None:
        self._commits += 1
        shown = (self._cluster, Namespace(metadata=ObjectMeta(name="default")), *self._hosts, *objects)
        self.daemon.tell(Desired(commit=str(self._commits), objects=tuple(map(default, shown))))

    @property
    def ready_pods(self) -> int:
        pods = self.daemon.engine.store.all_of(Pod)
        return sum(any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions) for pod in pods)

    def until(self, is_so: Callable[[], bool], what: str) -> float:
        """Seconds until it was so. It is looked at once a second at most: looking costs, too."""
        began = looked = time.monotonic()
        while True:
            self._step()
            if time.monotonic() - looked >= 1.0:
                if is_so():
                    return time.monotonic() - began
                looked = time.monotonic()
                assert looked - began < MOST_SECONDS, f"waited too long for {what}"

    def run_for(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self._step()

    def cpu_share(self, seconds: float) -> float:
        cpu, began = time.process_time(), time.monotonic()
        self.run_for(seconds)
        return (time.process_time() - cpu) / (time.monotonic() - began)

    def told(self) -> str:
        """Threads by what they are for, and memory: for the person who looks."""
        kinds = Counter(thread.name.rstrip("0123456789_").partition("-")[0].partition(" ")[0] for thread in threads())
        return f"{sum(kinds.values())} threads {dict(kinds.most_common(6))}, {resident_megabytes():.0f} MB"

    def _step(self) -> None:
        self.daemon.run_once(timeout_seconds=0.5)
        self.most_threads = max(self.most_threads, threading.active_count())

    def close(self) -> None:
        self.daemon.halt()
        self.links.close()


def threads() -> list[threading.Thread]:
    return threading.enumerate()


def resident_megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def allow_descriptors(count: int) -> None:
    """Each host is a connection here, a socket and streams at the recordings. Children have the same limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, most), most))


def daemon_set(number: int) -> DaemonSet:
    name = f"app-{number}"
    pod = PodSpec(containers=(Container(name="c", image=IMAGE),))
    template = PodTemplateSpec(metadata=ObjectMeta(labels={"app": name}), spec=pod)
    spec = DaemonSetSpec(selector=LabelSelector(match_labels={"app": name}), template=template)
    meta = ObjectMeta(name=name, namespace="default", annotations={ANNOTATION_TEMPLATE_HASH: "v1"})
    return DaemonSet(metadata=meta, spec=spec)


# --- what it runs against ---------------------------------------------------------------------------------------------


@contextmanager
def recorded_sshd(folder: Path) -> Iterator[LocalSshd]:
    """An sshd of our own whose sessions find the stand-ins before anything of this machine."""
    programs = folder / "bin"
    programs.mkdir()
    os.mkfifo(folder / "end")
    for name, script in STAND_INS.items():
        (programs / name).write_text(f"#!/bin/sh\n{script.replace('{folder}', str(folder))}\n")
        (programs / name).chmod(0o755)
    # An empty home: what a person's shell does when it begins is no part of this.
    environment = f"SetEnv PATH={programs}:/usr/sbin:/usr/bin:/sbin:/bin HOME={folder}"
    settings = ("MaxStartups 200", "LoginGraceTime 60", environment)
    sshd = LocalSshd(folder, getpass.getuser(), settings=settings)
    try:
        sshd.start()
        _check_stand_ins(sshd, programs)
        yield sshd
    finally:
        sshd.stop()
        with suppress(OSError):  # ENXIO: nobody sleeps
            writer = os.open(folder / "end", os.O_WRONLY | os.O_NONBLOCK)
            (folder / "end").unlink()  # the script goes on, and would wait there again
            os.close(writer)


def _check_stand_ins(sshd: LocalSshd, programs: Path) -> None:
    """Before anything else is done there: rules of this machine are none of ours."""
    links = SshLinks(clock=time.monotonic, random=random.Random(1))
    try:
        asked = f"for name in {' '.join(STAND_INS)}; do command -v $name; done"
        found = links.link(sshd.target()).run(asked, timeout_seconds=20, check=True).stdout.decode().split()
    finally:
        links.close()
    assert found == [str(programs / name) for name in STAND_INS], found


@contextmanager
def recorded_engines(folder: Path, count: int, **info: Any) -> Iterator[subprocess.Popen[str]]:
    """info: what they tell of themselves otherwise than recorded."""
    argv = [sys.executable, "-m", "tests.bench.recorded_engine", str(folder), str(count), json.dumps(info)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@contextmanager
def running(sshd: LocalSshd, folder: Path, count: int) -> Iterator[ManyHosts]:
    key = sshd.host_keys["ed25519"].with_suffix(".pub").read_text().strip()
    hosts = [
        Host(
            metadata=ObjectMeta(name=f"host-{number:04}"),
            spec=HostSpec(address="127.0.0.1", host_key=key, docker_socket=str(socket_path(folder, number))),
        )
        for number in range(count)
    ]
    ssh = SshSettings(user=sshd.user, port=sshd.port, key_files=(str(sshd.key_file),))
    cluster = ManyHosts(hosts, ssh)
    try:
        yield cluster
    finally:
        cluster.close()


if __name__ == "__main__":
    main("many_hosts", run)
