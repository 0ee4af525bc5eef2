"""The texts in which a secret value may turn up: plain, base64, escaped, or a part that is secret alone. Pure.

A value leaves a process seldom as it is written: Docker's errors quote arguments as Go does, JSON and YAML escape, URLs
use percent signs, a `docker login` entry holds a password inside JSON inside base64.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

MIN_LENGTH = 6
"""Shorter texts (`true`, `admin`) would mask half of every sentence and are no secret worth the name."""

_MIN_LINE = 12
"""Of several lines each counts by itself from this length on: `server:` or `-----` stand in many files."""
_MAX_LINES = 2000
_MAX_ALIGNED_BYTES = 4096
"""Larger values are not looked for inside the base64 of something else: that is what passwords and tokens are."""

_ARMOUR = re.compile(r"-{3,}[A-Z ]*-{3,}|[-=#*_ ]+")
"""What stands around keys and certificates, and rules between paragraphs."""
_NAMED_SECRET = re.compile(
    r"(?i)(?:pass|pwd|secret|token|key|credential|auth)[\w.-]*[\"']?\s*[:=]\s*[\"']?([^\s\"',;]+)"
)
_PASSWORD_OF_URL = re.compile(r"://[^\s/:@]*:([^\s/@]+)@")


def spellings(value: bytes) -> tuple[str, ...]:
    """All texts of a value that are long enough to be told from ordinary words; the same value gives the same order.

    s3cr3t!  ->  s3cr3t!  s3cr3t%21  czNjcjN0IQ==  czNjcjN0IQ  MzY3IzdCE …
    """
    found: dict[str, None] = {}
    for text in _parts(value):
        found.update(dict.fromkeys(_escaped(text)))
    stripped = value.strip()
    for content in dict.fromkeys((value, stripped)):
        found.update(dict.fromkeys(_encoded(content)))
    # As `echo … | base64` makes it.
    found[base64.b64encode(stripped + b"\n").decode()] = None
    for password in _registry_passwords(value):
        found.update(dict.fromkeys((*_escaped(password), *_encoded(password.encode()))))
    return tuple(text for text in found if len(text) >= MIN_LENGTH)


def _parts(value: bytes) -> Iterator[str]:
    """The text itself, and what of it is a secret alone: lines, the password of an address, of a setting."""
    text = value.decode("utf-8", "replace").strip()
    yield text
    lines = text.splitlines()
    if len(lines) > 1:
        for line in lines[:_MAX_LINES]:
            if len(line.strip()) >= _MIN_LINE and not _ARMOUR.fullmatch(line.strip()):
                yield line.strip()
        yield from (found for found in _NAMED_SECRET.findall(text))
    yield from _PASSWORD_OF_URL.findall(text)


def _escaped(text: str) -> Iterator[str]:
    """A text as it is, and as JSON, YAML, Python, Go, a shell, a URL and HTML write it between their quotes."""
    yield text
    if text.isalnum() and text.isascii():
        return
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield text.replace("'", "''")
    yield shlex.quote(text)[1:-1] if "'" in text else text
    yield quote(text, safe="")
    yield quote(text)
    yield quote_plus(text)
    yield html.escape(text)


def _encoded(content: bytes) -> Iterator[str]:
    """A value's base64: of itself, and as it lies inside the base64 of something around it, at each of three places."""
    if len(content) < MIN_LENGTH:
        return
    whole = base64.b64encode(content).decode()
    yield whole
    variants = [whole.rstrip("=")]
    if len(content) <= _MAX_ALIGNED_BYTES:
        for before in range(3):
            text = base64.b64encode(b"\0" * before + content).decode()
            # Characters that neighbouring bytes have a share in are not known.
            after = (0, 3, 2)[(before + len(content)) % 3]
            variants.append(text[(0, 2, 3)[before] : len(text) - after])
    for text in variants:
        yield text
        yield text.replace("+", "-").replace("/", "_")


def _registry_passwords(value: bytes) -> Iterator[str]:
    """The passwords and tokens of a `.dockerconfigjson` or `.dockercfg`, also those inside its `auth`."""
    if b"auth" not in value and b"password" not in value:
        return
    try:
        document = json.loads(value)
    except ValueError:
        return
    entries = document.get("auths", document) if isinstance(document, dict) else None
    for entry in entries.values() if isinstance(entries, dict) else ():
        if not isinstance(entry, dict):
            continue
        for field in ("password", "auth", "identitytoken", "registrytoken"):
            text = entry.get(field)
            if not isinstance(text, str):
                continue
            yield text
            if field == "auth":
                try:
                    yield base64.b64decode(text).decode("utf-8", "replace").partition(":")[2]
                except ValueError:
                    continue
