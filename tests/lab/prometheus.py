"""A real Prometheus server on a host of the lab, reachable under the host's address only."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from tests.lab.host import LabHost
from tests.lab.processes import kill_all, wait_until

PORT = 9090
_HOME = "/var/lib/lab-prometheus"


@dataclass(frozen=True)
class Prometheus:
    """host: the machine it runs on. targets: `address:port`s that it scrapes each second, dead ones too."""

    host: LabHost
    targets: Sequence[str]

    @property
    def url(self) -> str:
        return f"http://{self.host.address}:{PORT}"

    def start(self) -> None:
        """Start it with what it knew before, and wait until it answers."""
        scrape = {
            "job_name": "pods",
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            # What pods say of themselves counts: there is no API server that knows them better.
            "honor_labels": True,
            "static_configs": [{"targets": list(self.targets)}],
        }
        self.host.exec(["mkdir", "-p", _HOME])
        config = yaml.safe_dump({"scrape_configs": [scrape]}).encode()
        self.host.exec(["sh", "-c", f"cat >{_HOME}/prometheus.yml"], stdin=config)
        address = f"{self.host.address}:{PORT}"
        options = [f"--config.file={_HOME}/prometheus.yml", f"--storage.tsdb.path={_HOME}/data"]
        argv = ["prometheus", *options, f"--web.listen-address={address}", "--log.level=warn"]
        self.host.machine.start_service("prometheus", argv)
        wait_until(self.is_ready, what="Prometheus does not answer", timeout_seconds=20)

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return int(answer.status) == 200
        except OSError:
            return False

    def ask(self, query: str) -> list[Any]:
        """The series that a query finds now."""
        asked = urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{asked}", timeout=5) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
        return found

    def kill(self) -> None:
        kill_all(self.host.machine.processes("prometheus"))


@contextmanager
def running_prometheus(host: LabHost, targets: Sequence[str]) -> Iterator[Prometheus]:
    """A server without memory while the block lasts."""
    server = Prometheus(host, targets)
    server.kill()
    host.exec(["rm", "-rf", _HOME])
    server.start()
    try:
        yield server
    finally:
        server.kill()
        host.exec(["rm", "-rf", _HOME])
