"""Automatic rollback: a Deployment that asks for it and whose rollout is stuck goes back by a commit of ours.

`berth.dev/rollback-on-failure: "true"` asks. When the progress deadline passes, or a check ends a canary, the pod
template of the newest revision whose pods were ready once is put back into the manifest, with the reason as the
message: a commit that a person could have made by hand, so that Git goes on saying what runs. Never twice in a row:
when what we went back to fails as well, a person has to look. A newer commit is never touched: it is the better answer.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial

import msgspec

from objects.api.apps import Deployment, ReplicaSet
from objects.api.meta import ObjectKey
from objects.conditions import find_condition
from objects.errors import BerthError, Needs
from objects.names import ANNOTATION_TEMPLATE_HASH, POD_TEMPLATE_HASH
from reconciler.controllers.rollout.checks import CANARY_FAILED_MARK
from reconciler.controllers.rollout.progress import CANARY_FAILED, DEADLINE_EXCEEDED, PROGRESSING
from reconciler.controllers.rollout.revisions import NEVER_READY
from reconciler.core.engine import Engine
from reconciler.core.health import health_of
from reconciler.editing.draft import Draft
from reconciler.editing.history import Revision, read_revisions
from reconciler.editing.writing import CommitWriter
from reconciler.state.store import Changed, Reader
from sources.git.branch_writer import Identity
from sources.git.repository import Repository
from sources.reading.desired import DesiredReader

log = logging.getLogger(__name__)

ROLLBACK_ON_FAILURE = "berth.dev/rollback-on-failure"
TRAILER = "Berth-Rolled-Back"
"""In the commit: the object and the template hash that failed."""
RETRY_SECONDS = (2.0, 10.0, 30.0)
"""Pauses while the remote does not answer; the last one repeats until the rollout is another one."""


class FailedRollout(msgspec.Struct, frozen=True):
    """template_hash: of the revision that does not come up. good: hashes of revisions whose pods were ready once."""

    key: ObjectKey
    template_hash: str
    good: tuple[str, ...]
    reason: str


def failed_rollout(view: Reader, deployment: Deployment) -> FailedRollout | None:
    """What is to be rolled back; None for a Deployment that does not ask for it, is paused, or is not stuck. Pure."""
    template_hash = deployment.annotations.get(ANNOTATION_TEMPLATE_HASH, "")
    if deployment.annotations.get(ROLLBACK_ON_FAILURE) != "true" or deployment.spec.paused or not template_hash:
        return None
    progressing = find_condition(deployment.status.conditions, PROGRESSING)
    is_current = deployment.status.observed_generation >= deployment.metadata.generation
    if not is_current or progressing is None or progressing.reason not in (DEADLINE_EXCEEDED, CANARY_FAILED):
        return None
    good = tuple(
        found
        for replica_set in view.owned(ReplicaSet, deployment.uid)
        # Pods of a canary were ready, and were no good.
        if not {NEVER_READY, CANARY_FAILED_MARK} & replica_set.annotations.keys()
        and (found := replica_set.labels.get(POD_TEMPLATE_HASH, "")) != template_hash
    )
    return FailedRollout(deployment.key, template_hash, good, health_of(view, deployment).message)


def choose_revision(failed: FailedRollout, revisions: tuple[Revision, ...]) -> Revision | None:
    """The revision to go back to; None when there is none, or when the failed one is a rollback itself. Pure.

    revisions: oldest first, the one in force last.
    """
    newest = revisions[-1]
    if newest.template_hash != failed.template_hash or newest.version.commit.trailer(TRAILER):
        return None
    earlier = (one for one in reversed(revisions[:-1]) if one.template_hash in failed.good)
    return next(earlier, None)


class RollbackWriter:
    """Makes the commits. Talks to the remote: not for the engine's thread."""

    def __init__(self, repository: Repository, branch: str) -> None:
        self._repository = repository
        self._reader = DesiredReader(repository)
        self._commits = CommitWriter(repository, branch)

    def roll_back(self, failed: FailedRollout) -> str:
        """The commit; '' when there is nothing to be done, which is said. Raises SourceError, CommitRefused."""
        kind, name = failed.key.kind.lower(), failed.key.name

        def edit(draft: Draft) -> list[str]:
            present = draft.state.objects.get(failed.key)
            if present is None or present.annotations.get(ANNOTATION_TEMPLATE_HASH) != failed.template_hash:
                return [f"{failed.key}: a newer commit is there already"]
            revision = choose_revision(failed, read_revisions(self._repository, self._reader, draft.sha, failed.key))
            if revision is None:
                return [
                    f"{failed.key}: no earlier revision that worked, or this is a rollback itself: a person must look"
                ]
            manifest = draft.manifest(failed.key)
            template = revision.version.manifest["spec"]["template"]
            draft.replace(failed.key, {**manifest, "spec": {**manifest["spec"], "template": template}})
            return [f"{failed.key}: rolled back to revision {revision.number} ({revision.version.commit.short_sha})"]

        message = (
            f"Roll back {kind}/{name}\n\n{failed.reason}\n\n"
            f"{TRAILER}: {failed.key.namespace}/{kind}/{name} {failed.template_hash}\n"
        )
        written = self._commits.commit(edit, author=Identity(), message=message)
        for line in written.lines:
            log.warning("%s", line)
        return written.commit


