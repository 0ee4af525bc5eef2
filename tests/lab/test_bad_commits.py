"""A commit that is wrong: one clear message where its author looks, and nothing that runs is disturbed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lab.berth_process import BerthProcess
from tests.lab.cluster import Cluster, deployment, pod
from tests.lab.lab import Lab

WEB = "apps/web/web.yaml"
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: blue}
"""
NEEDS_CONFIG = """
containers:
- name: app
  image: web:v1
  env: [{name: COLOR, valueFrom: {configMapKeyRef: {name: settings, key: color}}}]
"""


@pytest.fixture(scope="module")
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    home: Path = tmp_path_factory.mktemp("bad")
    return Cluster.create(lab, "bad", home, files={WEB: deployment("web")})


@pytest.fixture(scope="module")
def berth(cluster: Cluster) -> Iterator[BerthProcess]:
    with cluster.running() as running:
        cluster.wait_running("web-", 3)
        yield running


def bomb(levels: int = 9) -> str:
    """The billion laughs, as YAML: 100 GB from a few hundred bytes."""
    lines = ['a0: &a0 ["laugh"]']
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


REFUSED = [
    pytest.param({WEB: "kind: [Deployment\n"}, ["apps/web/web.yaml:"], id="syntax error"),
    pytest.param(
        {WEB: deployment("web").replace("replicas:", "replicsa:")},
        ["apps/web/web.yaml:6", "replicsa", "did you mean 'replicas'"],
        id="unknown field",
    ),
    pytest.param(
        {WEB: deployment("web").replace("replicas: 3", "replicas: three")},
        ["apps/web/web.yaml", "spec.replicas", "must be a whole number"],
        id="wrong type",
    ),
    pytest.param(
        {WEB: deployment("web").replace("replicas: 3", "replicas: 3\n  replicas: 4")},
        ["apps/web/web.yaml:7", "replicas"],
        id="duplicate key",
    ),
    pytest.param(
        {"apps/web/again.yaml": deployment("web", image="web:v2")},
        ["Deployment", "web", "apps/web/again.yaml", "apps/web/web.yaml"],
        id="two objects of one name",
    ),
    pytest.param({"apps/web/bomb.yaml": bomb()}, ["apps/web/bomb.yaml", "aliases expanded"], id="YAML bomb"),
    pytest.param(
        {"apps/web/huge.yaml": "# " + "x" * (100 << 20)}, ["apps/web/huge.yaml", "larger than"], id="100 MB of YAML"
    ),
]


@pytest.fixture(autouse=True)
def _mended(cluster: Cluster, berth: BerthProcess) -> Iterator[None]:
    """After each test the repository is as it was at first, by one more commit."""
    yield
    cluster.restore(cluster.clone.git("rev-list", "--max-parents=0", "HEAD"))


@pytest.fixture
def author(cluster: Cluster, berth: BerthProcess) -> Author:
    return Author(cluster, berth)


class Author(NamedTuple):
    """Somebody who pushes one wrong commit."""

    cluster: Cluster
    berth: BerthProcess

    def push_wrong(self, files: Mapping[str, str | None], words: Sequence[str]) -> None:
        """Push; wait until the log refuses it in these words; all containers must stay, also those of other files."""
        before, said = sorted(self.cluster.containers()), len(self.berth.output)
        good = {"apps/new/new.yaml": deployment("new", replicas=1)}
        commit = self.cluster.push("Wrong", {**good, **files})
        self.cluster.wait(lambda: f"commit {commit[:10]} is refused" in self.berth.output[said:], "a refusal")
        message = self.berth.output[said:]
        assert [word for word in words if word not in message] == [], message
        assert len(message) < 1000, "one message, not a flood"
        assert sorted(self.cluster.containers()) == before


@pytest.mark.parametrize(("files", "words"), REFUSED)
def test_a_wrong_commit_is_refused_as_a_whole(author: Author, files: Mapping[str, str], words: list[str]) -> None:
    author.push_wrong(files, words)


def test_a_symlink_out_of_the_tree_is_refused(author: Author) -> None:
    (author.cluster.clone.path / "apps/web/passwd.yaml").symlink_to("/etc/passwd")
    author.push_wrong({}, ["apps/web/passwd.yaml", "symbolic link out of the repository"])


def test_an_empty_repository_deletes_nothing(author: Author) -> None:
    everything = dict.fromkeys(author.cluster.clone.git("ls-files").splitlines())
    author.push_wrong({**everything, "apps/new/new.yaml": ""}, ["berth.yaml", "missing"])


