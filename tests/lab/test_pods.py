"""Pods as a user writes them, on real hosts: what they promise is looked for in the containers themselves."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.cluster import SANDBOX, Cluster, Found, http_get, pod
from tests.lab.lab import Lab

WALKTHROUGH = Path(__file__).parents[1] / "walkthrough"
CONFIGURATION = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: blue, size: large}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {user: admin, password: canary-7f3a}
"""
PODS = {
    "peers": """
        containers:
        - {name: app, image: web:v1}
        - {name: log, image: sample:v2}
    """,
    "volumes": """
        terminationGracePeriodSeconds: 1
        volumes:
        - {name: shared, emptyDir: {}}
        - {name: memory, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
        - {name: host, hostPath: {path: /tmp/pods/volumes, type: DirectoryOrCreate}}
        - {name: config, configMap: {name: settings, items: [{key: color, path: deep/color}]}}
        - {name: secret, secret: {secretName: login, defaultMode: 0400}}
        containers:
        - name: writer
          image: sample:v2
          command: [sh, -c, "hostname >/shared/name; hostname >/host/name; trap 'exit 0' TERM; read _ <>/run/wait"]
          volumeMounts: [{name: shared, mountPath: /shared}, {name: host, mountPath: /host}]
        - name: reader
          image: sample:v2
          volumeMounts:
          - {name: shared, mountPath: /shared, readOnly: true}
          - {name: memory, mountPath: /memory}
          - {name: config, mountPath: /config}
          - {name: secret, mountPath: /secret}
    """,
    "environment": """
        containers:
        - name: app
          image: web:v1
          resources: {limits: {memory: 64Mi}}
          envFrom: [{configMapRef: {name: settings}, prefix: CFG_}]
          env:
          - {name: PLAIN, value: "yes"}
          - {name: COLOR, valueFrom: {configMapKeyRef: {name: settings, key: color}}}
          - {name: PASSWORD, valueFrom: {secretKeyRef: {name: login, key: password}}}
          - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
          - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
          - {name: APP, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
          - {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
          - {name: BOTH, value: "$(COLOR)-$(PLAIN)-$$(PLAIN)"}
    """,
    "resources": """
        containers:
        - name: app
          image: web:v1
          workingDir: /www
          resources: {requests: {cpu: 250m, memory: 64Mi}, limits: {cpu: 500m, memory: 128Mi}}
    """,
    "port": "containers: [{name: app, image: web:v2, ports: [{containerPort: 80, hostPort: 8088}]}]",
    "crash": "containers: [{name: app, image: web:v1, command: [sh, -c, exit 3]}]",
    "done": "{restartPolicy: Never, containers: [{name: app, image: web:v1, command: ['true']}]}",
    "failed": "{restartPolicy: Never, containers: [{name: app, image: web:v1, command: [sh, -c, exit 3]}]}",
    "second-try": """
        restartPolicy: OnFailure
        volumes: [{name: memory, emptyDir: {}}]
        containers:
        - name: app
          image: web:v1
          command: [sh, -c, "[ -e /memory/tried ] || { touch /memory/tried; exit 1; }"]
          volumeMounts: [{name: memory, mountPath: /memory}]
    """,
    "order": """
        volumes: [{name: notes, emptyDir: {}}]
        initContainers:
        - name: one
          image: sample:v2
          command: [sh, -c, "echo one >>/notes/order"]
          volumeMounts: &notes [{name: notes, mountPath: /notes}]
        - {name: two, image: sample:v2, command: [sh, -c, "echo two >>/notes/order"], volumeMounts: *notes}
        containers:
        - {name: app, image: sample:v2, volumeMounts: *notes}
    """,
    "stuck": """
        initContainers: [{name: never, image: sample:v2, command: ["false"]}]
        containers: [{name: app, image: web:v1}]
    """,
    "never-pulled": "containers: [{name: app, image: 'nowhere:v1', imagePullPolicy: Never}]",
    "deaf": """
        terminationGracePeriodSeconds: 2
        containers: [{name: app, image: web:v1, command: [sh, -c, "trap '' TERM; while :; do sleep 1; done"]}]
    """,
    "polite": """
        terminationGracePeriodSeconds: 20
        volumes: [{name: host, hostPath: {path: /tmp/pods/polite, type: DirectoryOrCreate}}]
        containers:
        - name: app
          image: web:v1
          command: [sh, -c, "trap 'echo bye >/host/last-words; exit 0' TERM; read _ <>/run/wait"]
          volumeMounts: [{name: host, mountPath: /host}]
    """,
}
PRIVATE = """
terminationGracePeriodSeconds: 1
imagePullSecrets: [{name: %s}]
containers: [{name: app, image: %s}]
"""


