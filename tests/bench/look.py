"""A look at all of one host on which nothing happened: what each host costs the reconciler once a minute, in CPU.

Over a real sshd to a recorded engine (`tests.bench.recorded_engine`); only this process counts.

    python -m tests.bench.look
"""

from __future__ import annotations

import getpass
import random
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hosts.docker.engine import Engine
from hosts.runtime.docker_runtime import DockerRuntime
from hosts.ssh.links import SshLinks
from tests.bench.case import Settings, main
from tests.bench.figures import Figure
from tests.bench.many_hosts import recorded_engines
from tests.bench.recorded_engine import IMAGE, socket_path
from tests.unit.hosts.peers import LocalSshd

CONTAINERS = 4
LOOKS = 100


def run(settings: Settings) -> Sequence[Figure]:
    links = SshLinks(clock=time.monotonic, random=random.Random(1))
    with TemporaryDirectory(prefix="berth-look-") as folder:
        sshd = LocalSshd(Path(folder), getpass.getuser())
        sshd.start()
        try:
            with recorded_engines(Path(folder), 1):
                engine = Engine(links.link(sshd.target()), socket_path=str(socket_path(Path(folder), 0)))
                milliseconds = _measure(engine)
        finally:
            links.close()
            sshd.stop()
    settings.say(f"a look: {milliseconds:.2f} ms")
    return [Figure(f"a look at all of a host with {CONTAINERS} containers, CPU", milliseconds, "ms", 4.0)]


def _measure(engine: Engine) -> float:
    runtime = DockerRuntime(engine, random=random.Random(1))
    for number in range(CONTAINERS):
        _begin(engine, f"c{number}")
    try:
        _look(runtime, 3)  # what is known of a host is compared from the second look on
        began = time.process_time()
        _look(runtime, LOOKS)
        return 1e3 * (time.process_time() - began) / LOOKS
    finally:
        runtime.close()


def _begin(engine: Engine, name: str) -> None:
    api = engine.api
    body = {"Image": IMAGE, "HostConfig": {}}
    made = api.post(api.versioned("/containers/create"), params={"name": name}, json=body, timeout=10)
    api.check(api.post(api.versioned(f"/containers/{made.json()['Id']}/start"), timeout=10))


def _look(runtime: DockerRuntime, times: int) -> None:
    for _ in range(times):
        runtime._observer.invalidate_all()
        assert len(runtime.observe().containers) == CONTAINERS


if __name__ == "__main__":
    main("look", run)
