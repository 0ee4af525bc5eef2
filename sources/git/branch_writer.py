"""Writes commits without a checkout and pushes them without force: fetch, replay our change on top, push again.

One `git fast-import` makes blobs, trees and the commit. A change is a set of files with their new content, so replaying
it needs no merge: other people's files stay as they pushed them.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from objects.errors import InvalidInput, Needs, PushRejected, RevisionNotFound
from sources.git.errors import quote_stderr
from sources.git.remotes import SHA, check_branch
from sources.git.repository import Repository
from sources.git.revisions import MODE_FILE, Tree, render_trailers

MAX_ATTEMPTS = 6
_PAUSE_SECONDS = 0.05
"""Times the attempt's number: two writers that collide again and again get out of step."""

_MOVED_ON = re.compile(
    r"fetch first|non-fast-forward|stale info|cannot lock ref|failed to update ref|incorrect old value"
)

Changes = Mapping[str, bytes | None]
"""Path → new content, None to delete."""


class MovedOn(PushRejected):
    """The branch is not what a change was made for any more: look at it again and decide anew."""


class PushRefused(PushRejected):
    """The remote does not want our push whatever it builds on: a protected branch, a hook, a missing permission."""

    needs = Needs.NEEDS_OPERATOR


class Identity(NamedTuple):
    """Who our commits are by."""

    name: str = "Berth"
    email: str = "berth@localhost"


