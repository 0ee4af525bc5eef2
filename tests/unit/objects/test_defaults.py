"""Defaults: what Kubernetes assumes where nothing is said."""

from __future__ import annotations

from typing import Any

import pytest

from objects.api.core import Secret
from objects.codec import decode, encode
from objects.defaults import default
from objects.defaults.pods import pull_policy_of
from objects.secrets import SecretValue
from tests.unit.objects.manifests import (
    Manifest,
    autoscaler,
    claim,
    cron_job,
    edited,
    job,
    network_policy,
    persistent_volume,
    pod,
    read,
    service,
    simple,
    workload,
)

POD_SPEC = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "enableServiceLinks": True,
}
CONTAINER = {
    "name": "web",
    "image": "nginx:1",
    "imagePullPolicy": "IfNotPresent",
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
WORK = {**CONTAINER, "name": "work", "image": "busybox:1"}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [CONTAINER], **POD_SPEC}}
JOB_TEMPLATE = {"spec": {**POD_SPEC, "restartPolicy": "Never", "containers": [WORK]}}
SELECTOR = {"matchLabels": {"app": "web"}}


def spec_of(manifest: Manifest) -> Any:
    return encode(read(manifest)).get("spec")


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param(pod(), {"containers": [CONTAINER], **POD_SPEC}, id="pod"),
        pytest.param(
            workload("ReplicaSet"), {"selector": SELECTOR, "template": TEMPLATE, "replicas": 1}, id="replicaset"
        ),
        pytest.param(
            workload("Deployment"),
            {
                "selector": SELECTOR,
                "template": TEMPLATE,
                "replicas": 1,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
                "revisionHistoryLimit": 10,
                "progressDeadlineSeconds": 600,
            },
            id="deployment",
        ),
        pytest.param(
            workload("DaemonSet"),
            {
                "selector": SELECTOR,
                "template": TEMPLATE,
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
                "revisionHistoryLimit": 10,
            },
            id="daemonset",
        ),
        pytest.param(
            workload("StatefulSet"),
            {
                "selector": SELECTOR,
                "template": TEMPLATE,
                "replicas": 1,
                "podManagementPolicy": "OrderedReady",
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                "revisionHistoryLimit": 10,
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            },
            id="statefulset",
        ),
        pytest.param(
            job(),
            {
                "template": JOB_TEMPLATE,
                "parallelism": 1,
                "completions": 1,
                "backoffLimit": 6,
                "completionMode": "NonIndexed",
                "suspend": False,
                "manualSelector": False,
                "podReplacementPolicy": "TerminatingOrFailed",
            },
            id="job",
        ),
        pytest.param(
            cron_job(),
            {
                "schedule": "*/5 * * * *",
                "jobTemplate": {"spec": {"template": JOB_TEMPLATE}},
                "concurrencyPolicy": "Allow",
                "suspend": False,
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 1,
            },
            id="cronjob",
        ),
        pytest.param(
            service(),
            {
                "type": "ClusterIP",
                "selector": {"app": "web"},
                "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
                "sessionAffinity": "None",
                "internalTrafficPolicy": "Cluster",
            },
            id="service",
        ),
        pytest.param(
            autoscaler(),
            {
                "scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"},
                "maxReplicas": 10,
                "minReplicas": 1,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                    }
                ],
            },
            id="autoscaler",
        ),
        pytest.param(
            claim(),
            {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
                "volumeMode": "Filesystem",
            },
            id="claim",
        ),
        pytest.param(
            persistent_volume(),
            {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "volumeMode": "Filesystem",
                "nfs": {"server": "10.0.0.1", "path": "/data"},
            },
            id="persistent-volume",
        ),
        pytest.param(network_policy(), {"podSelector": {}, "policyTypes": ["Ingress"]}, id="network-policy"),
        pytest.param(
            network_policy(egress=[{"ports": [{"port": 53}]}]),
            {
                "podSelector": {},
                "egress": [{"ports": [{"protocol": "TCP", "port": 53}]}],
                "policyTypes": ["Ingress", "Egress"],
            },
            id="network-policy-egress",
        ),
        pytest.param(
            simple(
                "LimitRange",
                spec={"limits": [{"type": "Container", "max": {"cpu": 2, "memory": "1Gi"}, "min": {"disk": 1}}]},
            ),
            {
                "limits": [
                    {
                        "type": "Container",
                        "max": {"cpu": 2, "memory": "1Gi"},
                        "min": {"disk": 1},
                        "default": {"cpu": 2, "memory": "1Gi"},
                        "defaultRequest": {"cpu": 2, "memory": "1Gi", "disk": 1},
                    }
                ]
            },
            id="limit-range",
        ),
    ],
)
def test_spec(manifest: Manifest, expected: Any) -> None:
    assert spec_of(manifest) == expected


