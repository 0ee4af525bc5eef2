"""Images: what is there, who is asked to pull, with which log-in."""

from __future__ import annotations

import base64
import json
from datetime import datetime

import msgspec
import pytest

from differ.kubelet.actions import PullImage, RegistryCredentials
from differ.kubelet.containers.environment import PodContext
from differ.kubelet.containers.pulls import credentials_for
from differ.kubelet.memory import Failure, WorkerMemory
from differ.kubelet.pods import plan_host
from objects.api.core import Secret
from objects.api.meta import LocalObjectReference, ObjectMeta
from objects.api.pods import Pod
from objects.errors import ImagePullFailed
from objects.observation.host import ImageFact
from objects.secrets import SecretValue
from tests.unit.differ.building import FACTS, NOW, after, assign, container, make_pod, observe, show


def pull_secret(name: str, auths: object, *, key: str = ".dockerconfigjson") -> Secret:
    content = {"auths": auths} if key == ".dockerconfigjson" else auths
    return Secret(
        metadata=ObjectMeta(name=name, namespace="default"),
        data={key: SecretValue(json.dumps(content).encode())},
    )


def log_in(user: str) -> dict[str, str]:
    return {"username": user, "password": "pw"}


@pytest.mark.parametrize(
    ("image", "auths", "users"),
    [
        pytest.param("r.example/app:1", {"r.example": log_in("u")}, ["u"], id="host"),
        pytest.param("r.example/app:1", {"https://r.example/v1/": log_in("u")}, ["u"], id="address"),
        pytest.param("r.example:5000/app:1", {"r.example": log_in("u")}, [], id="another-port"),
        pytest.param("a.r.example/app:1", {"*.r.example": log_in("u")}, ["u"], id="pattern"),
        pytest.param("a.b.r.example/app:1", {"*.r.example": log_in("u")}, [], id="pattern-is-one-part"),
        pytest.param("r.example/team/app:1", {"r.example/team": log_in("u")}, ["u"], id="path"),
        pytest.param("r.example/teams/app:1", {"r.example/team": log_in("u")}, [], id="another-path"),
        pytest.param("busybox", {"https://index.docker.io/v1/": log_in("u")}, ["u"], id="docker-hub"),
        pytest.param("r.example/app:1", {"docker.io": log_in("u")}, [], id="not-docker-hub"),
        pytest.param(
            "r.example/app:1",
            {"r.example": {"auth": base64.b64encode(b"me:my:pw").decode()}},
            ["me"],
            id="encoded",
        ),
        pytest.param("r.example/app:1", {"r.example": {"auth": "%%%"}}, [], id="unreadable-is-passed-over"),
        pytest.param("r.example/app:1", "nonsense", [], id="nonsense-is-passed-over"),
    ],
)
def test_credentials(image: str, auths: object, users: list[str]) -> None:
    pod = make_pod(container(image=image), image_pull_secrets=(LocalObjectReference(name="s"),))
    context = PodContext(pod, assign(pod, secrets={("default", "s"): pull_secret("s", auths)}))
    assert [one.username for one in credentials_for(image, context)] == users


def test_the_old_form_of_a_pull_secret() -> None:
    pod = make_pod(image_pull_secrets=(LocalObjectReference(name="none"), LocalObjectReference(name="s")))
    secret = pull_secret("s", {"r.example": log_in("u")}, key=".dockercfg")
    context = PodContext(pod, assign(pod, secrets={("default", "s"): secret}))
    expected = RegistryCredentials(registry="r.example", username="u", password=SecretValue(b"pw"))
    assert credentials_for("r.example/app", context) == (expected,)


POD = make_pod(container(image="r.example/app:1"), image_pull_secrets=(LocalObjectReference(name="none"),))
BACK_OFF = 'ImagePullBackOff: Back-off pulling image "r.example/app:1": denied; pull secret "none" not found'


