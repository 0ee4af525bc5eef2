"""Tables of the deployment controller: numbers of a rollout, revisions, progress, proportional scaling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from objects.api.apps import (
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    DeploymentStrategy,
    ReplicaSet,
    ReplicaSetSpec,
)
from objects.api.apps import RollingUpdateDeployment as Rolling
from objects.api.meta import Condition, IntOrString, ObjectMeta
from objects.api.pods import Pod, PodTemplateSpec
from objects.conditions import find_condition, with_condition, without_condition
from objects.errors import InvalidInput
from reconciler.controllers.pods.owned import PodCounts, count_pods
from reconciler.controllers.pods.template import without_hash_label
from reconciler.controllers.rollout.arithmetic import fenceposts_of, min_available, resolve_fenceposts
from reconciler.controllers.rollout.progress import (
    deadline_at,
    has_progressed,
    is_complete,
    is_timed_out,
    status_of,
)
from reconciler.controllers.rollout.revisions import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    Revision,
    Rollout,
    find_new_replica_set,
    replica_set_name,
    surplus_history,
    whole_number,
    with_size,
)
from reconciler.controllers.rollout.scaling import revision_fraction, scaled_sizes
from reconciler.controllers.rollout.strategies import has_old_pods, next_rolling_sizes, shrink_old
from tests.kubernetes.loading import load, load_all
from tests.kubernetes.tables import Case, table

_OWN_INDEX = "the store finds dependents by owner: reconciler/state/store.py"
LEFT_OUT = {
    "controller_deployment/deployment_controller__TestGetPodMapForReplicaSets": _OWN_INDEX,
    "controller_deployment/deployment_util__TestGetDeploymentsForReplicaSet": (
        "the expected Deployments are in the case, those to choose from are not"
    ),
}

NOW = datetime(2017, 2, 15, 19, 0, tzinfo=UTC)


def deployment(desired: int, surge: IntOrString, unavailable: IntOrString, **status: Any) -> Deployment:
    strategy = DeploymentStrategy(
        type="RollingUpdate", rolling_update=Rolling(max_surge=surge, max_unavailable=unavailable)
    )
    return Deployment(
        metadata=ObjectMeta(name="foo", namespace="default"),
        spec=DeploymentSpec(replicas=desired, strategy=strategy),
        status=DeploymentStatus(**status),
    )


def revision(name: str, size: int, available: int = 0, **annotations: str) -> Revision:
    metadata = ObjectMeta(name=name, namespace="default", annotations=annotations)
    counts = PodCounts(replicas=size, ready=available, available=available)
    return Revision(ReplicaSet(metadata=metadata, spec=ReplicaSetSpec(replicas=size)), counts)


def as_observed(replica_set: ReplicaSet) -> Revision:
    """A table's ReplicaSet, its status taken for what is seen of its pods."""
    status = replica_set.status
    counts = PodCounts(
        replicas=status.replicas,
        ready=status.ready_replicas,
        available=status.available_replicas,
        terminating=status.terminating_replicas or 0,
    )
    return Revision(replica_set, counts)


# --- arithmetic ---------------------------------------------------------------------------------------------------


@table("controller_deployment/deployment_util__TestResolveFenceposts")
def test_fenceposts(case: Case) -> None:
    arguments = (case.get("maxSurge"), case.get("maxUnavailable"))
    if case["expectError"]:
        with pytest.raises(InvalidInput):
            resolve_fenceposts(*arguments, desired=case["desired"])
        return
    found = resolve_fenceposts(*arguments, desired=case["desired"])
    assert (found.max_surge, found.max_unavailable) == (case["expectSurge"], case["expectUnavailable"])


@table("controller_deployment/deployment_util__TestMaxUnavailable")
def test_max_unavailable(case: Case) -> None:
    assert fenceposts_of(load(Deployment, case["deployment"])).max_unavailable == case["expected"]


@table("controller_deployment/deployment_util__TestMinAvailable")
def test_min_available(case: Case) -> None:
    assert min_available(load(Deployment, case["deployment"])) == case["expected"]


@table("controller_deployment/deployment_util__TestGetNonNegativeInt32FromAnnotation")
def test_number_in_an_annotation(case: Case) -> None:
    text = (case.get("annotations") or {}).get("test", "")
    assert whole_number(text) == case["expectedValue"]