class BranchWriter:
    """Writes to one ref of one repository. clock: gives aware times for commits.

    ref: `refs/heads/…` or `refs/notes/…`. history_limit: of a ref whose past is of no use for ever. A commit on top of
    so many has no parent, all files are in it, and what it replaces is kept as `…-previous`. Only then does a commit
    not follow the one before, and the remote takes it only while the ref is what we think it is. 0: never; such a ref
    is fetched with all its history. Remembers nothing but what lies in the clone.
    """

    def __init__(
        self,
        repository: Repository,
        ref: str,
        *,
        identity: Identity | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        history_limit: int = 0,
    ) -> None:
        folder, _, name = ref.removeprefix("refs/").partition("/")
        check_branch(name)
        if folder not in ("heads", "notes"):
            raise InvalidInput(f"{ref!r} is not a branch and not notes")
        self._repository = repository
        self._ref = ref
        self._tracking = f"refs/remotes/{'origin' if folder == 'heads' else folder}/{name}"
        self._draft = f"refs/berth/{folder}/{name}"
        self._identity = identity or Identity()
        self._clock = clock
        self._history_limit = history_limit
        self._length = 0
        """Commits that the ref has since its root, as far as the clone goes; 0 when not counted."""

    def fetch(self) -> str:
        """The commit that the ref has on the remote now; '' when it has none. Raises SourceUnreachable."""
        try:
            # Of a ref that may be long, and that the clone does not have yet, nobody asks for the past.
            newest_only = bool(self._history_limit) and not self.known_tip()
            self._repository.fetch_refs([f"+{self._ref}:{self._tracking}"], newest_only=newest_only)
        except RevisionNotFound:
            # A tracking ref of a ref that is gone would make us build on what nobody has any more.
            self._repository.forget_ref(self._tracking)
        return self._repository.known_tip(self._tracking)

    def known_tip(self) -> str:
        """The commit that the ref had when the remote was last asked or written to; '' for none."""
        return self._repository.known_tip(self._tracking)

    def write(
        self,
        changes: Changes,
        message: str,
        *,
        trailers: Mapping[str, str] | None = None,
        expected: Mapping[str, str] | None = None,
        notes: Mapping[str, str] | None = None,
        guard: Callable[[str], None] = lambda _: None,
        allow_empty: bool = False,
    ) -> str | None:
        """Commit and push `changes`. Returns the new commit, None when the branch has all of it already.

        allow_empty: for the sake of its message also a commit that changes nothing.

        expected: path → blob id ('' for none) that must still be there; otherwise somebody was faster: PushRejected.
        message, trailers and notes are written without values of Secrets; files as they are given: a person's edit may
        be one of a Secret. notes: commit id → text, for a notes ref. guard: called with the commit that the new one
        shall follow ('' for none), each time before it is made; may raise. Raises PushRejected, PushRefused,
        SourceUnreachable.
        """
        words = self._repository.words
        message, trailers = words(message), words.inside(trailers or {})
        notes = {sha: words(text) for sha, text in (notes or {}).items()}
        for path in changes:
            _check_path(path)
        tip = self._repository.known_tip(self._tracking) or self.fetch()
        may_begin_anew = True
        for attempt in range(1, MAX_ATTEMPTS + 1):
            guard(tip)
            tree = self._repository.read_tree(tip) if tip else Tree("", {}, {})
            self._check_expected(tree, expected or {})
            notes = {sha: text for sha, text in notes.items() if not _is_noted(tree, sha, text)}
            effective = {path: content for path, content in changes.items() if _differs(tree, path, content)}
            if not effective and not notes and not allow_empty:
                return None
            text = render_trailers(message, trailers)
            begins_anew = may_begin_anew and self._is_long(tip)
            parent = "" if begins_anew else tip
            self._repository.fast_import(
                self._stream(parent, effective, notes, text, tree=tree.sha if begins_anew else "")
            )
            made = self._repository.known_tip(self._draft)
            if begins_anew:
                may_begin_anew = False
                if not self._replace(tip, made):
                    continue
            if begins_anew or self._push(made):
                self._length += 1
                # Polls fetch nothing while nobody else pushes, so nothing but this ever packs our commits.
                self._repository.tidy()
                return made
            time.sleep(_PAUSE_SECONDS * attempt)
            tip = self.fetch()
            if not tip:
                self._require_room()
        raise PushRejected(
            f"{self._ref} of {self._repository.url.text} moved on during each of {MAX_ATTEMPTS} attempts to push"
        )

    def _require_room(self) -> None:
        """A push that is turned away while there is no such branch: raises PushRefused when others are in its place."""
        folder, _, name = self._ref.removeprefix("refs/").partition("/")
        others = self._repository.branches_beside(name) if folder == "heads" else []
        if others:
            raise PushRefused(
                f"{self._repository.url.text} cannot have a branch '{name}' beside '{others[0]}': "
                "git takes the one for a folder of the other",
                hint=f"rename '{others[0]}'; where status goes says spec.sync.statusBranch of the Cluster",
            )

    def _is_long(self, tip: str) -> bool:
        """Whether the next commit is to begin a new history."""
        if not self._history_limit or not tip:
            return False
        if not self._length:
            self._length = self._repository.history_length(tip, limit=self._history_limit)
        return self._length >= self._history_limit

    def _replace(self, old: str, new: str) -> bool:
        """Put `new` in place of `old`, which does not come before it.

        False when the remote does not take that, because somebody was faster or because force is forbidden there. The
        next try is a tenth of a history later.
        """
        self._length = self._history_limit - max(self._history_limit // 10, 1)
        result = self._repository.push(
            [f"+{old}:{self._ref}-previous", f"{new}:{self._ref}"], replaces=(self._ref, old)
        )
        if result.code != 0:
            return False
        self._repository.set_ref(self._tracking, new)
        self._length = 0
        return True

    def _push(self, sha: str) -> bool:
        """Whether the remote took it; False when it has moved on. Raises PushRefused, SourceUnreachable."""
        result = self._repository.push([f"{sha}:{self._ref}"])
        if result.code == 0:
            self._repository.set_ref(self._tracking, sha)
            return True
        answer = result.stdout.decode("utf-8", "replace")
        if _MOVED_ON.search(answer):
            return False
        reason = next((line.rpartition("\t")[2] for line in answer.splitlines() if line.startswith("!\t")), "")
        if "Working directory has" in reason or "Could not update working tree" in reason:
            raise PushRefused(
                f"{self._repository.url.text} has changes that are not committed",
                hint="commit or stash them there, then try again",
            )
        is_damaged = "missing necessary objects" in reason
        raise PushRefused(
            f"{self._repository.url.text} does not accept a push to {self._ref}: {quote_stderr(reason)}",
            hint="it lacks objects of its own branch: `git fsck` there names them"
            if is_damaged
            else "allow this key to push to it",
        )

    def _check_expected(self, tree: Tree, expected: Mapping[str, str]) -> None:
        for path, sha in expected.items():
            entry = tree.entries.get(path)
            if (entry.sha if entry else "") != sha:
                raise PushRejected(f"{path} was changed by somebody else meanwhile", hint="look at it and try again")

    def _stream(
        self, parent: str, changes: Changes, notes: Mapping[str, str], message: str, *, tree: str = ""
    ) -> bytes:
        """The commit in the language of `git fast-import`. tree: what it begins with when it has no parent."""
        who = f"{_plain(self._identity.name)} <{_plain(self._identity.email)}>"
        lines = [
            b"feature done",
            b"commit " + self._draft.encode(),
            f"committer {who} {int(self._clock().timestamp())} +0000".encode(),
            _data(message.encode()),
        ]
        if parent:
            lines.append(b"from " + parent.encode())
        if tree:
            lines.append(b'M 040000 %s ""' % tree.encode())
        for path, content in changes.items():
            if content is None:
                lines.append(b"D " + _quoted(path))
            else:
                lines += [b"M 100644 inline " + _quoted(path), _data(content)]
        for sha, text in notes.items():
            if not SHA.fullmatch(sha):
                raise InvalidInput(f"{sha!r} is not a commit id")
            lines += [b"N inline " + sha.encode(), _data(text.encode())]
        return b"\n".join([*lines, b"done", b""])


def blob_sha(content: bytes) -> str:
    """The id that git gives a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _differs(tree: Tree, path: str, content: bytes | None) -> bool:
    entry = tree.entries.get(path)
    if content is None:
        return entry is not None or path in tree.folders
    return entry is None or entry.mode != MODE_FILE or entry.sha != blob_sha(content)


def _is_noted(tree: Tree, sha: str, text: str) -> bool:
    """Whether a tree of notes holds this one, in whatever folders git sorted it."""
    paths = (sha, f"{sha[:2]}/{sha[2:]}", f"{sha[:2]}/{sha[2:4]}/{sha[4:]}")
    found = next((tree.entries[path] for path in paths if path in tree.entries), None)
    return found is not None and found.sha == blob_sha(text.encode())


def _check_path(path: str) -> None:
    """Names of people's folders and of objects, in any script. A backslash stands for a name that cannot be shown."""
    parts = path.split("/")
    is_good = all(part not in ("", ".", "..") and not part.startswith("-") for part in parts)
    if not is_good or not path.isprintable() or "\\" in path or any(part.lower() == ".git" for part in parts):
        raise InvalidInput(f"{path!r} is not a path that can be committed")


def _quoted(path: str) -> bytes:
    """A path as `git fast-import` reads it, whatever is in its name."""
    return b'"' + path.replace('"', '\\"').encode() + b'"'


def _plain(text: str) -> str:
    """A name or address as a commit header takes it."""
    return re.sub(r"[<>\x00-\x1f]", "", text)


def _data(content: bytes) -> bytes:
    return b"data %d\n" % len(content) + content
