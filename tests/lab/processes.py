"""Running commands, and finding and ending processes by what they are rather than by remembered numbers.

A process is found by the namespaces it lives in and named by pid and start time, so a recycled pid is never hit.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.errors import LabError

PACKAGES_FILE = Path(__file__).with_name("packages.txt")

# Program -> Debian package that brings it.
PROGRAMS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "docker-init": "docker.io",
    "containerd": "containerd",
    "runc": "runc",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "ip": "iproute2",
    "iptables": "iptables",
    "busybox": "busybox-static",
    "docker-registry": "docker-registry",
    "htpasswd": "apache2-utils",
    "prometheus": "prometheus",
    "mkfs.ext4": "e2fsprogs",
    "git": "git",
    "sudo": "sudo",
    "patchelf": "patchelf",
    "nsenter": "util-linux",
    "unshare": "util-linux",
}
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Process:
    """One process. `start_ticks` makes `pid` unique for this boot of the machine.

    inner_pids: its numbers in the pid namespaces below ours, outermost first; empty for a process of our own namespace.
    """

    pid: int
    start_ticks: int
    inner_pids: tuple[int, ...]
    command: str

    @property
    def is_alive(self) -> bool:
        """False too for a zombie: it holds nothing any more and only waits to be counted."""
        found = read_process(self.pid)
        return found is not None and found.start_ticks == self.start_ticks

    @property
    def is_counted(self) -> bool:
        """True until its parent has taken note of its end; so long its number stays taken, on the host too."""
        return _read_start(self.pid) == self.start_ticks

    def send(self, signal_number: int) -> None:
        """Signal the process, if it is still the same one; a process that is gone is no error."""
        if self.is_alive:
            try:
                os.kill(self.pid, signal_number)
            except ProcessLookupError:
                return  # ended between the check and the signal: what the caller wanted of most signals


def slowness() -> float:
    """How many times slower than when it is idle this machine may be now: processes that want a core, for each core.

    1 to 8. Deadlines of the lab and its tests are multiples of this, so that they hold beside other work and are short
    where there is none. `BERTH_LAB_SLOWNESS` says how slow the machine is when it is idle (1 if it is not said).
    """
    idle = float(os.environ.get("BERTH_LAB_SLOWNESS", "1"))
    return min(8.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))) * idle


def run(
    argv: Sequence[str], *, stdin: bytes = b"", check: bool = True, timeout_seconds: float = 60
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end. `check` turns a failure into a LabError that holds the command's own words.

    timeout_seconds: on an idle machine; a busy one takes longer.
    """
    environment = {**os.environ, "PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, check=False, timeout=timeout_seconds * slowness(), env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"no end after {timeout_seconds:g} s: {' '.join(argv)}") from error
    if check and done.returncode != 0:
        words = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise LabError(f"exit code {done.returncode} from {' '.join(argv)}: {words}")
    return done


def wait_until(
    condition: Callable[[], bool], *, what: str, timeout_seconds: float, interval_seconds: float = 0.01
) -> None:
    """Look again and again until `condition` holds.

    Raises LabError naming `what` after the timeout, which is meant for an idle machine and longer on a busy one.
    """
    started = time.monotonic()
    while not condition():
        waited = time.monotonic() - started
        if waited > timeout_seconds and waited > timeout_seconds * slowness():
            raise LabError(f"waited {waited:.3g} s in vain: {what}")
        time.sleep(interval_seconds)


def require_root_and_programs(*, search_path: str = SEARCH_PATH) -> None:
    """Say at once, and in full, what is missing on this machine. Raises LabError."""
    if os.geteuid() != 0:
        raise LabError("the lab makes namespaces, mounts and bridges: run it as root (sudo)")
    missing = [program for program in PROGRAMS if shutil.which(program, path=search_path) is None]
    if missing:
        packages = " ".join(sorted({PROGRAMS[program] for program in missing}))
        raise LabError(
            f"programs are missing: {', '.join(missing)}; do: apt-get install --no-install-recommends {packages}"
        )


def namespace_id(pid: int | str, kind: str) -> str | None:
    """Identity of a process' namespace, like `net:[4026532281]`; None if the process is gone or mightier than we are.

    The latter is a first process with capabilities that this root lacks; the lab's own are never that.
    """
    try:
        return str(Path(f"/proc/{pid}/ns/{kind}").readlink())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def processes_in(kind: str, identity: str) -> list[Process]:
    """All live processes in the namespace `identity` of this `kind` ("net", "pid" ...)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        if namespace_id(entry.name, kind) == identity:
            process = read_process(int(entry.name))
            if process is not None:
                found.append(process)
    return found


def kill_all(processes: Iterable[Process], *, timeout_seconds: float = 10) -> None:
    """SIGKILL, and wait until they are gone."""
    doomed = list(processes)
    for process in doomed:
        process.send(signal.SIGKILL)
    wait_until(
        lambda: not any(process.is_alive for process in doomed),
        what=f"killed processes are still there: {[process.command for process in doomed if process.is_alive]}",
        timeout_seconds=timeout_seconds,
    )


def start_detached(argv: Sequence[str], *, log: Path) -> None:
    """Start a process that outlives this one; its output goes to `log`.

    It is not our child (setsid --fork), so nothing has to be reaped; find it again with `processes_in`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        subprocess.run(
            ["setsid", "--fork", *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=True,
            env={"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"},
            cwd="/",
        )


def _read_start(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat[stat.rindex(")") + 2 :].split()[19])


def read_process(pid: int) -> Process | None:
    """The process, or None if it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command in parentheses may itself hold blanks and parentheses: split after the last one.
    command = stat[stat.index("(") + 1 : stat.rindex(")")]
    fields = stat[stat.rindex(")") + 2 :].split()
    if fields[0] in "ZX":
        return None
    numbers = next((line.split()[2:] for line in status.splitlines() if line.startswith("NSpid:")), [])
    return Process(pid, int(fields[19]), tuple(int(number) for number in numbers), command)