# --- rolling ------------------------------------------------------------------------------------------------------


@table("controller_deployment/rolling__TestDeploymentController_reconcileNewReplicaSet")
def test_size_of_the_newest(case: Case) -> None:
    subject = deployment(case["deploymentReplicas"], case["maxSurge"], 0)
    new, old = revision("new", case["newReplicas"]), revision("old", case["oldReplicas"], case["oldReplicas"])
    sizes = next_rolling_sizes(Rollout(subject, new, (old,)))
    assert ("new" in sizes, sizes.get("new", new.size)) == (case["scaleExpected"], case["expectedNewReplicas"])


@table("controller_deployment/rolling__TestDeploymentController_reconcileOldReplicaSets")
def test_size_of_the_old(case: Case) -> None:
    subject = deployment(case["deploymentReplicas"], 0, case["maxUnavailable"])
    new = revision("new", case["newReplicas"], case["readyPodsFromNewRS"])
    old = revision("old", case["oldReplicas"], case["readyPodsFromOldRS"])
    sizes = shrink_old(Rollout(subject, new, (old,)))
    if not case["scaleExpected"]:
        assert sizes == {}
    else:
        assert sizes["old"] == case["expectedOldReplicas"]


@table("controller_deployment/rolling__TestDeploymentController_cleanupUnhealthyReplicas")
def test_unavailable_pods_go_first(case: Case) -> None:
    # The table calls an inner step; so much may go as the case says when this many are needed of as many as there are.
    subject = deployment(case["oldReplicas"] - case["maxCleanupCount"], 0, 0)
    old = revision("old", case["oldReplicas"], case["readyPods"])
    sizes = shrink_old(Rollout(subject, None, (old,)))
    gone = case["oldReplicas"] - sizes.get("old", case["oldReplicas"])
    assert gone >= case["cleanupCountExpected"]
    assert case["oldReplicas"] - gone >= min(case["readyPods"], min_available(subject))


@table("controller_deployment/rolling__TestDeploymentController_scaleDownOldReplicaSetsForRollingUpdate")
def test_available_pods_go_down_to_the_minimum(case: Case) -> None:
    subject = deployment(case["deploymentReplicas"], 0, case["maxUnavailable"])
    old = revision("old", case["oldReplicas"], case["readyPods"])
    sizes = shrink_old(Rollout(subject, None, (old,)))
    if case["scaleExpected"]:
        assert sizes["old"] == case["expectedOldReplicas"]
    elif case["oldReplicas"] == 0:
        assert sizes == {}
    else:
        # With one of ten ready, Kubernetes' inner step takes nothing; the outer one takes unavailable pods only.
        assert sizes["old"] >= min_available(subject)


@table("controller_deployment/recreate__TestOldPodsRunning")
def test_old_pods_running(case: Case) -> None:
    old = [as_observed(replica_set) for replica_set in load_all(ReplicaSet, case.get("oldRSs"))]
    groups = list((case.get("podMap") or {}).values())
    seen = [count_pods(load_all(Pod, pods), now=NOW) for pods in groups]
    old += [Revision(ReplicaSet(metadata=ObjectMeta(name=f"rs-{i}")), counts) for i, counts in enumerate(seen)]
    assert has_old_pods(Rollout(deployment(1, 0, 0), None, tuple(old))) == case["hasOldPodsRunning"]


# --- scaling ------------------------------------------------------------------------------------------------------


@table("controller_deployment/sync__TestScale")
def test_scale(case: Case) -> None:
    before, subject = load(Deployment, case["oldDeployment"]), load(Deployment, case["deployment"])
    new = load(ReplicaSet, case["newRS"]) if case.get("newRS") else None
    old = sorted(load_all(ReplicaSet, case.get("oldRSs")), key=lambda rs: rs.metadata.creation_timestamp or NOW)
    rollout = Rollout(
        subject,
        as_observed(_noted(new, before)) if new is not None else None,
        tuple(as_observed(_noted(replica_set, before)) for replica_set in old),
    )
    sizes = scaled_sizes(rollout)
    found = {one.name: sizes.get(one.name, one.size) for one in rollout.revisions}
    wanted = [case["expectedNew"]] if case.get("expectedNew") else []
    assert found == {rs["metadata"]["name"]: rs["spec"]["replicas"] for rs in (*wanted, *(case["expectedOld"] or ()))}


