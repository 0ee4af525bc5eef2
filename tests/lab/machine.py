"""A lab host as a machine: power on, power off, run something in it. What its services mean is not known here."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab import cgroups, engines, network, rootfs
from tests.lab.errors import LabError
from tests.lab.hostspec import HostSpec
from tests.lab.names import HostNames
from tests.lab.processes import (
    SEARCH_PATH,
    Process,
    kill_all,
    namespace_id,
    processes_in,
    read_process,
    run,
    slowness,
    start_detached,
    wait_until,
)

_CAP_SYS_RESOURCE = 24


@dataclass(frozen=True)
class Machine:
    """Handle by name; holds no state of its own: whether it runs is looked up each time."""

    names: HostNames
    spec: HostSpec
    address: str

    def init(self) -> Process | None:
        """The host's first process, or None while it is off."""
        identity = network.namespace_identity(self.names)
        if identity is None:
            return None
        # Containers on the host's network are in the same network namespace, but one pid namespace further down.
        return next((process for process in processes_in("net", identity) if process.inner_pids == (1,)), None)

    def is_as_asked(self) -> bool:
        """On, and booted with just these options and this address, plugged into the lab's bridge."""
        return (
            self.init() is not None
            and self._booted_as.exists()
            and self._booted_as.read_text() == self._identity
            and network.is_plugged_in(self.names)
        )

    def processes(self, command: str = "") -> list[Process]:
        """The host's own processes (not those in containers), all or those of this command name."""
        init = self.init()
        pids = namespace_id(init.pid, "pid") if init else None
        if init is None or pids is None:
            return []
        mounts = namespace_id(init.pid, "mnt")
        found = [process for process in processes_in("pid", pids) if namespace_id(process.pid, "mnt") == mounts]
        return [process for process in found if command in ("", process.command)]

    def power_on(self) -> None:
        """Boot the host: network, file tree, init; what was left of it is ended first. Starts no services."""
        self.power_off()
        shutil.rmtree(self.names.run, ignore_errors=True)
        (self.names.run / "sshd").mkdir(parents=True)
        self._booted_as.write_text(self._identity)
        cgroups.make_group(self.names.cgroup)
        network.make_namespace(self.names, self.address, latency_seconds=self.spec.latency_seconds)
        log = self.names.logs / "init.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        start_detached(self._boot_command(), log=log)
        ready = self.names.run / "lab-ready"
        try:
            wait_until(ready.exists, what=f"{self.names.host} has not booted", timeout_seconds=15)
        except LabError as error:
            words = log.read_text(errors="replace").strip().splitlines()[-3:]
            raise LabError(f"{error}; its last words ({log}): {' / '.join(words)}") from error

    def power_off(self) -> None:
        """As by pulling the plug: all processes of host and containers die at once, network state is lost."""
        init = self.init()
        if init is not None:
            # The kernel ends all of a pid namespace with its first process, containers' namespaces below included.
            inside = self.processes()
            kill_all([init, *inside])
        # A process that escaped that (its namespace's name was lost, say) is still in the host's control group.
        kill_all(found for pid in cgroups.members(self.names.cgroup) if (found := read_process(pid)) is not None)
        network.remove_namespace(self.names)
        cgroups.remove_group(self.names.cgroup)

    def exec(
        self, argv: Sequence[str], *, stdin: bytes = b"", check: bool = True, timeout_seconds: float = 30
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command as root in all namespaces of the host, without ssh. Raises LabError like `processes.run`."""
        bounded = ["timeout", "--kill-after=1", str(timeout_seconds * slowness()), *argv]
        done = run(self._enter(bounded), stdin=stdin, check=False, timeout_seconds=timeout_seconds + 5)
        if check and done.returncode != 0:
            words = (done.stderr or done.stdout).decode(errors="replace").strip()
            raise LabError(f"exit code {done.returncode} on {self.names.host} from {' '.join(argv)}: {words}")
        return done

    def start_service(self, name: str, argv: Sequence[str]) -> None:
        """Start a daemon on the host; its output goes to the log of this name, started anew.

        It becomes a child of the host's init. As a child of nsenter it would never be reaped after a SIGSTOP: nsenter
        stops itself together with its child and nothing continues it.
        """
        log = self.log(name)
        with contextlib.suppress(FileNotFoundError):
            log.rename(log.with_suffix(".log.1"))
        start_detached(self._enter(["setsid", "--fork", *argv]), log=log)

    def log(self, name: str) -> Path:
        return self.names.logs / f"{name}.log"

    @property
    def _booted_as(self) -> Path:
        return self.names.run.parent / "booted-as"

    @property
    def _identity(self) -> str:
        return f"{self!r} with {self._layer or 'the engine of this machine'}"

    @property
    def _layer(self) -> Path | None:
        return engines.layer_of(self.spec.engine) if self.spec.has_engine else None

    def _enter(self, argv: Sequence[str]) -> list[str]:
        init = self.init()
        if init is None:
            raise LabError(f"host {self.names.host} is powered off; power it on first")
        join = cgroups.join_command(self.names.cgroup, leaf=True)
        namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        enter = ["nsenter", "--target", str(init.pid), *namespaces, "--"]
        return ["sh", "-c", f'{join}exec "$@"', "enter", *enter, *argv]

    def _boot_command(self) -> list[str]:
        if self.spec.memory_bytes:
            cgroups.limit_memory(self.names.cgroup, self.spec.memory_bytes)
        environment = {
            "PATH": SEARCH_PATH,
            "HOST_NAME": self.names.host,
            "ROOT": self.names.root,
            "RUN": self.names.run,
            "DATA": self.names.state,
            "DISK": rootfs.disk_image(self.names) if self.spec.disk_bytes else "",
            "MEMINFO": rootfs.memory_info(self.names) if self.spec.memory_bytes else "",
            "CGROUPS": " ".join(hierarchy.mount_spec() for hierarchy in cgroups.find_hierarchies()),
            "LAYER": self._layer or "",
            "WRAP_RUNC": "no" if may_raise_limits() else "yes",
        }
        assignments = [f"{key}={value}" for key, value in environment.items()]
        script = Path(__file__).with_name("host_init.sh")
        # A cgroup namespace is rooted where its maker is: make it first, move into the leaf afterwards.
        into_group = cgroups.join_command(self.names.cgroup, leaf=False)
        into_leaf = cgroups.join_command(self.names.cgroup, leaf=True)
        network_and_cgroup = ["nsenter", f"--net={self.names.netns_path}", "unshare", "--cgroup"]
        others = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]
        init = [*others, "env", "-i", *assignments, "sh", str(script)]
        leaf = ["sh", "-c", f'{into_leaf}exec "$@"', "leaf", *init]
        return ["sh", "-c", f'{into_group}exec "$@"', "boot", *network_and_cgroup, *leaf]


def may_raise_limits() -> bool:
    """Whether root here has CAP_SYS_RESOURCE; without it runc fails on privileged containers and OOM scores."""
    status = Path("/proc/self/status").read_text()
    bounding = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:"))
    return bool(int(bounding, 16) >> _CAP_SYS_RESOURCE & 1)
