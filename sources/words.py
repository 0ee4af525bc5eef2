"""What this process must not say: learns every Secret the moment a manifest is parsed, and stands at every way out.

Streams of the command line, commits of the status branch, messages and notes of all commits pass `Words`. A value that
was once learned stays known: what still runs may still speak of a rotated one. Safe for all threads.

Nothing is imported before there is a Secret: `berth --help` is read by a person who waits.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from differ.redaction.redactor import Redactor, Word
    from objects.api.meta import KubeObject

_T = TypeVar("_T")

MAX_WORDS = 20_000
"""The oldest values are forgotten beyond that: a Secret that is rotated each minute must not fill the memory."""


class Words:
    """What is known of secrets, and the redactor made of it, which is replaced as a whole."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._words: dict[Word, None] = {}
        self._names: set[str] = set()
        self._masked: list[Word] = []
        self._is_outdated = False
        self._redactor: Redactor | None = None

    def learn(self, objects: Iterable[KubeObject]) -> None:
        """Know the values of all Secrets among `objects`, and the names that are no secret.

        Takes no time to speak of: the redactor is made when it is next needed.
        """
        from differ.redaction.redactor import public_names, words_of

        objects = tuple(objects)
        words, names = words_of(objects), public_names(objects)
        with self._lock:
            if names <= self._names and all(word in self._words for word in words):
                return
            self._names |= names
            self._words.update(dict.fromkeys(words))
            while len(self._words) > MAX_WORDS:
                del self._words[next(iter(self._words))]
            self._is_outdated = bool(self._words)

    @property
    def redactor(self) -> Redactor | None:
        """For what is known now; None as long as there is no Secret."""
        if self._is_outdated:
            from differ.redaction.redactor import Redactor, secret_words

            with self._lock:
                masked = secret_words(self._words, self._names)
                if masked != self._masked:
                    self._masked, self._redactor = masked, Redactor(masked)
                # Last: until then other threads wait here.
                self._is_outdated = False
        return self._redactor

    def __call__(self, text: str) -> str:
        """`text` without secret values."""
        redactor = self.redactor
        return text if redactor is None else redactor(text)

    def inside(self, value: _T) -> _T:
        """A document or struct without secret values in its texts."""
        redactor = self.redactor
        return value if redactor is None else redactor.inside(value)

    def sealed(self, value: _T) -> _T:
        """A document for the status branch; see `differ.redaction.redactor.Redactor.sealed`."""
        redactor = self.redactor
        return value if redactor is None else redactor.sealed(value)

    def unsealed(self, value: _T) -> _T:
        """A document of the status branch as it was before `sealed`, as far as its Secrets are known."""
        from differ.redaction.redactor import unsealed

        with self._lock:
            words = tuple(self._words)
        return unsealed(value, words) if words else value
