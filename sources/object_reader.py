"""Reads objects of a local bare repository through GitPython: one persistent `git cat-file`, 50 µs an object.

The only module that imports GitPython. Not thread-safe (one pipe): the owner, `sources.repository`, holds a lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from pathlib import Path

from git import Commit as GitCommit
from git import Repo
from git.exc import GitError, ODBError

from objects.errors import RevisionNotFound, SourceError
from sources.errors import CacheBroken
from sources.revisions import Commit, parse_trailers


class ObjectReader:
    """Blobs and commits of one repository by their ids. Close it: it owns processes."""

    def __init__(self, git_dir: Path, environment: Mapping[str, str]) -> None:
        try:
            self._repo = Repo(git_dir, expand_vars=False)
        except (GitError, OSError) as error:
            raise CacheBroken(f"the local clone {git_dir.name} cannot be opened") from error
        self._repo.git.update_environment(**environment)

    def close(self) -> None:
        self._repo.close()

    def read_blob(self, sha: str) -> bytes:
        """The bytes of a blob; the caller has checked its size in the tree. Raises SourceError."""
        kind, content = self._read(sha)
        if kind != "blob":
            raise SourceError(f"{sha[:10]} is a {kind} and not a file")
        return content

    def read_commit(self, sha: str) -> Commit:
        """Raises RevisionNotFound when the local clone does not have this commit."""
        try:
            commit = GitCommit(self._repo, bytes.fromhex(sha))
            message = commit.message if isinstance(commit.message, str) else commit.message.decode("utf-8", "replace")
            return Commit(
                sha=sha,
                tree_sha=commit.tree.hexsha,
                author=commit.author.name or "",
                author_email=commit.author.email or "",
                time=commit.committed_datetime.astimezone(UTC),
                message=message,
                parents=tuple(parent.hexsha for parent in commit.parents),
                trailers=parse_trailers(message),
            )
        except (ValueError, ODBError) as error:
            raise RevisionNotFound(f"commit {sha[:10]} is not in the repository") from error
        except (GitError, OSError) as error:
            raise CacheBroken(f"commit {sha[:10]} cannot be read from the local clone") from error

    def _read(self, sha: str) -> tuple[str, bytes]:
        try:
            _, kind, _, content = self._repo.git.get_object_data(sha)
        except (ValueError, GitError, ODBError, OSError) as error:
            raise CacheBroken(f"object {sha[:10]} cannot be read from the local clone") from error
        # Typed as text by GitPython, and bytes at run time.
        return kind.decode() if isinstance(kind, bytes) else kind, content
