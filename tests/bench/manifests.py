"""1,000 manifests: from a commit to desired state to a plan, cold and after one file changed; and what memory it takes.

The repository is a real one, read by the same bare clone as any; hosts are simulated. `cold` is what a first commit of
a large cluster costs, `warm` what each further push does. Times are CPU seconds, those of git included: other processes
do not disturb them.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from differ.documents.plan import Plan
from hosts.simulated.host import SimulatedHost
from objects.own.config import Host
from reconciler.cli import collect_garbage_seldom
from reconciler.controllers import CONTROLLERS
from reconciler.core.engine import Engine
from reconciler.desired.commits import CommitReader
from reconciler.plan.plan import as_observed, make_plan
from reconciler.plan.simulate import SimulatedClock, SimulatedCluster
from reconciler.state.messages import Desired
from sources.git.repository import Repository
from tests.bench.case import Settings, main
from tests.bench.figures import Figure, median

START = datetime(2026, 1, 1, tzinfo=UTC)
T = TypeVar("T")
HOSTS = 20
COUNTS = {"deployment": 400, "configmap": 300, "service": 200, "cronjob": 100}

BERTH = "apiVersion: berth.dev/v1alpha1\nkind: Cluster\nmetadata: {name: bench}\n"
HOST = """\
apiVersion: berth.dev/v1alpha1
kind: Host
metadata: {name: %s}
spec: {address: 192.0.2.1, hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1rbmVhZGluZ2tleWZvcmFiZW5jaG1hcmtv"}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-%(n)d
  labels: {app: app-%(n)d, team: team-%(team)d}
spec:
  replicas: 2
  selector:
    matchLabels: {app: app-%(n)d}
  template:
    metadata:
      labels: {app: app-%(n)d, team: team-%(team)d}
    spec:
      terminationGracePeriodSeconds: 20
      containers:
      - name: web
        image: %(image)s
        ports:
        - {name: http, containerPort: 8080}
        env:
        - {name: MODE, valueFrom: {configMapKeyRef: {name: config-%(config)d, key: mode, optional: true}}}
        - {name: GREETING, value: "hello from %(n)d"}
        resources:
          requests: {cpu: 50m, memory: 32Mi}
          limits: {memory: 128Mi}
"""
CONFIGMAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: config-%(n)d
  labels: {team: team-%(team)d}
data:
  mode: production
  number: "%(n)d"
  application.conf: |
    listen = 0.0.0.0:8080
    workers = 4
    log.level = info
    database.url = postgres://db.example:5432/app-%(n)d
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: app-%(n)d, labels: {team: team-%(team)d}}
spec:
  selector: {app: app-%(n)d}
  ports:
  - {name: http, port: 80, targetPort: http}
"""
CRONJOB = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly-%(n)d, labels: {team: team-%(team)d}}
spec:
  schedule: "15 3 * * *"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      backoffLimit: 2
      template:
        spec:
          restartPolicy: Never
          containers:
          - {name: job, image: "%(image)s", command: ["true"]}
