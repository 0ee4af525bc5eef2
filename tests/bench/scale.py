"""The largest cluster that is thought of, 5,000 hosts and 50,000 pods: what beginning and telling cost there.

Pods are as a shop has them: probes, settings, four conditions. A first process runs them and writes the status branch
to a real remote; another, new one reads it back and finds all pods on their hosts; one pod then changes. CPU seconds,
git's too.
"""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import random
import resource
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import msgspec

from objects import codec
from objects.api.apps import Deployment
from objects.api.core import Secret
from objects.api.meta import Condition, LabelSelector, ObjectMeta
from objects.api.pods import (
    Container,
    ContainerPort,
    ContainerState,
    ContainerStateRunning,
    ContainerStatus,
    EnvVar,
    HTTPGetAction,
    Pod,
    PodIP,
    PodSpec,
    PodStatus,
    PodTemplateSpec,
    Probe,
    ResourceRequirements,
)
from objects.defaults import default
from objects.own.charge import Charge
from objects.own.config import Cluster, ClusterSpec, NetworkSettings
from objects.secrets import SecretValue
from reconciler.charge.holding import InCharge
from reconciler.cli import collect_garbage_seldom
from reconciler.controllers import CONTROLLERS
from reconciler.core.engine import Engine
from reconciler.desired.commits import read_restored
from reconciler.state.messages import Desired, HostReport, Message
from reconciler.status.loop import StatusLoop
from sources.git.repository import Repository
from sources.git.status_branch import StatusBranch
from sources.words import Words
from tests.bench.case import Settings, main
from tests.bench.engine_worlds import FakeCluster, meta
from tests.bench.figures import Figure
from tests.unit.reconciler.cluster import START, deployment
from tests.unit.sources.conftest import Remote

HOSTS: Final = 5000
FEW_HOSTS: Final = 500
PODS_A_HOST: Final = 10
REPLICAS: Final = 500
SECRETS: Final = 1000
CHILD_SECONDS: Final = 900
COMMIT: Final = "1" * 40


def run(settings: Settings) -> Sequence[Figure]:
    hosts = FEW_HOSTS if settings.is_quick else HOSTS
    with TemporaryDirectory(prefix="berth-bench-") as folder:
        home, small = Path(folder) / "large", Path(folder) / "small"
        figures = [*_in_a_new_process(_write, home, hosts), *_in_a_new_process(_begin, home, hosts), _redactor()]
        # Counting every allocation takes long: that is done with a tenth of the cluster.
        _in_a_new_process(_write, small, FEW_HOSTS)
        figures += _in_a_new_process(_weigh, small, FEW_HOSTS)
        for figure in figures:
            settings.say(f"{figure.name}: {figure.value:.2f} {figure.unit}")
        return figures


def _in_a_new_process(part: Callable[..., list[Figure]], home: Path, hosts: int) -> list[Figure]:
    """A process of its own: so that its memory is its own, and so that it knows nothing of the one before."""
    context = multiprocessing.get_context("spawn")
    found: Any = context.SimpleQueue()
    process = context.Process(target=_put_result, args=(found, part, home, hosts))
    process.start()
    process.join(CHILD_SECONDS)
    if process.is_alive():
        process.kill()
        raise TimeoutError(f"{part.__name__} took more than {CHILD_SECONDS} s")
    assert process.exitcode == 0, f"{part.__name__} ended with {process.exitcode}"
    figures: list[Figure] = found.get()
    return figures


def _put_result(found: Any, part: Callable[..., list[Figure]], home: Path, hosts: int) -> None:
    collect_garbage_seldom()
    found.put(part(home, hosts))


# --- the first process --------------------------------------------------------------------------------------------


def _write(home: Path, hosts: int) -> list[Figure]:
    """Runs all pods and writes their status, then that of one pod that changed. Leaves what hosts will say."""
    cluster = ShopCluster(*_names(hosts))
    cluster.settle(cluster.shops(), *map(cluster.report, cluster.hosts))
    pods = len(cluster.engine.store.all_of(Pod))
    assert pods == hosts * PODS_A_HOST, pods
    remote = Remote(home / "git")
    with Repository(remote.url, home / "cache") as repository:
        status = _Status(StatusBranch(repository))
        first = status.write(cluster, [*_everything(cluster)])
        size = sum(_sizes(remote))
        times = [status.write(cluster, cluster.flip(number)) for number in range(5)]
    cluster.leave_reports(home)
    return [
        Figure(f"scale: first status commit, {pods:,} pods on {hosts:,} hosts", first, "s", 20),
        Figure("scale: all files of the status branch", size / 1e6, "MB", 60),
        Figure("scale: the commit of one change", min(times), "s", 0.3),
    ]


