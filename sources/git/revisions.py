"""Commits and trees as values: what a repository hands out. No I/O here."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
