"""Default tolerations: what a pod says itself stays, and what all pods get they hold in common."""

import pytest

from objects.api.pods import PodSpec, Toleration
from policies.admission.tolerations import with_default_tolerations

NOT_READY = Toleration(
    key="node.kubernetes.io/not-ready", operator="Exists", effect="NoExecute", toleration_seconds=300
)
UNREACHABLE = Toleration(
    key="node.kubernetes.io/unreachable", operator="Exists", effect="NoExecute", toleration_seconds=300
)
OWN = Toleration(key="node.kubernetes.io/not-ready", operator="Exists", toleration_seconds=5)
OTHER = Toleration(key="gpu", operator="Exists")
ALL = Toleration(operator="Exists")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param((), (NOT_READY, UNREACHABLE), id="nothing"),
        pytest.param((OTHER,), (OTHER, NOT_READY, UNREACHABLE), id="another taint"),
        pytest.param((OWN,), (OWN, UNREACHABLE), id="one of them"),
        pytest.param((ALL,), (ALL,), id="all"),
    ],
)
def test_what_a_pod_does_not_speak_of_is_tolerated_for_five_minutes(said, expected):
    spec = with_default_tolerations(PodSpec(tolerations=said))
    assert spec.tolerations == expected
    assert with_default_tolerations(spec) is spec


def test_pods_hold_the_defaults_in_common():
    one, other = (with_default_tolerations(PodSpec(hostname=name)) for name in "ab")
    assert one.tolerations is other.tolerations
