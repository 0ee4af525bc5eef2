"""One line of `berth get` for each kind, with the columns that kubectl has."""

from __future__ import annotations

import pytest

from objects.api.admission import ValidatingAdmissionPolicy
from objects.api.apps import (
    ControllerRevision,
    DaemonSet,
    DaemonSetSpec,
    DaemonSetStatus,
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
    ReplicationController,
    ReplicationControllerSpec,
    StatefulSet,
    StatefulSetSpec,
    StatefulSetStatus,
)
from objects.api.autoscaling import (
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec,
    HorizontalPodAutoscalerStatus,
    MetricSpec,
    MetricStatus,
    MetricTarget,
    MetricValueStatus,
    ResourceMetricSource,
    ResourceMetricStatus,
)
from objects.api.batch import (
    CronJob,
    CronJobSpec,
    CronJobStatus,
    Job,
    JobSpec,
    JobStatus,
)
from objects.api.core import (
    ConfigMap,
    Event,
    EventSource,
    Namespace,
    Node,
    NodeAddress,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
    Secret,
    Taint,
)
from objects.api.meta import (
    Condition,
    KubeObject,
    LabelSelector,
    ObjectReference,
    OwnerReference,
)
from objects.api.networking import (
    Ingress,
    IngressClass,
    IngressClassSpec,
    IngressRule,
    IngressSpec,
    IngressTLS,
    NetworkPolicy,
)
from objects.api.pods import PodSpec, PodTemplateSpec
from objects.api.policy import (
    LimitRange,
    PodDisruptionBudget,
    PodDisruptionBudgetSpec,
    PodDisruptionBudgetStatus,
    PriorityClass,
    ResourceQuota,
    ResourceQuotaSpec,
    ResourceQuotaStatus,
)
from objects.api.rbac import RoleBinding, RoleRef, Subject
from objects.api.services import (
    Endpoint,
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSlice,
    EndpointSlicePort,
    EndpointSubset,
    Service,
    ServiceAccount,
    ServicePort,
    ServiceSpec,
)
from objects.api.storage import (
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus,
    PersistentVolumeSpec,
    PersistentVolumeStatus,
    StorageClass,
)
from objects.kinds import KINDS
from objects.observation.host import HostFacts
from objects.own.config import (
    Application,
    ApplicationSpec,
    Cluster,
    Host,
    HostSpec,
)
from objects.secrets import SecretValue
from reconciler.cli.printing.cluster import human_bytes
from reconciler.cli.printing.printers import PRINTERS, printer_of
from reconciler.state.host_status import HostStatus
from tests.unit.cli.sample import ago, around, container, meta

TEMPLATE = PodTemplateSpec(spec=PodSpec(containers=(container("web", "web:v1"), container("log", "log:1"))))
SELECTOR = LabelSelector(match_labels={"app": "web"})
FACTS = HostFacts(
    engine_version="20.10.24",
    cpus=4,
    memory_bytes=16 << 30,
    disk_free_bytes=3 << 39,
    operating_system="Debian 12",
    architecture="x86_64",
    kernel_version="6.1",
)

