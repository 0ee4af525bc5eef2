"""What people call kinds, and what they mean."""

from __future__ import annotations

import pytest

from objects.errors import InvalidInput
from objects.fields import FieldError, FieldPath, show_path
from objects.kinds import KINDS, find_kind, kind_class


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        pytest.param("po", "Pod", id="short"),
        pytest.param("pods", "Pod", id="plural"),
        pytest.param("POD", "Pod", id="capitals"),
        pytest.param("deploy", "Deployment", id="deploy"),
        pytest.param("HorizontalPodAutoscaler", "HorizontalPodAutoscaler", id="kind"),
        pytest.param("ingresses", "Ingress", id="odd-plural"),
    ],
)
def test_words_for_kinds(word: str, kind: str) -> None:
    assert kind == find_kind(word).kind.KIND


def test_an_unknown_word_leads_to_a_near_one() -> None:
    with pytest.raises(InvalidInput, match="there is no kind 'deploymint'") as caught:
        find_kind("deploymint")
    assert caught.value.hint == "did you mean deployment?"


def test_no_word_means_two_kinds() -> None:
    words = [word for info in KINDS for word in {info.kind.KIND.lower(), info.plural, *info.short_names}]
    assert len(words) == len(set(words))


def test_every_kind_is_found_by_what_it_says_of_itself() -> None:
    assert [kind_class(info.kind.API_VERSION, info.kind.KIND) for info in KINDS] == [info.kind for info in KINDS]


@pytest.mark.parametrize(
    ("api_version", "kind", "hint"),
    [
        pytest.param("v1", "Pods", "did you mean Pod?", id="plural"),
        pytest.param("v2", "Pod", "write v1", id="version"),
        pytest.param("policy/v1beta1", "PodSecurityPolicy", "Kubernetes removed it: levels are labels", id="gone"),
        pytest.param("example.com/v1", "Zebra", "", id="custom"),
    ],
)
def test_what_is_no_kind(api_version: str, kind: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        kind_class(api_version, kind)
    assert caught.value.hint.startswith(hint)
    assert bool(caught.value.hint) == bool(hint)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        pytest.param((), "", id="top"),
        pytest.param(("spec", "containers", 0, "image"), "spec.containers[0].image", id="list"),
        pytest.param(("metadata", "labels", "a/b.c"), "metadata.labels['a/b.c']", id="label"),
        pytest.param(("a b",), "['a b']", id="first-is-no-word"),
    ],
)
def test_paths(path: FieldPath, shown: str) -> None:
    assert show_path(path) == shown


def test_an_error_reads_place_message_suggestion() -> None:
    assert str(FieldError(("a", 0), "is wrong", "write b")) == "a[0]: is wrong (write b)"
    assert str(FieldError((), "is wrong")) == "is wrong"
