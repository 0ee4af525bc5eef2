"""Tests on hosts with cgroup v2 alone, wherever this runs: `make lab-cgroup2`.

A machine whose control groups are of version 2 runs the tests itself. On any other they run in a virtual machine that
is an ordinary process (User-Mode Linux: no hardware, no privileges beyond the lab's): its kernel is Debian's package,
its files are this machine's, read-only, below a file system of its own. It has one CPU, which is slow, no `cpuset`,
and iptables of the old kind only.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.lab.cgroups import find_hierarchies
from tests.lab.engines import STORE
from tests.lab.errors import LabError

KERNEL = "linux.uml"
MODULES = Path("/usr/lib/uml/modules")
INIT = Path(__file__).with_name("pure_cgroup2_init.sh")
TESTS = (
    *("tests/lab/test_lab.py", "tests/lab/test_pods.py", "tests/lab/test_eviction.py"),
    *("tests/lab/test_measuring_lab.py", "tests/contract"),
)
"""What speaks of control groups: limits, usage, eviction, and the lab itself."""

DISK_BYTES = 24 << 30
"""Of a file with holes: only what is written takes room."""
MEMORY = "6G"
SLOWNESS = "6"
MINUTES = 60.0


def is_pure() -> bool:
    """Whether this machine has nothing but version 2."""
    found = find_hierarchies()
    return bool(found) and all(hierarchy.is_v2 for hierarchy in found)


def pytest_command(tests: Sequence[str], options: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", *options, *tests]


def run_in_machine(command: Sequence[str], *, directory: Path, minutes: float) -> int:
    """Run the command in a virtual machine, its output on ours. Returns its exit code.

    Raises LabError when the machine does not come up, or has not ended in time.
    """
    kernels = sorted(MODULES.iterdir()) if MODULES.is_dir() else []
    if not kernels:
        raise LabError(f"{MODULES} has no kernel modules: apt-get install user-mode-linux")
    with TemporaryDirectory(prefix="berth-cgroup2-", dir="/var/tmp") as folder:
        shared = Path(folder) / "shared"
        shared.mkdir()
        (shared / "command").write_text(_script(command, directory))
        disk = Path(folder) / "disk"
        with disk.open("wb") as file:
            file.truncate(DISK_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(disk)], check=True, timeout=120)
        words = {"MODULES": kernels[-1], "SHARED": shared, "ENGINES": STORE}
        argv = [
            *(KERNEL, f"mem={MEMORY}", f"ubd0={disk}", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"),
            *("con=null", "con0=null,fd:1", "quiet", f"umid=berth-cgroup2-{os.getpid()}", f"init={INIT}"),
            *(f"{name}={value}" for name, value in words.items()),
        ]
        _wait(subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True), minutes * 60)
        code = shared / "code"
        if not code.exists():
            raise LabError("the machine ended without an answer; what it said last is above")
        return int(code.read_text())


def _script(command: Sequence[str], directory: Path) -> str:
    settings = {"PYTHONDONTWRITEBYTECODE": "1", "BERTH_LAB": "cgroup2", "BERTH_LAB_SLOWNESS": SLOWNESS}
    lines = [f"export {name}={value}" for name, value in settings.items()]
    return "\n".join([*lines, f"cd {shlex.quote(str(directory))} || exit 1", shlex.join(command), ""])


def _wait(machine: subprocess.Popen[bytes], seconds: float) -> None:
    """Until it has ended. All its processes are of one session, which ends with it."""
    deadline = time.monotonic() + seconds
    try:
        while machine.poll() is None:
            if time.monotonic() > deadline:
                raise LabError(f"the machine has not ended after {seconds / 60:g} minutes")
            time.sleep(0.2)
    finally:
        if machine.poll() is None:
            os.killpg(machine.pid, signal.SIGKILL)
            machine.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.pure_cgroup2", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="after which it is ended (default %(default)g)")
    parser.add_argument("tests", nargs="*", help=f"modules and folders (default: {' '.join(TESTS)})")
    wanted, options = parser.parse_known_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the machine ends with us
    command = pytest_command(wanted.tests or TESTS, options)
    if is_pure():
        print("this machine has cgroup v2 alone: no other is needed", flush=True)
        return subprocess.run(command, check=False).returncode
    return run_in_machine(command, directory=Path.cwd(), minutes=wanted.minutes)


if __name__ == "__main__":
    sys.exit(main())