class RollbackLoop:
    """Listener of the reconciler; commits in a thread of its own, each failure of a rollout once."""

    def __init__(
        self,
        roll_back: Callable[[FailedRollout], str],
        *,
        on_commit: Callable[[], None],
        retry_seconds: Sequence[float] = RETRY_SECONDS,
    ) -> None:
        """on_commit: called when there is a new commit to be read."""
        self._retry_seconds = retry_seconds
        self._roll_back = roll_back
        self._on_commit = on_commit
        self._seen: dict[ObjectKey, str] = {}
        self._failed: queue.SimpleQueue[FailedRollout | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rollback", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, timeout_seconds: float = 5) -> None:
        """What is not committed yet is found again by the next process: the Deployment still says that it is stuck."""
        self._stopping.set()
        self._failed.put(None)
        self._thread.join(timeout_seconds)

    def note(self, engine: Engine, changed: Iterable[Changed]) -> None:
        """Take in what changed. In the engine's thread: reads the snapshot, waits for nobody.

        A Deployment that cannot be judged is held, and tried again; the others are judged.
        """
        for key in sorted({change.key for change in changed if change.key.kind == Deployment.KIND}):
            engine.isolation.run("rollback", key, partial(self._judge, engine, key), engine.now)

    def _judge(self, engine: Engine, key: ObjectKey, _: datetime) -> None:
        view = engine.published.snapshot
        live = view.find(key)
        failed = failed_rollout(view, live) if isinstance(live, Deployment) else None
        if failed is None:
            # What works again, or is another revision, may fail anew.
            self._seen.pop(key, None)
        elif self._seen.get(key) != failed.template_hash:
            self._seen[key] = failed.template_hash
            self._failed.put(failed)

    def _run(self) -> None:
        while (failed := self._failed.get()) is not None:
            self._carry_out(failed)

    def _carry_out(self, failed: FailedRollout) -> None:
        attempt = 0
        while not self._stopping.is_set():
            try:
                if self._roll_back(failed):
                    self._on_commit()
                return
            except BerthError as error:
                log.warning("%s cannot be rolled back: %s", failed.key, error)
                if error.needs is not Needs.RETRY:
                    return
            except Exception:
                # A bug met by one object must not end the rollbacks of others.
                log.exception("rolling back %s", failed.key)
                return
            self._stopping.wait(self._retry_seconds[min(attempt, len(self._retry_seconds) - 1)])
            attempt += 1