@pytest.fixture(scope="module")
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    home: Path = tmp_path_factory.mktemp("pods")
    files: dict[str, str | bytes | None] = {
        f"apps/pods/{name}.yaml": pod(name, spec, labels={"app": name}) for name, spec in PODS.items()
    }
    files["apps/pods/configuration.yaml"] = CONFIGURATION
    files["apps/walkthrough/javaweb.yaml"] = (WALKTHROUGH / "pod-javaweb.yaml").read_text()
    files["apps/walkthrough/dapi.yaml"] = _without_pull("pod-dapi.yaml")
    return Cluster.create(lab, "pods", home, files=files)


def _without_pull(name: str) -> str:
    """A bare Pod of the walkthrough that takes its untagged image from the host: no registry can be reached here."""
    document = yaml.safe_load((WALKTHROUGH / name).read_text())
    for container in document["spec"]["containers"]:
        container["imagePullPolicy"] = "IfNotPresent"
    return yaml.safe_dump(document)


@pytest.fixture(scope="module", autouse=True)
def _berth(cluster: Cluster) -> Iterator[None]:
    with cluster.running():
        yield


def one(cluster: Cluster, name: str, container: str = "app") -> Found:
    """The running container of a pod; waits for it."""
    cluster.wait(
        lambda: [found for found in cluster.containers(container=container, state="running") if found.pod == name],
        f"container {container} of {name} to run",
        pod=name,
    )
    return next(found for found in cluster.containers(container=container, state="running") if found.pod == name)


def inside(cluster: Cluster, found: Found, command: str) -> str:
    """Output of a shell command in a container."""
    return cluster.host(found.host).docker("exec", found.id, "sh", "-c", command)


def inspected(cluster: Cluster, found: Found) -> dict[str, Any]:
    details: dict[str, Any] = cluster.host(found.host).api().inspect_container(found.id)
    return details


