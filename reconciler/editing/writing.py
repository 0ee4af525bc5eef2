"""Commits by command: edit the newest commit's files, check the result as any commit is checked, push.

Somebody may push between our reading and our pushing. Then the edit is made again on what is there now, a bounded
number of times: an edit is a function of the state, not a patch of lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from objects.errors import PushRejected
from reconciler.editing.draft import Draft
from sources.git.branch_writer import BranchWriter, Identity, PushRefused
from sources.git.repository import Repository
from sources.reading.desired import DesiredReader

MAX_ATTEMPTS = 5

Edit = Callable[[Draft], list[str]]
"""Changes a Draft; returns what there is to say about it, a line each. Called again when the branch moved on."""


class Written(NamedTuple):
    """commit: '' when nothing differed or nothing was to be committed. lines: what the edit said. diff: of files."""

    commit: str
    lines: list[str]
    diff: str


class CommitWriter:
    """Makes commits on one branch of a repository. author: whose commits they are."""

    def __init__(self, repository: Repository, branch: str) -> None:
        self._repository = repository
        self._branch = branch
        self._reader = DesiredReader(repository)

    def draft(self) -> Draft:
        """The newest commit of the branch, fetched now. Raises SourceError, CommitRefused when it is wrong already."""
        sha = self._repository.fetch(self._branch).sha
        return Draft(self._repository, sha, self._reader.read(sha).require())

    def preview(self, edit: Edit) -> Written:
        """What `commit` would do, checked; nothing is written. Raises what `commit` raises."""
        draft, lines = self._edited(edit)
        return Written("", lines, draft.diff())

    def commit(self, edit: Edit, *, author: Identity, message: str, allow_empty: bool = False) -> Written:
        """Commit and push the edit. Raises InvalidInput, CommitRefused (of the result), PushRejected, SourceError.

        A commit that would be refused is never pushed: the errors are those of the commit, with file and line.
        allow_empty: when nothing differs, commit the message.
        """
        writer = BranchWriter(self._repository, f"refs/heads/{self._branch}", identity=author)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            draft, lines = self._edited(edit)
            changes = draft.changes
            if not changes and not allow_empty:
                return Written("", lines, "")
            try:
                sha = writer.write(changes, message, expected=draft.expected, allow_empty=allow_empty)
            except PushRefused:
                raise
            except PushRejected:
                if attempt == MAX_ATTEMPTS:
                    raise
                continue
            return Written(sha or "", lines, draft.diff())
        raise AssertionError("the last attempt returns or raises")

    def _edited(self, edit: Edit) -> tuple[Draft, list[str]]:
        draft = self.draft()
        lines = edit(draft)
        changes = draft.changes
        if changes:
            self._reader.read_changed(draft.sha, changes, before=draft.state.objects).require()
        return draft, lines