def _everything(cluster: FakeCluster) -> Iterator[Any]:
    return (_Seen(obj.key, None, obj) for obj in cluster.engine.store)


class _Seen(NamedTuple):
    key: Any
    old: Any
    new: Any


def _sizes(remote: Remote) -> list[int]:
    listing = remote.in_remote("ls-tree", "-r", "-l", "berth/status").splitlines()
    return [int(line.split()[3]) for line in listing]


class _Status:
    """The status loop, one commit at a time and without its waits."""

    def __init__(self, branch: StatusBranch) -> None:
        self._loop = StatusLoop(
            branch, wake_engine=lambda: None, in_charge=InCharge(Charge(epoch=7, holder="a1", name="berth run"))
        )

    def write(self, cluster: FakeCluster, changed: Sequence[Any]) -> float:
        """CPU seconds of this process and of git."""
        began = _cpu()
        self._loop.note(cluster.engine, changed)
        assert self._loop._write_newest()
        return _cpu() - began


# --- the next process ---------------------------------------------------------------------------------------------


def _begin(home: Path, hosts: int) -> list[Figure]:
    """Reads the status branch with an empty cache, finds all pods on their hosts."""
    cluster = ShopCluster(*_names(hosts))
    desired = cluster.shops()
    began = _cpu()
    with Repository(str(home / "git" / "remote.git"), home / "fresh") as repository:
        restored = read_restored(StatusBranch(repository))
    restoring = _cpu() - began
    engine = Engine(CONTROLLERS, source=random.Random(2))
    told: list[Message] = [restored, desired]
    del restored
    found = [_report(line) for line in (home / "reports.jsonl").read_bytes().splitlines()]
    began = time.process_time()
    engine.step(told, START)
    result = engine.step(found, START)
    stepping = time.process_time() - began
    found.clear()
    told.clear()
    deleted = [one.key for one in result.changed if one.new is None]
    assert not deleted, deleted[:3]
    del result
    assert len(engine.store.all_of(Pod)) == hosts * PODS_A_HOST
    return [
        Figure("scale: a fresh process reads the status branch", restoring, "s", 10),
        Figure("scale: the engine's first step", stepping, "s", 5),
    ]


def _weigh(home: Path, hosts: int) -> list[Figure]:
    """What the engine of such a process holds, all told: hosts, assignments and arrays of the scheduler too."""
    cluster = ShopCluster(*_names(hosts))
    desired = cluster.shops()
    with Repository(str(home / "git" / "remote.git"), home / "weighed") as repository:
        branch = StatusBranch(repository)
        branch.read()
        tracemalloc.start()
        engine = Engine(CONTROLLERS, source=random.Random(2))
        engine.step([read_restored(branch), desired], START)
    engine.step([_report(line) for line in (home / "reports.jsonl").read_bytes().splitlines()], START)
    pods = len(engine.store.all_of(Pod))
    gc.collect()
    traced, _ = tracemalloc.get_traced_memory()
    return [Figure(f"scale: memory of the engine, a pod of {pods:,}", traced / pods / 1024, "KiB", 6)]


def _report(line: bytes) -> HostReport:
    """As a worker makes it: each pod read from the labels of its containers, its status judged."""
    document = msgspec.json.decode(line)
    pods = []
    for each in document.pop("unknown"):
        pod = codec.decode(each)
        assert isinstance(pod, Pod)
        status = _status(pod, pod.metadata.creation_timestamp or START, is_ready=True)
        pods.append(msgspec.structs.replace(pod, status=status))
    return msgspec.structs.replace(msgspec.convert(document, HostReport), unknown=tuple(pods))


# --- redaction ----------------------------------------------------------------------------------------------------


def _redactor() -> Figure:
    words = Words()
    source = random.Random(1)
    words.learn(
        Secret(
            metadata=ObjectMeta(name=f"secret-{number}", namespace="default"),
            data={"password": SecretValue(source.randbytes(18).hex().encode())},
        )
        for number in range(SECRETS)
    )
    began = time.process_time()
    assert words("nothing to hide here") == "nothing to hide here"
    return Figure(f"scale: ready to mask {SECRETS:,} Secrets", time.process_time() - began, "s", 0.5)


