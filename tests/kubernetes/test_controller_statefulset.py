"""Tables of the StatefulSet controller. Most are Go test flows: what they check is in tests/unit/controllers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from objects.apps import StatefulSet
from objects.conditions import with_condition
from objects.meta import Condition, ObjectMeta
from objects.pods import Pod, PodStatus
from reconciler.controllers.owned_pods import is_available
from reconciler.controllers.stateful.steps import max_unavailable
from tests.kubernetes.loading import load
from tests.kubernetes.tables import Case, table
from tests.unit.controllers.manifests import stateful_set

_GO_FLOW = "the case holds Go functions only; the behaviour is in tests/unit/controllers/test_statefulset.py"
_CLAIM_OWNERS = "claims have no owner and are never deleted: their retention policy comes with volumes"
LEFT_OUT = {
    "controller_statefulset/stateful_pod_control__TestPodClaimIsStale": _CLAIM_OWNERS,
    "controller_statefulset/stateful_pod_control__TestStatefulPodControlConsistencyStore": _GO_FLOW,
    (
        "controller_statefulset/stateful_pod_control__TestStatefulPodControlUpdatePodClaimForRetentionPolicy"
    ): _CLAIM_OWNERS,
    "controller_statefulset/stateful_set_compatibility__TestStatefulSetCompatibility": (
        "hashes of revisions that Kubernetes wrote; ours are of the template as written in Git"
    ),
    "controller_statefulset/stateful_set_control__TestStatefulSetControl": _GO_FLOW,
    "controller_statefulset/stateful_set_control__TestStatefulSetControlLimitsHistory": _GO_FLOW,
    "controller_statefulset/stateful_set_control__TestStatefulSetControlOnDeleteUpdate": _GO_FLOW,
    "controller_statefulset/stateful_set_control__TestStatefulSetControlRollback": _GO_FLOW,
    "controller_statefulset/stateful_set_control__TestStatefulSetControlRollingUpdate": _GO_FLOW,
    "controller_statefulset/stateful_set_control__TestStatefulSetControlRollingUpdateWithMaxUnavailable": _GO_FLOW,
    "controller_statefulset/stateful_set_control__TestStatefulSetControlRollingUpdateWithMaxUnavailableInOrderedModeVerifyInvariant": _GO_FLOW,  # noqa: E501
    "controller_statefulset/stateful_set_control__TestStatefulSetControlRollingUpdateWithPartition": _GO_FLOW,
    "controller_statefulset/stateful_set_control__TestStatefulSetMetrics": "metrics of the Go controller",
    "controller_statefulset/stateful_set_control__TestStatefulSetStatusUpdate": "errors of an API server",
    "controller_statefulset/stateful_set_utils__TestClaimOwnerUpToDateEdgeCases": _CLAIM_OWNERS,
    "controller_statefulset/stateful_set_utils__TestHasOwnerRef": _CLAIM_OWNERS,
    "controller_statefulset/stateful_set_utils__TestHasUnexpectedController": _CLAIM_OWNERS,
    "controller_statefulset/stateful_set_utils__TestIsClaimOwnerUpToDate": _CLAIM_OWNERS,
    "controller_statefulset/stateful_set_utils__TestMatchesRef": _CLAIM_OWNERS,
    "controller_statefulset/stateful_set_utils__TestNonController": _CLAIM_OWNERS,
    "controller_statefulset/stateful_set_utils__TestOwnerRefsChanged": _CLAIM_OWNERS,
    "controller_statefulset/stateful_set_utils__TestUpdateClaimControllerRef": _CLAIM_OWNERS,
    "controller_statefulset/stateful_set_utils__TestUpdateClaimOwnerRefForSetAndPod": _CLAIM_OWNERS,
}

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@table("controller_statefulset/stateful_set_utils__TestGetStatefulSetMaxUnavailable")
def test_max_unavailable(case: Case) -> None:
    subject = stateful_set(replicas=case["replicaCount"], unavailable=case["maxUnavailable"])
    assert max_unavailable(subject) == case["expectedMaxUnavailable"]


@table("controller_statefulset/stateful_set_control__TestStatefulSetAvailability")
def test_availability(case: Case) -> None:
    subject = load(StatefulSet, case["inputSTS"])
    ready_since = NOW + timedelta(microseconds=case["readyDuration"] // 1000)
    conditions = with_condition((), Condition(type="Ready", status="True"), now=ready_since)
    pod = Pod(metadata=ObjectMeta(name="foo-0"), status=PodStatus(phase="Running", conditions=conditions))
    found = is_available(pod, min_ready_seconds=subject.spec.min_ready_seconds, now=NOW)
    assert int(found) == case["expectedActiveReplicas"]