CASES = [
    pytest.param(
        Deployment(
            metadata=meta("web"),
            spec=DeploymentSpec(replicas=3, selector=SELECTOR, template=TEMPLATE),
            status=DeploymentStatus(replicas=4, ready_replicas=2, updated_replicas=1, available_replicas=2),
        ),
        "NAME=web READY=2/3 UP-TO-DATE=1 AVAILABLE=2 AGE=2m",
        "CONTAINERS=web,log IMAGES=web:v1,log:1 SELECTOR=app=web DESIRED=3 CURRENT=4",
        id="deployment",
    ),
    pytest.param(
        ReplicaSet(
            metadata=meta("web-1"),
            spec=ReplicaSetSpec(replicas=3, selector=SELECTOR, template=TEMPLATE),
            status=ReplicaSetStatus(replicas=2, ready_replicas=1),
        ),
        "NAME=web-1 DESIRED=3 CURRENT=2 READY=1 AGE=2m",
        "CONTAINERS=web,log IMAGES=web:v1,log:1 SELECTOR=app=web",
        id="replicaset",
    ),
    pytest.param(
        ReplicationController(
            metadata=meta("old"), spec=ReplicationControllerSpec(replicas=1, selector={"app": "web"}, template=TEMPLATE)
        ),
        "NAME=old DESIRED=1 CURRENT=0 READY=0 AGE=2m",
        "CONTAINERS=web,log IMAGES=web:v1,log:1 SELECTOR=app=web",
        id="replicationcontroller",
    ),
    pytest.param(
        DaemonSet(
            metadata=meta("agent"),
            spec=DaemonSetSpec(
                selector=SELECTOR, template=PodTemplateSpec(spec=PodSpec(node_selector={"disk": "ssd"}))
            ),
            status=DaemonSetStatus(
                desired_number_scheduled=3,
                current_number_scheduled=2,
                number_ready=1,
                updated_number_scheduled=2,
                number_available=1,
            ),
        ),
        "NAME=agent DESIRED=3 CURRENT=2 READY=1 UP-TO-DATE=2 AVAILABLE=1 NODE_SELECTOR=disk=ssd AGE=2m",
        "CONTAINERS=<none> IMAGES=<none> SELECTOR=app=web",
        id="daemonset",
    ),
    pytest.param(
        StatefulSet(
            metadata=meta("db"),
            spec=StatefulSetSpec(replicas=5, template=TEMPLATE),
            status=StatefulSetStatus(ready_replicas=4),
        ),
        "NAME=db READY=4/5 AGE=2m",
        "CONTAINERS=web,log IMAGES=web:v1,log:1",
        id="statefulset",
    ),
    pytest.param(
        ControllerRevision(
            metadata=meta(
                "db-1",
                owner_references=(
                    OwnerReference(api_version="apps/v1", kind="StatefulSet", name="db", controller=True),
                ),
            ),
            revision=3,
        ),
        "NAME=db-1 CONTROLLER=statefulset.apps/db REVISION=3 AGE=2m",
        "",
        id="controllerrevision",
    ),
    pytest.param(
        Job(
            metadata=meta("backup"),
            spec=JobSpec(completions=5, template=TEMPLATE),
            status=JobStatus(succeeded=2, start_time=ago(seconds=90)),
        ),
        "NAME=backup STATUS=Running COMPLETIONS=2/5 DURATION=90s AGE=2m",
        "CONTAINERS=web,log IMAGES=web:v1,log:1 SELECTOR=<none>",
        id="job",
    ),
    pytest.param(
        Job(
            metadata=meta("backup"),
            spec=JobSpec(parallelism=3),
            status=JobStatus(
                succeeded=1,
                start_time=ago(seconds=90),
                completion_time=ago(seconds=60),
                conditions=(Condition(type="Complete", status="True"),),
            ),
        ),
        "NAME=backup STATUS=Complete COMPLETIONS=1/1_of_3 DURATION=30s AGE=2m",
        "CONTAINERS=<none> IMAGES=<none> SELECTOR=<none>",
        id="job-complete",
    ),
    pytest.param(
        CronJob(
            metadata=meta("nightly"),
            spec=CronJobSpec(schedule="@daily", suspend=True),
            status=CronJobStatus(last_schedule_time=ago(hours=5), active=(ObjectReference(name="nightly-1"),)),
        ),
        "NAME=nightly SCHEDULE=@daily TIMEZONE=<none> SUSPEND=True ACTIVE=1 LAST_SCHEDULE=5h AGE=2m",
        "CONTAINERS=<none> IMAGES=<none> SELECTOR=<none>",
        id="cronjob",
    ),
    pytest.param(
        HorizontalPodAutoscaler(
            metadata=meta("php"),
            spec=HorizontalPodAutoscalerSpec(
                scale_target_ref=CrossVersionObjectReference(kind="Deployment", name="php"),
                max_replicas=10,
                metrics=(
                    MetricSpec(
                        type="Resource",
                        resource=ResourceMetricSource(
                            name="cpu", target=MetricTarget(type="Utilization", average_utilization=50)
                        ),
                    ),
                ),
            ),
            status=HorizontalPodAutoscalerStatus(
                current_replicas=1,
                current_metrics=(
                    MetricStatus(
                        type="Resource",
                        resource=ResourceMetricStatus(name="cpu", current=MetricValueStatus(average_utilization=305)),
                    ),
                ),
            ),
        ),
        "NAME=php REFERENCE=Deployment/php TARGETS=cpu:_305%/50% MINPODS=1 MAXPODS=10 REPLICAS=1 AGE=2m",
        "",
        id="hpa",
    ),
    pytest.param(
        Node(
            metadata=meta("alpha", "", labels={"node-role.kubernetes.io/worker": ""}),
            spec=NodeSpec(unschedulable=True),
            status=NodeStatus(
                conditions=(Condition(type="Ready", status="True"),),
                addresses=(NodeAddress(type="InternalIP", address="192.0.2.1"),),
                node_info=NodeSystemInfo(
                    kubelet_version="berth/0.1.0",
                    os_image="Debian 12",
                    kernel_version="6.1",
                    container_runtime_version="docker://20.10",
                ),
            ),
        ),
        "NAME=alpha STATUS=Ready,SchedulingDisabled ROLES=worker AGE=2m VERSION=berth/0.1.0",
        "INTERNAL-IP=192.0.2.1 EXTERNAL-IP=<none> OS-IMAGE=Debian_12 KERNEL-VERSION=6.1 CONTAINER-RUNTIME=docker://20.10",
        id="node",
    ),
    pytest.param(
        Namespace(metadata=meta("shop", "")),
        "NAME=shop STATUS=Active AGE=2m",
        "",
        id="namespace",
    ),
    pytest.param(
        Application(metadata=meta("shop", ""), spec=ApplicationSpec(path="apps/shop", suspend=True)),
        "NAME=shop PATH=apps/shop HEALTH=Suspended SYNC=<unknown> REVISION=<none> AGE=2m",
        "PRUNE=True SELF_HEAL=True",
        id="application",
    ),
    pytest.param(
        Cluster(metadata=meta("home", "")),
        "NAME=home POD_CIDR=10.244.0.0/16 SERVICE_CIDR=10.96.0.0/16 AGE=2m",
        "",
        id="cluster",
    ),
    pytest.param(
        Event(
            metadata=meta("web.1"),
            involved_object=ObjectReference(kind="Pod", name="web"),
            type="Warning",
            reason="BackOff",
            message="again\n",
            source=EventSource(component="alpha"),
            count=3,
            first_timestamp=ago(minutes=5),
            last_timestamp=ago(seconds=30),
        ),
        "LAST_SEEN=30s TYPE=Warning REASON=BackOff OBJECT=pod/web MESSAGE=again",
        "SOURCE=alpha FIRST_SEEN=5m COUNT=3 NAME=web.1",
        id="event",
    ),
    pytest.param(
        PriorityClass(metadata=meta("high", ""), value=1000),
        "NAME=high VALUE=1000 GLOBAL-DEFAULT=false AGE=2m PREEMPTIONPOLICY=PreemptLowerPriority",
        "",
        id="priorityclass",
    ),
    pytest.param(
        PodDisruptionBudget(
            metadata=meta("web"),
            spec=PodDisruptionBudgetSpec(min_available="50%"),
            status=PodDisruptionBudgetStatus(disruptions_allowed=1),
        ),
        "NAME=web MIN_AVAILABLE=50% MAX_UNAVAILABLE=N/A ALLOWED_DISRUPTIONS=1 AGE=2m",
        "",
        id="pdb",
    ),
    pytest.param(
        ResourceQuota(
            metadata=meta("small"),
            spec=ResourceQuotaSpec(hard={"pods": 3, "limits.cpu": "2"}),
            status=ResourceQuotaStatus(used={"pods": 4}),
        ),
        "NAME=small REQUEST=pods:_4/3! LIMIT=limits.cpu:_0/2 AGE=2m",
        "",
        id="quota",
    ),
    pytest.param(LimitRange(metadata=meta("small")), "NAME=small CREATED_AT=2m", "", id="limitrange"),
    pytest.param(
        Service(
            metadata=meta("web"),
            spec=ServiceSpec(
                type="NodePort",
                cluster_ip="10.96.0.7",
                external_ips=("192.0.2.9",),
                selector={"app": "web"},
                ports=(ServicePort(port=80, node_port=30080, protocol="TCP"), ServicePort(port=53, protocol="UDP")),
            ),
        ),
        "NAME=web TYPE=NodePort CLUSTER-IP=10.96.0.7 EXTERNAL-IP=192.0.2.9 PORT(S)=80:30080/TCP,53/UDP AGE=2m",
        "SELECTOR=app=web",
        id="service",
    ),
    pytest.param(
        Service(metadata=meta("out"), spec=ServiceSpec(type="ExternalName", external_name="db.example.com")),
        "NAME=out TYPE=ExternalName CLUSTER-IP=<none> EXTERNAL-IP=db.example.com PORT(S)=<none> AGE=2m",
        "SELECTOR=<none>",
        id="service-external-name",
    ),
    pytest.param(
        Service(metadata=meta("lb"), spec=ServiceSpec(type="LoadBalancer", cluster_ip="10.96.0.8")),
        "NAME=lb TYPE=LoadBalancer CLUSTER-IP=10.96.0.8 EXTERNAL-IP=<pending> PORT(S)=<none> AGE=2m",
        "SELECTOR=<none>",
        id="service-pending-balancer",
    ),
    pytest.param(
        Endpoints(
            metadata=meta("web"),
            subsets=(
                EndpointSubset(
                    addresses=tuple(EndpointAddress(ip=f"10.244.0.{n}") for n in range(2, 6)),
                    ports=(EndpointPort(port=80),),
                ),
            ),
        ),
        "NAME=web ENDPOINTS=10.244.0.2:80,10.244.0.3:80,10.244.0.4:80_+_1_more... AGE=2m",
        "",
        id="endpoints",
    ),
    pytest.param(
        EndpointSlice(
            metadata=meta("web-x"),
            address_type="IPv4",
            endpoints=(Endpoint(addresses=("10.244.0.2",)),),
            ports=(EndpointSlicePort(port=80),),
        ),
        "NAME=web-x ADDRESSTYPE=IPv4 PORTS=80 ENDPOINTS=10.244.0.2 AGE=2m",
        "",
        id="endpointslice",
    ),
    pytest.param(
        Ingress(
            metadata=meta("shop"),
            spec=IngressSpec(rules=(IngressRule(host="a.example.com"), IngressRule()), tls=(IngressTLS(),)),
        ),
        "NAME=shop CLASS=<none> HOSTS=a.example.com,* ADDRESS= PORTS=80,_443 AGE=2m",
        "",
        id="ingress",
    ),
    pytest.param(
        IngressClass(metadata=meta("haproxy", ""), spec=IngressClassSpec(controller="berth.dev/haproxy")),
        "NAME=haproxy CONTROLLER=berth.dev/haproxy PARAMETERS=<none> AGE=2m",
        "",
        id="ingressclass",
    ),
    pytest.param(NetworkPolicy(metadata=meta("deny")), "NAME=deny POD-SELECTOR=<none> AGE=2m", "", id="networkpolicy"),
    pytest.param(
        ConfigMap(metadata=meta("game"), data={"a": "1", "b": "2"}, binary_data={"c": "AA=="}),
        "NAME=game DATA=3 AGE=2m",
        "",
        id="configmap",
    ),
    pytest.param(
        Secret(metadata=meta("db"), data={"password": SecretValue(b"canary")}, string_data={"user": SecretValue(b"x")}),
        "NAME=db TYPE=Opaque DATA=2 AGE=2m",
        "",
        id="secret",
    ),
    pytest.param(ServiceAccount(metadata=meta("bot")), "NAME=bot SECRETS=0 AGE=2m", "", id="serviceaccount"),
    pytest.param(
        RoleBinding(
            metadata=meta("admins"),
            role_ref=RoleRef(kind="ClusterRole", name="admin", api_group="rbac.authorization.k8s.io"),
            subjects=(Subject(kind="User", name="eve"), Subject(kind="ServiceAccount", name="bot", namespace="ci")),
        ),
        "NAME=admins ROLE=ClusterRole/admin AGE=2m",
        "USERS=eve GROUPS= SERVICEACCOUNTS=ci/bot",
        id="rolebinding",
    ),
    pytest.param(
        PersistentVolume(
            metadata=meta("pv1", ""),
            spec=PersistentVolumeSpec(
                capacity={"storage": "5Gi"},
                access_modes=("ReadWriteOnce", "ReadOnlyMany"),
                persistent_volume_reclaim_policy="Retain",
                storage_class_name="slow",
                claim_ref=ObjectReference(namespace="default", name="data"),
                volume_mode="Filesystem",
            ),
            status=PersistentVolumeStatus(phase="Bound"),
        ),
        "NAME=pv1 CAPACITY=5Gi ACCESS_MODES=RWO,ROX RECLAIM_POLICY=Retain STATUS=Bound CLAIM=default/data"
        " STORAGECLASS=slow VOLUMEATTRIBUTESCLASS=<unset> REASON= AGE=2m",
        "VOLUMEMODE=Filesystem",
        id="pv",
    ),
    pytest.param(
        PersistentVolumeClaim(
            metadata=meta("data"),
            spec=PersistentVolumeClaimSpec(volume_name="pv1", storage_class_name="slow"),
            status=PersistentVolumeClaimStatus(
                phase="Bound", access_modes=("ReadWriteMany",), capacity={"storage": "5Gi"}
            ),
        ),
        "NAME=data STATUS=Bound VOLUME=pv1 CAPACITY=5Gi ACCESS_MODES=RWX STORAGECLASS=slow"
        " VOLUMEATTRIBUTESCLASS=<unset> AGE=2m",
        "VOLUMEMODE=<unset>",
        id="pvc",
    ),
    pytest.param(
        StorageClass(
            metadata=meta("slow", "", annotations={"storageclass.kubernetes.io/is-default-class": "true"}),
            provisioner="berth.dev/local",
        ),
        "NAME=slow_(default) PROVISIONER=berth.dev/local RECLAIMPOLICY=Delete VOLUMEBINDINGMODE=Immediate"
        " ALLOWVOLUMEEXPANSION=false AGE=2m",
        "",
        id="storageclass",
    ),
    pytest.param(ValidatingAdmissionPolicy(metadata=meta("p", "")), "NAME=p AGE=2m", "", id="kind-without-a-printer"),
]