CONTAINER_PATH = ("spec", "containers", 0)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        pytest.param(
            "resources",
            {"limits": {"cpu": 1, "memory": "1Gi"}, "requests": {"cpu": "250m"}},
            {"limits": {"cpu": 1, "memory": "1Gi"}, "requests": {"cpu": "250m", "memory": "1Gi"}},
            id="requests-from-limits",
        ),
        pytest.param(
            "livenessProbe",
            {"httpGet": {"port": 80}},
            {
                "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                "timeoutSeconds": 1,
                "periodSeconds": 10,
                "successThreshold": 1,
                "failureThreshold": 3,
            },
            id="probe",
        ),
        pytest.param(
            "env",
            [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}}],
            id="field-of-v1",
        ),
        pytest.param(
            "lifecycle",
            {"preStop": {"httpGet": {"port": 80}}},
            {"preStop": {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}}},
            id="hook",
        ),
    ],
)
def test_container(field: str, value: Any, expected: Any) -> None:
    assert spec_of(edited(pod(), ((*CONTAINER_PATH, field), value)))["containers"] == [{**CONTAINER, field: expected}]


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        pytest.param({}, {"emptyDir": {}}, id="no-source"),
        pytest.param({"emptyDir": None}, {"emptyDir": {}}, id="null-source"),
        pytest.param({"configMap": {"name": "a"}}, {"configMap": {"name": "a", "defaultMode": 420}}, id="config-map"),
        pytest.param(
            {"secret": {"secretName": "a", "defaultMode": 256}},
            {"secret": {"secretName": "a", "defaultMode": 256}},
            id="secret-with-mode",
        ),
        pytest.param(
            {"projected": {"sources": [{"serviceAccountToken": {"path": "a"}}]}},
            {
                "projected": {
                    "sources": [{"serviceAccountToken": {"path": "a", "expirationSeconds": 3600}}],
                    "defaultMode": 420,
                }
            },
            id="projected",
        ),
    ],
)
def test_volume(volume: dict[str, Any], expected: dict[str, Any]) -> None:
    assert spec_of(pod(volumes=[{"name": "a", **volume}]))["volumes"] == [{"name": "a", **expected}]


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        pytest.param("nginx", "Always", id="no-tag"),
        pytest.param("nginx:latest", "Always", id="latest"),
        pytest.param("nginx:1.7.9", "IfNotPresent", id="tag"),
        pytest.param("registry:5000/nginx", "Always", id="port-is-no-tag"),
        pytest.param("registry:5000/nginx:1", "IfNotPresent", id="port-and-tag"),
        pytest.param("nginx@sha256:00", "IfNotPresent", id="digest"),
        pytest.param("nginx:latest@sha256:00", "IfNotPresent", id="digest-wins"),
    ],
)
def test_pull_policy(image: str, policy: str) -> None:
    assert pull_policy_of(image) == policy


