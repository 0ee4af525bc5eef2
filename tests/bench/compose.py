"""Docker Compose, one project a host, all hosts at the same time: what people do who have hosts and no orchestrator.

Debian's `docker-compose` where it is installed. It speaks to each engine's own socket, not by ssh: to its advantage.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import yaml

from tests.bench.contender import WAIT_SECONDS
from tests.bench.eyes import Eyes, Seen
from tests.lab.host import LabHost
from tests.lab.lab import Lab, in_parallel
from tests.lab.processes import SEARCH_PATH

PROJECT = "bench"
LABEL = "com.docker.compose.project"


def is_installed() -> bool:
    return shutil.which("docker-compose", path=SEARCH_PATH) is not None


def measure_up(lab: Lab, home: Path, replicas: int, image: str) -> float:
    """Seconds from the commands to the last of `replicas` containers running, over all hosts. Removes them."""
    share = replicas // len(lab.hosts)
    file = home / "docker-compose.yaml"
    service = {"image": image, "restart": "always", "stop_grace_period": "5s", "scale": share}
    file.write_text(yaml.safe_dump({"version": "2.4", "services": {"web": service}}, sort_keys=False))

    def is_so(seen: list[Seen]) -> bool:
        return sum(item.labels.get(LABEL) == PROJECT for item in seen) == share * len(lab.hosts)

    with Eyes(lab.hosts) as eyes:
        began = time.monotonic()
        in_parallel(lambda host: _compose(host, file, "up", "--detach", "--quiet-pull"), lab.hosts)
        done_at = eyes.wait(is_so, f"compose: {replicas} containers", timeout_seconds=WAIT_SECONDS)
        eyes.confirm(lambda item: LABEL in item["Labels"], share * len(lab.hosts))
        in_parallel(lambda host: _compose(host, file, "down"), lab.hosts)
    return done_at - began


def _compose(host: LabHost, file: Path, *arguments: str) -> None:
    environment = {
        "PATH": SEARCH_PATH,
        "HOME": str(file.parent),
        "DOCKER_HOST": f"unix://{host.docker_socket}",
        "COMPOSE_PARALLEL_LIMIT": "10",
        "COMPOSE_HTTP_TIMEOUT": "120",
        "LC_ALL": "C.UTF-8",
        **{name: value for name, value in os.environ.items() if name == "TMPDIR"},
    }
    command = ["docker-compose", "--project-name", PROJECT, "--file", str(file), *arguments]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=WAIT_SECONDS, cwd=file.parent)