def test_the_refusal_is_in_the_status_until_it_is_mended(cluster: Cluster, berth: BerthProcess) -> None:
    words = ["**The newest commit is refused**", "apps/web/web.yaml", "did you mean 'replicas'?", "| web | Healthy |"]
    wrong = cluster.push("Wrong", {WEB: deployment("web").replace("replicas:", "replicsa:")})
    cluster.wait(lambda: all(word in cluster.readme for word in words), "the refusal in the status")
    assert "Desired commit in force: `" in cluster.readme
    assert f"`{wrong}`" not in cluster.readme
    cluster.revert()
    cluster.wait(lambda: "is refused" not in cluster.readme, "a status without the refusal")


def test_a_force_push_is_a_commit_like_any_other(cluster: Cluster, berth: BerthProcess) -> None:
    before = sorted(cluster.running_pods("web-"))
    cluster.push("To be forgotten", {"apps/gone/gone.yaml": deployment("gone", replicas=1)})
    cluster.wait_running("gone-", 1)
    first = cluster.clone.git("rev-list", "--max-parents=0", "HEAD")
    cluster.clone.git("reset", "--quiet", "--hard", first)
    forced = cluster.clone.commit("Another history", {"apps/forced/forced.yaml": deployment("forced", replicas=1)})
    cluster.clone.push("--force")
    cluster.wait_running("forced-", 1)
    cluster.wait_running("gone-", 0)
    assert forced[:10] in berth.output
    assert sorted(cluster.running_pods("web-")) == before


def test_a_missing_config_map_holds_up_its_own_pod_only(cluster: Cluster, berth: BerthProcess) -> None:
    before = sorted(cluster.running_pods("web-"))
    cluster.push(
        "No ConfigMap", {"apps/web/one.yaml": pod("one", NEEDS_CONFIG), "apps/web/two.yaml": deployment("two")}
    )
    cluster.wait_running("two-", 3)
    cluster.wait(lambda: waiting(cluster, "one")[0] == "CreateContainerConfigError", "the pod's reason", pod="one")
    assert waiting(cluster, "one")[1] == 'configmap "settings" not found'
    assert 'one: container app: CreateContainerConfigError: configmap "settings" not found' in cluster.readme
    assert not cluster.running_pods("one")

    cluster.push("Now the ConfigMap", {"apps/web/settings.yaml": CONFIG})
    (started,) = cluster.wait_running("one", 1)
    environment = cluster.host(started.host).api().inspect_container(started.id)["Config"]["Env"]
    assert "COLOR=blue" in environment
    assert sorted(cluster.running_pods("web-")) == before


def test_an_image_that_cannot_be_pulled_is_named_and_mended(cluster: Cluster, berth: BerthProcess) -> None:
    before = sorted(cluster.running_pods("web-"))
    cluster.push("No such image", {"apps/web/far.yaml": deployment("far", image="registry.invalid/far:v1", replicas=1)})
    cluster.wait(lambda: "far:v1" in cluster.readme, "the image's name in the status", pod="far")
    assert "ImagePull" in cluster.readme
    cluster.push("An image that is there", {"apps/web/far.yaml": deployment("far", replicas=1)})
    cluster.wait_running("far-", 1, image="web:v1")
    assert sorted(cluster.running_pods("web-")) == before


def test_a_pod_for_a_host_that_does_not_exist_waits_and_says_so(cluster: Cluster, berth: BerthProcess) -> None:
    before = sorted(cluster.running_pods("web-"))
    spec = "nodeName: host-9\ncontainers: [{name: app, image: web:v1}]"
    cluster.push("No such host", {"apps/web/lost.yaml": pod("lost", spec), "apps/web/six.yaml": deployment("six")})
    cluster.wait_running("six-", 3)
    cluster.wait(lambda: "host-9" in cluster.readme, "the host's name in the status", pod="lost")
    assert (cluster.containers(pod="lost"), sorted(cluster.running_pods("web-"))) == ([], before)


def waiting(cluster: Cluster, name: str) -> tuple[str, str]:
    """Reason and message of the first waiting container in a pod's status file."""
    for status in cluster.status("Pod", name).get("status", {}).get("containerStatuses", ()):
        found = status.get("state", {}).get("waiting")
        if found:
            return found.get("reason", ""), found.get("message", "")
    return "", ""
