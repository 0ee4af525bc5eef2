"""What a worker says of its host: what is new, once, and nothing after it was stopped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from objects.errors import HostError
from reconciler.state.failures import FailureBook
from reconciler.state.messages import HostFailure, HostFailures, HostReport, HostSilent, Message

log = logging.getLogger(__name__)

Report = Callable[[Message], None]

MAX_TEXTS = 5
"""Of one silence, so that figures in errors of others make no commit each."""


class Reporter:
    """Owned by the worker's thread, apart from `stop`. relist: facts that alone have moved are told once in so long."""

    def __init__(self, host: str, *, report: Report, relist: timedelta) -> None:
        self._host = host
        self._report_to = report
        self._relist = relist
        self._speaking = threading.Lock()
        self._is_stopped = False
        self._last_report: HostReport | None = None
        self._last_report_at: datetime | None = None
        self._silent_for = ""
        # Texts of this silence: a host that is refused and not reached in turns is one state, and one commit.
        self._told: list[str] = []
        self._failures_told: tuple[HostFailure, ...] = ()

    def stop(self) -> None:
        """Nothing is said after this has returned: a successor speaks for the host by then."""
        with self._speaking:
            self._is_stopped = True

    def say(self, message: Message) -> None:
        with self._speaking:
            if not self._is_stopped:
                self._report_to(message)

    def tell(self, report: HostReport, now: datetime) -> None:
        """Report what is new; facts alone (free memory …) only once per re-list, or as they are measured."""
        last, at = self._last_report, self._last_report_at
        is_recent = at is not None and now - at < self._relist and not report.pod_events
        if last is not None and is_recent and _same_pods(last, report):
            return
        self._last_report, self._last_report_at = report, now
        self.say(report)

    def answers(self) -> None:
        """The host was seen."""
        if self._silent_for:
            self._silent_for = ""
            log.info("host %s: answers again", self._host)

    def fell_silent(self, error: HostError) -> None:
        """Say so once per kind of failure; the pods of the host are unknown now, not absent."""
        self._last_report = None
        if self._silent_for != error.reason:
            self._silent_for, self._told = error.reason, []
            log.warning("%s", error)
        self.say(HostSilent(host=self._host, reason=error.reason, message=self._lasting_text(error)))

    def tell_failures(self, book: FailureBook[str]) -> None:
        """What fails beside the looks, when that has changed."""
        found = tuple(
            HostFailure(str(part), one.reason, one.message, one.retry_at) for part, one in sorted(book.items())
        )
        if found != self._failures_told:
            self._failures_told = found
            self.say(HostFailures(host=self._host, failures=found))

    def _lasting_text(self, error: HostError) -> str:
        """Why the host is silent, in words that do not change while it is so: what was told once is not told again."""
        text = error.lasting or str(error)
        if text not in self._told and len(self._told) < MAX_TEXTS:
            self._told.append(text)
        return self._told[-1]


def _same_pods(before: HostReport, after: HostReport) -> bool:
    """Whether nothing is new but facts, and what happened."""
    return msgspec.structs.replace(before, facts=after.facts, pod_events=after.pod_events) == after
