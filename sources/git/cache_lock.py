"""One writer at a time in a cached clone, across processes: a daemon and a `berth plan` beside it share a cache.

The lock is an flock that git and its children inherit. So after a kill -9 it stays taken exactly as long as a git that
outlived us still writes, and whoever gets it afterwards knows that every `*.lock` file of git is a leftover.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from objects.errors import SourceUnreachable

_POLL_SECONDS = 0.02


@contextmanager
def exclusive(lock_file: Path, *, deadline_seconds: float) -> Iterator[int]:
    """Hold `lock_file`; gives its file descriptor. Raises SourceUnreachable when it is not free in time."""
    descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, time.monotonic() + deadline_seconds)
        yield descriptor
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= until:
                raise SourceUnreachable("another process is using the same clone", hint="it may hang on Git") from None
            time.sleep(_POLL_SECONDS)


def remove_stale_locks(git_dir: Path) -> None:
    """Remove git's own lock files that a killed process left. Call only while holding the lock."""
    for pattern in ("*.lock", "refs/**/*.lock", "objects/info/*.lock"):
        for path in git_dir.glob(pattern):
            path.unlink(missing_ok=True)


def remove_unfinished(git_dir: Path) -> None:
    """Remove what a git that was killed had half received or half written: each such fetch leaves all that had come.

    Call only while holding the lock.
    """
    for pattern in ("objects/pack/tmp_*", "objects/pack/.tmp-*", "objects/??/tmp_obj_*"):
        for path in git_dir.glob(pattern):
            path.unlink(missing_ok=True)
    for folder in git_dir.glob("objects/tmp_objdir-*"):
        shutil.rmtree(folder, ignore_errors=True)
