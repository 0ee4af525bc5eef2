"""containerd and dockerd of one lab host: start, stop, pause, kill."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.lab.errors import LabError
from tests.lab.machine import Machine
from tests.lab.processes import Process, kill_all, wait_until

# Without the Kubernetes plug-in and the snapshotters that Docker does not use, containerd is up in 20 ms.
_CONTAINERD_CONFIG = """\
version = 2
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
"""


@dataclass(frozen=True)
class Engine:
    """The Docker Engine of a host. containerd is a service of its own, as in Debian: it outlives a killed dockerd."""

    machine: Machine
    bridge_address: str
    insecure_registry: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def write_config(self) -> None:
        settings: dict[str, Any] = {
            "bip": self.bridge_address,
            "containerd": "/run/containerd/containerd.sock",
            "hosts": ["unix:///run/docker.sock"],
            "insecure-registries": [self.insecure_registry],
            # Fail where the file system can't do it instead of falling back to copying whole images.
            "storage-driver": "overlay2",
            **self.settings,
        }
        settings = {key: value for key, value in settings.items() if value is not None}
        directory = self.machine.names.state / "etc-docker"
        (directory / "daemon.json").write_text(json.dumps(settings, indent=2) + "\n")
        (self.machine.names.root / "etc/containerd").mkdir(exist_ok=True)
        (self.machine.names.root / "etc/containerd/config.toml").write_text(_CONTAINERD_CONFIG)

    def launch(self) -> None:
        """Start what does not run; does not wait for readiness."""
        if not self.machine.processes("containerd"):
            self.machine.start_service("containerd", ["containerd"])
        if not self.machine.processes("dockerd"):
            self.machine.start_service("dockerd", ["dockerd"])

    def wait_ready(self, *, timeout_seconds: float = 30) -> None:
        try:
            wait_until(
                self.answers,
                what=f"the engine of {self.machine.names.host} does not answer",
                timeout_seconds=timeout_seconds,
                interval_seconds=0.02,
            )
        except LabError as error:
            log = self.machine.log("dockerd")
            words = log.read_text(errors="replace").strip().splitlines()[-2:] if log.exists() else []
            raise LabError(f"{error}; its last words ({log}): {' / '.join(words)}") from error

    def answers(self) -> bool:
        """Whether `GET /_ping` is answered with 200 within a second."""
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(1)
                link.connect(str(self.machine.names.docker_socket))
                link.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return link.recv(64).split(b" ")[1:2] == [b"200"]
        except OSError:
            return False

    def start(self) -> None:
        self.launch()
        self.wait_ready()

    def stop(self) -> None:
        """An orderly stop, as `systemctl stop docker`: containers get SIGTERM and their grace."""
        running = self.machine.processes("dockerd")
        for process in running:
            process.send(signal.SIGCONT)
            process.send(signal.SIGTERM)
        self._wait_for_end(running)

    def kill(self) -> None:
        """SIGKILL to dockerd alone: containerd, the shims and the containers go on."""
        running = self.machine.processes("dockerd")
        kill_all(running)
        self._wait_for_end(running)

    def pause(self) -> None:
        """SIGSTOP: the socket accepts connections and nobody ever answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _wait_for_end(self, processes: Sequence[Process]) -> None:
        # dockerd refuses to start while the number in its pid file is taken, if only by the dead one.
        wait_until(
            lambda: not any(process.is_counted for process in processes),
            what=f"dockerd of {self.machine.names.host} does not end",
            timeout_seconds=40,
        )

    def _signal(self, number: int) -> None:
        for process in self.machine.processes("dockerd"):
            process.send(number)
