"""The revisions of a workload, read from Git: every state of its manifest whose pod template was another one.

Numbered as Kubernetes numbers them: from 1, one more with each new template; a template that comes back (an undo, a
revert) takes the next number and gives up its old one. Identity is kind, namespace and name: a manifest that moved to
another file keeps its history.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from objects.api.meta import DEFAULT_NAMESPACE, ObjectKey
from objects.errors import InvalidInput, NotFound
from sources.edit.manifests import find_object, read_object
from sources.git.repository import Repository
from sources.git.revisions import Commit
from sources.reading.desired import DesiredReader
from sources.reading.template_hash import hash_as_written

CHANGE_CAUSE = "kubernetes.io/change-cause"
MAX_STATES = 2000
"""States of the file that are looked at: older ones are no history that anybody goes back to."""


class Version(NamedTuple):
    """The manifest as one commit has it, as written."""

    commit: Commit
    manifest: dict[str, Any]

    @property
    def annotated_cause(self) -> str:
        metadata = self.manifest.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        return str(annotations.get(CHANGE_CAUSE, "")) if isinstance(annotations, dict) else ""


class Revision(NamedTuple):
    """A template and the commit that brought it. cause: the change-cause annotation of that commit, or its subject."""

    number: int
    version: Version
    cause: str
    template_hash: str


def read_revisions(repository: Repository, reader: DesiredReader, sha: str, key: ObjectKey) -> tuple[Revision, ...]:
    """All revisions of a workload up to a commit, the oldest first; the last one is in force there.

    Raises NotFound when the commit does not have it, SourceError.
    """
    versions = list(_versions(repository, reader, sha, key))
    if not versions:
        raise NotFound(f"{key} is not in commit {sha[:10]}")
    return number_revisions(reversed(versions))


def number_revisions(versions: Iterator[Version]) -> tuple[Revision, ...]:
    """versions: the oldest first.

    templates a b b c a  ->  2 b, 3 c, 4 a
    """
    revisions: list[Revision] = []
    number, annotated = 0, ""
    for version in versions:
        digest = hash_as_written(version.manifest) or ""
        said = version.annotated_cause
        if not revisions or revisions[-1].template_hash != digest:
            number += 1
            cause = said if said and said != annotated else version.commit.subject
            revisions = [one for one in revisions if one.template_hash != digest]
            revisions.append(Revision(number, version, cause, digest))
        annotated = said
    return tuple(revisions)


def _versions(repository: Repository, reader: DesiredReader, sha: str, key: ObjectKey) -> Iterator[Version]:
    """The object's states, the newest first, across files. Commits that were refused for this file are passed over."""
    left = MAX_STATES
    while sha and left > 0:
        desired = reader.read(sha).desired
        origin = desired.origins.get(key) if desired else None
        if desired is None or origin is None:
            return
        application = desired.applications.get(origin.application)
        namespace = (application.spec.namespace if application else "") or DEFAULT_NAMESPACE
        states = repository.versions(origin.file, revision=sha, limit=left)
        left -= max(len(states), 1)
        blobs = repository.read_blobs({blob for _, blob in states if blob})
        sha = ""
        came: Commit | None = None
        for commit, blob in states:
            try:
                text = blobs[blob].decode("utf-8-sig") if blob else ""
                yield Version(commit, read_object(text, find_object(text, key, namespace=namespace)))
                came = commit
            except NotFound:
                break
            except (InvalidInput, UnicodeDecodeError):
                continue
        # Before it came into this file it may have been in another one.
        if came is not None and came.parents:
            sha = came.parents[0]


def find_revision(revisions: tuple[Revision, ...], number: int) -> Revision:
    """number: 0 is the one before the last. Raises NotFound, in kubectl's words."""
    if number == 0:
        if len(revisions) < 2:
            raise NotFound("no rollout history found: there is no earlier revision")
        return revisions[-2]
    for revision in revisions:
        if revision.number == number:
            return revision
    known = ", ".join(str(revision.number) for revision in revisions)
    raise NotFound(f"unable to find the specified revision: {number}", hint=f"there are {known}")
