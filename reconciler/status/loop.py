"""Writes status commits: batches what changed in meaning, one commit at a time, never in the engine's way.

The engine's thread only notes which objects changed; this thread renders and pushes them. A push that fails is tried
again with everything noted since; nothing is lost but time, since the next process can rebuild it all from hosts.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from objects.api.meta import ObjectKey
from objects.errors import SourceError, Superseded
from reconciler.charge.holding import InCharge, ReadFile
from reconciler.core.engine import Engine
from reconciler.core.isolation import Task
from reconciler.publishing.publication import NOTHING
from reconciler.state.messages import Recorded, Recording
from reconciler.state.store import Changed
from reconciler.status import content as status
from reconciler.status.batch import Batch, BatchMaker, Refusal
from reconciler.status.pod_files import is_pod_path

log = logging.getLogger(__name__)

SETTLE_SECONDS = 1.0
"""Without a change, before a commit: what follows from one push becomes one commit, not one per step of it."""
BURST_SECONDS = 5.0
"""At most so long after the first change. A commit takes 0.3 s of CPU here and as much where Git is: while pods start,
theirs."""
PAUSE_SECONDS = 5.0
"""At least so long between two commits."""
RETRY_SECONDS = 15.0
_MAKING = "status"
"""Under which it is held that no commit could be made at all."""


class StatusWriter(Protocol):
    """The status branch, as `sources` writes it. Returns the commit, or None when nothing differed."""

    def seal(self, document: dict[str, Any], dump: Callable[[dict[str, Any]], bytes]) -> bytes: ...

    def known_paths(self) -> Collection[str]: ...

    def write(
        self,
        files: Mapping[str, bytes],
        deletions: frozenset[str],
        *,
        message: str,
        trailers: Mapping[str, str],
        guard: Callable[[ReadFile], None],
    ) -> str | None: ...

    def note(self, commit: str, text: str) -> None: ...


class StatusLoop:
    """Listener of the reconciler.

    Two threads meet here, and neither waits for the other. The engine's thread (`note`, `refuse`, `flush`) leaves the
    newest publication; the writing thread takes it when its time has come, makes files of what changed and pushes them.
    """

    def __init__(
        self,
        writer: StatusWriter,
        *,
        wake_engine: Callable[[], None],
        in_charge: InCharge,
        tell: Callable[[Recording | Recorded], None] | None = None,
        is_reluctant: bool = False,
        last_commit: str = "",
    ) -> None:
        """last_commit: the commit that the branch says is in force, as long as this process has none.

        tell: the engine, what the branch is about to say and what it has by then, for pods whose hosts wait for that;
        they make a commit at once. None: nobody waits. is_reluctant: only for these anything is written.
        """
        self._tell = tell
        self._is_reluctant = is_reluctant
        self._hurry = threading.Event()
        self._in_charge = in_charge
        self._writer = writer
        self._wake_engine = wake_engine
        self._last_commit = last_commit
        self._has_news = threading.Event()
        self._news: tuple[float, float] | None = None
        """When the first and the last change came that no batch holds; our clock."""
        self._stopping = threading.Event()
        self._for_engine: queue.SimpleQueue[Callable[[Engine], None]] = queue.SimpleQueue()
        """What failed or does not any more: the engine keeps the book of that."""
        # What both threads touch, under this lock, which nobody holds for long.
        self._published = threading.Condition()
        self._newest = NOTHING
        self._gone: dict[ObjectKey, Changed] | None = {}
        """What went before the first batch: the branch may tell of it, and no snapshot does. None after that."""
        self._refusal: Refusal | None = None
        self._asked_for: frozenset[ObjectKey] = frozenset()
        self._failing: frozenset[Task] = frozenset()
        self._waiting: frozenset[Task] = frozenset()
        # Of the writing thread: what no push has brought to the branch yet.
        self._batches = BatchMaker()
        self._is_held = False
        self._noted: dict[str, str] = {}
        self._unpushed: dict[str, bytes] = {}
        self._unpushed_gone: set[str] = set()
        self._unrecorded: dict[ObjectKey, str] = {}
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> None:
        self._thread.start()

    # --- engine's thread -----------------------------------------------------------------------------------------

    def note(self, engine: Engine, changed: Iterable[Changed]) -> None:
        """There is a newer publication, in which this is what changed."""
        changed = tuple(changed)
        while not self._for_engine.empty():
            self._for_engine.get()(engine)
        publication, isolation = engine.published, engine.isolation
        waiting = frozenset(task for task in self._failing if isolation.is_waiting(*task, engine.now))
        commit = publication.commit or self._last_commit
        with self._published:
            self._newest, self._waiting = publication, waiting
            if self._gone is not None:
                self._gone.update((one.key, one) for one in changed if one.new is None)
            if publication.withheld - self._asked_for:
                self._hurry.set()
            self._published.notify_all()
        is_news = not self._is_reluctant and (
            any(status.status_path(one.key) is not None for one in changed)
            or self._failing - waiting
            or commit != self._last_commit
        )
        if publication.is_started and (is_news or self._hurry.is_set()):
            self._last_commit = commit
            self._tell_news()

    def refuse(self, refusal: Refusal | None) -> None:
        """The newest commit is not in force, or is again (None): goes into the overview and a note."""
        if refusal != self._refusal:
            self._refusal = refusal
            self._tell_news()

    def _tell_news(self) -> None:
        now = time.monotonic()
        first, _ = self._news or (now, now)
        self._news = first, now
        self._has_news.set()

    def flush(self, engine: Engine, *, timeout_seconds: float) -> None:
        """Write what is known now, and that nobody is in charge any more, and end, waiting at most so long.

        When somebody else is in charge, nothing is written.
        """
        self._in_charge.release()
        with self._published:
            self._newest = engine.published
            self._stopping.set()
            self._hurry.set()
            self._published.notify_all()
        self._has_news.set()
        self._thread.join(0 if self._in_charge.is_over else timeout_seconds)

    # --- writing thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._has_news.wait()
            self._settle()
            self._has_news.clear()
            self._news = None
            is_last = self._stopping.is_set()
            if is_last and self._is_reluctant:
                return
            is_written = self._write_newest()
            if is_last or self._in_charge.is_over:
                return
            if is_written:
                self._hurry.wait(PAUSE_SECONDS)
            else:
                self._has_news.set()
                self._stopping.wait(RETRY_SECONDS)

    def _write_newest(self) -> bool:
        """Whether the branch has now what was published last."""
        with self._published:
            publication, waiting, refusal = self._newest, self._waiting, self._refusal
            self._asked_for = publication.withheld
            gone = tuple((self._gone or {}).values())
            if not self._stopping.is_set():
                self._hurry.clear()
        try:
            batch = self._batches.make(
                publication,
                commit=publication.commit or self._last_commit,
                by=self._in_charge.charge.name,
                refusal=refusal,
                waiting=waiting,
                gone=gone,
            )
        except Exception as error:
            if self._stopping.is_set():
                # The next process makes the status anew; this one has to end.
                log.error("last status commit", exc_info=error)
            self._is_held = True
            self._say(partial(_hold, _MAKING, None, error))
            return False
        if publication.is_started:
            self._gone = None
        self._say_what_failed(batch)
        self._announce(batch)
        return self._push(batch)

    def _say(self, what: Callable[[Engine], None]) -> None:
        self._for_engine.put(what)
        self._wake_engine()

    def _say_what_failed(self, batch: Batch) -> None:
        for task, error in batch.failed.items():
            self._say(partial(_hold, *task, error))
        for task in batch.mended:
            self._say(partial(_forget, *task))
        if self._is_held:
            self._say(partial(_forget, _MAKING, None))
        self._is_held = False
        self._failing = self._batches.failing

    def _announce(self, batch: Batch) -> None:
        """Before the branch says another place than it did, the engine knows that: see `Recording`.

        At the end of the process nothing begins any more, and nobody would answer.
        """
        if self._tell is None or batch.replaced == frozenset():
            return
        with self._published:
            taken = self._newest.recordings
            self._tell(Recording(batch.replaced, batch.places))
            self._published.wait_for(lambda: self._newest.recordings > taken or self._stopping.is_set())

    def _push(self, batch: Batch) -> bool:
        """Whether the branch has it now; if not it goes with the next batch."""
        files, gone = self._unpushed, self._unpushed_gone
        if batch.pod_paths is not None:
            gone |= {path for path in self._writer.known_paths() if is_pod_path(path)} - batch.pod_paths
        for path, document in batch.documents.items():
            if document is None:
                files.pop(path, None)
            else:
                files[path] = self._writer.seal(document, status.dump)
            gone.add(path) if document is None else gone.discard(path)
        self._unrecorded = {key: host for key, host in self._unrecorded.items() if key not in batch.keys} | batch.places
        files[status.README_PATH] = batch.readme
        files.update(self._in_charge.files)
        if not self._write(files, gone, batch):
            return False
        places, self._unrecorded = self._unrecorded, {}
        files.clear()
        gone.clear()
        if self._tell is not None:
            self._tell(Recorded(places))
        return True

    def _settle(self) -> None:
        while not self._stopping.is_set() and (news := self._news) is not None:
            left = settling_seconds(*news, now=time.monotonic())
            if left <= 0:
                return
            if self._hurry.wait(left):
                return

    def _write(self, files: Mapping[str, bytes], gone: set[str], batch: Batch) -> bool:
        message = f"Status of {batch.commit[:12]}: {batch.health}"
        trailers = {"Desired-Commit": batch.commit, "Health": batch.health}
        try:
            self._in_charge.require()
            guard = self._in_charge.guard
            self._writer.write(files, frozenset(gone), message=message, trailers=trailers, guard=guard)
            for commit, text in batch.verdicts.items():
                if self._noted.get(commit) != text:
                    self._writer.note(commit, text)
                    self._noted[commit] = text
            self._noted = {commit: text for commit, text in self._noted.items() if commit in batch.verdicts}
        except Superseded:
            return False
        except SourceError as error:
            log.warning("status commit: %s; tried again in %.0f s", error, RETRY_SECONDS)
            return False
        except Exception:
            # Status is worth trying again whatever went wrong: hosts are reconciled without it.
            log.exception("status commit; tried again in %.0f s", RETRY_SECONDS)
            return False
        return True


def _hold(part: str, key: ObjectKey | None, error: Exception, engine: Engine) -> None:
    """What failed is an event and a hold; the writing thread tries again. key: None for the cluster."""
    engine.isolation.fail(part, key or engine.cluster_key, error, None, engine.now)


def _forget(part: str, key: ObjectKey | None, engine: Engine) -> None:
    engine.isolation.forget(part, key or engine.cluster_key)


def settling_seconds(first: float, last: float, *, now: float) -> float:
    """How long the changes since `first` are still waited for before they become a commit. Pure.

    first, last: when the first and the newest of them came, by any one clock in seconds. 0: they are to be written.

    first  last   now ->  seconds
        0     0     0         1.0  a single change
        0   0.6   1.0         0.6  the last was 0.4 s ago
        0   4.9   5.0           0  a burst without an end
    """
    return max(0.0, min(last + SETTLE_SECONDS, first + BURST_SECONDS) - now)
