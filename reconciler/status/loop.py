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
from typing import Any, Protocol

import msgspec

from objects.api.meta import ObjectKey
from objects.api.pods import Pod
from objects.errors import SourceError, Superseded
from objects.own.config import Application
from reconciler.charge.holding import InCharge, ReadFile
from reconciler.core.engine import Engine
from reconciler.core.health import HealthStatus, application_health, worst
from reconciler.state.copies import FOLDER as COPIES
from reconciler.state.copies import copy_document, copy_path, unread_objects
from reconciler.state.messages import Recorded
from reconciler.state.store import Changed
from reconciler.status import content as status
from reconciler.status.event_file import EVENTS_PATH, events_document
from reconciler.status.pod_files import Group, PodFiles, group_of, is_pod_path, pods_document

log = logging.getLogger(__name__)

SETTLE_SECONDS = 1.0
"""Without a change, before a commit: what follows from one push becomes one commit, not one per step of it."""
BURST_SECONDS = 5.0
"""At most so long after the first change. A commit takes 0.3 s of CPU here and as much where Git is: while pods start,
theirs."""
PAUSE_SECONDS = 5.0
"""At least so long between two commits."""
RETRY_SECONDS = 15.0
_FILE = "status file"
_POD_FILE = "status file of pods"


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


class _Batch(msgspec.Struct, frozen=True):
    """One commit to be. documents: path → mapping to be written as YAML, None when its object is gone; keys: theirs.

    places: of these objects, what the branch will say that must be recorded (`reconciler.core.write_ahead`). verdicts:
    desired commit → what is to be said of it in a Git note. pod_paths: of a process's first batch, all files that tell
    of pods from now on: others are of earlier processes, or in the form of an earlier version.
    """

    documents: dict[str, dict[str, Any] | None]
    places: dict[ObjectKey, str]
    keys: frozenset[ObjectKey]
    readme: bytes
    commit: str
    health: str
    verdicts: dict[str, str]
    pod_paths: frozenset[str] | None


class Refusal(msgspec.Struct, frozen=True):
    """Why the newest commit is not in force. commit: its id, '' when the remote could not even be asked."""

    commit: str
    text: str


