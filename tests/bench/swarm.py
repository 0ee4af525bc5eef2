"""Docker Swarm over the same three engines: the same containers as a stack, over an overlay network of its own.

Images are named by digest from the lab's registry, and every engine has them: else each task would wait for a look-up.
Commands go to the manager's own socket, not through ssh: to Swarm's advantage.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.bench.contender import SURGE, WAIT_SECONDS
from tests.bench.eyes import Eyes, Seen
from tests.lab.host import LabHost
from tests.lab.lab import Lab, in_parallel
from tests.lab.processes import wait_until

STACK = "bench"
JOB = "bench_job"
LABEL = "com.docker.stack.namespace"
LABEL_SERVICE = "com.docker.swarm.service.name"
GRACE = "5s"


def is_task(seen: Seen) -> bool:
    return seen.labels.get(LABEL_SERVICE, "") == f"{STACK}_web"


@dataclass(frozen=True)
class Stack:
    """A swarm of all hosts; `deploy` is `docker stack deploy` of the service with so many replicas."""

    lab: Lab
    home: Path
    images: dict[str, str]

    def deploy(self, replicas: int, image: str) -> float:
        """Seconds from the command to the last of `replicas` running with `image`, and none of another one."""
        file = self.home / "stack.yaml"
        file.write_text(stack_file(replicas, self.images[image]))
        digest = self.images[image].partition("@")[2]

        def is_so(seen: list[Seen]) -> bool:
            tasks = [item for item in seen if is_task(item)]
            return len(tasks) == replicas and all(item.image.endswith(digest) for item in tasks)

        with Eyes(self.lab.hosts) as eyes:
            began = time.monotonic()
            self._manager("stack", "deploy", "--resolve-image", "never", "--compose-file", str(file), STACK)
            done_at = eyes.wait(is_so, f"swarm: {replicas} tasks", timeout_seconds=WAIT_SECONDS)
            eyes.confirm(lambda item: LABEL in item["Labels"], replicas)
        return done_at - began

    @contextmanager
    def job(self, completions: int, parallelism: int, image: str, command: Sequence[str]) -> Iterator[None]:
        """A job of so many tasks in all, begun; removed when the block ends."""
        counts = ("--replicas", str(completions), "--max-concurrent", str(parallelism))
        options = ("--detach", "--no-resolve-image", "--name", JOB, "--mode", "replicated-job", *counts)
        restart = ("--restart-condition", "none")
        self._manager("service", "create", *options, *restart, self.images[image], *command)
        try:
            yield
        finally:
            self._manager("service", "rm", JOB)
            # Swarm of 20.10 forgets the containers of a job that is removed.
            in_parallel(_remove_containers, self.lab.hosts)

    def wait_ready(self, nodes: int) -> None:
        """Wait until so many nodes answer the manager."""

        def is_so() -> bool:
            return self._manager("node", "ls", "--format", "{{.Status}}").split().count("Ready") == nodes

        wait_until(is_so, what="swarm's nodes are not ready", timeout_seconds=WAIT_SECONDS, interval_seconds=0.5)

    def _manager(self, *arguments: str) -> str:
        return self.lab.hosts[0].docker(*arguments)


@contextmanager
def running(lab: Lab, home: Path, *, images: tuple[str, ...] = ("web:v1", "web:v2")) -> Iterator[Stack]:
    """A swarm while the block lasts; nothing of it is left behind."""
    digests = {image: _pinned(lab, image) for image in images}
    manager, *workers = lab.hosts
    try:
        manager.docker("swarm", "init", "--advertise-addr", manager.address)
        token = manager.docker("swarm", "join-token", "--quiet", "worker")
        for worker in workers:
            worker.docker("swarm", "join", "--token", token, f"{manager.address}:2377")
        yield Stack(lab, home, digests)
    finally:
        try:
            manager.docker("stack", "rm", STACK, check=False)
            wait_until(
                lambda: not _tasks_left(lab), what="swarm leaves containers", timeout_seconds=60, interval_seconds=0.2
            )
        finally:
            # Managers last: the others have somebody to say goodbye to.
            in_parallel(lambda host: host.docker("swarm", "leave", "--force", check=False), [*workers])
            manager.docker("swarm", "leave", "--force", check=False)
            in_parallel(lambda host: host.docker("network", "rm", "docker_gwbridge", check=False), lab.hosts)


def _tasks_left(lab: Lab) -> bool:
    return any(host.api().containers(all=True, filters={"label": LABEL}) for host in lab.hosts)


def _remove_containers(host: LabHost) -> None:
    for item in host.api().containers(all=True, filters={"label": f"{LABEL_SERVICE}={JOB}"}):
        host.api().remove_container(item["Id"], force=True)


def _pinned(lab: Lab, image: str) -> str:
    """`10.x.0.3:5000/web:v1@sha256:…`, present on every engine."""
    repository, _, tag = image.rpartition(":")
    for host in lab.hosts:
        reference = lab.registry.push(image, through=host)
    found = lab.hosts[0].api().inspect_image(reference)["RepoDigests"]  # type: ignore[no-untyped-call]  # the stubs lack it
    digest = next(name.partition("@")[2] for name in found if name.startswith(f"{lab.registry.address}/{repository}@"))
    return f"{lab.registry.address}/{repository}:{tag}@{digest}"


def stack_file(replicas: int, image: str) -> str:
    """The service, with the constraint of the Deployment: at most `SURGE` more, none less."""
    update = {"parallelism": SURGE, "order": "start-first", "delay": "0s"}
    restart = {"condition": "any", "delay": "0s"}  # its default is 5 s
    service: dict[str, Any] = {
        "image": image,
        "stop_grace_period": GRACE,
        "deploy": {"replicas": replicas, "update_config": update, "restart_policy": restart},
    }
    return yaml.safe_dump({"version": "3.8", "services": {"web": service}}, sort_keys=False)
