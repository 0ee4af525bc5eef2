"""Where files come from: a commit of a repository, or a folder on this machine. Both show the same `Tree`.

Neither follows a symbolic link: links are entries of their own, and the reader refuses them by name.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from objects.errors import NotFound, SourceError
from sources.errors import YamlError
from sources.git.repository import Repository
from sources.git.revisions import (
    MODE_FILE,
    MODE_SUBMODULE,
    MODE_SYMLINK,
    Commit,
    Tree,
    TreeEntry,
    shown_path,
)

MAX_FOLDER_FILES = 100_000


class FileSource(Protocol):
    """A complete listing and the contents of its files."""

    @property
    def tree(self) -> Tree: ...

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        """The content of a file of the tree. Raises SourceError."""
        ...

    def read_link(self, path: str) -> str:
        """What a symbolic link of the tree points to, as written."""
        ...

    def prepare(self, paths: Collection[str]) -> None:
        """Say which files will be read next, so that they can be brought together. Raises SourceError."""
        ...


class CommitFiles:
    """The files of one commit. Blobs are read from the clone when they are asked for."""

    def __init__(self, repository: Repository, commit: Commit) -> None:
        self._repository = repository
        self.tree = repository.read_tree(commit.sha)
        self._prepared: dict[str, bytes] = {}

    def prepare(self, paths: Collection[str]) -> None:
        shas = {self.tree.entries[path].sha for path in paths}
        self._prepared = self._repository.read_blobs(shas) if shas else {}

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        sha = self.tree.entries[path].sha
        if sha in self._prepared:
            return self._prepared[sha]
        return self._repository.read_blob(sha, limit_bytes=limit_bytes)

    def read_link(self, path: str) -> str:
        return self.read(path, limit_bytes=4096).decode("utf-8", "replace")


class FolderFiles:
    """Files on this machine. Entries have no content id: nothing read from here is kept between readings.

    real_names: path as it is shown → path on disk, where these differ.
    """

    def __init__(self, root: Path, tree: Tree, real_names: Mapping[str, str] = MappingProxyType({})) -> None:
        self._root = root
        self._real_names = real_names
        self.tree = tree

    def prepare(self, paths: Collection[str]) -> None:
        """Nothing to bring: the files are here."""

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        return read_bounded(self._on_disk(path), limit_bytes=limit_bytes)

    def read_link(self, path: str) -> str:
        return shown_path(os.fsencode(self._on_disk(path).readlink()))

    def _on_disk(self, path: str) -> Path:
        return self._root / self._real_names.get(path, path)


class ChangedFiles:
    """A source as it would be with some files written or deleted: what a commit that is not made yet would hold.

    changes: path → content, None to delete.
    """

    def __init__(self, base: FileSource, changes: Mapping[str, bytes | None]) -> None:
        self._base = base
        self._changes = changes
        entries = {path: entry for path, entry in base.tree.entries.items() if path not in changes}
        # Without an id nothing that is read of a changed file is kept beyond this reading.
        entries |= {path: TreeEntry(MODE_FILE, "", len(text)) for path, text in changes.items() if text is not None}
        # Git knows no empty folder: one goes with its last file.
        folders = {folder for path in entries for folder in _folders_of(path)}
        known = base.tree.folders
        self.tree = Tree(
            "", dict(sorted(entries.items())), {folder: known.get(folder, "") for folder in sorted(folders)}
        )

    def prepare(self, paths: Collection[str]) -> None:
        self._base.prepare([path for path in paths if path not in self._changes])

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        content = self._changes.get(path)
        return self._base.read(path, limit_bytes=limit_bytes) if content is None else content

    def read_link(self, path: str) -> str:
        return self._base.read_link(path)


def open_folder(root: Path) -> FolderFiles:
    """All files below a folder; hidden files and folders are left out, `.git` with them. Raises SourceError."""
    return _scan(root)


def open_file(path: Path) -> FolderFiles:
    """One file as a source of its own. Raises NotFound."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from error
    return FolderFiles(path.parent, Tree("", {path.name: TreeEntry(MODE_FILE, "", size)}, {}))


def read_bounded(path: Path, *, limit_bytes: int) -> bytes:
    """The content of a regular file. Raises SourceError, YamlError when it is larger than allowed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SourceError(f"{path} is not a regular file")
            content = file.read(limit_bytes + 1)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > limit_bytes:
        raise YamlError(f"the file is larger than {limit_bytes // 2**20} MiB")
    return content


def _folders_of(path: str) -> list[str]:
    """`a/b/c.yaml` → a, a/b."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _scan(root: Path) -> FolderFiles:
    """As a commit would show it: names that cannot be shown are escaped, checked out submodules are not looked into."""
    entries: dict[str, TreeEntry] = {}
    folders: dict[str, str] = {}
    real_names: dict[str, str] = {}
    submodules = _submodules(root)
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            found = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError as error:
            raise SourceError(f"folder {root / _shown(folder)} cannot be read: {error.strerror}") from error
        for item in found:
            if item.name.startswith("."):
                continue
            real = f"{folder}/{item.name}" if folder else item.name
            path = _shown(real)
            if path != real:
                real_names[path] = real
            if item.is_symlink():
                entries[path] = TreeEntry(MODE_SYMLINK, "", 0)
            elif item.is_dir():
                if path in submodules or (root / real / ".git").exists():
                    entries[path] = TreeEntry(MODE_SUBMODULE, "", 0)
                    continue
                folders[path] = ""
                waiting.append(real)
            elif item.is_file():
                entries[path] = TreeEntry(MODE_FILE, "", item.stat().st_size)
        if len(entries) > MAX_FOLDER_FILES:
            raise SourceError(f"folder {root} holds more than {MAX_FOLDER_FILES} files")
    return FolderFiles(root, Tree("", dict(sorted(entries.items())), folders), real_names)


def _submodules(root: Path) -> frozenset[str]:
    """Paths that `.gitmodules` names, whether they are checked out or not."""
    try:
        text = (root / ".gitmodules").read_text(errors="replace")
    except OSError:
        return frozenset()
    return frozenset(path.strip().strip('"') for path in re.findall(r"^\s*path\s*=(.*)$", text, re.MULTILINE))


def _shown(path: str) -> str:
    return shown_path(os.fsencode(path))
