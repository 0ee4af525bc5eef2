"""Reads objects of a local bare repository through GitPython's persistent `git cat-file`: 50 µs an object.

The only module that imports GitPython, and of it only the command wrapper: its `Repo` takes `GIT_OBJECT_DIRECTORY` and
others from the environment of whoever started us. Not thread-safe (one pipe): `sources.git.repository` holds a lock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from git import Git
from git.exc import GitError

from objects.errors import RevisionNotFound, SourceError
from sources.errors import CacheBroken
from sources.git.revisions import Commit, parse_trailers

_PERSON = re.compile(r"(?P<name>.*?) ?<(?P<email>[^>]*)> (?P<time>-?\d+) [-+]\d+")


class ObjectReader:
    """Blobs and commits of one repository by their ids. Close it: it owns a process."""

    def __init__(self, git_dir: Path, environment: Mapping[str, str]) -> None:
        self._git = Git(git_dir)
        self._git.update_environment(**environment)

    def close(self) -> None:
        self._git.clear_cache()

    def read_blob(self, sha: str) -> bytes:
        """The bytes of a blob; the caller has checked its size in the tree. Raises SourceError."""
        try:
            kind, content = self._read(sha)
        except ValueError as error:
            raise CacheBroken(f"object {sha[:10]} cannot be read from the local clone") from error
        if kind != "blob":
            raise SourceError(f"{sha[:10]} is a {kind} and not a file")
        return content

    def read_commit(self, sha: str) -> Commit:
        """Raises RevisionNotFound when the local clone does not have this commit."""
        try:
            kind, content = self._read(sha)
            if kind != "commit":
                raise ValueError(f"a {kind}")
            return parse_commit(sha, content)
        except ValueError as error:
            raise RevisionNotFound(f"commit {sha[:10]} is not in the repository") from error

    def read_tree(self, sha: str) -> bytes:
        """A tree object as git stores it. Raises CacheBroken."""
        try:
            kind, content = self._read(sha)
        except ValueError as error:
            raise CacheBroken(f"object {sha[:10]} cannot be read from the local clone") from error
        if kind != "tree":
            raise CacheBroken(f"{sha[:10]} is a {kind} and not a folder")
        return content

    def size_of(self, sha: str) -> int:
        """Bytes of an object. Raises CacheBroken."""
        try:
            return int(self._git.get_object_header(sha)[2])
        except (GitError, OSError, ValueError) as error:
            raise CacheBroken(f"object {sha[:10]} cannot be read from the local clone") from error

    def _read(self, sha: str) -> tuple[str, bytes]:
        """Kind and content. Raises ValueError when there is no such object, CacheBroken when git fails."""
        try:
            _, kind, _, content = self._git.get_object_data(sha)
        except (GitError, OSError) as error:
            raise CacheBroken(f"object {sha[:10]} cannot be read from the local clone") from error
        # Typed as text by GitPython, and bytes at run time.
        name: object = kind
        return name.decode() if isinstance(name, bytes) else str(name), content


def parse_batch(output: bytes, count: int) -> dict[str, bytes]:
    """What `git cat-file --batch` wrote about `count` blobs: id → content. Raises CacheBroken when one is missing."""
    blobs: dict[str, bytes] = {}
    position = 0
    for _ in range(count):
        end = output.find(b"\n", position)
        words = output[position:end].decode("ascii", "replace").split()
        if end < 0 or len(words) != 3 or words[1] != "blob":
            raise CacheBroken(f"object {words[0][:10] if words else '?'} cannot be read from the local clone")
        start, size = end + 1, int(words[2])
        blobs[words[0]] = output[start : start + size]
        position = start + size + 1
    return blobs


def parse_commit(sha: str, content: bytes) -> Commit:
    """A commit object as git stores it: header lines, an empty line, the message. Raises ValueError."""
    head, _, body = content.partition(b"\n\n")
    headers: dict[str, list[str]] = {}
    for line in head.decode("utf-8", "replace").split("\n"):
        key, _, value = line.partition(" ")
        # A signature goes on in lines that begin with a space; nothing here needs it.
        headers.setdefault(key, []).append(value)
    author, committer = (_PERSON.fullmatch(headers.get(key, [""])[0]) for key in ("author", "committer"))
    if author is None or committer is None or "tree" not in headers:
        raise ValueError("not a commit object")
    message = _decode(body, headers.get("encoding", ["utf-8"])[0])
    return Commit(
        sha=sha,
        tree_sha=headers["tree"][0],
        author=author["name"],
        author_email=author["email"],
        time=datetime.fromtimestamp(int(committer["time"]), UTC),
        message=message,
        parents=tuple(headers.get("parent", ())),
        trailers=parse_trailers(message),
    )


def _decode(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")
