"""What a test holds in its hand: a host, how to reach it, and the faults it can have.

`exec`, `docker` and `api` go straight into the host, past ssh and past Berth, so they also see a host that is cut off.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from docker.api.client import APIClient

from tests.lab import engines, network, rootfs, sshd
from tests.lab.engine import Engine
from tests.lab.errors import LabError
from tests.lab.hostspec import HostSpec
from tests.lab.images import Image, archive
from tests.lab.machine import Machine
from tests.lab.names import HostNames
from tests.lab.processes import kill_all, run, wait_until

_FILL_FILE = "/var/lib/docker/.lab-fill"


@dataclass(frozen=True)
class LabHost:
    """One host of the lab.

    key_path: private key that opens it; known_hosts: file with the keys of all hosts as they were at `up`.
    jump: the host to go through, or None.
    """

    names: HostNames
    spec: HostSpec
    address: str
    bridge_address: str
    registry_address: str
    key_path: Path
    known_hosts: Path
    jump: LabHost | None = field(default=None)

    @property
    def name(self) -> str:
        return self.names.host

    @property
    def user(self) -> str:
        return self.spec.user

    @property
    def port(self) -> int:
        return self.spec.port

    @property
    def docker_socket(self) -> Path:
        """The engine's socket as seen from outside the host."""
        return self.names.docker_socket

    @property
    def host_key(self) -> str:
        """`ssh-ed25519 AAAA...`: the key that sshd shows now."""
        return sshd.public_key(self.names.root / "etc/ssh" / sshd.HOST_KEY)

    @property
    def machine(self) -> Machine:
        return Machine(self.names, self.spec, self.address)

    @property
    def engine(self) -> Engine:
        return Engine(self.machine, self.bridge_address, self.registry_address, self.spec.engine_settings)

    @property
    def root(self) -> Path:
        """The host's files as seen from outside: `host.root / "etc/hostname"`. Mounts made on the host don't show."""
        return self.names.root

    # -- reaching it

    def exec(
        self, argv: Sequence[str], *, stdin: bytes = b"", check: bool = True, timeout_seconds: float = 30
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command on the host as root, past ssh."""
        return self.machine.exec(argv, stdin=stdin, check=check, timeout_seconds=timeout_seconds)

    def docker(self, *arguments: str, check: bool = True, timeout_seconds: float = 60) -> str:
        """Output of `docker <arguments>` against this host's engine."""
        argv = [self._docker_program, "--host", f"unix://{self.docker_socket}", *arguments]
        return run(argv, check=check, timeout_seconds=timeout_seconds).stdout.decode(errors="replace").strip()

    @property
    def _docker_program(self) -> str:
        """The command line of the host's own engine."""
        layer = engines.layer_of(self.spec.engine)
        return "docker" if layer is None else str(next(layer.glob("usr/*bin/docker")))

    @cached_property
    def _client(self) -> APIClient:
        return APIClient(base_url=f"unix://{self.docker_socket}", version="auto", timeout=60)

    def api(self) -> APIClient:
        """The SDK's client on the host's own socket; one per host, closed by `close`."""
        return self._client

    def load(self, *images: Image) -> None:
        """Give the engine images of your own making (`images.build_image`)."""
        out = io.BytesIO()
        archive(images, out)
        self.load_archive(out.getvalue())

    def load_archive(self, content: bytes) -> None:
        """Give the engine the images of a `docker load` archive."""
        for _ in self.api().load_image(io.BytesIO(content)):  # type: ignore[no-untyped-call]  # the stubs lack it
            continue  # the answer is a progress stream; reading it to its end is what waits for the load

    def close(self) -> None:
        if "_client" in self.__dict__:
            self.__dict__.pop("_client").close()

    def ssh_argv(self, *command: str) -> list[str]:
        """A complete `ssh` command line with strict host keys and nothing of the caller's own configuration."""
        argv = ["ssh", *self.ssh_options(), "-p", str(self.port)]
        if self.jump is not None:
            inner = ["ssh", *self.ssh_options(), "-p", str(self.jump.port)]
            argv += ["-o", f"ProxyCommand={' '.join(inner)} -W %h:%p {self.jump.user}@{self.jump.address}"]
        return [*argv, f"{self.user}@{self.address}", *command]

    def ssh(self, *command: str, check: bool = True, timeout_seconds: float = 30) -> subprocess.CompletedProcess[bytes]:
        return run(self.ssh_argv(*command), check=check, timeout_seconds=timeout_seconds)

    def ssh_options(self) -> list[str]:
        settings = {
            "UserKnownHostsFile": self.known_hosts,
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": 5,
        }
        options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
        return ["-F", "/dev/null", "-i", str(self.key_path), *options]

    # -- life

    def boot(self) -> None:
        """Power on and start the services; does not wait for the engine."""
        self.machine.power_on()
        if self.jump is not None:
            self._refuse_all_but(self.jump)
        self.start_sshd()
        if self.spec.has_engine:
            self.engine.launch()

    def is_up(self) -> bool:
        """On the network, as asked for, with all its services running (not necessarily answering)."""
        commands = {process.command for process in self.machine.processes()}
        wanted = {"sshd", "dockerd", "containerd"} if self.spec.has_engine else {"sshd"}
        return wanted <= commands and self.machine.is_as_asked()

    def is_healthy(self) -> bool:
        """Up, and the engine answers within a few seconds even on a busy machine."""
        if not self.is_up():
            return False
        if self.spec.has_engine:
            self.resume_engine()
            try:
                self.engine.wait_ready(timeout_seconds=5)
            except LabError:
                return False
        return True

    # -- faults

    def cut(self) -> None:
        """Pull the network cable: packets vanish in both directions, connections stay half-open."""
        network.set_link(self.names, up=False)

    def restore(self) -> None:
        network.set_link(self.names, up=True)

    def pause_engine(self) -> None:
        self.engine.pause()

    def resume_engine(self) -> None:
        self.engine.resume()

    def kill_engine(self) -> None:
        self.engine.kill()

    def stop_engine(self) -> None:
        self.engine.stop()

    def start_engine(self) -> None:
        self.engine.start()

    def restart_engine(self) -> None:
        self.engine.stop()
        self.engine.start()

    def power_off(self) -> None:
        """Pull the plug: all processes die at once, containers' too; disks stay."""
        self.machine.power_off()

    def power_on(self) -> None:
        """Boot after `power_off`, until the engine answers."""
        self.boot()
        if self.spec.has_engine:
            self.engine.wait_ready()

    def reboot(self) -> None:
        self.power_off()
        self.power_on()

    def kill_sshd(self) -> None:
        """SIGKILL to sshd and all its sessions: open connections break, new ones are refused."""
        # Newer ones run each session in programs of their own: sshd-session, sshd-auth.
        kill_all(process for process in self.machine.processes() if process.command.startswith("sshd"))

    def start_sshd(self) -> None:
        if not self._accepts_ssh():
            self.machine.start_service("sshd", ["/usr/sbin/sshd", "-D", "-e"])
            wait_until(self._accepts_ssh, what=f"sshd of {self.name} does not listen", timeout_seconds=10)

    def change_host_key(self) -> str:
        """Give sshd another key, as a reinstalled host or an impostor has; returns it."""
        self.kill_sshd()
        sshd.new_key(self.names.root / "etc/ssh" / sshd.HOST_KEY, comment=self.name)
        self.start_sshd()
        return self.host_key

    def restore_host_key(self) -> None:
        if self.host_key != sshd.public_key(self.names.state / "ssh" / sshd.HOST_KEY):
            self.kill_sshd()
            rootfs.restore_host_key(self.names)
            self.start_sshd()

    def fill_disk(self, *, leave_bytes: int = 0) -> None:
        """Fill /var/lib/docker; only for a host with a disk of its own (`disk_bytes`), never the machine's disk."""
        if not self.spec.disk_bytes:
            raise ValueError(f"{self.name} has no disk of its own; give it disk_bytes")
        script = (
            'free=$(df --output=avail -B1 /var/lib/docker | tail -n 1); size=$((free - $1)); rm -f "$2"; '
            '[ "$size" -le 0 ] || fallocate -l "$size" "$2" || dd if=/dev/zero of="$2" bs=64k status=none || :'
        )
        self.exec(["sh", "-c", script, "fill", str(leave_bytes), _FILL_FILE])

    def free_disk(self) -> None:
        self.exec(["rm", "-f", _FILL_FILE])

    def _accepts_ssh(self) -> bool:
        listening = run(["nsenter", f"--net={self.names.netns_path}", "ss", "-Hlnt", f"sport = {self.port}"]).stdout
        return bool(listening.strip())

    def _refuse_all_but(self, jump: LabHost) -> None:
        match = ["-p", "tcp", "--dport", str(self.port), "!", "-s", jump.address]
        self.exec(["iptables", "-w", "-A", "INPUT", *match, "-j", "REJECT", "--reject-with", "tcp-reset"])