@pytest.mark.parametrize(
    ("retry_in", "pulls", "wake"),
    [
        pytest.param(4, False, after(4), id="waits"),
        pytest.param(0, True, None, id="tries-again"),
    ],
)
def test_back_off(retry_in: float, pulls: bool, wake: datetime | None) -> None:
    failure = Failure(count=1, retry_at=after(retry_in), reason="ErrImagePull", message="denied")
    plan = plan_host(assign(POD), observe(), WorkerMemory(images={(POD.uid, "r.example/app:1"): failure}), NOW)
    assert show(plan.statuses[POD.uid]) == f"Pending [main {BACK_OFF} r0]"
    pull = PullImage(image="r.example/app:1", waiting=((POD.uid, "main"),))
    assert (plan.actions, plan.wake_at) == ((pull,) if pulls else (), wake)


def test_back_off_doubles_and_ends_with_the_want() -> None:
    pull = PullImage(image="r.example/app:1", waiting=((POD.uid, "main"),))
    memory, at, waits = WorkerMemory(), NOW, []
    for _ in range(7):
        memory = memory.record(pull, ImagePullFailed("denied"), at)
        waits.append((memory.images[POD.uid, "r.example/app:1"].retry_at - at).total_seconds())
        at = memory.images[POD.uid, "r.example/app:1"].retry_at
    assert waits == [10, 20, 40, 80, 160, 300, 300]
    assert plan_host(assign(), observe(), memory, NOW).memory.images == {}


def two_pods(*, policy: str = "Always") -> tuple[Pod, Pod, dict[tuple[str, str], Secret]]:
    """Pods of one image of one registry: `a` with a log-in, `b` without."""
    main = container(image="r.example/app:1", image_pull_policy=policy)
    a = make_pod(main, name="a", image_pull_secrets=(LocalObjectReference(name="s"),))
    b = make_pod(main, name="b")
    return a, b, {("default", "s"): pull_secret("s", {"r.example": log_in("u")})}


def test_a_pull_has_the_log_ins_of_those_who_wait_for_it_and_no_others() -> None:
    a, b, secrets = two_pods()
    plan = plan_host(assign(a, b, secrets=secrets), observe(), WorkerMemory(), NOW)
    log_ins = {action.waiting: [one.username for one in action.credentials] for action in plan.actions}
    assert log_ins == {((a.uid, "main"),): ["u"], ((b.uid, "main"),): []}
    assert len({action.lane for action in plan.actions}) == 2


def test_always_means_with_ones_own_log_in() -> None:
    """What another pod could pull is there, and still not for whoever may not."""
    a, b, secrets = two_pods()
    memory = WorkerMemory()
    for action in plan_host(assign(a, b, secrets=secrets), observe(), memory, NOW).actions:
        error = None if action.credentials else ImagePullFailed("unauthorized")
        memory = memory.record(action, error, NOW)
    image = ImageFact(id="sha256:1", names=("r.example/app:1",), size_bytes=1)
    there = observe(facts=msgspec.structs.replace(FACTS, images=(image,)))
    plan = plan_host(assign(a, b, secrets=secrets), there, memory, NOW)
    assert [type(action).__name__ for action in plan.actions if action.pod_uid == a.uid] == ["CreateContainer"]
    assert show(plan.statuses[b.uid]).startswith("Pending [main ImagePullBackOff")


def test_nobody_waits_for_the_back_off_of_another() -> None:
    a, b, secrets = two_pods()
    pull = PullImage(image="r.example/app:1", waiting=((b.uid, "main"),))
    memory = WorkerMemory().record(pull, ImagePullFailed("unauthorized"), NOW)
    plan = plan_host(assign(a, b, secrets=secrets), observe(), memory, NOW)
    assert [action.waiting for action in plan.actions] == [((a.uid, "main"),)]
    assert show(plan.statuses[a.uid]) == "Pending [main ContainerCreating r0]"
    assert plan.wake_at == after(10)


def test_an_image_with_two_tags_is_none() -> None:
    pod = make_pod(container(image="r.example:5000/web:v1:2"))
    plan = plan_host(assign(pod), observe(), WorkerMemory(), NOW)
    assert plan.actions == ()
    assert show(plan.statuses[pod.uid]).startswith("Pending [main InvalidImageName: ")
