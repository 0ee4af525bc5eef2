"""Descriptions: how they are laid out, and what they say of each kind that has its own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from objects.api.apps import (
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    ReplicaSet,
    ReplicaSetSpec,
)
from objects.api.core import (
    ConfigMap,
    Event,
    EventSource,
    Secret,
)
from objects.api.meta import (
    Condition,
    KubeObject,
    LabelSelector,
    controller_reference,
)
from objects.api.pods import (
    ConfigMapKeySelector,
    Container,
    ContainerPort,
    EnvVar,
    EnvVarSource,
    Pod,
    PodSpec,
    PodStatus,
    PodTemplateSpec,
    ResourceRequirements,
    SecretKeySelector,
    Toleration,
    VolumeMount,
)
from objects.api.volumes import EmptyDirVolumeSource, Volume
from objects.observation.figures import ForeignLoad
from objects.observation.host import HostFacts
from objects.own.config import Host, HostSpec
from objects.secrets import SecretValue
from reconciler.cli.common.progress import PlainProgress, shown_lines
from reconciler.cli.printing.describe import describe
from reconciler.cli.printing.description import Description, mapping_text, render_description
from reconciler.controllers.base import Hold
from reconciler.state.host_status import HostStatus
from tests.unit.cli.sample import NOW, ago, around, container, end_state, meta, running, waiting


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        pytest.param([("Name", "web"), ("Namespace", "shop")], ["Name:       web", "Namespace:  shop"], id="column"),
        pytest.param([("A", ""), ("B", []), ("C", None)], ["A:  <none>", "B:  <none>"], id="empty-and-left-out"),
        pytest.param([("Labels", "a=1\nb=2")], ["Labels:  a=1", "         b=2"], id="several-lines"),
        pytest.param([("Args", ["one", "two"])], ["Args:", "  one", "  two"], id="list"),
        pytest.param([("X", [("Y", [("Z", "1")])])], ["X:", "  Y:", "    Z:  1"], id="nested"),
    ],
)
def test_layout(description: Description, expected: list[str]) -> None:
    assert render_description(description) == expected


def test_mapping() -> None:
    assert mapping_text({"b": "2", "a": "1"}) == "a=1\nb=2"
    assert mapping_text({}) == "<none>"


def described(
    obj: KubeObject, *others: KubeObject, holds: tuple[Hold, ...] = (), events: tuple[Event, ...] = ()
) -> str:
    return "\n".join(describe(obj, around(obj, *others), holds=holds, events=events))


POD = Pod(
    metadata=meta("web-1", labels={"app": "web"}),
    spec=PodSpec(
        node_name="alpha",
        containers=(
            Container(
                name="app",
                image="web:v1",
                command=("sh", "-c", "serve"),
                ports=(ContainerPort(container_port=80, host_port=8001, protocol="TCP"),),
                resources=ResourceRequirements(requests={"memory": "32Mi", "cpu": "50m"}),
                env=(
                    EnvVar(name="PLAIN", value="x"),
                    EnvVar(
                        name="TOKEN", value_from=EnvVarSource(secret_key_ref=SecretKeySelector(name="web", key="token"))
                    ),
                    EnvVar(
                        name="MODE",
                        value_from=EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name="web", key="m")),
                    ),
                ),
                volume_mounts=(VolumeMount(name="data", mount_path="/data", read_only=True),),
            ),
        ),
        volumes=(Volume(name="data", empty_dir=EmptyDirVolumeSource(medium="Memory")),),
        tolerations=(Toleration(key="gpu", operator="Exists", effect="NoExecute", toleration_seconds=60),),
    ),
    status=PodStatus(
        phase="Running",
        pod_ip="10.244.1.2",
        host_ip="192.0.2.1",
        start_time=ago(minutes=2),
        container_statuses=(waiting("CrashLoopBackOff", restarts=2, last=end_state(1, "Error")),),
        conditions=(Condition(type="Ready", status="False", reason="ContainersNotReady", message="app waits"),),
    ),
)

POD_TEXT = """\
Name:          web-1
Namespace:     default
Labels:        app=web
Annotations:   <none>
Created:       Mon, 23 Nov 2026 11:58:00 +0000
Health:        Degraded: web-1: container app: CrashLoopBackOff
Host:          alpha/192.0.2.1
Start Time:    Mon, 23 Nov 2026 11:58:00 +0000
Status:        CrashLoopBackOff
IP:            10.244.1.2
Containers:
  app:
    Container ID:   <none>
    Image:          web:v1
    Image ID:       <none>
    Ports:          80/TCP
    Host Ports:     8001
    Command:
      sh
      -c
      serve
    State:          Waiting: CrashLoopBackOff
    Last State:     Terminated: Error, exit code 1
                    Mon, 23 Nov 2026 11:55:00 +0000 to Mon, 23 Nov 2026 11:56:00 +0000
    Ready:          False
    Restart Count:  2
    Requests:       cpu 50m, memory 32Mi
    Environment:
      PLAIN: x
      TOKEN: <key 'token' in secret 'web'>
      MODE: <key 'm' of config map 'web'>
    Mounts:
      /data from data (ro)
Conditions:
  Type    Status   Reason               Message
  Ready   False    ContainersNotReady   app waits
Volumes:
  data:
    Type:    emptyDir
    medium:  Memory
