"""Tables of the DaemonSet controller and its util package: where pods belong, how many may be away."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from objects.api.apps import DaemonSet
from objects.api.core import Node, NodeSystemInfo
from objects.api.pods import Affinity, Pod
from reconciler.controllers.daemon.placement import belongs_on, with_node_affinity
from reconciler.controllers.daemon.update import REVISION_LABEL, Allowance, allowance_of, is_updated
from tests.kubernetes.loading import load
from tests.kubernetes.tables import Case, table

_GO_FLOW = "the case is a Go test flow (functions, fake clients), its numbers say nothing without it"
LEFT_OUT = {
    "controller_daemon/daemon_controller__TestDaemonKillFailedPods": (
        "Kubernetes kills failed and surplus pods in one go; our pause and our order are in tests/unit/controllers"
    ),
    "controller_daemon/daemon_controller__TestDeleteNoDaemonPod": "whom a foreign pod's end wakes: nodes wake all sets",
    "controller_daemon/daemon_controller__TestGetNodesToDaemonPods": "lists pods of the Go test's fake client",
    "controller_daemon/daemon_controller__TestShouldIgnoreNodeUpdate": "a Node that did not change wakes nobody here",
    "controller_daemon/daemon_controller__TestSimpleDaemonSetUpdatesStatusError": _GO_FLOW,
    "controller_daemon/daemon_controller__TestStoreDaemonSetStatus": "retries of writes to an API server",
    "controller_daemon/daemon_controller__TestUpdateNode": "a Node that did not change wakes nobody here",
    "controller_daemon/patch_nodeselector__TestNamespaceNodeSelectorMatches": "a patch of one distribution",
    "controller_daemon/update__TestControlledHistories": "DaemonSets keep no history: Git does",
    "controller_daemon_util/daemonset_util__TestCreatePodTemplate": "template generations are gone from apps/v1",
}

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@table("controller_daemon/daemon_controller__TestNodeShouldRunDaemonPod")
def test_belongs_on(case: Case) -> None:
    # The Go test's node, which is not in the data.
    metadata = {"name": "test-node", "labels": {"name": "simple-daemon", "type": "production", "color": "blue"}}
    node = load(Node, {"metadata": metadata, "spec": {"unschedulable": case["nodeUnschedulable"]}})
    node = msgspec.structs.replace(node, status=msgspec.structs.replace(node.status, node_info=NodeSystemInfo()))
    daemon_set = load(DaemonSet, case["ds"])
    found = belongs_on(daemon_set.spec.template.spec, node)
    assert (found.should_run, found.may_stay) == (case["shouldRun"], case["shouldContinueRunning"])


@table("controller_daemon/update__TestGetUnavailableNumbers")
def test_allowance(case: Case) -> None:
    found = allowance_of(load(DaemonSet, case["ds"]), case["desiredNumberScheduled"])
    assert found == Allowance(case.get("maxSurge") or 0, case.get("maxUnavailable") or 0)


@table("controller_daemon_util/daemonset_util__TestReplaceDaemonSetPodNodeNameNodeAffinity")
def test_node_affinity(case: Case) -> None:
    before = load(Affinity, case["affinity"]) if case.get("affinity") else None
    assert with_node_affinity(before, case["hostname"]) == load(Affinity, case["expected"])


def _by_generation(case: Case) -> str:
    labels = case["pod"]["metadata"].get("labels") or {}
    if labels.get("pod-template-generation") == str(case["templateGeneration"]) and (
        not case["hash"] or labels.get(REVISION_LABEL) != case["hash"]
    ):
        return "template generations are gone from apps/v1"
    return ""


@table("controller_daemon_util/daemonset_util__TestIsPodUpdated", leave_out=_by_generation)
def test_is_updated(case: Case) -> None:
    assert is_updated(load(Pod, case["pod"]), case["hash"]) == case["isUpdated"]
