"""Image references in their canonical form."""

from __future__ import annotations

import pytest

from objects.values.image_reference import (
    ImageReference,
    canonical_image,
    is_image_reference,
    parse_image_reference,
)

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param("nginx", "docker.io/library/nginx:latest", id="name"),
        pytest.param("nginx:1.7.9", "docker.io/library/nginx:1.7.9", id="tag"),
        pytest.param("resouer/sample:v2", "docker.io/resouer/sample:v2", id="user"),
        pytest.param("docker.io/nginx", "docker.io/library/nginx:latest", id="hub"),
        pytest.param("index.docker.io/library/nginx", "docker.io/library/nginx:latest", id="hub-by-its-old-name"),
        pytest.param("localhost/app", "localhost/app:latest", id="localhost"),
        pytest.param("registry:5000/team/app", "registry:5000/team/app:latest", id="port-is-no-tag"),
        pytest.param("registry:5000/app:1", "registry:5000/app:1", id="port-and-tag"),
        pytest.param("gcr.io/a/b:c", "gcr.io/a/b:c", id="registry"),
        pytest.param(f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}", id="digest"),
        pytest.param(f"nginx:1.7@{DIGEST}", f"docker.io/library/nginx@{DIGEST}", id="tag-and-digest"),
    ],
)
def test_canonical(text: str, canonical: str) -> None:
    assert canonical_image(text) == canonical


def test_parts() -> None:
    assert parse_image_reference("r:5/a/b:1") == ImageReference(registry="r:5", repository="a/b", tag="1", digest="")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        pytest.param("web", True, id="name"),
        pytest.param("web:v1", True, id="tag"),
        pytest.param("r.example:5000/team/web:v1", True, id="registry-with-a-port"),
        pytest.param("[::1]:5000/web", True, id="registry-by-address"),
        pytest.param(f"web:v1@sha256:{'a' * 64}", True, id="tag-and-digest"),
        pytest.param("a__b/c-d.e_f", True, id="separators"),
        pytest.param("r.example:5000/web:v1:2", False, id="two-tags"),
        pytest.param("web:v1:2", False, id="two-tags-without-a-registry"),
        pytest.param("web:", False, id="empty-tag"),
        pytest.param("Team/Web", False, id="capital-letters"),
        pytest.param("web@sha256:abc", False, id="short-digest"),
        pytest.param(" web", False, id="space"),
        pytest.param("https://r.example/web", False, id="address"),
        pytest.param("", False, id="empty"),
        pytest.param("a/" * 127 + "bb", False, id="too-long"),
    ],
)
def test_what_is_a_reference(text: str, is_one: bool) -> None:
    assert is_image_reference(text) is is_one
