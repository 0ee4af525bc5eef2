"""Standard output and standard error without secret values: what prints, logs or dies in this process prints here.

A value is found where it is written in one call, which is how lines, tables and tracebacks are written. Bytes that go
to `stream.buffer` pass as they are: the terminal of `berth exec` is its user's own; `berth logs` masks line by line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from sources.words import Words

_MAX_LINE_BYTES = 2**16
"""A longer line without an end is passed on in pieces."""


class MaskedStream:
    """A text stream in front of another, which it is in all else."""

    def __init__(self, stream: TextIO, words: Words) -> None:
        self._stream = stream
        self._words = words

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._stream.write(self._words(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def masked_streams(words: Words) -> Iterator[None]:
    """In the block `sys.stdout` and `sys.stderr` mask what `words` knows."""
    before = sys.stdout, sys.stderr
    for stream in before:
        # click would go around a stream that cannot say everything.
        if getattr(stream, "encoding", None) in ("ascii", "ANSI_X3.4-1968") and hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    masked = [MaskedStream(stream, words) for stream in before]
    sys.stdout, sys.stderr = masked
    try:
        yield
    finally:
        # Somebody may have put others in the place meanwhile (a test that captures).
        if sys.stdout is masked[0]:
            sys.stdout = before[0]
        if sys.stderr is masked[1]:
            sys.stderr = before[1]


def masked_lines(pieces: Iterable[bytes], words: Words) -> Iterator[bytes]:
    """The bytes of `pieces` without secret values, in whole lines as far as there are Secrets at all."""
    rest = b""
    for piece in pieces:
        if words.redactor is None:
            yield piece
            continue
        whole, end, rest = (rest + piece).rpartition(b"\n")
        if len(rest) > _MAX_LINE_BYTES:
            whole, end, rest = whole + end + rest, b"", b""
        if whole or end:
            yield _masked(whole + end, words)
    if rest:
        yield _masked(rest, words)


def _masked(content: bytes, words: Words) -> bytes:
    return words(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