def _noted(replica_set: ReplicaSet, before: Deployment) -> ReplicaSet:
    size = replica_set.spec.replicas or 0
    return with_size(replica_set, size, before) if size > 0 else replica_set


@table(
    "controller_deployment/deployment_util__TestGetReplicaSetFraction",
    leave_out=lambda case: (
        "terminating pods never count here" if case["enableDeploymentReplicaSetTerminatingReplicas"] else ""
    ),
)
def test_fraction(case: Case) -> None:
    subject = deployment(
        case["deploymentReplicas"], case["deploymentMaxSurge"], 0, replicas=case["deploymentStatusReplicas"]
    )
    one = revision("one", case["rsReplicas"], **(case.get("rsAnnotations") or {}))
    assert revision_fraction(one, Rollout(subject, one, ())) == case["expectedFraction"]


@table("controller_deployment/deployment_util__TestReplicasAnnotationsNeedUpdate")
def test_annotations_need_update(case: Case) -> None:
    # The table's wanted numbers: 10 desired, 20 at most.
    replica_set = load(ReplicaSet, case["replicaSet"])
    noted = with_size(replica_set, 1, deployment(10, 10, 0))
    wanted = {DESIRED_REPLICAS: "10", MAX_REPLICAS: "20"}
    assert noted.annotations == {**replica_set.annotations, **wanted}
    assert (noted.annotations != replica_set.annotations) == case["expected"]


@table("controller_deployment/deployment_util__TestGetReplicaCountForReplicaSets")
def test_counts_over_revisions(case: Case) -> None:
    revisions = tuple(as_observed(replica_set) for replica_set in load_all(ReplicaSet, case["sets"]))
    rollout = Rollout(deployment(1, 0, 0), None, revisions)
    actual = sum(one.counts.replicas for one in revisions)
    assert (rollout.total_size, actual) == (case["expectedCount"], case["expectedActual"])
    if case.get("expectedTerminating") is not None:
        assert status_of(rollout, created=False, now=NOW).terminating_replicas == case["expectedTerminating"]


# --- revisions ----------------------------------------------------------------------------------------------------


@table("controller_deployment/deployment_util__TestEqualIgnoreHash")
def test_templates_are_compared_without_their_hash(case: Case) -> None:
    former, latter = (
        without_hash_label(load(PodTemplateSpec, case["former"])),
        without_hash_label(load(PodTemplateSpec, case["latter"])),
    )
    assert (former == latter) == case["expected"]


@table("controller_deployment/deployment_util__TestFindNewReplicaSet")
def test_find_new(case: Case) -> None:
    found = find_new_replica_set(load(Deployment, case["deployment"]), load_all(ReplicaSet, case["rsList"]))
    assert found == (load(ReplicaSet, case["expected"]) if case["expected"] else None)


@table("controller_deployment/deployment_util__TestFindOldReplicaSets")
def test_find_old(case: Case) -> None:
    replica_sets = load_all(ReplicaSet, case["rsList"])
    newest = find_new_replica_set(load(Deployment, case["deployment"]), replica_sets)
    assert [one for one in replica_sets if one != newest] == load_all(ReplicaSet, case["expected"])


@table("controller_deployment/sync__TestDeploymentController_cleanupDeployment")
def test_history(case: Case) -> None:
    assert len(_surplus(case)) == case["expectedDeletions"]


@table("controller_deployment/sync__TestDeploymentController_cleanupDeploymentOrder")
def test_history_goes_from_the_oldest_revision(case: Case) -> None:
    assert {replica_set.name for replica_set in _surplus(case)} == set(case["expectedDeletedRSs"])


def _surplus(case: Case) -> tuple[ReplicaSet, ...]:
    old = [one for one in load_all(ReplicaSet, case["oldRSs"]) if not one.is_terminating]
    spec = DeploymentSpec(revision_history_limit=case["revisionHistoryLimit"])
    return surplus_history(Rollout(Deployment(spec=spec), None, tuple(as_observed(one) for one in old)))


