"""What pods of one host share, and do not: log-ins to a registry by namespace, configuration by revision."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.cluster import Cluster, deployment, pod
from tests.lab.lab import Lab

PRIVATE = """\
terminationGracePeriodSeconds: 1
imagePullSecrets: [{name: login}]
containers: [{name: app, image: %s, imagePullPolicy: Always}]
"""
CONFIGURATION = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: %s}
data: {COLOR: %s}
"""


@pytest.fixture
def cluster(lab: Lab, tmp_path: Path) -> Iterator[Cluster]:
    """One host: what could be shared is."""
    made = Cluster.create(lab, "sharing", tmp_path, hosts=lab.hosts[:1])
    with made.running():
        yield made


def in_namespace(namespace: str, *documents: str) -> str:
    texts = [f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n"]
    for document in map(yaml.safe_load, documents):
        document["metadata"]["namespace"] = namespace
        texts.append(yaml.safe_dump(document))
    return "---\n".join(texts)


def login(config: str) -> str:
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}}
    kind = "kubernetes.io/dockerconfigjson"
    return yaml.safe_dump({**head, "type": kind, "stringData": {".dockerconfigjson": config}})


def test_a_wrong_log_in_for_an_image_holds_up_only_its_own_namespace(cluster: Cluster, lab: Lab) -> None:
    image = lab.registry.push("web:v3", through=lab.hosts[0], name="shared:v1")
    lab.hosts[0].docker("rmi", image)
    wrong = json.dumps({"auths": {lab.registry.address: {"username": "berth", "password": "wrong"}}})
    early = pod("puller", PRIVATE % image)
    cluster.push("The wrong one first", {"apps/left.yaml": in_namespace("left", login(wrong), early)})
    cluster.wait(lambda: "ImagePull" in waiting(cluster, "left"), "the refusal", pod="puller")
    cluster.push("The right one", {"apps/right.yaml": in_namespace("right", login(lab.registry.pull_secret()), early)})
    # Long before the next try of the other one, once that has failed a few times.
    cluster.wait(lambda: running_in(cluster) == ["right"], "the pod with the right password", timeout_seconds=30)
    assert "ImagePull" in waiting(cluster, "left"), "the image that is there by now is not for all"


def waiting(cluster: Cluster, namespace: str) -> str:
    return json.dumps(cluster.status("Pod", "puller", namespace).get("status", {}).get("containerStatuses"))


def running_in(cluster: Cluster) -> list[str]:
    return [found.namespace for found in cluster.running_pods("puller")]


def test_configuration_that_an_old_revision_names_outlives_its_removal(cluster: Cluster) -> None:
    def web(color: str, image: str) -> str:
        source = [{"configMapRef": {"name": f"colors-{color}"}}]
        return deployment("web", image=image, replicas=1, envFrom=source, imagePullPolicy="IfNotPresent")

    blue = {"apps/web/blue.yaml": CONFIGURATION % ("colors-blue", "blue"), "apps/web/web.yaml": web("blue", "web:v1")}
    cluster.push("Blue", blue)
    (old,) = cluster.wait_running("web-", 1)

    green = {"apps/web/blue.yaml": None, "apps/web/green.yaml": CONFIGURATION % ("colors-green", "green")}
    cluster.push("Green, of an image that nobody has", {**green, "apps/web/web.yaml": web("green", "web:none")})
    cluster.wait(lambda: len({found.pod for found in cluster.containers(pod="web-")}) == 1, "the old pod")
    cluster.wait(lambda: "**Kept while it is used**" in cluster.readme, "an overview that says what is kept")
    # Its container is made anew, out of what no commit has any more.
    cluster.hosts[0].docker("rm", "--force", old.id)
    cluster.wait(lambda: cluster.running_pods("web-", image="web:v1"), "the old revision's container again")
    (again,) = cluster.running_pods("web-", image="web:v1")
    assert again.id != old.id
    assert cluster.hosts[0].docker("exec", again.id, "sh", "-c", "echo $COLOR") == "blue"

    cluster.push("Green, for good", {"apps/web/web.yaml": web("green", "web:v2")})
    cluster.wait_running("web-", 1, image="web:v2")
    cluster.wait(lambda: not cluster.status("ConfigMap", "colors-blue"), "the configuration to go with its last user")
    cluster.wait(lambda: "**Kept while it is used**" not in cluster.readme, "an overview without it")
