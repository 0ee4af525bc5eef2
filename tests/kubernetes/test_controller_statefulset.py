"""Tables of the StatefulSet controller. Most are Go test flows: what they check is in tests/unit/controllers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from objects.api.apps import StatefulSet, StatefulSetRetentionPolicy
from objects.api.meta import Condition, ObjectMeta, OwnerReference
from objects.api.pods import Pod, PodStatus
from objects.api.storage import PersistentVolumeClaim
from objects.conditions import with_condition
from reconciler.controllers.pods.owned import is_available
from reconciler.controllers.stateful.claims import is_stale, with_owners
from reconciler.controllers.stateful.steps import max_unavailable
from tests.kubernetes.loading import load
from tests.kubernetes.tables import Case, table
from tests.unit.controllers.manifests import stateful_set

_GO_FLOW = "the case holds Go functions only; the behaviour is in tests/unit/controllers/test_statefulset.py"
LEFT_OUT = {
    "controller_statefulset/stateful_pod_control__TestStatefulPodControlConsistencyStore": _GO_FLOW,
    "controller_statefulset/stateful_pod_control__TestStatefulPodControlUpdatePodClaimForRetentionPolicy": _GO_FLOW,
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
    "controller_statefulset/stateful_set_utils__TestHasOwnerRef": "the references of the case are not in the table",
    "controller_statefulset/stateful_set_utils__TestOwnerRefsChanged": "ours compare uids, which the cases do not have",
    "controller_statefulset/stateful_set_utils__TestMatchesRef": "ours compare uids, which no two objects share",
}

_OWN = OwnerReference(api_version="apps/v1", kind="StatefulSet", name="db", uid="set", controller=True)
_PODS = OwnerReference(api_version="v1", kind="Pod", name="db-0", uid="pod", controller=True)

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


# --- claims and who they go with ----------------------------------------------------------------------------------


def owned_claim(*refs: OwnerReference) -> PersistentVolumeClaim:
    return PersistentVolumeClaim(metadata=ObjectMeta(name="data-db-0", owner_references=refs))


def a_set(when_deleted: str, when_scaled: str, *, uid: str = "set", replicas: int = 1) -> StatefulSet:
    policy = StatefulSetRetentionPolicy(when_deleted=when_deleted, when_scaled=when_scaled)
    made = stateful_set(replicas=replicas, persistent_volume_claim_retention_policy=policy)
    return msgspec.structs.replace(made, metadata=msgspec.structs.replace(made.metadata, uid=uid))


def a_pod(uid: str = "pod") -> Pod:
    return Pod(metadata=ObjectMeta(name="db-0", uid=uid))


def owners(claim: PersistentVolumeClaim) -> set[tuple[str, bool]]:
    return {(ref.uid, bool(ref.controller)) for ref in claim.metadata.owner_references}


@table("controller_statefulset/stateful_pod_control__TestPodClaimIsStale")
def test_stale_claims(case: Case) -> None:
    refs = {
        "exists": (),
        "with-ref": (_PODS,),
        "stale": (msgspec.structs.replace(_PODS, uid="earlier"),),
    }
    uid = "" if case["skipPodUID"] else "pod"
    claims = [owned_claim(*refs[state]) for state in case["claimStates"] if state != "missing"]
    assert any(is_stale(claim, "db-0", pod_uid=uid) for claim in claims) == case["expected"]


@table("controller_statefulset/stateful_set_utils__TestIsClaimOwnerUpToDate")
def test_whom_a_claim_goes_with(case: Case) -> None:
    subject = a_set(case["setDeletePolicy"], case["scaleDownPolicy"], replicas=case["replicas"])
    wanted = {("set", True)} if case["needsSetRef"] else {("pod", True)} if case["needsPodRef"] else set()
    for before in ((), (_OWN,), (_PODS,), (_OWN, _PODS)):
        found = with_owners(owned_claim(*before), subject, case["ordinal"], a_pod())
        assert owners(found) == wanted
        assert with_owners(found, subject, case["ordinal"], a_pod()) is found


@table("controller_statefulset/stateful_set_utils__TestUpdateClaimOwnerRefForSetAndPod")
def test_a_claim_gets_the_owner_that_the_policy_says(case: Case) -> None:
    subject = a_set(case["setDeletePolicy"], case["scaleDownPolicy"])
    foreign = OwnerReference(api_version="example/v1", kind="Else", name="e", uid="e", controller=True)
    before = owned_claim(foreign) if case["unexpectedController"] else owned_claim()
    found = owners(with_owners(before, subject, 1 if case["condemned"] else 0, a_pod())) - {("e", True)}
    assert found == {("set", True)} if case["needsSetRef"] else {("pod", True)} if case["needsPodRef"] else not found


@table("controller_statefulset/stateful_set_utils__TestClaimOwnerUpToDateEdgeCases")
def test_whose_owners_are_left_as_they_are(case: Case) -> None:
    """The pod of the pod cases is condemned; ids as in the table."""
    subject = a_set(case["policy"]["whenDeleted"], case["policy"]["whenScaled"], uid="ss-456")
    claim = owned_claim(*(msgspec.convert(ref, OwnerReference) for ref in case["ownerRefs"]))
    is_same = with_owners(claim, subject, 1, a_pod("pod-123")) is claim
    assert is_same == case["shouldMatch"]


@table("controller_statefulset/stateful_set_utils__TestHasUnexpectedController")
def test_a_claim_of_somebody_else_gets_no_owner(case: Case) -> None:
    subject = a_set("Delete", "Delete", uid="set-uid")
    claim = owned_claim(*(msgspec.convert(ref, OwnerReference) for ref in case["refs"]))
    found = owners(with_owners(claim, subject, 1, a_pod("pod-uid")))
    assert (("pod-uid", True) not in found) == case["shouldReportUnexpectedController"]


@table("controller_statefulset/stateful_set_utils__TestNonController")
def test_an_owner_of_ours_becomes_the_controller(case: Case) -> None:
    """Where the table finds one of ours that is no controller, the claim is changed; of two one is too many."""
    claim = owned_claim(*(msgspec.convert(ref, OwnerReference) for ref in case["refs"]))
    found = with_owners(claim, a_set("Delete", "Retain", uid=case["setUID"]), 0, a_pod(case["podUID"]))
    if case["nonController"]:
        assert found is not claim
    assert owners(found) == {("set", True)}


@table(
    "controller_statefulset/stateful_set_utils__TestUpdateClaimControllerRef",
    leave_out={"neither controller nor UID": "an owner without uid: ours always have one"},
)
def test_the_set_takes_its_place_among_owners(case: Case) -> None:
    claim = owned_claim(*(msgspec.convert(ref, OwnerReference) for ref in case["originalRefs"]))
    found = with_owners(claim, a_set("Delete", "Retain", uid="123"), 0, None)
    assert owners(found) == {(ref["uid"], ref.get("controller", False)) for ref in case["expectedRefs"]}