def test_ports_of_a_host_network_pod_are_ports_of_the_host() -> None:
    ports = [{"containerPort": 80}, {"containerPort": 81, "hostPort": 81, "protocol": "UDP"}]
    manifest = edited(pod(hostNetwork=True), ((*CONTAINER_PATH, "ports"), ports))
    assert spec_of(manifest)["containers"][0]["ports"] == [
        {"containerPort": 80, "hostPort": 80, "protocol": "TCP"},
        {"containerPort": 81, "hostPort": 81, "protocol": "UDP"},
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"strategy": {"type": "Recreate"}}, {"type": "Recreate"}, id="recreate"),
        pytest.param(
            {"strategy": {"rollingUpdate": {"maxSurge": 0}}},
            {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": 0}},
            id="zero-is-an-answer",
        ),
    ],
)
def test_strategy(spec: dict[str, Any], expected: dict[str, Any]) -> None:
    assert spec_of(workload("Deployment", **spec))["strategy"] == expected


def test_no_replicas_is_an_answer() -> None:
    assert spec_of(workload("Deployment", replicas=0))["replicas"] == 0


def test_jobs_with_retries_per_index_retry_without_end() -> None:
    spec = spec_of(job(backoffLimitPerIndex=1, completions=3, completionMode="Indexed"))
    assert (spec["backoffLimit"], spec["parallelism"], spec["completions"]) == (2**31 - 1, 1, 3)


def test_work_queue_jobs_have_no_number_of_completions() -> None:
    assert "completions" not in spec_of(job(parallelism=3))


@pytest.mark.parametrize(
    ("spec", "field", "expected"),
    [
        pytest.param({"type": "NodePort"}, "externalTrafficPolicy", "Cluster", id="node-port"),
        pytest.param({"type": "LoadBalancer"}, "allocateLoadBalancerNodePorts", True, id="load-balancer"),
        pytest.param(
            {"sessionAffinity": "ClientIP"},
            "sessionAffinityConfig",
            {"clientIP": {"timeoutSeconds": 10800}},
            id="affinity",
        ),
        pytest.param({"type": "ExternalName", "externalName": "a.b"}, "internalTrafficPolicy", None, id="external"),
        pytest.param(
            {"ports": [{"port": 80, "targetPort": "http"}]},
            "ports",
            [{"port": 80, "protocol": "TCP", "targetPort": "http"}],
            id="named-target",
        ),
    ],
)
def test_service(spec: dict[str, Any], field: str, expected: Any) -> None:
    assert spec_of(service(**spec)).get(field) == expected


def test_a_behaviour_that_is_set_is_completed() -> None:
    behavior = spec_of(autoscaler(behavior={"scaleDown": {"stabilizationWindowSeconds": 0}}))["behavior"]
    double = {"type": "Percent", "value": 100, "periodSeconds": 15}
    assert behavior == {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, double],
        },
        "scaleDown": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [double]},
    }


def test_plain_text_of_a_secret_wins_and_is_gone() -> None:
    secret = read(simple("Secret", data={"a": "b2xk", "b": "Yg=="}, stringData={"a": "new"}))
    assert isinstance(secret, Secret)
    assert secret.data == {"a": SecretValue(b"new"), "b": SecretValue(b"b")}
    assert (secret.string_data, secret.type) == ({}, "Opaque")


@pytest.mark.parametrize(
    ("manifest", "namespace"),
    [
        pytest.param(simple("ConfigMap"), "shop", id="namespaced"),
        pytest.param(edited(simple("ConfigMap"), (("metadata", "namespace"), "own")), "own", id="own"),
        pytest.param(simple("Namespace"), "", id="cluster-scoped"),
    ],
)
def test_namespace(manifest: Manifest, namespace: str) -> None:
    assert default(decode(manifest), namespace="shop").namespace == namespace


def test_a_namespace_carries_its_name_as_a_label() -> None:
    assert read(simple("Namespace")).labels == {"kubernetes.io/metadata.name": "web"}


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(pod(), id="pod"),
        pytest.param(workload("Deployment"), id="deployment"),
        pytest.param(workload("StatefulSet"), id="statefulset"),
        pytest.param(cron_job(), id="cronjob"),
        pytest.param(service(), id="service"),
        pytest.param(simple("Secret", stringData={"a": "b"}), id="secret"),
    ],
)
def test_twice_is_once(manifest: Manifest) -> None:
    once = read(manifest)
    assert default(once) is once