def status_of(cluster: Cluster, name: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster.status("Pod", name).get("status", {})
    return found


def test_javaweb_of_the_walkthrough(cluster: Cluster) -> None:
    tomcat = one(cluster, "javaweb-2", "tomcat")
    host = cluster.host(tomcat.host)
    cluster.wait(lambda: http_get(host, host.address, 8001, "/sample.war") == "hello from sample.war", "the war")


def test_downward_api_of_the_walkthrough(cluster: Cluster) -> None:
    cluster.wait(lambda: cluster.containers(pod="dapi", container="test-container", state="exited"), "the pod's end")
    (found,) = cluster.containers(pod="dapi", container="test-container")
    printed = cluster.host(found.host).docker("logs", found.id).splitlines()
    assert {"MY_POD_NAME=dapi-test-pod", "MY_POD_NAMESPACE=default"} <= set(printed)
    assert [line for line in printed if line.startswith("MY_POD_IP=10.244.")]


def test_containers_of_a_pod_share_its_network(cluster: Cluster) -> None:
    log, app = one(cluster, "peers", "log"), one(cluster, "peers", "app")
    assert log.host == app.host
    assert inside(cluster, log, "wget -q -O - http://127.0.0.1/") == "v1"
    assert inside(cluster, log, "hostname") == inside(cluster, app, "hostname") == "peers"


def test_volumes(cluster: Cluster) -> None:
    one(cluster, "volumes", "writer")
    reader = one(cluster, "volumes", "reader")
    assert inside(cluster, reader, "cat /shared/name") == "volumes"
    assert (cluster.host(reader.host).root / "tmp/pods/volumes/name").read_text() == "volumes\n"
    assert inside(cluster, reader, "cat /config/deep/color") == "blue"
    assert (
        inside(cluster, reader, "cat /secret/password; ls -lL /secret/password | cut -c1-10") == "canary-7f3a-r--------"
    )
    mounts = inside(cluster, reader, "cat /proc/mounts")
    kinds = {line.split()[1]: line.split()[2] for line in mounts.splitlines()}
    assert (kinds["/memory"], kinds["/secret"]) == ("tmpfs", "tmpfs")
    assert "size=1024k" in next(line for line in mounts.splitlines() if line.split()[1] == "/memory")


def test_environment(cluster: Cluster) -> None:
    app = one(cluster, "environment")
    environment = dict(line.split("=", 1) for line in inside(cluster, app, "env").splitlines())
    address = inspected(cluster, app)["NetworkSettings"]["Networks"]["berth-pods"]["IPAddress"]
    wanted = {
        "CFG_color": "blue",
        "CFG_size": "large",
        "PLAIN": "yes",
        "COLOR": "blue",
        "PASSWORD": "canary-7f3a",
        "NODE": app.host,
        "IP": address,
        "APP": "environment",
        "MEMORY": str(64 << 20),
        "BOTH": "blue-yes-$(PLAIN)",
    }
    assert {name: environment.get(name) for name in wanted} == wanted


def test_requests_and_limits_as_docker_shows_them(cluster: Cluster) -> None:
    details = inspected(cluster, one(cluster, "resources"))
    settings = {name: details["HostConfig"][name] for name in ("CpuShares", "CpuPeriod", "CpuQuota", "Memory")}
    assert settings == {"CpuShares": 256, "CpuPeriod": 100_000, "CpuQuota": 50_000, "Memory": 128 << 20}
    assert 2 <= details["HostConfig"]["OomScoreAdj"] <= 999
    assert details["Config"]["WorkingDir"] == "/www"


def test_a_host_port_is_reached_from_other_hosts(cluster: Cluster) -> None:
    found = one(cluster, "port")
    other = next(host for host in cluster.hosts if host.name != found.host)
    cluster.wait(lambda: http_get(other, cluster.host(found.host).address, 8088) == "v2", "an answer on the host port")


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        pytest.param("done", "Succeeded", id="never, exit 0"),
        pytest.param("failed", "Failed", id="never, exit 3"),
        pytest.param("second-try", "Succeeded", id="on failure, second try"),
    ],
)
def test_pods_that_end(cluster: Cluster, name: str, phase: str) -> None:
    cluster.wait(lambda: status_of(cluster, name).get("phase") == phase, f"{name} {phase}", pod=name)
    assert not cluster.running_pods(name)


def test_a_container_that_crashes_is_started_again_ever_more_slowly(cluster: Cluster) -> None:
    def waiting() -> Mapping[str, Any]:
        (app,) = status_of(cluster, "crash").get("containerStatuses") or [{}]
        return {"reason": app.get("state", {}).get("waiting", {}).get("reason"), "restarts": app.get("restartCount")}

    cluster.wait(lambda: waiting()["reason"] == "CrashLoopBackOff", "CrashLoopBackOff in the status", pod="crash")
    assert waiting()["restarts"] >= 1
    ended = status_of(cluster, "crash")["containerStatuses"][0]["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")


def test_init_containers_run_in_order_before_the_others(cluster: Cluster) -> None:
    assert inside(cluster, one(cluster, "order"), "cat /notes/order") == "one\ntwo"


def test_an_init_container_that_fails_holds_up_its_pod(cluster: Cluster) -> None:
    cluster.wait(lambda: status_of(cluster, "stuck").get("phase") == "Pending", "a pending pod", pod="stuck")
    assert not [found for found in cluster.containers(pod="stuck") if found.container == "app"]
    initialized = [c for c in status_of(cluster, "stuck")["conditions"] if c["type"] == "Initialized"]
    assert (initialized[0]["status"], initialized[0]["reason"]) == ("False", "ContainersNotInitialized")


