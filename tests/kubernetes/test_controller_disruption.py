"""Tables of the disruption controller: mostly how a Go client finds the scale of a workload."""

from __future__ import annotations

from objects.api.meta import LabelSelector
from objects.selectors import selector_matches
from tests.kubernetes.loading import load
from tests.kubernetes.tables import Case, table

_SCALE = "scales are read off the workloads in the store, of one API group each"
LEFT_OUT = {
    "controller_disruption/disruption__TestBasicFinderFunctions": _SCALE,
    "controller_disruption/disruption__TestDeploymentFinderFunction": _SCALE,
    "controller_disruption/disruption__TestScaleFinderNoResource": _SCALE,
    "controller_disruption/disruption__TestStalePodDisruption": (
        "the condition comes with the deletion, in one step: no pod keeps it without being deleted"
    ),
}


@table("controller_disruption/disruption__TestInvalidSelectors")
def test_malformed_selector_protects_nothing(case: Case) -> None:
    selector = load(LabelSelector, case["labelSelector"])
    assert not selector_matches(selector, {"foo": "bar"})
