"""The status branch: what Berth says about the cluster, as commits. One writer, one batched commit, and now and then a
fresh root in place of a long past.

What could not be pushed is kept and goes with the next write, so a caller hands each change over once. A person's push
to the same branch is no conflict: our files are put on top of it. Notes carry the verdict on a desired commit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sources.git.branch_writer import BranchWriter, Identity, MovedOn
from sources.git.repository import Repository
from sources.git.revisions import Commit

DESIRED_COMMIT_TRAILER = "Desired-Commit"
HEALTH_TRAILER = "Health"
NOTES_REF = "refs/notes/berth"
FILES_AT_ONCE = 5000
"""Files that one git process reads out: its whole output is held a second time meanwhile."""
HISTORY_LIMIT = 2000
"""Commits of the status branch before it begins anew: at 1.4 to 9 KB each it stays below 20 MB, for years and at one
commit a minute. The 2,000 before stay as `…-previous`."""


class StatusSnapshot(NamedTuple):
    """The branch as the remote has it. commit: None when there is no such branch yet: a cluster without a past."""

    commit: Commit | None
    files: Mapping[str, bytes]

    @property
    def desired_commit(self) -> str:
        """The commit that was in force when this was written, '' when unknown."""
        return self._last(DESIRED_COMMIT_TRAILER)

    @property
    def health(self) -> str:
        return self._last(HEALTH_TRAILER)

    def _last(self, trailer: str) -> str:
        values = self.commit.trailer(trailer) if self.commit else ()
        return values[-1] if values else ""


class FileAtTip(NamedTuple):
    """A file of the branch as it was last seen. tip: the commit, '' for none; content: None when there is no file."""

    tip: str
    content: bytes | None


class StatusBranch:
    """Reads and writes the status branch of a repository. One thread writes."""

    def __init__(
        self,
        repository: Repository,
        branch: str = "berth/status",
        *,
        identity: Identity | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        history_limit: int = HISTORY_LIMIT,
    ) -> None:
        self._repository = repository
        self._branch = BranchWriter(
            repository, f"refs/heads/{branch}", identity=identity, clock=clock, history_limit=history_limit
        )
        self._notes = BranchWriter(repository, NOTES_REF, identity=identity, clock=clock)
        self._unpushed: dict[str, bytes | None] = {}

    def seal(self, document: dict[str, Any], dump: Callable[[dict[str, Any]], bytes]) -> bytes:
        """A document as a file, without values of Secrets, so that `unseal` finds them again.

        dump: see `Words.sealed_text`. Only files that were made here are not looked through again by `write`.
        """
        return self._repository.words.sealed_text(document, dump)

    def unseal(self, document: dict[str, Any]) -> dict[str, Any]:
        """A document of the branch with the secret values that it had before it was sealed, where they are known."""
        return self._repository.words.unsealed(document)

    def read(self) -> StatusSnapshot:
        """The newest state of the branch. Raises SourceUnreachable: a failed read is not an empty branch."""
        tip = self._branch.fetch()
        if not tip:
            return StatusSnapshot(None, {})
        entries = {
            path: entry
            for path, entry in self._repository.read_tree(tip).entries.items()
            if not entry.is_symlink and not entry.is_submodule
        }
        # However much it is: who cannot read it cannot begin, and what was written has to be readable.
        blobs: dict[str, bytes] = {}
        shas = sorted({entry.sha for entry in entries.values()})
        for first in range(0, len(shas), FILES_AT_ONCE):
            blobs |= self._repository.read_blobs(shas[first : first + FILES_AT_ONCE])
        files = {path: blobs[entry.sha] for path, entry in entries.items()}
        return StatusSnapshot(self._repository.read_commit(tip), files)

    def write(
        self,
        files: Mapping[str, bytes],
        deletions: Collection[str] = (),
        *,
        message: str,
        trailers: Mapping[str, str] | None = None,
        guard: Callable[[Callable[[str], bytes | None]], None] = lambda _: None,
    ) -> str | None:
        """Commit and push files and deletions, with what an earlier write could not push.

        Files are texts; values of Secrets in them are masked. Those to be read back should have been made by
        `seal`.

        guard: given a way to read files of what the commit shall follow; may raise. Returns the commit, or None when
        the branch says all of it already. Raises PushRejected or SourceUnreachable; then everything is kept for the
        next write.
        """
        words = self._repository.words
        texts = {path: words.masked(content) for path, content in files.items()}
        self._unpushed |= {**dict.fromkeys(deletions), **texts}
        sha = self._branch.write(
            self._unpushed,
            message,
            trailers=trailers,
            guard=lambda tip: guard(lambda path: self._content(tip, path)),
        )
        self._unpushed = {}
        return sha

    def known_paths(self) -> Collection[str]:
        """All files of the branch as the remote had it when it was last asked or written to."""
        tip = self._branch.known_tip()
        return self._repository.read_tree(tip).entries.keys() if tip else ()

    def known_file(self, path: str) -> FileAtTip:
        """A file as the branch had it when the remote was last asked or written to."""
        tip = self._branch.known_tip()
        return FileAtTip(tip, self._content(tip, path))

    def fetch_file(self, path: str) -> FileAtTip:
        """A file as the remote has it now. Raises SourceUnreachable."""
        tip = self._branch.fetch()
        return FileAtTip(tip, self._content(tip, path))

    def write_next(self, tip: str, files: Mapping[str, bytes], *, message: str) -> str | None:
        """Commit and push `files` as the very next commit after `tip`; what that said of the desired commit is said
        again.

        Raises MovedOn when the branch is elsewhere (`known_file` then tells what it says), PushRejected,
        SourceUnreachable.
        """

        def guard(parent: str) -> None:
            if parent != tip:
                raise MovedOn("the status branch moved on")

        said = self._repository.read_commit(tip).trailers if tip else ()
        trailers = {name: value for name, value in said if name in (DESIRED_COMMIT_TRAILER, HEALTH_TRAILER)}
        return self._branch.write(files, message, trailers=trailers, guard=guard)

    def _content(self, tip: str, path: str) -> bytes | None:
        entry = self._repository.read_tree(tip).entries.get(path) if tip else None
        if entry is None or entry.is_symlink or entry.is_submodule:
            return None
        return self._repository.read_blob(entry.sha)

    def note(self, commit: str, text: str) -> None:
        """Attach a text to a commit (`git log --notes=berth` shows it), in place of an earlier one.

        A commit that the clone does not have (it was lost in a force-push) gets none. Raises PushRejected,
        SourceUnreachable.
        """
        if self._repository.has_commit(commit):
            self._notes.write({}, f"Verdict on {commit[:10]}", notes={commit: text})