QoS Class:     Burstable
Host Selectors:  <none>
Tolerations:   gpu:NoExecute op=Exists for 60s
Events:        <none>"""


def test_pod() -> None:
    assert [line.split() for line in described(POD).splitlines()] == [line.split() for line in POD_TEXT.splitlines()]


def test_pod_of_a_silent_host_says_so() -> None:
    silent = HostStatus(
        metadata=meta("alpha", ""), reachable=False, unreachable_since=ago(minutes=1), message="connection timed out"
    )
    lines = dict(line.split(":", 1) for line in described(POD, silent).splitlines() if line[:1].isalpha())
    assert lines["Status"].strip() == "Unknown"
    assert lines["Silent Host"].strip() == "connection timed out; all below is what was known last"


def test_deployment_names_its_revisions_and_what_it_waits_for() -> None:
    template = PodTemplateSpec(spec=PodSpec(containers=(container("app", "web:v2"),)))
    deployment = Deployment(
        metadata=meta("web", uid="1"),
        spec=DeploymentSpec(replicas=3, selector=LabelSelector(match_labels={"app": "web"}), template=template),
        status=DeploymentStatus(replicas=4, updated_replicas=1, available_replicas=3),
    )
    owned = [
        ReplicaSet(
            metadata=meta(
                name,
                annotations={"deployment.kubernetes.io/revision": revision},
                owner_references=(controller_reference(deployment),),
            ),
            spec=ReplicaSetSpec(replicas=1, template=template),
        )
        for name, revision in (("web-a", "9"), ("web-b", "10"))
    ]
    hold = Hold("RolloutPaused", "the rollout is paused", NOW + timedelta(seconds=30))
    event = Event(
        metadata=meta("web.1"),
        type="Normal",
        reason="ScalingReplicaSet",
        message="Scaled up",
        count=2,
        source=EventSource(component="deployment-controller"),
        first_timestamp=ago(minutes=5),
        last_timestamp=ago(seconds=10),
    )
    text = described(deployment, *owned, holds=(hold,), events=(event,))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "RolloutPaused: the rollout is paused (tried again in 30s)" in lines
    assert "Replicas: 3 desired | 1 updated | 4 total | 3 available | 0 unavailable" in lines
    revisions = lines.index("ReplicaSets:")
    assert lines[revisions + 2 : revisions + 4] == [
        "10 web-b 0/1 replicas created web:v2",
        "9 web-a 0/1 replicas created web:v2",
    ]
    assert lines[-1] == "Normal ScalingReplicaSet 10s (x2 over 5m) deployment-controller Scaled up"


def test_host_lists_what_it_has_and_what_was_asked_of_it() -> None:
    spec = HostSpec(address="192.0.2.1", host_key="ssh-ed25519 AAAA", user="deploy", reserved={"memory": "1Gi"})
    host = Host(metadata=meta("alpha", ""), spec=spec)
    facts = HostFacts(engine_version="20.10", api_version="1.41", cpus=4, memory_bytes=8 << 30, disk_bytes=1 << 40)
    status = HostStatus(
        metadata=meta("alpha", ""),
        facts=facts,
        reachable=True,
        pod_subnet="10.244.1.0/24",
        foreign=(
            ForeignLoad(name="database", cpu_millis=250, memory_bytes=1 << 30, ports=(("tcp", "0.0.0.0", 5432),)),
            ForeignLoad(name="idle"),
        ),
    )
    lines = [" ".join(line.split()) for line in described(host, status, POD).splitlines()]
    assert "Reserved: memory 1Gi" in lines
    others = lines.index("Others:")
    assert lines[others + 2 : others + 4] == ["database 250m 1Gi 5432/tcp", "idle 0m 0 <none>"]
    assert "Address: deploy@192.0.2.1:22" in lines
    assert "Memory: <unknown> available of 8Gi" in lines
    assert "Requested: 50m CPU, 32Mi memory" in lines
    assert lines[lines.index("Pods (1):") + 2] == "default web-1 0/1 CrashLoopBackOff alpha"


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        pytest.param(
            Secret(metadata=meta("db"), type="Opaque", data={"password": SecretValue(b"canary-9f2")}),
            "password:  10 bytes",
            id="secret",
        ),
        pytest.param(ConfigMap(metadata=meta("game"), data={"lives": "3"}), "lives:  3", id="configmap"),
    ],
)
def test_configuration(obj: KubeObject, expected: str) -> None:
    text = described(obj)
    assert expected in text
    assert "canary" not in text


def test_running_container_is_described_by_its_start() -> None:
    pod = Pod(
        metadata=meta("a"),
        spec=PodSpec(containers=(container(),)),
        status=PodStatus(phase="Running", container_statuses=(running(),)),
    )
    assert "Running since Mon, 23 Nov 2026 11:59:00 +0000" in described(pod)


# --- progress --------------------------------------------------------------------------------------------------------


def test_shown_lines_end_with_how_many_more() -> None:
    waiting_for = {f"Pod {index}": "starting" for index in range(5)}
    assert shown_lines(waiting_for, most=5) == [f"Pod {index}: starting" for index in range(5)]
    assert shown_lines(waiting_for, most=3) == ["Pod 0: starting", "Pod 1: starting", "… and 3 more"]


def test_plain_progress_says_each_thing_once(capsys: pytest.CaptureFixture[str]) -> None:
    progress = PlainProgress()
    progress.note("commit abc")
    for state in ({"a": "1"}, {"a": "1", "b": "2"}, {"a": "3"}, {}, {"a": "3"}):
        progress.update(state)
    assert capsys.readouterr().out.splitlines() == ["commit abc", "a: 1", "b: 2", "a: 3", "a: 3"]
