"""What people call kinds, and what they mean."""

from __future__ import annotations

import pytest

from objects.errors import InvalidInput
from objects.fields import FieldError, FieldPath, show_path
from objects.kinds import KINDS, kind_class


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
        pytest.param("v1", "Zebra", "", id="nothing like it"),
        pytest.param("app/v1", "Deployment", "write apps/v1", id="group"),
        pytest.param("network.k8s.io/v1", "Ingress", "write networking.k8s.io/v1", id="misspelled group"),
        pytest.param("apps/v1", "Deploymnt", "did you mean Deployment?", id="misspelled kind"),
        pytest.param("coordination.k8s.io/v1", "Lease", "a kind of Kubernetes", id="no effect"),
        pytest.param("node.k8s.io/v1", "RuntimeClass", "a kind of Kubernetes", id="not StorageClass"),
        pytest.param("example.com/v1", "Zebra", "Zebra of example.com is a custom resource", id="custom"),
        pytest.param("argoproj.io/v1alpha1", "Application", "Application of argoproj.io is a custom", id="argo"),
        pytest.param("gateway.networking.k8s.io/v1", "HTTPRoute", "HTTPRoute of gateway", id="a group below k8s.io"),
        pytest.param("serving.knative.dev/v1", "Service", "Service of serving.knative.dev", id="known name"),
        pytest.param("kustomize.config.k8s.io/v1beta1", "Kustomization", "Kustomization of", id="kustomize"),
    ],
)
def test_what_is_no_kind(api_version: str, kind: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        kind_class(api_version, kind)
    assert caught.value.hint.startswith(hint)
    assert bool(caught.value.hint) == bool(hint)
    assert "did you mean" not in caught.value.hint or "mean" in hint


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