@pytest.mark.parametrize(("obj", "narrow", "wide"), CASES)
def test_row(obj: KubeObject, narrow: str, wide: str) -> None:
    printer = printer_of(obj.KIND)
    assert _pairs(printer.headings(wide=False), printer.cells(obj, around(), wide=False)) == narrow
    assert _pairs(printer.headings(wide=True), printer.cells(obj, around(), wide=True)) == f"{narrow} {wide}".strip()


def _pairs(headings: tuple[str, ...], cells: tuple[str, ...]) -> str:
    return " ".join(f"{name}={cell}".replace(" ", "_") for name, cell in zip(headings, cells, strict=True))


HOST = Host(
    metadata=meta("alpha", ""),
    spec=HostSpec(address="192.0.2.1", host_key="ssh-ed25519 AAAA", taints=(Taint(key="gpu", effect="NoSchedule"),)),
)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(
            HostStatus(metadata=meta("alpha", ""), facts=FACTS, reachable=True, pod_subnet="10.244.1.0/24"),
            "NAME=alpha ADDRESS=192.0.2.1 STATUS=Ready VERSION=20.10.24 CPUS=4 MEMORY=16Gi DISK_FREE=1.5Ti PODS=0/110"
            " AGE=2m POD_CIDR=10.244.1.0/24 SYSTEM=Debian_12_x86_64 KERNEL=6.1 TAINTS=gpu=:NoSchedule",
            id="ready",
        ),
        pytest.param(
            HostStatus(metadata=meta("alpha", ""), reachable=False, reason="HostKeyMismatch"),
            "NAME=alpha ADDRESS=192.0.2.1 STATUS=HostKeyMismatch VERSION=<unknown> CPUS=<unknown> MEMORY=<unknown>"
            " DISK_FREE=<unknown> PODS=0/110 AGE=2m POD_CIDR=<none> SYSTEM=<unknown> KERNEL=<unknown>"
            " TAINTS=gpu=:NoSchedule",
            id="never-reached",
        ),
    ],
)
def test_host(status: HostStatus, expected: str) -> None:
    printer = printer_of("Host")
    assert _pairs(printer.headings(wide=True), printer.cells(HOST, around(status), wide=True)) == expected


def test_printers_are_of_known_kinds_and_have_a_row_here() -> None:
    known = {info.kind.KIND for info in KINDS}
    shown = {case.values[0].KIND for case in CASES} | {"Host", "Pod"}  # type: ignore[union-attr]
    assert set(PRINTERS) <= known
    assert set(PRINTERS) - shown == {"ClusterRoleBinding"}, "shares the printer of RoleBinding"


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        pytest.param(0, "<unknown>", id="never-measured"),
        pytest.param(512, "512", id="bytes"),
        pytest.param(1 << 20, "1Mi", id="whole"),
        pytest.param(3 << 29, "1.5Gi", id="one-decimal"),
        pytest.param(int(9.97 * (1 << 30)), "10Gi", id="rounds-up-to-ten"),
        pytest.param(2_061_000_000_000, "1.9Ti", id="tera"),
    ],
)
def test_human_bytes(count: int, expected: str) -> None:
    assert human_bytes(count) == expected