# --- a shop -------------------------------------------------------------------------------------------------------


def _names(hosts: int) -> list[str]:
    return [f"host-{number:04}" for number in range(hosts)]


def _shop(number: int) -> Deployment:
    name = f"shop-{number:03}"
    probe = Probe(http_get=HTTPGetAction(path="/healthz", port=8080), period_seconds=10, timeout_seconds=3)
    container = Container(
        name="web",
        image=f"registry.example.com/shop/{name}:1.27.3",
        args=("--listen=:8080", "--log-format=json"),
        ports=(ContainerPort(container_port=8080, name="http"),),
        env=tuple(EnvVar(name=f"SETTING_{number}", value=f"value of {number}") for number in range(6)),
        resources=ResourceRequirements(
            requests={"cpu": "50m", "memory": "64Mi"}, limits={"cpu": "200m", "memory": "128Mi"}
        ),
        readiness_probe=probe,
        liveness_probe=probe,
    )
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "shops", "tier": "web"}
    base = deployment(name=name, replicas=REPLICAS)
    spec = msgspec.structs.replace(
        base.spec,
        template=PodTemplateSpec(metadata=ObjectMeta(labels=labels), spec=PodSpec(containers=(container,))),
        selector=LabelSelector(match_labels={"app.kubernetes.io/name": name}),
    )
    return default(msgspec.structs.replace(base, metadata=meta(name), spec=spec))


class ShopCluster(FakeCluster):
    """Its hosts tell of pods as much as real ones do."""

    def shops(self) -> Desired:
        wide = Cluster(spec=ClusterSpec(network=NetworkSettings(pod_cidr="10.0.0.0/8")))
        count = len(self.hosts) * PODS_A_HOST // REPLICAS
        said = self.desired(*map(_shop, range(count)), commit=COMMIT)
        application = {obj.key: "shops" for obj in said.objects}
        return msgspec.structs.replace(said, objects=(wide, *said.objects[1:]), application=application)

    def _status(self, pod: Pod) -> PodStatus:
        return _status(pod, pod.metadata.creation_timestamp or START, is_ready=True)

    def flip(self, number: int) -> Sequence[Any]:
        """One pod is not ready, or again."""
        host = min(self.hosts)
        said = self.report(host)
        assert isinstance(said, HostReport)
        (uid, *_) = said.statuses
        flipped = _status(self.hosts[host][uid], self.now, is_ready=number % 2 == 1)
        return self.step(msgspec.structs.replace(said, statuses={**said.statuses, uid: flipped})).changed

    def leave_reports(self, home: Path) -> None:
        """What hosts will tell the next process, one a line."""
        self.engine = Engine(CONTROLLERS, source=random.Random(2))
        with (home / "reports.jsonl").open("wb") as file:
            for host in self.hosts:
                said = self.report(host)
                assert isinstance(said, HostReport)
                pods = [codec.encode(pod) for pod in said.unknown]
                document = msgspec.to_builtins(msgspec.structs.replace(said, unknown=()))
                file.write(msgspec.json.encode({**document, "unknown": pods}) + b"\n")


def _status(pod: Pod, at: datetime, *, is_ready: bool) -> PodStatus:
    digest = pod.uid.replace("-", "") * 2
    claims = {"PodScheduled": True, "Initialized": True, "ContainersReady": is_ready, "Ready": is_ready}
    container = ContainerStatus(
        name="web",
        image=pod.spec.containers[0].image,
        image_id=f"sha256:{hashlib.sha256(pod.spec.containers[0].image.encode()).hexdigest()}",
        container_id=f"docker://{digest}",
        ready=is_ready,
        started=True,
        state=ContainerState(running=ContainerStateRunning(started_at=at)),
    )
    return PodStatus(
        phase="Running",
        conditions=tuple(
            Condition(type=claim, status=str(holds), last_transition_time=at) for claim, holds in claims.items()
        ),
        start_time=at,
        host_ip="192.0.2.1",
        pod_ip=pod.status.pod_ip,
        pod_ips=(PodIP(ip=pod.status.pod_ip),) if pod.status.pod_ip else (),
        container_statuses=(container,),
        qos_class="Burstable",
    )


def _cpu() -> float:
    """Seconds of this process and of those that it waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main("scale", run)