@table(
    "controller_deployment/sync__TestGenerateReplicaSetName",
    leave_out={"very long hash is not truncated": "our hashes have ten characters"},
)
def test_name(case: Case) -> None:
    assert replica_set_name(case["deploymentName"], case["hash"]) == case["want"]


@table("controller_deployment/sync__TestDeploymentController_generateReplicaSetName")
def test_name_keeps_the_deployments(case: Case) -> None:
    assert (
        replica_set_name(case["deploymentName"], "abcde12345").removesuffix("-abcde12345")
        == (case["wantDeploymentPortion"])
    )


# --- progress -----------------------------------------------------------------------------------------------------


@table("controller_deployment/deployment_util__TestDeploymentComplete")
def test_complete(case: Case) -> None:
    subject = load(Deployment, case["d"])
    assert is_complete(subject, subject.status) == case["expected"]


@table("controller_deployment/deployment_util__TestDeploymentProgressing")
def test_progressing(case: Case) -> None:
    after = load(DeploymentStatus, case["newStatus"])
    assert has_progressed(load(Deployment, case["d"]).status, after) == case["expected"]


@table("controller_deployment/deployment_util__TestDeploymentTimedOut")
def test_timed_out(case: Case) -> None:
    subject = load(Deployment, case["d"])
    # The table's clock is a Go function that always gives this.
    now = datetime(2016, 1, 1, 0, 1, 20, tzinfo=UTC)
    assert is_timed_out(subject, subject.status.conditions, now=now) == case["expected"]


@table("controller_deployment/progress__TestRequeueStuckDeployment")
def test_when_to_look_again(case: Case) -> None:
    # The clocks are Go functions; the case's name says how long after the last progress each stands.
    passed = {"30s": 30, "now": 59, "60s after deadline": 120}.get(case["name"].rpartition(" - ")[2], 0)
    subject = load(Deployment, case["d"])
    due = deadline_at(subject, subject.status.conditions)
    if case["expected"] == -1:
        assert due is None
        return
    assert due is not None
    start = datetime(2017, 2, 15, 18, 49, tzinfo=UTC)
    left = max(timedelta(), due - (start + timedelta(seconds=passed)))
    assert left <= timedelta(microseconds=case["expected"] // 1000) + timedelta(seconds=1)


@table("controller_deployment/progress__TestSyncRolloutStatus")
def test_rollout_status(case: Case) -> None:
    new = as_observed(load(ReplicaSet, case["newRS"])) if case.get("newRS") else None
    old = tuple(as_observed(one) for one in load_all(ReplicaSet, case.get("allRSs")))
    status = status_of(Rollout(load(Deployment, case["d"]), new, old), created=False, now=NOW)
    condition = find_condition(status.conditions, case["conditionType"])
    assert condition is not None
    assert (condition.status, condition.reason) == (case["conditionStatus"], case["conditionReason"])
    if case.get("lastUpdate"):
        assert condition.last_update_time == datetime.fromisoformat(case["lastUpdate"])
    if case.get("lastTransition"):
        assert condition.last_transition_time == datetime.fromisoformat(case["lastTransition"])


# --- conditions ---------------------------------------------------------------------------------------------------


@table("controller_deployment/deployment_util__TestGetCondition")
def test_get_condition(case: Case) -> None:
    status = load(DeploymentStatus, case["status"])
    assert (find_condition(status.conditions, case["condType"]) is not None) == case["expected"]


@table("controller_deployment/deployment_util__TestSetCondition")
def test_set_condition(case: Case) -> None:
    status, expected = load(DeploymentStatus, case["status"]), load(DeploymentStatus, case["expectedStatus"])
    found = with_condition(status.conditions, load(Condition, case["cond"]), now=NOW)
    assert [_timeless(one) for one in found] == [_timeless(one) for one in expected.conditions]


@table("controller_deployment/deployment_util__TestRemoveCondition")
def test_remove_condition(case: Case) -> None:
    status, expected = load(DeploymentStatus, case["status"]), load(DeploymentStatus, case["expectedStatus"])
    assert without_condition(status.conditions, case["condType"]) == expected.conditions


def _timeless(condition: Condition) -> Condition:
    return msgspec.structs.replace(condition, last_transition_time=None)
