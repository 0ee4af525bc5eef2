"""Files written on a host: one tar stream, one command, whatever their number.

For configuration and secrets that are mounted into containers, and for files that a network or volume step needs.
What is read of the host, and where files belong, is decided elsewhere.
"""

from __future__ import annotations

import io
import posixpath
import shlex
import tarfile
from collections.abc import Sequence

import msgspec

from hosts.ssh.link import SshLink
from objects.errors import BerthError

WRITE_SECONDS = 30.0


class FileToWrite(msgspec.Struct, frozen=True, kw_only=True):
    """path: relative to the directory that is written to, without `..`. mode: as `0o644`. uid, gid: numeric owner."""

    path: str
    content: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0

    def __repr__(self) -> str:
        # The content may be a secret.
        return f"FileToWrite(path={self.path!r}, {len(self.content)} bytes)"


def pack_files(files: Sequence[FileToWrite]) -> bytes:
    """An uncompressed tar of the files, in the order of their paths; equal files give equal bytes. Pure.

    Raises BerthError (a bug of the caller) for a path that leads out of the directory.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in sorted(files, key=lambda file: file.path):
            if posixpath.isabs(file.path) or ".." in file.path.split("/") or not file.path:
                raise BerthError(f"refusing to write the file {file.path!r}")
            entry = tarfile.TarInfo(file.path)
            entry.size = len(file.content)
            entry.mode, entry.uid, entry.gid = file.mode, file.uid, file.gid
            tar.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()


def write_files(
    link: SshLink, directory: str, files: Sequence[FileToWrite], *, timeout_seconds: float = WRITE_SECONDS
) -> None:
    """Put files into `directory` on the host (made if missing), as root; others in it stay.

    Not atomic over several files: write into a fresh directory and switch a symlink where that matters.
    Raises CommandFailed, DiskFull or what the link raises.
    """
    place = shlex.quote(directory)
    link.run(
        f"mkdir -p {place} && tar -x -f - -C {place}",
        input=pack_files(files),
        timeout_seconds=timeout_seconds,
        root=True,
        check=True,
    )