def test_an_image_that_may_not_be_pulled(cluster: Cluster) -> None:
    cluster.wait(lambda: "ErrImageNeverPull" in json.dumps(status_of(cluster, "never-pulled")), "the reason")


def test_secrets_are_nowhere_to_be_read(cluster: Cluster) -> None:
    one(cluster, "environment")
    one(cluster, "volumes", "reader")
    coded = base64.b64encode(b"canary-7f3a").decode()
    everything = cluster.remote_git("grep", "-l", "-e", "canary-7f3a", "-e", coded, "berth/status")
    labels = [inspected(cluster, found)["Config"]["Labels"] for found in cluster.containers()]
    assert everything == ""
    assert "canary-7f3a" not in json.dumps(labels) and coded not in json.dumps(labels)
    assert "canary-7f3a" not in cluster.words()


def test_the_end_of_a_pod_has_its_grace_period(cluster: Cluster) -> None:
    deaf, polite = one(cluster, "deaf"), one(cluster, "polite")
    cluster.push("Both go", {"apps/pods/deaf.yaml": None, "apps/pods/polite.yaml": None})
    cluster.wait(lambda: not {deaf.id, polite.id} & {found.id for found in cluster.containers()}, "both pods to go")
    assert (cluster.host(polite.host).root / "tmp/pods/polite/last-words").read_text() == "bye\n"
    codes = exit_codes(cluster, deaf), exit_codes(cluster, polite)
    assert codes == (["137"], ["0"])


def exit_codes(cluster: Cluster, found: Found) -> list[str]:
    """With which codes the container ended, as its engine remembers."""
    window = ["--since", "10m", "--until", f"{time.time():.3f}"]
    selection = ["--filter", f"container={found.id}", "--filter", "event=die"]
    template = "{{.Actor.Attributes.exitCode}}"
    return cluster.host(found.host).docker("events", *window, *selection, "--format", template).split()


def test_private_images_need_the_right_password(cluster: Cluster, lab: Lab) -> None:
    image = lab.registry.push("web:v3", through=lab.hosts[0], name="private:v1")
    lab.hosts[0].docker("rmi", image)
    wrong = {"auths": {lab.registry.address: {"username": "berth", "password": "wrong"}}}
    files = {
        "apps/private/right.yaml": pod("right", PRIVATE % ("pull-right", image)),
        "apps/private/wrong.yaml": pod("wrong", PRIVATE % ("pull-wrong", f"{image}x")),
        "apps/private/secrets.yaml": "---\n".join(
            [pull_secret("pull-right", lab.registry.pull_secret()), pull_secret("pull-wrong", json.dumps(wrong))]
        ),
    }
    cluster.push("Private images", files)
    assert one(cluster, "right").image == image
    cluster.wait(lambda: "ImagePull" in json.dumps(status_of(cluster, "wrong")), "the refusal", pod="wrong")
    message = status_of(cluster, "wrong")["containerStatuses"][0]["state"]["waiting"]["message"]
    assert "log-in" in message and "wrong" not in message.replace("wrong_default", "")


def pull_secret(name: str, config: str) -> str:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": config},
    }
    return yaml.safe_dump(secret)


def test_a_pod_is_gone_with_all_that_it_had(cluster: Cluster) -> None:
    found = one(cluster, "volumes", "reader")
    host = cluster.host(found.host)
    assert [name for name in host.docker("volume", "ls", "-q").split() if found.uid in name]
    cluster.push("Volumes go", {"apps/pods/volumes.yaml": None})
    cluster.wait(lambda: not cluster.containers(pod="volumes"), "the pod to go", pod="volumes")
    cluster.wait(
        lambda: not [name for name in host.docker("volume", "ls", "-q").split() if found.uid in name],
        "the pod's volumes to go",
    )
    assert (host.root / "tmp/pods/volumes/name").exists(), "a hostPath is the host's, not the pod's"
    assert not [item for item in cluster.containers(container=SANDBOX) if item.pod == "volumes"]
