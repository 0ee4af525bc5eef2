"""Two reconcilers of one cluster: the newest is in charge, and at no moment are there two pods of one ordinal."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from objects.names import LABEL_CHARGE
from objects.own.charge import Charge
from reconciler.charge.rules import CHARGE_PATH, parse_record
from reconciler.cli.common.exit_codes import IN_CHARGE_ELSEWHERE, SUPERSEDED
from tests.lab.berth_process import BerthProcess, running_berth
from tests.lab.cluster import STATUS_BRANCH, Cluster, containers_of
from tests.lab.lab import Lab

STAY = "trap 'sleep 1; exit 0' TERM; while :; do sleep 3600 & wait; done"
ORDINALS = 3
LONG_SECONDS = 90.0
"""For what takes a few seconds on a machine that has nothing else to do."""


def database(image: str) -> str:
    container = {"name": "app", "image": image, "command": ["sh", "-c", STAY]}
    template = {
        "metadata": {"labels": {"app": "db"}},
        "spec": {"terminationGracePeriodSeconds": 2, "containers": [container]},
    }
    spec: dict[str, Any] = {
        "serviceName": "db",
        "replicas": ORDINALS,
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": {"app": "db"}},
        "template": template,
    }
    document = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": spec}
    return yaml.safe_dump(document, sort_keys=False)


class Watch:
    """Looks at all hosts again and again, past Berth. doubles: ordinals seen with more than one pod at a time."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.doubles: list[str] = []
        self.looks = 0

    def _run(self) -> None:
        while not self._stopped.is_set():
            found = {(one.pod, one.uid, one.host) for one in containers_of(self._cluster.hosts)}
            counts = Counter(pod for pod, _, _ in found)
            self.doubles += [f"{pod}: {sorted(found)}" for pod, count in counts.items() if count > 1]
            self.looks += 1
            self._stopped.wait(0.05)

    @contextmanager
    def on(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            self._thread.join(20)
        assert (self.doubles, self.looks > 5) == ([], True)


@pytest.fixture(scope="module")
def shared(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    home = tmp_path_factory.mktemp("charge")
    return Cluster.create(lab, "charge", home, files={"apps/db/db.yaml": database("sample:v2")})


@pytest.fixture
def cluster(shared: Cluster) -> Cluster:
    """Three ordinals, as they are wanted; nobody reconciles."""
    shared.push("As at the start", {"apps/db/db.yaml": database("sample:v2"), "notes.txt": f"{time.time()}"})
    with shared.running() as berth:
        berth.wait_for("commit ", timeout_seconds=LONG_SECONDS)
        shared.wait_running("db-", ORDINALS, image="sample:v2", timeout_seconds=LONG_SECONDS)
        assert berth.stop() == 0
    assert is_released(shared)
    return shared


def record(cluster: Cluster) -> Charge | None:
    return parse_record(cluster.remote_git("show", f"{STATUS_BRANCH}:{CHARGE_PATH}").encode())


def is_released(cluster: Cluster) -> bool:
    found = record(cluster)
    return found is not None and found.is_released


def marks(cluster: Cluster) -> list[set[str]]:
    """Epochs that each host is marked with."""
    return [
        {one["Labels"][LABEL_CHARGE] for one in host.api().volumes(filters={"label": LABEL_CHARGE})["Volumes"] or ()}
        for host in cluster.hosts
    ]


@contextmanager
def another(cluster: Cluster, name: str, *words: str) -> Iterator[BerthProcess]:
    """`berth` on another machine: with a home and a cache of its own."""
    home = cluster.home / name
    home.mkdir(exist_ok=True)
    verb, *options = words or ("run", "--poll", "1")
    arguments = [*cluster.arguments(verb), *options, "--cache-dir", str(home / "cache")]
    with running_berth(*arguments, log=home / "log", directory=home, environment=cluster.environment()) as berth:
        yield berth


def test_the_second_takes_over_and_the_first_ends(cluster: Cluster) -> None:
    with cluster.running() as first, Watch(cluster).on():
        cluster.wait(lambda: not is_released(cluster), "the first to be in charge")
        head = cluster.push("v3", {"apps/db/db.yaml": database("web:v3")})
        first.wait_for(f"commit {head[:10]}")
        with another(cluster, "second") as second:
            assert first.wait(timeout_seconds=LONG_SECONDS) == SUPERSEDED
            cluster.berth = second
            cluster.wait_running("db-", ORDINALS, image="web:v3", timeout_seconds=LONG_SECONDS)
            cluster.wait_converged(head, timeout_seconds=LONG_SECONDS)
            taken = record(cluster)
            assert taken is not None
            cluster.wait(lambda: marks(cluster) == [{str(taken.epoch)}] * len(cluster.hosts), "one mark a host")
            assert second.stop() == 0
            cluster.berth = None
    assert "superseded by berth run of" in first.output
    assert is_released(cluster)


def test_one_that_cannot_reach_git_finds_out_from_the_hosts(cluster: Cluster, tmp_path: Path) -> None:
    """Git lets the first one in no more: until it is superseded it goes on healing what runs."""
    key = tmp_path / "key"
    shutil.copy2(cluster.lab.key_path, key)
    with another(cluster, "locked-out", "run", "--poll", "1", "--ssh-key", str(key)) as first:
        cluster.berth = first
        first.wait_for("commit ", timeout_seconds=LONG_SECONDS)
        key.unlink()
        first.wait_for("WARNING", timeout_seconds=LONG_SECONDS)
        head = cluster.push("v3", {"apps/db/db.yaml": database("web:v3")})
        (lost,) = cluster.containers(pod="db-1")
        cluster.host(lost.host).docker("rm", "-f", lost.id)
        cluster.wait_running("db-", ORDINALS, image="sample:v2", timeout_seconds=LONG_SECONDS)
        with Watch(cluster).on(), another(cluster, "third") as third:
            assert first.wait(timeout_seconds=LONG_SECONDS) == SUPERSEDED
            cluster.berth = third
            cluster.wait_running("db-", ORDINALS, image="web:v3", timeout_seconds=LONG_SECONDS)
            cluster.wait_converged(head, timeout_seconds=LONG_SECONDS)
            assert third.stop() == 0
            cluster.berth = None
    assert head[:10] not in first.output


def test_of_two_that_start_at_once_one_stays(cluster: Cluster) -> None:
    head = cluster.push("v3", {"apps/db/db.yaml": database("web:v3")})
    with Watch(cluster).on(), another(cluster, "left") as left, another(cluster, "right") as right:
        cluster.wait(lambda: left.is_running != right.is_running, "one of two to end", timeout_seconds=LONG_SECONDS)
        stays, ended = (left, right) if left.is_running else (right, left)
        assert ended.wait(timeout_seconds=1) == SUPERSEDED
        cluster.wait_running("db-", ORDINALS, image="web:v3", timeout_seconds=LONG_SECONDS)
        cluster.wait_converged(head, timeout_seconds=LONG_SECONDS)
        assert stays.stop() == 0


def test_apply_beside_a_run_is_refused(cluster: Cluster) -> None:
    with cluster.running() as berth:
        cluster.wait(lambda: not is_released(cluster), "it to be in charge")
        with another(cluster, "person", "apply") as apply:
            assert apply.wait(timeout_seconds=LONG_SECONDS) == IN_CHARGE_ELSEWHERE
        assert "berth run of root@" in apply.output
        assert "--take-over" in apply.output
        with another(cluster, "person", "apply", "--take-over", "--timeout", "80") as apply:
            assert apply.wait(timeout_seconds=LONG_SECONDS) == 0
        assert berth.wait(timeout_seconds=LONG_SECONDS) == SUPERSEDED
    assert is_released(cluster)
    with another(cluster, "somebody", "apply", "--timeout", "80") as apply:
        assert apply.wait(timeout_seconds=LONG_SECONDS) == 0, "after a clean end nobody has to insist"


def test_with_the_same_cache_they_are_two_as_well(cluster: Cluster) -> None:
    with cluster.running() as first:
        cluster.wait(lambda: not is_released(cluster), "it to be in charge")
        log = cluster.home / "same.log"
        words = cluster.arguments("apply")
        with running_berth(*words, log=log, directory=cluster.home, environment=cluster.environment()) as apply:
            assert apply.wait(timeout_seconds=LONG_SECONDS) == IN_CHARGE_ELSEWHERE
        assert f"process {first.process.pid}" in apply.output
        with cluster.running() as second:
            assert first.wait(timeout_seconds=LONG_SECONDS) == SUPERSEDED
            assert second.stop() == 0


def test_a_killed_one_goes_on_without_a_wait_or_a_commit(cluster: Cluster) -> None:
    with cluster.running() as berth:
        cluster.wait(lambda: not is_released(cluster), "it to be in charge")
        mine = record(cluster)
        assert mine is not None
        cluster.wait(lambda: marks(cluster) == [{str(mine.epoch)}] * len(cluster.hosts), "one mark a host")
        berth.kill()
    head = cluster.status_commits[0]
    (lost,) = cluster.containers(pod="db-0")
    cluster.host(lost.host).docker("rm", "-f", lost.id)
    with cluster.running() as berth:
        cluster.wait_running("db-", ORDINALS, timeout_seconds=LONG_SECONDS)
        assert "waited for" not in berth.output
        berth.kill()
    subjects = cluster.remote_git("log", "--format=%s", f"{head}..{STATUS_BRANCH}").splitlines()
    assert [subject for subject in subjects if not subject.startswith("Status of ")] == []