class StatusLoop:
    """Listener of the reconciler.

    Two threads meet here. The engine's thread (`note`, `refuse`, `flush`) remembers what changed and, when asked, turns
    it into plain mappings, which needs the live store but little time. The writing thread makes YAML and pushes.
    """

    def __init__(
        self,
        writer: StatusWriter,
        *,
        wake_engine: Callable[[], None],
        in_charge: InCharge,
        on_recorded: Callable[[Recorded], None] = lambda _: None,
        is_reluctant: bool = False,
        last_commit: str = "",
    ) -> None:
        """last_commit: the commit that the branch says is in force, as long as this process has none.

        on_recorded: told what the branch has by now, for pods whose hosts wait for it; they make a commit at once.
        is_reluctant: only for these anything is written.
        """
        self._on_recorded = on_recorded
        self._is_reluctant = is_reluctant
        self._asked_for: frozenset[ObjectKey] = frozenset()
        self._hurry = threading.Event()
        self._in_charge = in_charge
        self._writer = writer
        self._wake_engine = wake_engine
        self._changed: dict[str, ObjectKey] = {}
        self._unrendered: dict[str, ObjectKey] = {}
        self._pods = PodFiles()
        self._has_told_all = False
        self._failed_groups: set[Group] = set()
        self._copied: dict[str, ObjectKey] = {}
        self._refusal: Refusal | None = None
        self._last_commit = last_commit
        self._noted: dict[str, str] = {}
        self._has_news = threading.Event()
        self._news: tuple[float, float] | None = None
        """When the first and the last change came that no batch holds; our clock."""
        self._is_asked = threading.Event()
        self._stopping = threading.Event()
        self._handed_over: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        # Of the writing thread: what no push has brought to the branch yet.
        self._unpushed: dict[str, bytes] = {}
        self._unpushed_gone: set[str] = set()
        self._unrecorded: dict[ObjectKey, str] = {}
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> None:
        self._thread.start()

    # --- engine's thread -----------------------------------------------------------------------------------------

    def note(self, engine: Engine, changed: Iterable[Changed]) -> None:
        """Remember what changed; hand over a batch when the writing thread has asked for one."""
        changed = tuple(changed)
        keys = [one.key for one in changed]
        commit = engine.desired.commit if engine.desired else self._last_commit
        files = {path: one.key for one in changed if (path := _own_path(one)) is not None}
        files |= {
            path: key
            for path, key in self._unrendered.items()
            if not engine.isolation.is_waiting(_FILE, key, engine.now)
        }
        self._changed |= files
        has_pods = self._pods.note(changed) or any(
            not engine.isolation.is_waiting(_POD_FILE, _key_of(group), engine.now) for group in self._failed_groups
        )
        self._copied |= {path: key for key in keys if (path := copy_path(key)) is not None}
        withheld = frozenset(engine.withheld)
        if withheld - self._asked_for:
            self._hurry.set()
        is_news = not self._is_reluctant and (files or has_pods or commit != self._last_commit)
        if engine.is_started and (is_news or self._hurry.is_set()):
            self._last_commit = commit
            self._tell_news()
        if self._is_asked.is_set():
            batch = self._batch(engine)
            # Only now: when making the batch raises, the writing thread still waits for one.
            self._is_asked.clear()
            self._handed_over.put(batch)

    def _render(self, engine: Engine, path: str, key: ObjectKey, documents: dict[str, dict[str, Any] | None]) -> None:
        """One object's file; when it cannot be made the others are written, and it is tried again with back-off."""
        obj = engine.store.find(key)
        try:
            if obj is None or (group_of(obj) is not None and not path.startswith(COPIES)):
                documents[path] = None
            elif path.startswith(COPIES):
                documents[path] = copy_document(obj)
            else:
                documents[path] = status.object_document(engine.store, obj, engine.inventory)
        except Exception as error:  # noqa: BLE001 - see above
            self._unrendered[path] = key
            engine.isolation.fail(_FILE, key, error, None, engine.now)
        else:
            self._unrendered.pop(path, None)
            engine.isolation.forget(_FILE, key)

    def _render_pods(self, engine: Engine, documents: dict[str, dict[str, Any] | None]) -> list[ObjectKey]:
        """The files about pods of controllers, as `_render` makes others. Returns the pods of which they tell."""
        told: list[ObjectKey] = []
        failed: set[Group] = set()
        for file in self._pods.outdated():
            key = _key_of(file.group)
            if file.group in self._failed_groups and engine.isolation.is_waiting(_POD_FILE, key, engine.now):
                failed.add(file.group)
                continue
            try:
                documents[file.path] = pods_document(engine.store, file.inside) if file.inside else None
            except Exception as error:  # noqa: BLE001 - see `_render`
                failed.add(file.group)
                engine.isolation.fail(_POD_FILE, key, error, None, engine.now)
            else:
                told += (*file.inside, *file.touched)
        for group in self._failed_groups - failed:
            engine.isolation.forget(_POD_FILE, _key_of(group))
        self._failed_groups = failed
        return told

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
        self._stopping.set()
        self._hurry.set()
        if self._thread.is_alive() and not self._is_reluctant:
            try:
                self._handed_over.put(self._batch(engine))
            except Exception:
                # The next process makes the status anew; this one has to end.
                log.exception("last status commit")
        self._handed_over.put(None)
        self._has_news.set()
        self._thread.join(0 if self._in_charge.is_over else timeout_seconds)

    def _batch(self, engine: Engine) -> _Batch:
        """What there is to write. What changed counts as handed over only when nothing has raised."""
        store = engine.store
        documents: dict[str, dict[str, Any] | None] = {}
        places: dict[ObjectKey, str] = {}
        written: list[ObjectKey] = []
        if engine.is_started:
            # Before the start the store is incomplete: only the overview (a refused commit) may be written.
            engine.summarise_applications()
            for application in store.all_of(Application):
                self._changed[str(status.status_path(application.key))] = application.key
            for path, key in self._changed.items():
                self._render(engine, path, key, documents)
            written = [key for path, key in self._changed.items() if path in documents]
            if not self._has_told_all:
                self._pods.note(Changed(pod.key, None, pod) for pod in store.all_of(Pod))
            written += self._render_pods(engine, documents)
            places = engine.will_record(written)
            for path, key in self._copied.items():
                if key in engine.inventory or store.find(key) is None:
                    self._render(engine, path, key, documents)
            documents[status.INVENTORY_PATH] = status.inventory_document(
                store,
                engine.inventory,
                engine.deployed.protected,
                engine.deployed.kept,
                engine.deployed.alone,
                is_ahead=engine.is_ahead,
            )
            if any(True for _ in engine.events):
                # Not after a restart without a change: the events of the earlier process stay, and no commit is made.
                documents[EVENTS_PATH] = events_document(engine.events)
        commit = engine.desired.commit if engine.desired else self._last_commit
        healths = application_health(store, engine.inventory)
        refused = self._refusal.text if self._refusal else ""
        by = self._in_charge.charge.name
        readme = status.render_readme(
            store,
            engine.inventory,
            commit=commit,
            by=by,
            refused=refused,
            held=engine.deployed.held,
            named=engine.deployed.named,
            unread=unread_objects(store, engine.inventory),
        )
        total = worst(healths.values()).status
        verdicts = {self._refusal.commit: f"Refused\n\n{refused}"} if self._refusal and self._refusal.commit else {}
        if engine.is_started and total is not HealthStatus.PROGRESSING:
            verdicts[commit] = status.render_verdict(healths)
        pod_paths = None
        if engine.is_started:
            if not self._has_told_all and not self._failed_groups:
                pod_paths = frozenset(
                    {path for path in documents if is_pod_path(path) and documents[path] is not None}
                    | {str(status.status_path(pod.key)) for pod in store.all_of(Pod) if group_of(pod) is None}
                )
            self._has_told_all = True
            self._changed, self._copied = {}, {}
            self._pods.settle(self._failed_groups)
            self._asked_for = frozenset(engine.withheld)
            if not self._stopping.is_set():
                self._hurry.clear()
        return _Batch(documents, places, frozenset(written), readme, commit, str(total), verdicts, pod_paths)

    # --- writing thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            if not self._stopping.is_set():
                # After `flush` there is nothing to wait for: the last batch and the end lie in the queue.
                self._has_news.wait()
            self._settle()
            self._has_news.clear()
            self._news = None
            batch = self._next_batch()
            if batch is None:
                return
            if self._push(batch):
                self._hurry.wait(PAUSE_SECONDS)
            elif self._in_charge.is_over:
                return
            else:
                self._has_news.set()
                self._stopping.wait(RETRY_SECONDS)

    def _push(self, batch: _Batch) -> bool:
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
        self._on_recorded(Recorded(places))
        return True

    def _settle(self) -> None:
        while not self._stopping.is_set() and (news := self._news) is not None:
            left = settling_seconds(*news, now=time.monotonic())
            if left <= 0:
                return
            if self._hurry.wait(left):
                return

    def _next_batch(self) -> _Batch | None:
        if not self._stopping.is_set():
            self._is_asked.set()
            self._wake_engine()
        return self._handed_over.get()

    def _write(self, files: Mapping[str, bytes], gone: set[str], batch: _Batch) -> bool:
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


def _own_path(changed: Changed) -> str | None:
    """The file that is about this object alone, or was until it changed."""
    is_alone = any(obj is not None and group_of(obj) is None for obj in (changed.old, changed.new))
    return status.status_path(changed.key) if is_alone else None


def _key_of(group: Group) -> ObjectKey:
    """The controller whose pods they are."""
    return ObjectKey(group.kind, group.namespace, group.name)


def settling_seconds(first: float, last: float, *, now: float) -> float:
    """How long the changes since `first` are still waited for before they become a commit. Pure.

    first, last: when the first and the newest of them came, by any one clock in seconds. 0: they are to be written.

    first  last   now ->  seconds
        0     0     0         1.0  a single change
        0   0.6   1.0         0.6  the last was 0.4 s ago
        0   4.9   5.0           0  a burst without an end
    """
    return max(0.0, min(last + SETTLE_SECONDS, first + BURST_SECONDS) - now)
