"""Keeps secrets out of every text that leaves the process. Pure; `sources.words` holds the redactor in force.

Values of Secrets are `SecretValue`s and show a mask by themselves. What is left is text from elsewhere: an error of
Docker that quotes arguments, the last words of a container, an annotation that holds a manifest. A redactor knows all
spellings of all values and masks them in one pass, whose time does not grow with the number of values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from differ.redaction.spellings import MIN_LENGTH, spellings
from objects.api.core import Secret
from objects.api.meta import KubeObject
from objects.secrets import MASK, SecretValue

_T = TypeVar("_T")

_SEALED = re.compile(r"\*\*\*\(\(|\*\*\*\(Secret ([^/\s()]*)/([^\s()]+) ([^\s()]+) (\d+)\)")
"""`***(Secret NAMESPACE/NAME KEY SPELLING)`; `***((` stands for a `***(` that was there."""

_RARE = re.compile("[A-Z0-9]")

COMMON_WORDS = frozenset(
    {
        "default", "cluster", "password", "username", "localhost", "production", "development", "staging", "latest",
        "Always", "Running", "Pending", "Healthy", "unknown", "enabled", "disabled", "0.0.0.0", "127.0.0.1", "example",
    }
)  # fmt: skip
"""Values that people keep in Secrets beside the secret ones and that every output is full of."""


class Word(NamedTuple):
    """One value of one Secret."""

    namespace: str
    name: str
    key: str
    value: SecretValue


def words_of(objects: Iterable[KubeObject]) -> list[Word]:
    """All values of those of `objects` that are Secrets."""
    return [
        Word(obj.namespace, obj.name, key, value)
        for obj in objects
        if isinstance(obj, Secret)
        for key, value in (*obj.data.items(), *obj.string_data.items())
    ]


def public_names(objects: Iterable[KubeObject]) -> set[str]:
    """What is no secret although a Secret may say it, too: names that people gave, by which everything is told."""
    names: set[str] = set()
    for obj in objects:
        names |= {obj.KIND, obj.namespace, obj.name}
        if isinstance(obj, Secret):
            names |= {*obj.data, *obj.string_data}
    return names


def secret_words(words: Iterable[Word], names: Iterable[str]) -> list[Word]:
    """Those of `words` that are to be masked: not the common ones, nor those that are (part of) a name.

    With a Deployment named `my-postgres`, the user name `postgres` is no secret; `gres-x` would be one.
    """
    listed = "\n".join(names)

    def is_public(word: Word) -> bool:
        text = word.value.reveal().decode("utf-8", "replace").strip()
        if text in COMMON_WORDS:
            return True
        return text in listed and re.search(rf"(?<![A-Za-z0-9]){re.escape(text)}(?![A-Za-z0-9])", listed) is not None

    return [word for word in words if not is_public(word)]


class _Spelling(NamedTuple):
    """One text to be found, by the few letters of it that begin at `anchor`."""

    text: str
    anchor: int
    word: Word
    number: int


class Redactor:
    """Masks every spelling of any of the values in text. Threads may share it: what it keeps only saves time."""

    def __init__(self, words: Iterable[Word] = ()) -> None:
        by_anchor: dict[str, dict[str, _Spelling]] = {}
        for word in words:
            for number, text in enumerate(spellings(word.value.reveal())):
                at = _anchor(text)
                found = _Spelling(text, at, word, number)
                by_anchor.setdefault(text[at : at + MIN_LENGTH], {}).setdefault(text, found)
        self._by_anchor = {
            anchor: sorted(texts.values(), key=lambda found: -len(found.text)) for anchor, texts in by_anchor.items()
        }
        self._anchors = re.compile(_alternatives(list(by_anchor))) if by_anchor else None
        self._around: dict[str, list[tuple[int, _Spelling]]] = {}

    def __call__(self, text: str) -> str:
        """`text` with a mask in place of each value."""
        return self._replaced(text, lambda _word, _number: MASK)

    def finds(self, text: str) -> bool:
        """Whether `text` holds any of the values, or what looks like a mask that names one."""
        return f"{MASK}(" in text or any(True for _ in self._found(text))

    def inside(self, value: _T) -> _T:
        """A document or struct with all its texts masked; keys of mappings too."""
        return value if self._anchors is None else _mapped(value, self)

    def sealed(self, value: _T) -> _T:
        """Like `inside`, for what is read back: each value is named in its mask, so that `unsealed` finds it again."""

        def seal(text: str) -> str:
            return self._replaced(
                text.replace(f"{MASK}(", f"{MASK}(("),
                lambda word, number: f"{MASK}(Secret {word.namespace}/{word.name} {word.key} {number})",
            )

        return _mapped(value, seal)

    def _longer(self, inner: _Spelling) -> list[tuple[int, _Spelling]]:
        """(how far before `inner` it begins, a longer spelling that contains it), longest first; found out once."""
        around = self._around.get(inner.text)
        if around is None:
            every = (found for texts in self._by_anchor.values() for found in texts)
            longer = (found for found in every if len(found.text) > len(inner.text) and inner.text in found.text)
            around = [(found.text.index(inner.text), found) for found in sorted(longer, key=lambda f: -len(f.text))]
            self._around[inner.text] = around
        return around

    def _found(self, text: str) -> Iterator[tuple[int, _Spelling]]:
        """All spellings in a text with their places, overlapping ones too."""
        match = self._anchors.search(text) if self._anchors is not None else None
        while match is not None and self._anchors is not None:
            for found in self._by_anchor[match.group()]:
                begin = match.start() - found.anchor
                if begin >= 0 and text.startswith(found.text, begin):
                    yield begin, found
            match = self._anchors.search(text, match.start() + 1)

    def _replaced(self, text: str, mask: Callable[[Word, int], str]) -> str:
        if self._anchors is None or len(text) < MIN_LENGTH:
            return text
        parts: list[str] = []
        done = 0
        for begin, found in self._found(text):
            if begin < done:
                continue
            # A value that contains another must go as a whole.
            for before, longer in self._longer(found):
                if begin - before >= done and text.startswith(longer.text, begin - before):
                    begin, found = begin - before, longer
                    break
            parts += (text[done:begin], mask(found.word, found.number))
            done = begin + len(found.text)
        return "".join((*parts, text[done:])) if done else text


def unsealed(value: _T, words: Iterable[Word]) -> _T:
    """What `sealed` made, with the values in it again; the first of several `words` of one key counts.

    A value that is not known any more stays a mask.
    """
    known: dict[tuple[str, str, str], Word] = {}
    for word in words:
        known.setdefault((word.namespace, word.name, word.key), word)

    def value_of(match: re.Match[str]) -> str:
        namespace, name, key, number = match.groups()
        if name is None:
            return f"{MASK}("
        word = known.get((namespace, name, key))
        texts = spellings(word.value.reveal()) if word is not None else ()
        return texts[int(number)] if int(number) < len(texts) else MASK

    return _mapped(value, lambda text: _SEALED.sub(value_of, text) if f"{MASK}(" in text else text)


def _mapped(value: _T, change: Callable[[str], str]) -> _T:
    result: _T = _map(value, change)
    return result


def _map(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_map(key, change): _map(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_map(item, change) for item in value]
    if isinstance(value, tuple):
        # Named tuples are names of things (ObjectKey), by which they are found.
        return value if hasattr(value, "_fields") else tuple(_map(item, change) for item in value)
    if isinstance(value, msgspec.Struct):
        changed = {name: _map(getattr(value, name), change) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **changed)
    return value


def _anchor(text: str) -> int:
    """Where in a spelling to look for it: at its first letter that texts are not full of."""
    rare = _RARE.search(text, 0, len(text) - MIN_LENGTH + 1)
    return rare.start() if rare is not None else 0


def _alternatives(anchors: list[str]) -> str:
    """A pattern that finds any of the anchors, all of one length: letter by letter, not one anchor after another."""
    if len(anchors[0]) == 1:
        return f"[{''.join(re.escape(anchor) for anchor in sorted(anchors))}]"
    groups: dict[str, list[str]] = {}
    for anchor in anchors:
        groups.setdefault(anchor[0], []).append(anchor[1:])
    branches = [re.escape(first) + _alternatives(rest) for first, rest in sorted(groups.items())]
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"
