"""One command at a time for each probe of a container: what hangs is neither joined by another one nor left to itself.

Docker ends no command that it was asked to run, however long that takes (a kubelet's runtime kills it at the probe's
timeout). So a probe remembers the command that it began last until the engine was seen to say that it has ended; as
long as it runs, the probe fails and begins no other one. It is killed by the host's root, with what it started; where
we may not be root, it is waited for.
"""

from __future__ import annotations

import logging
import shlex
import threading
from collections.abc import Callable, Iterable
from functools import partial

from hosts.docker.engine import Engine
from hosts.streams.short_threads import ShortThreads
from objects.errors import EngineError, HostError, Needs

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""(container id, kind of probe)"""

END_SECONDS = 10.0
"""For the command that kills."""

AGAIN_SECONDS = 60.0
"""Between two attempts to kill the same command: one that sleeps in the kernel dies when it wakes up."""

REFUSED_SECONDS = 600.0
"""Between two attempts on a host where we may not be root."""

NOT_FOUND = 404


class LastExec:
    """The command that a probe began last, as long as nobody saw its end. exec_id: '' when there is none."""

    def __init__(self, container_id: str) -> None:
        self.container_id = container_id
        self.exec_id = ""
        self.tried: tuple[str, float] = ("", 0.0)
        """Which one it was last tried to kill, and when."""


class ExecGuard:
    """Of one host. Thread-safe. clock: monotonic, in seconds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._clock: Callable[[], float] = engine.link.clock
        self._lock = threading.Lock()
        self._last: dict[Key, LastExec] = {}
        self._ender = ShortThreads(1, f"exec-end-{engine.host}")
        self._is_closed = False
        self._not_before = float("-inf")

    def last(self, key: Key) -> LastExec:
        """What the probe began last."""
        with self._lock:
            return self._last.setdefault(key, LastExec(key[0]))

    def retain(self, keys: Iterable[Key]) -> None:
        """Forget other probes: their containers have ended, and all that ran in them."""
        with self._lock:
            self._last = {key: last for key in keys if (last := self._last.get(key)) is not None}

    def end(self, last: LastExec) -> None:
        """Kill a command whose time is over. Returns at once."""
        now = self._clock()
        with self._lock:
            tried, tried_at = last.tried
            is_tried = tried == last.exec_id and now < tried_at + AGAIN_SECONDS
            if self._is_closed or not last.exec_id or is_tried or now < self._not_before:
                return
            last.tried = last.exec_id, now
            self._ender.submit(partial(self._end, last.container_id, last.exec_id))

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._ender.close()

    def _end(self, container_id: str, exec_id: str) -> None:
        """In a thread of its own."""
        try:
            with self._engine.deadline(END_SECONDS):
                state = self._engine.api.exec_inspect(exec_id)
            if state.get("Running") and (pid := int(state.get("Pid") or 0)) > 1:
                script = kill_script(pid, container_id)
                self._engine.link.run(script, timeout_seconds=END_SECONDS, root=True, check=True)
        except HostError as error:
            if isinstance(error, EngineError) and error.status == NOT_FOUND:
                return  # gone with its container
            if error.needs is Needs.NEEDS_OPERATOR:
                self._not_before = self._clock() + REFUSED_SECONDS
            log.warning("host %s: a probe's command that hangs cannot be ended: %s", self._engine.host, error)
        except Exception:
            log.exception("host %s: a probe's command that hangs cannot be ended", self._engine.host)


def kill_script(pid: int, container_id: str) -> str:
    """Shell script for root: kill a process of the host and all of its session, as far as they belong to a container.

    Docker makes each command the leader of a session. A number may be another process' by now: its control group says
    whose it is.
    """
    return f"""
of_container() {{ grep -qF {shlex.quote(container_id)} "/proc/$1/cgroup" 2>/dev/null; }}
of_container {pid} || exit 0
cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's/^\\([0-9]*\\) (.*) /\\1 /p' | while read -r pid _ _ _ session _; do
    [ "$session" = {pid} ] && of_container "$pid" && kill -9 "$pid" 2>/dev/null
done
of_container {pid} && kill -9 {pid} 2>/dev/null
exit 0
"""
