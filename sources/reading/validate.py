"""Checks manifests without Git, hosts or a network: what `berth validate` stands on.

The same reading and the same checks as for a commit, so what passes here is not refused after the push.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from objects.api.meta import KubeObject
from objects.errors import NotFound
from sources.errors import ManifestError
from sources.reading import layout
from sources.reading.crosscheck import Origin
from sources.reading.desired import (
    ParsedFiles,
    Reading,
    read_plain,
    read_repository,
)
from sources.reading.files import open_file, open_folder
from sources.reading.manifests import ManifestWarning
from sources.words import Words


class Report(NamedTuple):
    """objects: (object, origin) in the order of the files, empty when there are errors.

    errors: the first of them; error_count: how many there are.
    """

    objects: tuple[tuple[KubeObject, Origin], ...]
    errors: tuple[ManifestError, ...]
    warnings: tuple[ManifestWarning, ...]
    error_count: int = 0


def validate_path(path: Path, *, words: Words | None = None) -> Report:
    """Check a repository's folder, a folder of manifests, or one file. Files are named relative to `path`.

    words: learns the Secrets that are read. Raises NotFound or SourceError when it cannot be read.
    """
    reading = load_path(path, words=words)
    desired = reading.desired
    objects = () if desired is None else tuple((obj, desired.origins[key]) for key, obj in desired.objects.items())
    return Report(objects, reading.errors, reading.warnings, reading.error_count)


def load_path(path: Path, *, words: Words | None = None) -> Reading:
    """Read a folder or file as a commit is read; a folder without berth.yaml is a plain collection of manifests."""
    if not path.exists():
        raise NotFound(f"{path} does not exist")
    source = open_folder(path) if path.is_dir() else open_file(path)
    if path.is_dir() and layout.is_repository(source.tree):
        return read_repository(source, ParsedFiles(words))
    return read_plain(source, ParsedFiles(words))
