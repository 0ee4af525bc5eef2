"""What this process must not say: learns every Secret the moment a manifest is parsed, and stands at every way out.

Streams of the command line, commits of the status branch, messages and notes of all commits pass `Words`. A value that
was once learned stays known: what still runs may still speak of a rotated one. Safe for all threads.

Nothing is imported before there is a Secret: `berth --help` is read by a person who waits.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from differ.redaction.redactor import Redactor, Word
    from objects.api.meta import KubeObject

_T = TypeVar("_T")

MAX_WORDS = 20_000
"""The oldest values are forgotten beyond that: a Secret that is rotated each minute must not fill the memory."""


_ESCAPED = re.compile(r'\\(["\\])')
_LITERAL_BLOCK = re.compile(r": \|-?\n")


def _finds_quoted(redactor: Redactor, text: str) -> bool:
    """Whether a value is in it that was quoted before it came here: an engine quotes as Go does, the file once more."""
    return "\\" in text and redactor.finds(_ESCAPED.sub(r"\1", text))


class Masked(bytes):
    """A text in which no secret value is: only `Words` makes it. by: what looked through it."""

    def __new__(cls, content: bytes, by: Redactor | None) -> Self:
        masked = super().__new__(cls, content)
        masked.by = by
        return masked

    by: Redactor | None


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

    def sealed_text(self, document: dict[str, Any], dump: Callable[[dict[str, Any]], bytes]) -> Masked:
        """A sealed document of the status branch as `dump` writes it, for which its text is looked through once.

        dump: writes each text of the document as it is, or as JSON does; but for letters that nobody sees and literal
        blocks, where it may be in pieces: then the document is looked through before it is a text, and after.
        """
        redactor = self.redactor
        content = dump(document)
        if redactor is None:
            return Masked(content, redactor)
        text = content.decode()
        if "\\u" in text or _LITERAL_BLOCK.search(text) or redactor.finds(text) or _finds_quoted(redactor, text):
            return Masked(redactor(dump(redactor.sealed(document)).decode()).encode(), redactor)
        return Masked(content, redactor)

    def masked(self, content: bytes) -> bytes:
        """A text without secret values. What has been looked through is not again, as long as no Secret is new."""
        redactor = self.redactor
        if redactor is None or (isinstance(content, Masked) and content.by is redactor):
            return content
        return redactor(content.decode()).encode()

    def unsealed(self, value: _T) -> _T:
        """A document of the status branch as it was before `sealed`, as far as its Secrets are known."""
        from differ.redaction.redactor import unsealed

        with self._lock:
            words = tuple(self._words)
        return unsealed(value, words) if words else value
