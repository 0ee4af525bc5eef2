"""Validation: one mistake, one message at its place; the manifests without mistakes pass."""

from __future__ import annotations

from typing import Any

import pytest

from objects.validation import validate
from tests.unit.objects.manifests import (
    HOST_KEY,
    REMOVED,
    Manifest,
    Path,
    application,
    autoscaler,
    claim,
    cluster,
    cron_job,
    edited,
    host,
    ingress,
    job,
    network_policy,
    persistent_volume,
    pod,
    read,
    service,
    simple,
    workload,
)


def problems(manifest: Manifest) -> list[str]:
    return [str(error) for error in validate(read(manifest))]


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(pod(), id="pod"),
        pytest.param(workload("Deployment"), id="deployment"),
        pytest.param(workload("ReplicaSet"), id="replicaset"),
        pytest.param(workload("DaemonSet"), id="daemonset"),
        pytest.param(workload("StatefulSet"), id="statefulset"),
        pytest.param(job(), id="job"),
        pytest.param(cron_job(), id="cronjob"),
        pytest.param(service(), id="service"),
        pytest.param(service(clusterIP="None", ports=[]), id="headless-service"),
        pytest.param(service(type="ExternalName", externalName="db.example.com", ports=[]), id="external-name"),
        pytest.param(autoscaler(), id="autoscaler"),
        pytest.param(claim(), id="claim"),
        pytest.param(persistent_volume(), id="persistent-volume"),
        pytest.param(ingress(), id="ingress"),
        pytest.param(network_policy(), id="network-policy"),
        pytest.param(simple("ConfigMap", data={"a": "b"}, binaryData={"c": "Yg=="}), id="config-map"),
        pytest.param(simple("Secret", data={"a": "Yg=="}), id="secret"),
        pytest.param(simple("Namespace"), id="namespace"),
        pytest.param(simple("StorageClass", "storage.k8s.io/v1", provisioner="berth.dev/local"), id="storage-class"),
        pytest.param(simple("PodDisruptionBudget", "policy/v1", spec={"minAvailable": "50%"}), id="budget"),
        pytest.param(simple("PriorityClass", "scheduling.k8s.io/v1", value=1000), id="priority-class"),
        pytest.param(simple("ResourceQuota", spec={"hard": {"requests.cpu": "4", "pods": 10}}), id="quota"),
        pytest.param(host(), id="host"),
        pytest.param(cluster(), id="cluster"),
        pytest.param(application(), id="application"),
        pytest.param(application(path="."), id="application-at-the-top"),
    ],
)
def test_is_valid(manifest: Manifest) -> None:
    assert problems(manifest) == []


