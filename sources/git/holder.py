"""Which of many possible reconcilers this process is: an id beside the clone, held while the process lives.

The kernel lets go of the file however the process ends, so one that is started again with the same cache is the same
one at once, and two that run at a time never are.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from objects.errors import SourceError

_CONTENT = re.compile(rb"([0-9a-f]{12})\n(.*)\n")


class Holder(NamedTuple):
    """id: of this reconciler. other: who else runs with the same cache now, '' for nobody; then the id is a new one,
    for this process only.
    """

    id: str
    other: str = ""


@contextmanager
def held(file: Path, *, name: str) -> Iterator[Holder]:
    """Be the reconciler whose id is in `file`, or a new one. name: what others are told. Raises SourceError."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SourceError(f"{file} cannot be written: {error.strerror}") from error
    try:
        found = _CONTENT.fullmatch(os.pread(descriptor, 4096, 0))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield Holder(_new_id(), other=found[2].decode(errors="replace") if found else "another berth")
            return
        holder_id = found[1].decode() if found else _new_id()
        content = f"{holder_id}\n{name}\n".encode()
        # One call each: whoever reads in between finds an id that is cut, which counts as none.
        os.pwrite(descriptor, content, 0)
        os.ftruncate(descriptor, len(content))
        yield Holder(holder_id)
    finally:
        os.close(descriptor)


def _new_id() -> str:
    return secrets.token_hex(6)
