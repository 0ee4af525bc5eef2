"""Commits and trees as values: what a repository hands out. No I/O here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

_TRAILER = re.compile(r"(?P<key>[A-Za-z0-9][A-Za-z0-9-]*): *(?P<value>.*)")

MODE_FILE = 0o100644
MODE_EXECUTABLE = 0o100755
MODE_SYMLINK = 0o120000
MODE_SUBMODULE = 0o160000
MODE_TREE = 0o040000


class Commit(NamedTuple):
    """A commit. time: when it was committed, aware UTC. trailers: (key, value) in order, keys as written."""

    sha: str
    tree_sha: str
    author: str
    author_email: str
    time: datetime
    message: str
    parents: tuple[str, ...] = ()
    trailers: tuple[tuple[str, str], ...] = ()

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]

    @property
    def short_sha(self) -> str:
        return self.sha[:10]

    def trailer(self, key: str) -> tuple[str, ...]:
        """All values of one trailer; keys compare without case, as git's do."""
        return tuple(value for name, value in self.trailers if name.lower() == key.lower())


class TreeEntry(NamedTuple):
    """One file of a tree. size_bytes is 0 for submodules."""

    mode: int
    sha: str
    size_bytes: int

    @property
    def is_symlink(self) -> bool:
        return self.mode == MODE_SYMLINK

    @property
    def is_submodule(self) -> bool:
        return self.mode == MODE_SUBMODULE


class Tree(NamedTuple):
    """A complete listing below one folder.

    sha: the folder's tree hash. entries: path relative to the folder → file, symlink or submodule, sorted by path.
    folders: relative path → tree hash of each sub-folder.
    """

    sha: str
    entries: Mapping[str, TreeEntry]
    folders: Mapping[str, str]

    def subtree(self, folder: str) -> Tree | None:
        """The part below `folder` (relative, no trailing slash; '' is all of it); None when there is no such folder."""
        if not folder:
            return self
        if folder not in self.folders:
            return None
        prefix = folder + "/"
        cut = len(prefix)
        return Tree(
            self.folders[folder],
            {path[cut:]: entry for path, entry in self.entries.items() if path.startswith(prefix)},
            {path[cut:]: sha for path, sha in self.folders.items() if path.startswith(prefix)},
        )


def parse_tree(tree_sha: str, listing: bytes) -> Tree:
    """listing: output of `git ls-tree -r -t -z -l --full-tree`."""
    entries: dict[str, TreeEntry] = {}
    folders: dict[str, str] = {}
    for record in listing.split(b"\0"):
        if not record:
            continue
        facts, _, raw_path = record.partition(b"\t")
        mode, kind, sha, size = facts.split()
        path = shown_path(raw_path)
        if kind == b"tree":
            folders[path] = sha.decode()
        else:
            entries[path] = TreeEntry(int(mode, 8), sha.decode(), 0 if size == b"-" else int(size))
    return Tree(tree_sha, entries, folders)


def follow_tree(
    base: Tree, sha: str, read: Callable[[str], bytes], size_of: Callable[[str], int], *, most: int = 256
) -> Tree | None:
    """The listing of another tree, from one that is known: what they have in common is not read again.

    read: a tree object by its hash. size_of: bytes of a file by its hash. None when more than `most` objects would have
    to be looked at, or a name is not one that can be shown as it is: then all is to be listed (`parse_tree`).
    """
    try:
        return _Follower(base, read, size_of, most).follow(sha)
    except _NotWorthIt:
        return None


class _NotWorthIt(Exception):
    pass


class _Follower:
    def __init__(self, base: Tree, read: Callable[[str], bytes], size_of: Callable[[str], int], most: int) -> None:
        self._read, self._size_of, self._left = read, size_of, most
        self._base = base.sha
        self._entries, self._folders = dict(base.entries), dict(base.folders)
        self._is_sorted = True

    def follow(self, sha: str) -> Tree:
        self._descend("", self._base, sha)
        if not self._is_sorted:
            self._entries, self._folders = dict(sorted(self._entries.items())), dict(sorted(self._folders.items()))
        return Tree(sha, self._entries, self._folders)

    def _descend(self, prefix: str, before: str, after: str) -> None:
        """before: '' for a folder that was not there."""
        old = self._names(before) if before else {}
        new = self._names(after)
        for name in old.keys() - new.keys():
            self._remove(prefix + name, is_folder=old[name][0] == MODE_TREE)
        for name, (mode, sha) in new.items():
            was_mode, was_sha = old.get(name, (0, ""))
            if (was_mode, was_sha) == (mode, sha):
                continue
            path = prefix + name
            self._is_sorted &= bool(was_sha) and (was_mode == MODE_TREE) == (mode == MODE_TREE)
            if was_sha and (was_mode == MODE_TREE) != (mode == MODE_TREE):
                self._remove(path, is_folder=was_mode == MODE_TREE)
                was_sha = ""
            if mode == MODE_TREE:
                self._folders[path] = sha
                self._descend(path + "/", was_sha, sha)
            else:
                self._spend()
                self._entries[path] = TreeEntry(mode, sha, 0 if mode == MODE_SUBMODULE else self._size_of(sha))

    def _names(self, sha: str) -> dict[str, tuple[int, str]]:
        """A tree object: name → mode and hash."""
        self._spend()
        content, at = self._read(sha), 0
        found: dict[str, tuple[int, str]] = {}
        while at < len(content):
            end = content.index(b"\0", at)
            mode, _, raw = content[at:end].partition(b" ")
            name = shown_path(raw)
            if name.encode() != raw:
                raise _NotWorthIt
            found[name] = int(mode, 8), content[end + 1 : end + 21].hex()
            at = end + 21
        return found

    def _spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _NotWorthIt

    def _remove(self, path: str, *, is_folder: bool) -> None:
        if not is_folder:
            del self._entries[path]
            return
        del self._folders[path]
        for listed in (self._entries, self._folders):
            for inside in [one for one in listed if one.startswith(path + "/")]:
                del listed[inside]


def shown_path(raw: bytes) -> str:
    """A path as it can be shown anywhere: bytes that are not UTF-8 and control characters are escaped."""
    path = raw.decode("utf-8", "backslashreplace")
    return path if path.isprintable() else path.encode("unicode_escape").decode("ascii")


def parse_trailers(message: str) -> tuple[tuple[str, str], ...]:
    """The trailers of a commit message: its last paragraph, if every line of it is `Key: value` or continues one.

    The subject alone is never a trailer (`fix: something` is not one).
    """
    paragraphs = [part for part in re.split(r"\n[ \t]*\n", message.strip()) if part.strip()]
    if len(paragraphs) < 2:
        return ()
    trailers: list[tuple[str, str]] = []
    for line in paragraphs[-1].splitlines():
        if trailers and line[:1] in (" ", "\t"):
            key, value = trailers[-1]
            trailers[-1] = (key, f"{value} {line.strip()}")
        elif match := _TRAILER.fullmatch(line.rstrip()):
            trailers.append((match["key"], match["value"].strip()))
        elif not line.startswith("(cherry picked from commit "):
            return ()
    return tuple(trailers)


def render_trailers(message: str, trailers: Mapping[str, str]) -> str:
    """`message` with `trailers` as its last paragraph. Line breaks in values become spaces."""
    lines = [f"{key}: {' '.join(value.split())}" for key, value in trailers.items()]
    body = message.rstrip("\n")
    return f"{body}\n\n" + "\n".join(lines) + "\n" if lines else f"{body}\n"