CONTAINER: Path = ("spec", "containers", 0)
VALUE_AS_UTILIZATION = {"type": "Utilization", "value": 5}
C = "spec.containers[0]"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        pytest.param(("metadata", "name"), REMOVED, "metadata.name: is required", id="no-name"),
        pytest.param(
            ("metadata", "name"),
            "My_Pod",
            "metadata.name: 'My_Pod' may only hold lower-case letters, digits, '-' and '.', with a letter or digit"
            " first and last in each part",
            id="name",
        ),
        pytest.param(
            ("metadata", "namespace"),
            "a.b",
            "metadata.namespace: 'a.b' may only hold lower-case letters, digits and '-', with a letter or digit first"
            " and last",
            id="namespace",
        ),
        pytest.param(
            ("metadata", "labels", "a b"),
            "c",
            "metadata.labels['a b']: key name part may only hold letters, digits, '-', '_' and '.', with a letter or"
            " digit first and last",
            id="label-key",
        ),
        pytest.param(
            ("metadata", "labels", "a"),
            "x" * 64,
            f"metadata.labels.a: value '{'x' * 64}' must be at most 63 characters long (it has 64)",
            id="label-value",
        ),
        pytest.param(
            ("spec", "containers"), [], "spec.containers: must have at least one container", id="no-containers"
        ),
        pytest.param((*CONTAINER, "name"), REMOVED, f"{C}.name: is required", id="container-without-name"),
        pytest.param((*CONTAINER, "image"), REMOVED, f"{C}.image: is required", id="no-image"),
        pytest.param((*CONTAINER, "image"), " a", f"{C}.image: must not begin or end with white space", id="space"),
        pytest.param(
            ("spec", "containers", 1),
            {"name": "web", "image": "a"},
            "spec.containers[1].name: container name 'web' is there twice",
            id="container-twice",
        ),
        pytest.param(
            ("spec", "initContainers"),
            [{"name": "web", "image": "a"}],
            "spec.containers[0].name: container name 'web' is there twice",
            id="init-container-of-the-same-name",
        ),
        pytest.param(
            (*CONTAINER, "imagePullPolicy"),
            "always",
            f"{C}.imagePullPolicy: 'always' is not one of Always, IfNotPresent, Never (did you mean 'Always'?)",
            id="pull-policy",
        ),
        pytest.param(
            (*CONTAINER, "ports"),
            [{"containerPort": 70000}],
            f"{C}.ports[0].containerPort: must be between 1 and 65535, not 70000",
            id="port-range",
        ),
        pytest.param(
            (*CONTAINER, "ports"),
            [{"containerPort": 80, "protocol": "tcp"}],
            f"{C}.ports[0].protocol: 'tcp' is not one of SCTP, TCP, UDP (did you mean 'TCP'?)",
            id="protocol",
        ),
        pytest.param(
            (*CONTAINER, "ports"),
            [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}],
            f"{C}.ports[1].name: port name 'a' is there twice",
            id="port-name-twice",
        ),
        pytest.param(
            (*CONTAINER, "ports"),
            [{"containerPort": 80, "hostPort": 90}, {"containerPort": 81, "hostPort": 90}],
            f"{C}.ports[1].hostPort: host port '*:90/TCP' is there twice",
            id="host-port-twice",
        ),
        pytest.param(
            (*CONTAINER, "env"),
            [{"name": "A=B", "value": "c"}],
            f"{C}.env[0].name: 'A=B' must be printable ASCII characters without '='",
            id="env-name",
        ),
        pytest.param(
            (*CONTAINER, "env"),
            [{"name": "A", "value": "c", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            f"{C}.env[0]: may have value or valueFrom, not both",
            id="env-both",
        ),
        pytest.param(
            (*CONTAINER, "env"),
            [{"name": "A", "valueFrom": {}}],
            f"{C}.env[0].valueFrom: needs a source",
            id="env-no-source",
        ),
        pytest.param(
            (*CONTAINER, "env"),
            [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.image"}}}],
            f"{C}.env[0].valueFrom.fieldRef.fieldPath: 'spec.image' is not one of metadata.name, metadata.namespace,"
            " metadata.uid, spec.nodeName, spec.serviceAccountName, status.hostIP, status.hostIPs, status.podIP,"
            " status.podIPs, metadata.labels['<key>'] …",
            id="env-field",
        ),
        pytest.param(
            (*CONTAINER, "env"),
            [{"name": "A", "valueFrom": {"secretKeyRef": {"key": "k"}}}],
            f"{C}.env[0].valueFrom.secretKeyRef.name: is required",
            id="env-secret-without-name",
        ),
        pytest.param(
            (*CONTAINER, "envFrom"), [{"prefix": "A"}], f"{C}.envFrom[0]: needs a source", id="env-from-no-source"
        ),
        pytest.param(
            (*CONTAINER, "volumeMounts"),
            [{"name": "data", "mountPath": "/data"}],
            f"{C}.volumeMounts[0].name: there is no volume 'data' (the pod has no volumes)",
            id="mount-without-volume",
        ),
        pytest.param(
            (*CONTAINER, "resources"),
            {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
            f"{C}.resources.requests.cpu: must be at most the limit 1, not 2",
            id="request-above-limit",
        ),
        pytest.param(
            (*CONTAINER, "resources"),
            {"limits": {"memory": "512mb"}},
            f"{C}.resources.limits.memory: '512mb' is not a quantity: a number with an optional suffix is needed, as"
            " 0.5, 250m, 1.5Gi, 2G or 1e3 (write 512Mi (powers of 1024) or 512M (powers of 1000))",
            id="no-quantity",
        ),
        pytest.param(
            (*CONTAINER, "resources"),
            {"requests": {"cpu": "-1"}},
            f"{C}.resources.requests.cpu: must not be negative, not -1",
            id="negative",
        ),
        pytest.param(
            (*CONTAINER, "resources"),
            {"requests": {"mem": "1Gi"}},
            f"{C}.resources.requests.mem: is not a resource: allowed are cpu, memory, ephemeral-storage,"
            " hugepages-<size> or an extended resource as example.com/gpu (did you mean 'memory'?)",
            id="unknown-resource",
        ),
        pytest.param(
            (*CONTAINER, "resources"),
            {"requests": {"example.com/gpu": 1}},
            f"{C}.resources.requests['example.com/gpu']: example.com/gpu cannot be shared: it needs a limit that equals"
            " the request",
            id="gpu-without-limit",
        ),
        pytest.param(
            (*CONTAINER, "livenessProbe"),
            {"initialDelaySeconds": 5},
            f"{C}.livenessProbe: needs a handler",
            id="probe-without-handler",
        ),
        pytest.param(
            (*CONTAINER, "livenessProbe"),
            {"tcpSocket": {"port": 80}, "exec": {"command": ["a"]}},
            f"{C}.livenessProbe: may have only one handler, not exec and tcpSocket",
            id="two-handlers",
        ),
        pytest.param(
            (*CONTAINER, "livenessProbe"),
            {"tcpSocket": {"port": "not a port"}},
            f"{C}.livenessProbe.tcpSocket.port: 'not a port' may only hold lower-case letters, digits and single '-'"
            " between them, with at least one letter",
            id="probe-port-name",
        ),
        pytest.param(
            (*CONTAINER, "livenessProbe"),
            {"tcpSocket": {"port": 80}, "successThreshold": 2},
            f"{C}.livenessProbe.successThreshold: must be 1 in a livenessProbe, not 2",
            id="success-threshold",
        ),
        pytest.param(
            ("spec", "initContainers"),
            [{"name": "a", "image": "b", "livenessProbe": {"tcpSocket": {"port": 80}}}],
            "spec.initContainers[0].livenessProbe: is not allowed in an init container (set restartPolicy: Always to"
            " make it a sidecar)",
            id="init-container-with-probe",
        ),
        pytest.param(
            (*CONTAINER, "securityContext"),
            {"privileged": True, "allowPrivilegeEscalation": False},
            f"{C}.securityContext.allowPrivilegeEscalation: cannot be false in a privileged container",
            id="privileged-without-escalation",
        ),
        pytest.param(
            ("spec", "restartPolicy"),
            "Sometimes",
            "spec.restartPolicy: 'Sometimes' is not one of Always, Never, OnFailure",
            id="restart-policy",
        ),
        pytest.param(
            ("spec", "terminationGracePeriodSeconds"),
            -1,
            "spec.terminationGracePeriodSeconds: must be between 0 and 4611686018427387904, not -1",
            id="grace",
        ),
        pytest.param(
            ("spec", "dnsPolicy"),
            "None",
            "spec.dnsConfig.nameservers: must have at least one entry with dnsPolicy None",
            id="dns-none",
        ),
        pytest.param(
            ("spec", "hostAliases"),
            [{"ip": "1.2.3", "hostnames": ["a"]}],
            "spec.hostAliases[0].ip: '1.2.3' must be an IP address",
            id="host-alias",
        ),
        pytest.param(
            ("spec", "tolerations"),
            [{"operator": "Equal", "value": "a"}],
            "spec.tolerations[0].operator: must be Exists when there is no key",
            id="toleration-without-key",
        ),
        pytest.param(
            ("spec", "tolerations"),
            [{"key": "a", "operator": "Is"}],
            "spec.tolerations[0].operator: 'Is' is not one of Equal, Exists, Gt, Lt",
            id="toleration-operator",
        ),
        pytest.param(
            ("spec", "affinity"),
            {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
            "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: is required",
            id="affinity-without-terms",
        ),
        pytest.param(
            ("spec", "affinity"),
            {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": {}}]}},
            "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: is required",
            id="affinity-without-topology",
        ),
        pytest.param(
            ("spec", "topologySpreadConstraints"),
            [{"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
            "spec.topologySpreadConstraints[0].maxSkew: must be at least 1, not 0",
            id="skew",
        ),
        pytest.param(
            ("spec", "schedulingGates"),
            [{"name": "a"}, {"name": "a"}],
            "spec.schedulingGates[1].name: gate 'a' is there twice",
            id="gate-twice",
        ),
        pytest.param(
            ("spec", "volumes"),
            [{"name": "a", "emptyDir": {}, "hostPath": {"path": "/a"}}],
            "spec.volumes[0]: may have only one source, not emptyDir and hostPath",
            id="two-sources",
        ),
        pytest.param(
            ("spec", "volumes"),
            [{"name": "a"}, {"name": "a"}],
            "spec.volumes[1].name: volume name 'a' is there twice",
            id="volume-twice",
        ),
        pytest.param(
            ("spec", "volumes"),
            [{"name": "a", "hostPath": {"path": "/a/../b"}}],
            "spec.volumes[0].hostPath.path: must not hold '..'",
            id="host-path-upwards",
        ),
        pytest.param(
            ("spec", "volumes"),
            [{"name": "a", "configMap": {"name": "c", "items": [{"key": "k", "path": "../k"}]}}],
            "spec.volumes[0].configMap.items[0].path: '../k' must not hold '..'",
            id="item-upwards",
        ),
        pytest.param(
            ("spec", "volumes"),
            [{"name": "a", "secret": {}}],
            "spec.volumes[0].secret.secretName: is required",
            id="secret-without-name",
        ),
        pytest.param(
            ("spec", "volumes"),
            [{"name": "a", "configMap": {"name": "c", "defaultMode": 1000}}],
            "spec.volumes[0].configMap.defaultMode: must be between 0 and 511, not 1000",
            id="mode",
        ),
    ],
)
def test_pod(path: Path, value: Any, expected: str) -> None:
    assert problems(edited(pod(), (path, value))) == [expected]


def test_mounts() -> None:
    mounts = [
        {"name": "a", "mountPath": "/a"},
        {"name": "a", "mountPath": "/a"},
        {"name": "a", "mountPath": "/b:c"},
        {"name": "a", "mountPath": "/d", "subPath": "../d"},
        {"name": "a", "mountPath": "/e", "subPath": "x", "subPathExpr": "y"},
    ]
    manifest = edited(pod(volumes=[{"name": "a"}]), ((*CONTAINER, "volumeMounts"), mounts))
    assert problems(manifest) == [
        f"{C}.volumeMounts[3].subPath: '../d' must not hold '..'",
        f"{C}.volumeMounts[4]: may have subPath or subPathExpr, not both",
        f"{C}.volumeMounts[1].mountPath: mount path '/a' is there twice",
    ]


def test_a_value_of_the_environment_is_never_shown() -> None:
    manifest = edited(pod(), ((*CONTAINER, "env"), [{"name": "", "value": "hunter2", "valueFrom": {}}]))
    assert "hunter2" not in str(problems(manifest))


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param(
            edited(workload("Deployment"), (("spec", "selector"), REMOVED)),
            ["spec.selector: is required and must not be empty"],
            id="no-selector",
        ),
        pytest.param(
            workload("Deployment", selector={"matchLabels": {"app": "db"}}),
            ["spec.template.metadata.labels: must match spec.selector, which asks for app=db"],
            id="selector-of-others",
        ),
        pytest.param(
            workload("Deployment", selector={"matchExpressions": [{"key": "app", "operator": "Is"}]}),
            [
                "spec.selector.matchExpressions[0]: operator 'Is' is not one of In, NotIn, Exists, DoesNotExist",
            ],
            id="selector-operator",
        ),
        pytest.param(
            edited(workload("Deployment"), (("spec", "template", "spec", "restartPolicy"), "Never")),
            ["spec.template.spec.restartPolicy: must be Always here, not Never"],
            id="restart-policy",
        ),
        pytest.param(
            workload("Deployment", replicas=-1), ["spec.replicas: must be at least 0, not -1"], id="negative-replicas"
        ),
        pytest.param(
            workload("Deployment", replicas=10**12),
            ["spec.replicas: must be between 0 and 2147483647, not 1000000000000"],
            id="too-many-replicas",
        ),
        pytest.param(
            workload("Deployment", strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
            ["spec.strategy.rollingUpdate: is not allowed with type Recreate"],
            id="recreate-with-surge",
        ),
        pytest.param(
            workload("Deployment", strategy={"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": 0}}),
            [
                "spec.strategy.rollingUpdate.maxUnavailable: must not be 0 when maxSurge is 0: no pod could ever be"
                " replaced"
            ],
            id="both-zero",
        ),
        pytest.param(
            workload("Deployment", strategy={"rollingUpdate": {"maxUnavailable": "150%"}}),
            ["spec.strategy.rollingUpdate.maxUnavailable: must be between 0% and 100%, not 150%"],
            id="above-100-percent",
        ),
        pytest.param(
            workload("Deployment", strategy={"rollingUpdate": {"maxSurge": "150%"}}), [], id="surge-above-100"
        ),
        pytest.param(
            workload("Deployment", strategy={"rollingUpdate": {"maxSurge": "2"}}),
            [
                "spec.strategy.rollingUpdate.maxSurge: '2' is neither a whole number nor a percentage like '25%'",
            ],
            id="quoted-number",
        ),
        pytest.param(
            workload("Deployment", minReadySeconds=60, progressDeadlineSeconds=60),
            ["spec.progressDeadlineSeconds: must be greater than minReadySeconds 60, not 60"],
            id="deadline-too-short",
        ),
        pytest.param(
            workload("DaemonSet", updateStrategy={"rollingUpdate": {"maxSurge": 1}}),
            ["spec.updateStrategy.rollingUpdate.maxSurge: must be 0 when maxUnavailable is not 0"],
            id="daemonset-surge",
        ),
        pytest.param(
            workload("StatefulSet", updateStrategy={"type": "OnDelete", "rollingUpdate": {"partition": 1}}),
            ["spec.updateStrategy.rollingUpdate: is not allowed with type OnDelete"],
            id="on-delete-with-partition",
        ),
        pytest.param(
            workload("StatefulSet", podManagementPolicy="parallel"),
            [
                "spec.podManagementPolicy: 'parallel' is not one of OrderedReady, Parallel (did you mean 'Parallel'?)",
            ],
            id="pod-management",
        ),
        pytest.param(
            edited(
                workload("StatefulSet", volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": claim()["spec"]}]),
                (
                    ("spec", "template", "spec", "containers", 0, "volumeMounts"),
                    [{"name": "data", "mountPath": "/data"}],
                ),
            ),
            [],
            id="claim-templates-can-be-mounted",
        ),
        pytest.param(
            edited(job(), (("spec", "template", "spec", "restartPolicy"), "Always")),
            ["spec.template.spec.restartPolicy: must be Never or OnFailure here, not Always"],
            id="job-restart-policy",
        ),
        pytest.param(
            edited(job(), (("spec", "template", "spec", "restartPolicy"), REMOVED)),
            ["spec.template.spec.restartPolicy: must be Never or OnFailure here, not Always"],
            id="job-without-restart-policy",
        ),
        pytest.param(
            job(completionMode="Indexed", parallelism=3),
            ["spec.completions: is required with completionMode: Indexed"],
            id="indexed-without-number",
        ),
        pytest.param(
            job(selector={"matchLabels": {"a": "b"}}),
            ["spec.selector: is made for you: leave it out, or set manualSelector: true"],
            id="job-selector",
        ),
        pytest.param(
            job(podFailurePolicy={"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [0]}}]}),
            [
                "spec.podFailurePolicy.rules[0].onExitCodes.values: must not hold 0 with operator In: 0 is success",
            ],
            id="failure-policy-for-success",
        ),
        pytest.param(
            edited(cron_job(), (("metadata", "name"), "a" * 53)),
            [
                f"metadata.name: '{'a' * 53}' must be at most 52 characters long, because jobs get longer names from"
                " it",
            ],
            id="cron-job-name",
        ),
        pytest.param(
            cron_job(timeZone="Europe Berlin"),
            [
                "spec.timeZone: 'Europe Berlin' is not a time zone (a name of the IANA database, as Europe/Berlin or"
                " Etc/UTC)"
            ],
            id="time-zone",
        ),
        pytest.param(
            cron_job(concurrencyPolicy="Forbidden"),
            ["spec.concurrencyPolicy: 'Forbidden' is not one of Allow, Forbid, Replace (did you mean 'Forbid'?)"],
            id="concurrency",
        ),
    ],
)
def test_workloads(manifest: Manifest, expected: list[str]) -> None:
    assert problems(manifest) == expected


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        pytest.param("0 3 * * 1-5", "", id="fields"),
        pytest.param("*/15,30 0-6/2 1,15 jan-mar SUN", "", id="lists-ranges-names"),
        pytest.param("@daily", "", id="macro"),
        pytest.param("@every 1h30m", "", id="every"),
        pytest.param("* * * *", "must have 5 fields", id="four-fields"),
        pytest.param("60 * * * *", "minute '60': '60' is not between 0 and 59", id="minute"),
        pytest.param("* * 0 * *", "day of month '0': '0' is not between 1 and 31", id="day-zero"),
        pytest.param("* * * * 7", "day of week '7': '7' is not between 0 and 6", id="sunday-is-zero"),
        pytest.param("5-1 * * * *", "runs backwards", id="backwards"),
        pytest.param("*/0 * * * *", "must not be 0", id="step-zero"),
        pytest.param("a * * * *", "'a' is not between", id="word"),
        pytest.param("1;2 * * * *", "must be *, a number", id="separator"),
        pytest.param("@fortnightly", "is not one of @yearly", id="unknown-macro"),
        pytest.param("CRON_TZ=UTC 0 * * * *", "use spec.timeZone", id="time-zone"),
    ],
)
def test_schedule(schedule: str, expected: str) -> None:
    found = problems(cron_job(schedule=schedule))
    assert len(found) == bool(expected)
    assert all(text.startswith("spec.schedule: ") and expected in text for text in found)


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param(service(ports=[]), ["spec.ports: must have at least one port"], id="no-ports"),
        pytest.param(
            service(ports=[{"port": 80}, {"port": 81}]),
            [
                "spec.ports[0].name: is required when there are several ports",
                "spec.ports[1].name: is required when there are several ports",
            ],
            id="names-of-several-ports",
        ),
        pytest.param(
            service(ports=[{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]),
            ["spec.ports[1]: port '80/TCP' is there twice"],
            id="port-twice",
        ),
        pytest.param(
            service(ports=[{"port": 80, "nodePort": 30080}]),
            ["spec.ports[0].nodePort: is only allowed with type NodePort or LoadBalancer"],
            id="node-port-without-type",
        ),
        pytest.param(
            service(type="NodePort", ports=[{"port": 80, "nodePort": 80}]),
            ["spec.ports[0].nodePort: must be between 30000 and 32767, not 80"],
            id="node-port-range",
        ),
        pytest.param(
            service(type="NodePort", clusterIP="None"),
            ["spec.clusterIP: must not be None for a NodePort"],
            id="headless",
        ),
        pytest.param(
            service(type="ExternalName", ports=[]), ["spec.externalName: is required"], id="external-name-missing"
        ),
        pytest.param(
            service(externalIPs=["127.0.0.1"]),
            ["spec.externalIPs[0]: '127.0.0.1' cannot be reached from outside"],
            id="loopback",
        ),
        pytest.param(
            service(type="LoadBalancer", loadBalancerSourceRanges=["10.0.0.1"]),
            ["spec.loadBalancerSourceRanges[0]: '10.0.0.1' must be a network in CIDR form such as 10.0.0.0/8"],
            id="source-range",
        ),
        pytest.param(
            edited(service(), (("metadata", "name"), "1st-")),
            [
                "metadata.name: '1st-' may only hold lower-case letters, digits and '-', with a letter or digit first"
                " and last"
            ],
            id="service-name",
        ),
        pytest.param(ingress(rules=[]), ["spec: needs rules or a defaultBackend"], id="empty-ingress"),
        pytest.param(
            edited(ingress(), (("spec", "rules", 0, "host"), "10.0.0.1")),
            ["spec.rules[0].host: '10.0.0.1' must be a name, not an IP address"],
            id="ingress-ip",
        ),
        pytest.param(
            edited(ingress(), (("spec", "rules", 0, "http", "paths", 0, "pathType"), REMOVED)),
            [
                "spec.rules[0].http.paths[0].pathType: is required (Prefix, Exact or ImplementationSpecific)",
            ],
            id="ingress-path-type",
        ),
        pytest.param(
            edited(ingress(), (("spec", "rules", 0, "http", "paths", 0, "path"), "a//b")),
            [
                "spec.rules[0].http.paths[0].path: must be an absolute path",
                "spec.rules[0].http.paths[0].path: must not hold '//'",
            ],
            id="ingress-path",
        ),
        pytest.param(
            edited(ingress(), (("spec", "rules", 0, "http", "paths", 0, "backend", "service", "port"), {})),
            ["spec.rules[0].http.paths[0].backend.service.port: must have a name or a number"],
            id="ingress-port",
        ),
        pytest.param(
            network_policy(ingress=[{"from": [{}]}]),
            ["spec.ingress[0].from[0]: needs a podSelector, namespaceSelector or ipBlock"],
            id="empty-peer",
        ),
        pytest.param(
            network_policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}]),
            ["spec.ingress[0].from[0].ipBlock.except[0]: '11.0.0.0/16' must be a part of 10.0.0.0/8"],
            id="exception-outside",
        ),
        pytest.param(
            network_policy(egress=[{"ports": [{"port": 100, "endPort": 50}]}]),
            ["spec.egress[0].ports[0].endPort: must be between the port 100 and 65535, not 50"],
            id="end-port",
        ),
        pytest.param(
            autoscaler(minReplicas=11), ["spec.maxReplicas: must be at least minReplicas 11, not 10"], id="hpa-bounds"
        ),
        pytest.param(
            autoscaler(metrics=[{"type": "Resource"}]), ["spec.metrics[0]: needs a source"], id="hpa-without-source"
        ),
        pytest.param(
            autoscaler(
                metrics=[
                    {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "value": 5}}}
                ]
            ),
            [
                "spec.metrics[0].resource.target.value: is not for such a metric: give averageUtilization or"
                " averageValue"
            ],
            id="hpa-target",
        ),
        pytest.param(
            autoscaler(
                metrics=[
                    {
                        "type": "Object",
                        "object": {
                            "describedObject": {"kind": "", "name": ""},
                            "metric": {"name": ""},
                            "target": {"type": "Utilization", "averageUtilization": 5},
                        },
                    }
                ]
            ),
            [
                "spec.metrics[0].object.target.averageUtilization: is not for such a metric: give value or"
                " averageValue",
                "spec.metrics[0].object.describedObject.kind: is required",
                "spec.metrics[0].object.describedObject.name: is required",
                "spec.metrics[0].object.metric.name: is required",
            ],
            id="hpa-object",
        ),
    ],
)
def test_network_and_autoscaling(manifest: Manifest, expected: list[str]) -> None:
    assert problems(manifest) == expected


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param(
            simple("ConfigMap", data={"a/b": "c"}),
            ["data['a/b']: 'a/b' may only hold letters, digits, '-', '_' and '.'"],
            id="config-key",
        ),
        pytest.param(
            simple("ConfigMap", data={"a": "b"}, binaryData={"a": "%"}),
            [
                "binaryData.a: is in data too: a key can only have one value",
                "binaryData.a: is not valid base64 (put plain text into data)",
            ],
            id="binary-data",
        ),
        pytest.param(
            simple("ConfigMap", data={"a": "x" * (1024 * 1024 + 1)}),
            ["holds 1048577 bytes, more than the 1048576 that are allowed"],
            id="config-map-size",
        ),
        pytest.param(
            simple("Secret", type="kubernetes.io/tls", data={"tls.crt": "Yg=="}),
            ["data['tls.key']: is required with type kubernetes.io/tls"],
            id="tls",
        ),
        pytest.param(
            simple("Secret", type="kubernetes.io/dockerconfigjson", stringData={".dockerconfigjson": "hunter2"}),
            ["data['.dockerconfigjson']: must be a JSON object"],
            id="docker-config",
        ),
        pytest.param(
            simple("Secret", type="kubernetes.io/basic-auth", stringData={"user": "a"}),
            ["data: needs username or password with type kubernetes.io/basic-auth"],
            id="basic-auth",
        ),
        pytest.param(
            claim(accessModes=[]),
            [
                "spec.accessModes: must have at least one mode (allowed: ReadWriteOnce, ReadOnlyMany, ReadWriteMany,"
                " ReadWriteOncePod)"
            ],
            id="claim-without-mode",
        ),
        pytest.param(
            claim(accessModes=["ReadWriteOncePod", "ReadWriteOnce"]),
            ["spec.accessModes: ReadWriteOncePod cannot be combined with other modes"],
            id="claim-modes",
        ),
        pytest.param(claim(resources={}), ["spec.resources.requests.storage: is required"], id="claim-without-size"),
        pytest.param(
            persistent_volume(hostPath={"path": "/a"}),
            ["spec: may have only one source, not hostPath and nfs"],
            id="two-sources",
        ),
        pytest.param(
            edited(persistent_volume(local={"path": "/a"}), (("spec", "nfs"), REMOVED)),
            ["spec.nodeAffinity: is required for a local volume: it says which host has it"],
            id="local-without-host",
        ),
        pytest.param(
            simple("PodDisruptionBudget", "policy/v1", spec={"minAvailable": 1, "maxUnavailable": 1}),
            ["spec: may have minAvailable or maxUnavailable, not both"],
            id="budget",
        ),
        pytest.param(
            simple("PriorityClass", "scheduling.k8s.io/v1", value=2 * 10**9),
            ["value: must be at most 1000000000, not 2000000000"],
            id="priority",
        ),
        pytest.param(
            simple("LimitRange", spec={"limits": [{"type": "Container", "min": {"cpu": 2}, "max": {"cpu": 1}}]}),
            [
                "spec.limits[0].min.cpu: must be at most defaultRequest 1, not 2",
                "spec.limits[0].min.cpu: must be at most default 1, not 2",
                "spec.limits[0].min.cpu: must be at most max 1, not 2",
            ],
            id="limit-range",
        ),
        pytest.param(
            simple("Role", "rbac.authorization.k8s.io/v1", rules=[{"verbs": [], "resources": ["pods"]}]),
            ["rules[0].verbs: is required", "rules[0].apiGroups: is required"],
            id="role",
        ),
    ],
)
def test_configuration_storage_and_policies(manifest: Manifest, expected: list[str]) -> None:
    assert problems(manifest) == expected


