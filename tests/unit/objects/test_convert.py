"""Old API versions: what they meant is what comes out, their defaults included."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from objects.codec import DecodeError
from objects.convert import convert
from tests.unit.objects.manifests import autoscaler, claim, edited, ingress, pod, simple, workload

LABELS = {"app": "web"}


def old(manifest: dict[str, Any], api_version: str, kind: str = "") -> dict[str, Any]:
    return {**manifest, "apiVersion": api_version, "kind": kind or manifest["kind"]}


def without_selector(kind: str, **spec: Any) -> dict[str, Any]:
    manifest = workload(kind, **spec)
    del manifest["spec"]["selector"]
    return manifest


UNLIMITED = 2**31 - 1


@pytest.mark.parametrize(
    ("api_version", "kind", "expected"),
    [
        pytest.param(
            "extensions/v1beta1",
            "Deployment",
            {
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}},
                "revisionHistoryLimit": UNLIMITED,
                "progressDeadlineSeconds": UNLIMITED,
            },
            id="extensions-deployment",
        ),
        pytest.param("apps/v1beta1", "Deployment", {"revisionHistoryLimit": 2}, id="apps-v1beta1-deployment"),
        pytest.param("extensions/v1beta1", "ReplicaSet", {}, id="extensions-replicaset"),
        pytest.param(
            "extensions/v1beta1", "DaemonSet", {"updateStrategy": {"type": "OnDelete"}}, id="extensions-daemonset"
        ),
        pytest.param(
            "apps/v1beta1", "StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, id="apps-v1beta1-statefulset"
        ),
        pytest.param(
            "apps/v1alpha1", "StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, id="apps-v1alpha1-statefulset"
        ),
    ],
)
def test_the_selector_comes_from_the_template_and_old_defaults_are_kept(
    api_version: str, kind: str, expected: dict[str, Any]
) -> None:
    before = old(without_selector(kind), api_version)
    untouched = copy.deepcopy(before)
    after = convert(before).manifest
    wanted = workload(kind, **expected)
    wanted["metadata"]["labels"] = LABELS
    assert after == wanted
    assert before == untouched


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        pytest.param("apps/v1beta2", "Deployment", id="deployment"),
        pytest.param("apps/v1beta2", "ReplicaSet", id="replicaset"),
        pytest.param("apps/v1beta2", "DaemonSet", id="daemonset"),
        pytest.param("apps/v1beta2", "StatefulSet", id="statefulset"),
    ],
)
def test_apps_v1beta2_had_todays_defaults(api_version: str, kind: str) -> None:
    assert convert(old(workload(kind), api_version)).manifest == workload(kind)


def test_a_pet_set_is_a_stateful_set() -> None:
    converted = convert(old(without_selector("StatefulSet"), "apps/v1alpha1", "PetSet"))
    assert (converted.manifest["kind"], converted.manifest["apiVersion"]) == ("StatefulSet", "apps/v1")
    assert [warning.message for warning in converted.warnings] == [
        "apps/v1alpha1 PetSet is an old API version: read as apps/v1 StatefulSet",
        "spec.selector is taken from the labels of the template, as this old version did",
        "spec.updateStrategy is OnDelete, the default of this old version",
    ]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        pytest.param("Deployment", {"strategy": {"type": "Recreate"}}, id="recreate"),
        pytest.param("DaemonSet", {"updateStrategy": {"type": "RollingUpdate"}}, id="rolling-daemonset"),
        pytest.param("Deployment", {"revisionHistoryLimit": 5, "progressDeadlineSeconds": 60}, id="limits"),
    ],
)
def test_what_is_said_wins_over_old_defaults(kind: str, spec: dict[str, Any]) -> None:
    after = convert(old(workload(kind, **spec), "extensions/v1beta1")).manifest
    assert {key: after["spec"][key] for key in spec} == spec


def test_rollback_is_a_matter_of_git() -> None:
    before = old(workload("Deployment", rollbackTo={"revision": 3}), "extensions/v1beta1")
    converted = convert(before)
    assert "rollbackTo" not in converted.manifest["spec"]
    assert "spec.rollbackTo: is left out: a rollback is a revert in Git" in map(str, converted.warnings)


# --- autoscalers --------------------------------------------------------------------------------------------------

CPU_50 = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
QPS_10 = {"type": "Pods", "pods": {"metric": {"name": "qps"}, "target": {"type": "AverageValue", "averageValue": "10"}}}
CUSTOM = "alpha/target.custom-metrics.podautoscaler.kubernetes.io"


def test_autoscaler_of_extensions() -> None:
    before = simple(
        "HorizontalPodAutoscaler",
        "extensions/v1beta1",
        spec={
            "scaleRef": {"kind": "Deployment", "name": "web", "subresource": "scale"},
            "maxReplicas": 10,
            "cpuUtilization": {"targetPercentage": 50},
        },
    )
    before["metadata"]["annotations"] = {CUSTOM: '{"items":[{"name":"qps","value":"10"}]}', "mine": "kept"}
    expected = autoscaler(metrics=[CPU_50, QPS_10])
    expected["metadata"]["annotations"] = {"mine": "kept"}
    assert convert(before).manifest == expected


@pytest.mark.parametrize(
    ("old_metric", "new_metric"),
    [
        pytest.param(
            {"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 50}}, CPU_50, id="utilization"
        ),
        pytest.param(
            {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "1Gi"}},
            {
                "type": "Resource",
                "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}},
            },
            id="average-value",
        ),
        pytest.param({"type": "Pods", "pods": {"metricName": "qps", "targetAverageValue": "10"}}, QPS_10, id="pods"),
        pytest.param(
            {
                "type": "Object",
                "object": {"target": {"kind": "Service", "name": "web"}, "metricName": "hits", "targetValue": "2k"},
            },
            {
                "type": "Object",
                "object": {
                    "describedObject": {"kind": "Service", "name": "web"},
                    "metric": {"name": "hits"},
                    "target": {"type": "Value", "value": "2k"},
                },
            },
            id="object",
        ),
        pytest.param(
            {
                "type": "External",
                "external": {"metricName": "queue", "metricSelector": {"matchLabels": LABELS}, "targetValue": 30},
            },
            {
                "type": "External",
                "external": {
                    "metric": {"name": "queue", "selector": {"matchLabels": LABELS}},
                    "target": {"type": "Value", "value": 30},
                },
            },
            id="external",
        ),
    ],
)
def test_metrics_of_v2beta1(old_metric: dict[str, Any], new_metric: dict[str, Any]) -> None:
    before = old(autoscaler(metrics=[old_metric]), "autoscaling/v2beta1")
    assert convert(before).manifest == autoscaler(metrics=[new_metric])


def test_metrics_in_the_annotation_of_v1() -> None:
    before = old(autoscaler(targetCPUUtilizationPercentage=50), "autoscaling/v1")
    text = '[{"type":"Pods","pods":{"metricName":"qps","targetAverageValue":"10"}}]'
    before["metadata"]["annotations"] = {"autoscaling.alpha.kubernetes.io/metrics": text}
    after = convert(before).manifest
    assert after["spec"]["metrics"] == [CPU_50, QPS_10]


def test_an_old_target_is_brought_up_to_date_in_a_current_autoscaler() -> None:
    target = {"apiVersion": "extensions/v1beta1", "kind": "Deployment", "name": "web"}
    assert convert(autoscaler(scaleTargetRef=target)).manifest == autoscaler()


def test_json_in_an_annotation_that_cannot_be_read_is_named() -> None:
    before = autoscaler()
    before["metadata"]["annotations"] = {CUSTOM: "{"}
    with pytest.raises(DecodeError) as caught:
        convert(before)
    assert caught.value.path == ("metadata", "annotations", CUSTOM)


# --- the rest -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        pytest.param(80, {"number": 80}, id="number"),
        pytest.param("80", {"number": 80}, id="quoted-number"),
        pytest.param("http", {"name": "http"}, id="name"),
    ],
)
@pytest.mark.parametrize("api_version", ["extensions/v1beta1", "networking.k8s.io/v1beta1"])
def test_ingress_backends(api_version: str, port: object, expected: dict[str, object]) -> None:
    backend = {"serviceName": "web", "servicePort": port}
    spec = {
        "backend": backend,
        "rules": [{"host": "example.com", "http": {"paths": [{"path": "/", "backend": backend}]}}],
    }
    new_backend = {"service": {"name": "web", "port": expected}}
    path = {"path": "/", "pathType": "ImplementationSpecific", "backend": new_backend}
    assert convert(simple("Ingress", api_version, spec=spec)).manifest == ingress(
        defaultBackend=new_backend, rules=[{"host": "example.com", "http": {"paths": [path]}}]
    )


def test_an_empty_selector_of_an_old_budget_still_selects_nothing() -> None:
    before = simple("PodDisruptionBudget", "policy/v1beta1", spec={"minAvailable": 1, "selector": {}})
    after = simple("PodDisruptionBudget", "policy/v1", spec={"minAvailable": 1})
    assert convert(before).manifest == after


def test_the_class_of_a_claim_in_an_annotation() -> None:
    before = edited(claim(), (("metadata", "annotations"), {"volume.beta.kubernetes.io/storage-class": "fast"}))
    after = edited(claim(storageClassName="fast"), (("metadata", "annotations"), {}))
    assert convert(before).manifest == after


@pytest.mark.parametrize(
    ("annotations", "spec", "expected"),
    [
        pytest.param({"scheduler.alpha.kubernetes.io/name": "mine"}, {}, {"schedulerName": "mine"}, id="scheduler"),
        pytest.param(
            {"scheduler.alpha.kubernetes.io/name": "mine"},
            {"schedulerName": "other"},
            {"schedulerName": "other"},
            id="field-wins",
        ),
        pytest.param(
            {"pod.beta.kubernetes.io/init-containers": '[{"name":"a","image":"b"}]'},
            {},
            {"initContainers": [{"name": "a", "image": "b"}]},
            id="init-containers",
        ),
        pytest.param(
            {"pod.beta.kubernetes.io/hostname": "a", "pod.beta.kubernetes.io/subdomain": "b"},
            {},
            {"hostname": "a", "subdomain": "b"},
            id="hostname",
        ),
        pytest.param(
            {"seccomp.security.alpha.kubernetes.io/pod": "localhost/a.json"},
            {},
            {"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"}}},
            id="seccomp",
        ),
        pytest.param(
            {"security.alpha.kubernetes.io/sysctls": "kernel.shm_rmid_forced=1"},
            {},
            {"securityContext": {"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]}},
            id="sysctls",
        ),
        pytest.param(
            {"container.apparmor.security.beta.kubernetes.io/web": "runtime/default"},
            {},
            {
                "containers": [
                    {
                        "name": "web",
                        "image": "nginx:1",
                        "securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}},
                    }
                ]
            },
            id="apparmor",
        ),
        pytest.param({}, {"serviceAccount": "a"}, {"serviceAccountName": "a"}, id="service-account"),
        pytest.param(
            {}, {"serviceAccount": "a", "serviceAccountName": "b"}, {"serviceAccountName": "b"}, id="both-accounts"
        ),
    ],
)
@pytest.mark.parametrize("kind", ["Pod", "Deployment"])
def test_what_pods_said_in_annotations(
    kind: str, annotations: dict[str, str], spec: dict[str, Any], expected: dict[str, Any]
) -> None:
    place: tuple[str, ...] = () if kind == "Pod" else ("spec", "template")
    base = pod() if kind == "Pod" else workload(kind)
    before = edited(base, ((*place, "metadata", "annotations"), dict(annotations)))
    after = edited(base, ((*place, "metadata", "annotations"), {}))
    for field, value in spec.items():
        before = edited(before, ((*place, "spec", field), value))
    for field, value in expected.items():
        after = edited(after, ((*place, "spec", field), value))
    assert convert(before).manifest == after


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(pod(), id="pod"),
        pytest.param(workload("Deployment"), id="deployment"),
        pytest.param({"kind": "Deployment"}, id="no-version"),
        pytest.param({"apiVersion": ["v1"], "kind": {}}, id="odd-types"),
    ],
)
def test_a_current_manifest_passes_as_it_is(manifest: dict[str, Any]) -> None:
    assert convert(manifest) == (manifest, (), {})


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "HorizontalPodAutoscaler", "Ingress", "Job"])
@pytest.mark.parametrize("spec", [None, [], "text", {"template": 1, "strategy": "x", "rules": [1], "metrics": {}}])
def test_a_manifest_of_the_wrong_shape_is_left_to_the_decoder(kind: str, spec: object) -> None:
    versions = {
        "Ingress": "extensions/v1beta1",
        "Job": "extensions/v1beta1",
        "HorizontalPodAutoscaler": "autoscaling/v1",
    }
    before = simple(kind, versions.get(kind, "apps/v1beta1"), spec=spec)
    assert convert(before).manifest["kind"] == kind
