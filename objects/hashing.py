"""Hashes that decide about restarts: of templates as written and of anything that encodes to JSON."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from objects.names import safe_encode

_ENCODER = msgspec.json.Encoder(order="sorted")


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values give equal bytes."""
    return _ENCODER.encode(value)


def content_hash(value: Any, *, length: int = 16) -> str:
    """The first `length` hex digits of the SHA-256 of `value`'s canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()[:length]


def template_hash(template_as_written: Any) -> str:
    """The `pod-template-hash` of a pod template: ten characters that are safe in names.

    template_as_written: the mapping from the file, before defaulting, so that a Berth version with new defaults
    restarts nobody.
    """
    return safe_encode(content_hash(template_as_written, length=10))