PROMETHEUS: tuple[tuple[str, dict[str, Any], list[str]], ...] = (
    ("all-well", {"url": "https://p.example.org:9090/x", "user": "a", "passwordFile": "/b", "caFile": "/c"}, []),
    ("no-url", {"url": "p.example.org"}, ["url: must be http://… or https://… with a host"]),
    ("bad-port", {"url": "http://p:http"}, ["url: is no address"]),
    ("query-in-url", {"url": "http://p/?a=b"}, ["url: may hold no query and no fragment"]),
    (
        "password-in-url",
        {"url": "http://a:canary-secret@p"},
        [
            "url: may hold no user or password: Git is not the place for them (name a file: passwordFile or tokenFile)",
        ],
    ),
    ("half-a-login", {"user": "a"}, ["passwordFile: is required with user"]),
    ("other-half", {"passwordFile": "/a"}, ["user: is required with passwordFile"]),
    (
        "two-logins",
        {"user": "a", "passwordFile": "/a", "tokenFile": "/b"},
        ["tokenFile: may not be there together with user and passwordFile"],
    ),
    (
        "times",
        {"intervalSeconds": 0.5, "timeoutSeconds": 61},
        ["intervalSeconds: must be between 1 and 60, not 0.5", "timeoutSeconds: must be between 1 and 60, not 61"],
    ),
    (
        "queries",
        {
            "queries": [
                {"metric": "a", "query": "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)"},
                {"metric": "a", "query": ""},
            ]
        },
        [
            "queries[0].query: <<.GroupBy>> is not <<.LabelMatchers>> or <<.Series>>",
            "queries[1].query: is required",
            "queries[1].metric: metric 'a' is there twice",
        ],
    ),
)


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param(
            cluster(network={"podCIDR": "10.96.0.0/12"}),
            ["spec.network.serviceCIDR: 10.96.0.0/16 overlaps with podCIDR 10.96.0.0/12"],
            id="overlap",
        ),
        pytest.param(
            cluster(network={"podCIDR": "10.0.0.0/24", "hostPrefix": 16}),
            ["spec.network.hostPrefix: must be between 24 and 30, not 16"],
            id="host-prefix",
        ),
        pytest.param(
            cluster(network={"podCIDR": "10.0.0.5/24"}),
            [
                "spec.network.podCIDR: '10.0.0.5/24' must not have address bits beyond its prefix length (write"
                " 10.0.0.0/24)"
            ],
            id="cidr",
        ),
        pytest.param(
            cluster(sync={"statusBranch": "--force"}),
            [
                "spec.sync.statusBranch: '--force' must be the name of a branch: letters, digits, '.', '_', '-' and"
                " '/'",
            ],
            id="branch-like-an-option",
        ),
        *(
            pytest.param(
                cluster(metrics={"prometheus": server}), [f"spec.metrics.prometheus.{one}" for one in problems], id=name
            )
            for name, server, problems in PROMETHEUS
        ),
        pytest.param(
            cluster(sync={"pollSeconds": 0}), ["spec.sync.pollSeconds: must be between 1 and 86400, not 0"], id="poll"
        ),
        pytest.param(
            host(address="-oProxyCommand=x"),
            [
                "spec.address: '-oProxyCommand=x' must be a host name or an IP address, without user and port",
            ],
            id="address-like-an-option",
        ),
        pytest.param(
            host(address="root@10.0.0.1:22"),
            [
                "spec.address: 'root@10.0.0.1:22' must be a host name or an IP address, without user and port",
            ],
            id="address-with-user",
        ),
        pytest.param(
            host(hostKey=f"10.0.0.1 {HOST_KEY}"),
            [
                "spec.hostKey: begins with the host's name: leave it out and begin with ssh-ed25519 (ssh-keyscan prints"
                " it after the name)"
            ],
            id="key-with-name",
        ),
        pytest.param(
            host(hostKey=HOST_KEY.replace("ssh-ed25519", "ssh-rsa")),
            ["spec.hostKey: its key is not of the type ssh-rsa (ssh-keyscan prints it after the name)"],
            id="key-of-another-type",
        ),
        pytest.param(host(jump="web"), ["spec.jump: must be another host"], id="jump-to-itself"),
        pytest.param(
            host(taints=[{"key": "a", "effect": "Never"}]),
            ["spec.taints[0].effect: 'Never' is not one of NoExecute, NoSchedule, PreferNoSchedule"],
            id="taint",
        ),
        pytest.param(
            host(eviction={"diskAvailable": "110%"}),
            ["spec.eviction.diskAvailable: must be a quantity or a percentage up to 100%, not '110%'"],
            id="eviction",
        ),
        pytest.param(host(capacity={"nvidia.com/gpu": 2, "pods": 50}), [], id="extended-capacity"),
        pytest.param(
            application(path="../secrets"), ["spec.path: must lie inside the repository, without '..'"], id="upwards"
        ),
        pytest.param(
            application(path="/etc"), ["spec.path: must be relative to the top of the repository"], id="absolute"
        ),
        pytest.param(application(path=""), ["spec.path: is required"], id="no-path"),
    ],
)
def test_own_kinds(manifest: Manifest, expected: list[str]) -> None:
    assert problems(manifest) == expected