"""
TEXTS = {"deployment": DEPLOYMENT, "configmap": CONFIGMAP, "service": SERVICE, "cronjob": CRONJOB}


def run(settings: Settings) -> Sequence[Figure]:
    collect_garbage_seldom()  # as `berth` does it
    with TemporaryDirectory(prefix="berth-bench-") as folder:
        home = Path(folder)
        remote = make_repository(home / "remote")
        repository = Repository(str(remote), home / "cache")
        try:
            return _measure(settings, remote, CommitReader(repository, "main"))
        finally:
            repository.close()


def _measure(settings: Settings, remote: Path, reader: CommitReader) -> list[Figure]:
    settings.say(f"{sum(COUNTS.values()):,} manifests, {HOSTS} hosts")
    cold_read, desired = _timed(reader.read_newest)
    cluster = _cluster(desired)
    cold_plan, plan = _timed(lambda: _plan(cluster, None, desired))
    _check(plan, created=2 * COUNTS["deployment"])
    if not cluster.run_to_rest(desired):
        raise RuntimeError("the simulated cluster does not come to rest")
    daemon_megabytes = _peak_megabytes()
    reads, plans, steps = [], [], []
    for number in range(1 if settings.is_quick else 5):
        _change(remote, number)
        before = desired
        seconds, desired = _timed(reader.read_newest)
        reads.append(seconds)
        seconds, plan = _timed(lambda before=before, desired=desired: _plan(cluster, before, desired))
        plans.append(seconds)
        _check(plan, created=2)
        seconds, _ = _timed(lambda desired=desired: cluster.engine.step((desired,), cluster.clock.now))
        steps.append(seconds)
        cluster.run_to_rest()
    name = f"manifests: {sum(COUNTS.values()):,}"
    whole = [read + plan for read, plan in zip(reads, plans, strict=True)]
    return [
        Figure(f"{name} cold: parse, validate, plan", cold_read + cold_plan, "s", 6.0),
        Figure(f"{name} cold: parse and validate alone", cold_read, "s"),
        Figure(f"{name} warm: parse, validate, plan", median(whole), "s", 0.3, samples=tuple(whole)),
        Figure(f"{name} warm: parse and validate alone", median(reads), "s", samples=tuple(reads)),
        Figure(f"{name} warm: the engine's step with it", median(steps), "s", samples=tuple(steps)),
        Figure(f"{name}: peak memory, before plans of a running cluster", daemon_megabytes, "MB", 150),
        Figure(f"{name}: peak memory", _peak_megabytes(), "MB", 150),
    ]


def make_repository(path: Path) -> Path:
    """A Git repository with a file for each manifest, by kind and number."""
    files = {"berth.yaml": BERTH}
    files |= {f"hosts/h{number:02}.yaml": HOST % f"h{number:02}" for number in range(HOSTS)}
    for kind, count in COUNTS.items():
        for number in range(count):
            values = {"n": number, "team": number % 20, "config": number % COUNTS["configmap"], "image": "web:v1"}
            files[f"apps/team-{number % 20}/{kind}-{number}.yaml"] = TEXTS[kind] % values
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    _git(path, "init", "--quiet", "--initial-branch=main")
    _commit(path, "1,000 manifests")
    return path


def _change(remote: Path, number: int) -> None:
    file = remote / f"apps/team-0/deployment-{20 * number}.yaml"
    file.write_text(file.read_text().replace("web:v1", "web:v2"))
    _commit(remote, "one file")


def _commit(path: Path, message: str) -> None:
    _git(path, "add", "--all")
    _git(path, "-c", "user.name=Bench", "-c", "user.email=bench@example.com", "commit", "--quiet", "-m", message)


def _git(path: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=path, check=True, capture_output=True, timeout=60)


def _cluster(desired: Desired) -> SimulatedCluster:
    """Empty hosts, seen by an engine that knows of nothing but them."""
    clock = SimulatedClock(START)
    names = [obj.name for obj in desired.objects if isinstance(obj, Host)]
    hosts = {name: SimulatedHost(name, clock=clock, images=["web:v1", "web:v2"]) for name in names}
    cluster = SimulatedCluster(Engine(CONTROLLERS, source=random.Random(1)), hosts, clock)
    cluster.run_to_rest(as_observed(None, desired))
    return cluster


def _plan(cluster: SimulatedCluster, base: Desired | None, desired: Desired) -> Plan:
    observations = {name: host.observe() for name, host in cluster.hosts.items()}
    return make_plan(cluster.engine, observations, base, desired, now=cluster.clock.now)


def _check(plan: Plan, *, created: int) -> None:
    found = sum(pod.action == "create" for pod in plan.pods)
    if found != created or not plan.is_at_rest:
        raise RuntimeError(f"the plan creates {found} pods, not {created}; at rest: {plan.is_at_rest}")


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = _cpu_seconds()
    result = work()
    return _cpu_seconds() - began, result


def _cpu_seconds() -> float:
    """Of this process and the gits that it ran."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main("manifests", run)
