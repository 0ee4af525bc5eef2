"""Manifests as they may be shown: the values of Secrets masked, everything else as it is written. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from objects.errors import InvalidInput
from objects.names import ANNOTATIONS_WITH_MANIFEST
from objects.secrets import MASK
from sources.edit.manifests import objects_in
from sources.yaml.loader import load_documents
from sources.yaml.syntax import PlaceFinder, Span

UNREADABLE = "(not shown: it cannot be read, and may hold a Secret)\n"


class _Value(NamedTuple):
    """One value of a Secret: name: of the object, with field and key. span: where it stands."""

    name: tuple[str, str, str, str]
    value: Any
    span: Span | None


def mask_secrets(text: str, other: str = "") -> str:
    """`text` without the values of its Secrets.

    other: the text that it is compared with; a value that differs there is marked, so that a diff shows that, and only
    that, it changed.
    """
    try:
        known = {found.name: found.value for found in _values(other)}
        found = list(_values(text))
    except InvalidInput:
        return UNREADABLE
    if any(value.span is None and value.value is not None for value in found):
        return UNREADABLE
    for item in sorted(found, key=lambda item: -(item.span.start if item.span else 0)):
        if item.span is None or item.value is None:
            continue
        mark = " (changed)" if item.name in known and known[item.name] != item.value else ""
        tail = "\n" if text[: item.span.end].endswith("\n") else ""
        text = f"{text[: item.span.start]}'{MASK}{mark}'{tail}{text[item.span.end :]}"
    return text


def _values(text: str) -> Iterator[_Value]:
    places = PlaceFinder(text)
    for document in load_documents(text.encode()):
        for path, manifest in objects_in(document.value):
            if manifest.get("kind") != "Secret":
                continue
            metadata = manifest.get("metadata")
            metadata = metadata if isinstance(metadata, dict) else {}
            owner = (str(metadata.get("namespace")), str(metadata.get("name")))
            annotations = metadata.get("annotations")
            for name, text in annotations.items() if isinstance(annotations, dict) else ():
                if name in ANNOTATIONS_WITH_MANIFEST:
                    span = places.locate(document.number, (*path, "metadata", "annotations", name)).scalar
                    yield _Value((*owner, "annotations", name), text, span)
            for field in ("data", "stringData"):
                values = manifest.get(field)
                if values is not None and not isinstance(values, dict):
                    yield _Value((*owner, field, ""), values, None)
                    continue
                for key, value in (values or {}).items():
                    span = places.locate(document.number, (*path, field, key)).scalar
                    yield _Value((*owner, field, key), value, span)
