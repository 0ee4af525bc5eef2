"""Tables of the ReplicaSet controller: counts, and which pods go first."""

from __future__ import annotations

from datetime import UTC, datetime

from objects.api.apps import ReplicaSet, ReplicaSetStatus
from objects.api.meta import Condition
from objects.api.pods import Pod
from objects.conditions import find_condition, with_condition, without_condition
from reconciler.controllers.pods.owned import count_pods, is_active
from reconciler.controllers.pods.ranking import choose_pods_to_delete
from reconciler.controllers.replicaset import CONTROLLER, related_pods, status_of
from reconciler.state.store import Store
from tests.kubernetes.loading import load, load_all
from tests.kubernetes.tables import Case, table

LEFT_OUT = {
    "controller_replicaset/replica_set__TestGetPodKeys": "log lines of the Go controller",
    "controller_replicaset/replica_set__TestSlowStartBatch": "pods are made in one write, which cannot fail",
    "controller_replicaset/replica_set__TestGetReplicaSetsWithSameController": "the store's index by owner does this",
    "controller_replicaset/replica_set_utils__TestCalculateStatusConditions": (
        "ReplicaFailure reports a write to the API server that failed; there is none"
    ),
}

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@table("controller_replicaset/replica_set_utils__TestCalculateStatus")
def test_status(case: Case) -> None:
    replica_set = load(ReplicaSet, case["replicaset"])
    pods = load_all(Pod, case["activePods"])
    if case.get("enableDeploymentReplicaSetTerminatingReplicas") and "ReplicationController" not in case["name"]:
        pods += load_all(Pod, case.get("terminatingPods"))
    counts = count_pods(
        pods,
        now=NOW,
        min_ready_seconds=replica_set.spec.min_ready_seconds,
        template_labels=replica_set.spec.template.metadata.labels,
    )
    expected = load(ReplicaSetStatus, case["expectedReplicaSetStatus"])
    found = status_of(replica_set, counts)
    # No terminating pod is said by leaving the number out.
    assert (found.terminating_replicas or 0) == (expected.terminating_replicas or 0)
    assert (found.replicas, found.fully_labeled_replicas, found.ready_replicas, found.available_replicas) == (
        expected.replicas,
        expected.fully_labeled_replicas,
        expected.ready_replicas,
        expected.available_replicas,
    )


@table("controller_replicaset/replica_set__TestGetPodsToDelete")
def test_pods_to_delete(case: Case) -> None:
    pods = load_all(Pod, case["pods"])
    related = load_all(Pod, case.get("relatedPods")) or pods
    chosen = choose_pods_to_delete(pods, case["diff"], related=related, now=NOW)
    assert {pod.uid for pod in chosen} == {pod["metadata"]["uid"] for pod in case["expectedPodsToDelete"]}


@table("controller_replicaset/replica_set__TestRelatedPodsLookup")
def test_related_pods(case: Case) -> None:
    store = Store()
    for obj in (*load_all(ReplicaSet, case["rss"]), *load_all(Pod, case["pods"])):
        store.put(obj)
    found = related_pods(store, load(ReplicaSet, case["rs"]))
    assert sorted(pod.name for pod in found) == sorted(case["expectedPodNames"])
    assert all(is_active(pod) for pod in found)


@table("controller_replicaset/replica_set__TestPodControllerLookup")
def test_which_replica_set_a_pod_wakes(case: Case) -> None:
    store = Store()
    for replica_set in load_all(ReplicaSet, case["inRSs"]):
        store.put(replica_set)
    keys = list(CONTROLLER.watches["Pod"](store, load(Pod, case["pod"])))
    assert (keys[0].name if keys else "") == case["outRSName"]


@table("controller_replicaset/replica_set__TestGetCondition")
def test_get_condition(case: Case) -> None:
    status = load(ReplicaSetStatus, case["status"])
    assert (find_condition(status.conditions, case["condType"]) is not None) == case["expected"]


@table("controller_replicaset/replica_set__TestSetCondition")
def test_set_condition(case: Case) -> None:
    status, expected = load(ReplicaSetStatus, case["status"]), load(ReplicaSetStatus, case["expectedStatus"])
    found = with_condition(status.conditions, load(Condition, case["cond"]), now=NOW)
    assert [(one.type, one.status, one.reason) for one in found] == [
        (one.type, one.status, one.reason) for one in expected.conditions
    ]


@table("controller_replicaset/replica_set__TestRemoveCondition")
def test_remove_condition(case: Case) -> None:
    status, expected = load(ReplicaSetStatus, case["status"]), load(ReplicaSetStatus, case["expectedStatus"])
    assert without_condition(status.conditions, case["condType"]) == expected.conditions
