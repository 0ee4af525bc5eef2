"""From a branch to messages: the newest commit as `Desired`, the status branch as `Restored`. An edge, no decisions.

A commit is read once; its verdict is kept, also when it is refused. A commit that changes nothing of what is desired
(docs, a status elsewhere) is not told: the desired revision is the content, not the commit.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import msgspec

from objects.errors import BerthError, InvalidInput, RevisionNotFound
from objects.meta import KubeObject, ObjectKey
from objects.pods import Pod
from policies.prune import CONFIRM_TRAILER, GIVE_UP_TRAILER, ORPHAN_TRAILER
from reconciler import status
from reconciler.charge import CHARGE_PATH
from reconciler.desired import suspended_applications
from reconciler.messages import Desired, Restored
from sources.desired import CommitRefused, DesiredReader, DesiredState
from sources.manifests import ManifestWarning
from sources.repository import Repository
from sources.status_branch import StatusBranch

log = logging.getLogger(__name__)


class CommitReader:
    """Reads one branch of one repository. Not thread-safe: owned by the source loop's thread."""

    def __init__(self, repository: Repository, branch: str) -> None:
        self._repository = repository
        self._branch = branch
        self._reader = DesiredReader(repository)
        self._last_sha = ""
        self._good_sha = ""
        self._desired: Desired | None = None
        self._refusal: BerthError | None = None
        self.state: DesiredState | None = None
        self.warnings: tuple[ManifestWarning, ...] = ()
        self.beside = ""
        """A branch that is fetched with ours each time."""

    def read(self) -> Desired | None:
        """The newest commit, None when nothing of it is new. Raises SourceError or CommitRefused."""
        # Not asked for its id first: a fetch that brings nothing costs hardly more, and a connection takes 0.3 s.
        sha = self._repository.fetch(self._branch, beside=self.beside).sha
        if sha != self._last_sha:
            return self._read_commit(sha)
        if self._refusal is not None:
            raise self._refusal
        return None

    def start_from(self, sha: str) -> None:
        """What an earlier process had in force: later commits are judged by what they change of it.

        A commit that is gone (force-push) or that would be refused today is not asked. Raises SourceError.
        """
        try:
            self._repository.fetch(self._branch)
            self.state = self._reader.read(self._repository.resolve(sha)).desired
        except RevisionNotFound:
            return
        self._good_sha = sha

    def read_newest(self) -> Desired:
        """The newest commit, whether it is new or not. Raises SourceError or CommitRefused."""
        desired = self.read() or self._desired
        assert desired is not None, "the first reading of a branch tells something or raises"
        return desired

    def read_at(self, revision: str) -> Desired:
        """The desired state of a branch of the remote or of any commit. Raises SourceError or CommitRefused."""
        sha = self._find(revision)
        reading = self._reader.read(sha)
        self.warnings = reading.warnings
        return self._message(reading.require(), sha)

    def with_kept_objects(self, restored: Restored, desired: Desired) -> Restored:
        """`restored` with those objects that are deployed and that `desired` does not say, as their commit has them.

        They are kept by policy, held by the deletion budget, or suspended; their pods would be taken for orphans
        without them. Bare pods are left out: their hosts tell of them. Raises SourceError.
        """
        suspended = suspended_applications(desired.objects)
        said = {obj.key for obj in desired.objects if desired.application.get(obj.key, "") not in suspended}
        by_commit: dict[str, set[ObjectKey]] = {}
        for key in restored.inventory.keys() - said:
            if key.kind != Pod.KIND:
                by_commit.setdefault(restored.kept.get(key, restored.commit), set()).add(key)
        found: list[KubeObject] = []
        for commit, keys in sorted(by_commit.items()):
            try:
                found += (obj for obj in self.read_at(commit).objects if obj.key in keys)
            except (RevisionNotFound, InvalidInput, CommitRefused) as error:
                log.warning("%d objects that are kept are not known any more: %s", len(keys), error)
        return msgspec.structs.replace(restored, objects=(*restored.objects, *found))

    def _find(self, revision: str) -> str:
        try:
            return self._repository.fetch(revision).sha
        except (RevisionNotFound, InvalidInput):
            return self._repository.resolve(revision)

    def _read_commit(self, sha: str) -> Desired | None:
        reading = self._reader.read(sha, before=self.state)
        self._last_sha, self.warnings = sha, reading.warnings
        try:
            self.state = reading.require()
        except BerthError as refusal:
            self._refusal = refusal
            raise
        self._refusal = None
        desired = self._message(self.state, sha)
        before, self._desired, self._good_sha = self._desired, desired, sha
        if before is not None and _content(before) == _content(desired):
            return None
        return desired

    def _message(self, state: DesiredState, sha: str) -> Desired:
        trailers = self._repository.trailers(self._good_sha, sha)
        return Desired(
            commit=sha,
            objects=tuple(state.objects.values()),
            application=state.application_of,
            confirmations=_values(trailers, CONFIRM_TRAILER),
            orphaned=frozenset(_values(trailers, ORPHAN_TRAILER)),
            given_up=frozenset(_values(trailers, GIVE_UP_TRAILER)),
        )


def read_restored(branch: StatusBranch) -> Restored:
    """What an earlier process wrote; empty when there is no status branch yet. Raises SourceError."""
    snapshot = branch.read()
    restored = status.restore(snapshot.files.items(), unseal=branch.unseal)
    return msgspec.structs.replace(restored, commit=snapshot.desired_commit, follows=CHARGE_PATH in snapshot.files)


def _values(trailers: Iterable[tuple[str, str]], wanted: str) -> tuple[str, ...]:
    return tuple(text for name, text in trailers if name.lower() == wanted.lower())


def _content(desired: Desired) -> tuple[object, ...]:
    """All but the commit's id: what a commit only says in its message is new even when the files are the same."""
    return desired.objects, desired.application, desired.confirmations, desired.given_up
