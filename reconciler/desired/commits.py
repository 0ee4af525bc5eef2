"""From a branch to messages: the newest commit as `Desired`, the status branch as `Restored`. An edge, no decisions.

A commit is read once; its verdict is kept, also when it is refused. A commit that changes nothing of what is desired
(docs, a status elsewhere) is not told: the desired revision is the content, not the commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from objects.api.meta import KubeObject, ObjectKey
from objects.api.pods import Pod
from objects.errors import BerthError, InvalidInput, Needs, RevisionNotFound
from objects.own.config import Host
from policies.prune import CONFIRM_TRAILER, GIVE_UP_TRAILER, ORPHAN_TRAILER
from reconciler.charge.rules import CHARGE_PATH
from reconciler.core.deployed import plan_prune
from reconciler.state.copies import read_copies, read_copy
from reconciler.state.desired import cluster_of, suspended_applications
from reconciler.state.messages import Desired, Restored
from reconciler.status import content as status
from sources.git.repository import Repository
from sources.git.status_branch import StatusBranch
from sources.reading.desired import DesiredReader, DesiredState
from sources.reading.manifests import ManifestWarning


class HostUnread(InvalidInput):
    """A Host is kept though Git does not say it any more, and nobody knows what it was: what runs there is unknown."""

    reason = "HostUnread"
    needs = Needs.NEEDS_OPERATOR

    def __init__(self, hosts: Iterable[str], desired: Desired, restored: Restored) -> None:
        names = sorted(hosts)
        why = restored.unread[ObjectKey(Host.KIND, "", names[0])]
        super().__init__(
            f"commit {desired.commit[:10]} is not acted on: it does not have {', '.join(f'Host {n}' for n in names)}, "
            f"which may not be deleted, and {why}",
            hint=f"bring it back, or confirm the deletion with the trailer '{CONFIRM_TRAILER}: all'",
        )
        self.commit = desired.commit


_WAY_OUT = "bring it back into Git, or let it go (a deletion that is confirmed, or with `prune: true`)"


class CommitReader:
    """Reads one branch of one repository. Not thread-safe: owned by the source loop's thread."""

    def __init__(self, repository: Repository, branch: str) -> None:
        self._repository = repository
        self._branch = branch
        self._reader = DesiredReader(repository)
        self._last_sha = ""
        self._good_sha = ""
        self._desired: Desired | None = None
        self._in_force: Mapping[ObjectKey, KubeObject] = MappingProxyType({})
        self._refusal: BerthError | None = None
        self.state: DesiredState | None = None
        self.warnings: tuple[ManifestWarning, ...] = ()
        self.status_branch = ""
        """A branch that is fetched with ours each time."""

    def read(self) -> Desired | None:
        """The newest commit, None when nothing of it is new. Raises SourceError or CommitRefused."""
        # Not asked for its id first: a fetch that brings nothing costs hardly more, and a connection takes 0.3 s.
        sha = self._repository.fetch(self._branch, optional=self.status_branch).sha
        if sha != self._last_sha:
            return self._read_commit(sha)
        if self._refusal is not None:
            raise self._refusal
        return None

    def start_from(self, sha: str, files: Mapping[str, bytes] = MappingProxyType({})) -> None:
        """What an earlier process had in force: later commits are judged by what they change of it.

        files: of the status branch, whose copies speak for a commit that is gone (force-push) or that would be refused
        today. Raises SourceError.
        """
        try:
            self._repository.fetch(self._branch)
            reading = self._reader.read(self._repository.resolve(sha))
        except RevisionNotFound:
            self._in_force = read_copies(files, self._repository.words.unsealed)
            return
        self.state, self._good_sha = reading.desired, sha
        self._in_force = (
            reading.found
            if reading.desired
            else {**read_copies(files, self._repository.words.unsealed), **reading.found}
        )

    def read_newest(self) -> Desired:
        """The newest commit, whether it is new or not. Raises SourceError or CommitRefused."""
        desired = self.read() or self._desired
        assert desired is not None, "the first reading of a branch tells something or raises"
        return desired

    def read_at(self, revision: str) -> Desired:
        """The desired state of a branch or tag of the remote or of any commit; `HEAD` is our branch's newest.

        Raises SourceError or CommitRefused.
        """
        sha = self._repository.fetch_revision(revision, head=self._branch)
        reading = self._reader.read(sha)
        self.warnings = reading.warnings
        return self._message(reading.require(), sha)

    def with_kept_objects(self, restored: Restored, desired: Desired) -> Restored:
        """`restored` with those objects that are deployed and that `desired` does not say.

        Each as its copy on the status branch has it, else as its commit has it. These objects are kept by policy, held
        by the deletion budget, or suspended; their pods would be taken for orphans without them. What neither tells is
        `unread`. Bare pods are left out: their hosts tell of them. Raises SourceError.
        """
        suspended = suspended_applications(desired.objects)
        said = {obj.key for obj in desired.objects if desired.application.get(obj.key, "") not in suspended}
        by_commit: dict[str, list[ObjectKey]] = {}
        found: list[KubeObject] = []
        for key in sorted(key for key in restored.inventory.keys() - said if key.kind != Pod.KIND):
            copy = read_copy(restored.copies, key, self._repository.words.unsealed)
            if copy is not None:
                found.append(copy)
            else:
                by_commit.setdefault(restored.kept.get(key, restored.commit), []).append(key)
        unread: dict[ObjectKey, str] = {}
        for commit, keys in sorted(by_commit.items()):
            objects, why = self._objects_at(commit)
            found += (objects[key] for key in keys if key in objects)
            unread |= {key: why for key in keys if key not in objects}
        return msgspec.structs.replace(restored, objects=(*restored.objects, *found), unread=unread)

    def _objects_at(self, commit: str) -> tuple[Mapping[ObjectKey, KubeObject], str]:
        """What can be read of a commit, however old or wrong, and what to say of the rest. Raises SourceError."""
        last = f"the last commit that had it ({commit[:10]})" if commit else "the commit that had it"
        try:
            reading = self._reader.read(self._repository.resolve(commit))
        except (RevisionNotFound, InvalidInput):
            return {}, f"{last} is not in the repository any more; {_WAY_OUT}"
        what = f"is refused ({reading.errors[0]})" if reading.errors else "does not hold it"
        return reading.found, f"{last} {what}; {_WAY_OUT}"

    def _read_commit(self, sha: str) -> Desired | None:
        """A commit is done with when all of it was read: what fails half-way is read again."""
        reading = self._reader.read(sha, before=self._in_force)
        try:
            state = reading.require()
        except BerthError as refusal:
            self._last_sha, self._refusal, self.warnings = sha, refusal, reading.warnings
            raise
        desired = self._message(state, sha)
        before, self._desired, self._good_sha = self._desired, desired, sha
        self.state, self._in_force = state, state.objects
        self._last_sha, self._refusal, self.warnings = sha, None, reading.warnings
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
    return desired.objects, desired.application, desired.confirmations, desired.given_up, desired.orphaned


def both_said(earlier: Desired | None, later: Desired) -> Desired:
    """`later` with what `earlier`, which was not taken in, said in its message: each word counts once it is pushed."""
    if earlier is None or earlier is later:
        return later
    return msgspec.structs.replace(
        later,
        confirmations=(*later.confirmations, *earlier.confirmations),
        orphaned=later.orphaned | earlier.orphaned,
        given_up=later.given_up | earlier.given_up,
    )


def require_hosts(restored: Restored, desired: Desired) -> None:
    """Before anything is acted on: raises HostUnread when a Host is kept of which nobody knows where it is."""
    unread = {key for key in restored.unread if key.kind == Host.KIND}
    if unread:
        settings = cluster_of(desired.objects).spec
        plan = plan_prune(restored.inventory, desired, settings, protected_before=restored.protected)
        if kept := unread.difference(plan.delete):
            raise HostUnread((key.name for key in kept), desired, restored)
