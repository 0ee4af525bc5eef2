"""`berth` as a process of its own, to be watched, ended and killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.errors import LabError
from tests.lab.processes import slowness, wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
# Not the script in bin/: this works from a checkout that is not installed, and with the interpreter of the tests.
_BERTH = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[0] = 'berth'; from reconciler.cli import main; main()"
)


def berth_argv(*arguments: str) -> list[str]:
    """The command line that runs this checkout's `berth`."""
    return [sys.executable, "-c", _BERTH, str(REPOSITORY), *arguments]


@dataclass(frozen=True)
class BerthProcess:
    """A running `berth`. Standard output and error both go to `log`."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """kill -9, and reap."""
        self.process.kill()
        self.process.wait(timeout=10 * slowness())

    def stop(self, *, timeout_seconds: float = 20) -> int:
        """SIGTERM; returns the exit code. Raises LabError if it does not end in time."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout_seconds=timeout_seconds)

    def wait(self, *, timeout_seconds: float) -> int:
        """The exit code, once it ends by itself."""
        try:
            return self.process.wait(timeout=timeout_seconds * slowness())
        except subprocess.TimeoutExpired as error:
            raise LabError(f"berth still runs after {timeout_seconds:g} s; its last words: {self._tail()}") from error

    def wait_for(self, text: str, *, timeout_seconds: float = 30) -> None:
        """Wait until the output holds `text`. Raises LabError with the last lines if it ends or takes too long."""
        try:
            wait_until(
                lambda: text in self.output or not self.is_running,
                what=f"berth does not say {text!r}",
                timeout_seconds=timeout_seconds,
            )
        except LabError as error:
            raise LabError(f"{error}; its last words: {self._tail()}") from error
        if text not in self.output:
            raise LabError(f"berth ended with {self.process.returncode} without saying {text!r}: {self._tail()}")

    def _tail(self) -> str:
        return " / ".join(self.output.strip().splitlines()[-5:])


@contextmanager
def running_berth(
    *arguments: str, log: Path, directory: Path, environment: Mapping[str, str] | None = None
) -> Iterator[BerthProcess]:
    """Run `berth <arguments>` in `directory` while the block lasts; what still runs at its end is killed.

    environment: the whole environment of the process, or None for the caller's.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            berth_argv(*arguments),
            cwd=directory,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    running = BerthProcess(process, log)
    try:
        yield running
    finally:
        running.kill()
