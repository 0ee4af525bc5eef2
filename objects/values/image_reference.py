"""Image references (`nginx`, `registry:5000/team/app:1.2`, `app@sha256:…`) in one canonical form.

Docker lists images by familiar names (`busybox:1`), people write any of several forms: comparing texts would pull what
is there. Rules: the `distribution/reference` grammar, with Docker Hub's `docker.io/library/` defaults.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

DEFAULT_REGISTRY = "docker.io"
_HUB_ALIASES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})

_DOMAIN_PART = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PATH_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_GRAMMAR = re.compile(
    rf"(?:(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?{_PATH_PART}(?:/{_PATH_PART})*"
    r"(?::\w[\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)
_MAX_NAME_LENGTH = 255


class ImageReference(NamedTuple):
    """registry: host[:port]; repository: path without it. At least one of tag and digest is set."""

    registry: str
    repository: str
    tag: str
    digest: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}" + (f"@{self.digest}" if self.digest else f":{self.tag}")


@functools.lru_cache(maxsize=4096)
def is_image_reference(text: str) -> bool:
    """Whether the text is an image reference at all, by the grammar of `distribution/reference`.

    web:v1            yes        web:v1:2   no (two tags)      Web   no (capital letters in the path)
    r.example:5/a/b   yes        web:       no (empty tag)
    """
    return _GRAMMAR.fullmatch(text) is not None and len(text.partition("@")[0]) <= _MAX_NAME_LENGTH


def image_problem(text: str) -> str:
    """What is wrong with an image reference in a manifest, in words, or ''."""
    if is_image_reference(text):
        return ""
    if text != text.strip():
        return "must not begin or end with white space"
    if "://" in text:
        return "must not have a scheme: begin with the registry's name"
    if is_image_reference(text.lower()):
        return "is not an image reference: the name may only hold lower-case letters"
    if text.partition("@")[0].rpartition("/")[2].count(":") > 1:
        return "is not an image reference: it may have one tag"
    return "is not an image reference such as nginx:1.27 or registry.example.com:5000/team/app:1.2"


@functools.lru_cache(maxsize=4096)
def parse_image_reference(text: str) -> ImageReference:
    """Resolve defaults: `nginx` is `docker.io/library/nginx:latest`. A digest makes the tag meaningless."""
    name, _, digest = text.partition("@")
    first, slash, rest = name.partition("/")
    is_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, repository = (first, rest) if is_registry else (DEFAULT_REGISTRY, name)
    # A colon after the last slash is a tag; one before it was the registry's port.
    path, colon, tag = repository.rpartition(":")
    if not colon or "/" in tag:
        path, tag = repository, ""
    if registry in _HUB_ALIASES:
        registry = DEFAULT_REGISTRY
        path = path if "/" in path else f"library/{path}"
    return ImageReference(registry, path, tag or ("" if digest else "latest"), digest)


def canonical_image(text: str) -> str:
    """`nginx:1` → `docker.io/library/nginx:1`; two texts name the same image exactly when these are equal."""
    return str(parse_image_reference(text))
