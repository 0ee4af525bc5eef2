"""Drift: whatever a person or a crash does to a container on its host is put right; what is not ours is not touched."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.berth_process import berth_argv
from tests.lab.cluster import SANDBOX, Cluster, Found, deployment, http_get
from tests.lab.host import LabHost
from tests.lab.lab import Lab
from tests.lab.processes import SEARCH_PATH

RESOURCES = {"requests": {"cpu": "250m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}}
APPLICATION = (
    "{{apiVersion: berth.dev/v1alpha1, kind: Application, metadata: {{name: {}}}, spec: {{path: apps/{}, {}}}}}\n"
)
WEBS, PAIRS = 6, 7
"""One for each fault that counts as a crash: a second one would wait out its back-off, as it should."""

FOREIGN = "somebody-elses"


@pytest.fixture(scope="module")
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    home: Path = tmp_path_factory.mktemp("drift")
    for host in lab.hosts:
        host.docker("run", "-d", "--name", FOREIGN, "--label", "app=web", "web:v1")
    pairs = yaml.safe_load(deployment("pair", replicas=PAIRS, resources=RESOURCES))
    pairs["spec"]["template"]["spec"]["containers"] += [{"name": "log", "image": "sample:v2"}]
    files = {"apps/web/web.yaml": deployment("web", replicas=WEBS), "apps/web/pair.yaml": yaml.safe_dump(pairs)}
    return Cluster.create(lab, "drift", home, files=files)


@pytest.fixture(scope="module", autouse=True)
def _berth(cluster: Cluster) -> Iterator[None]:
    with cluster.running():
        cluster.wait(lambda: is_whole(cluster), "everything whole at first")
        yield


@pytest.fixture
def foreign(cluster: Cluster) -> Iterator[list[tuple[str, str]]]:
    """Containers that are not Berth's: the same after the test as before it."""

    def look() -> list[tuple[str, str]]:
        return [
            (host.name, host.docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", FOREIGN)) for host in cluster.hosts
        ]

    before = look()
    yield before
    assert look() == before


def is_whole(cluster: Cluster, *, asking: str = "") -> bool:
    """All pods with all their containers, running, nothing else. asking: the pod that must be reached, '' for all."""
    found = cluster.containers()
    names = Counter((item.pod.split("-")[0], item.container) for item in found)
    wanted = {("web", "web"): WEBS, ("pair", "web"): PAIRS, ("pair", "log"): PAIRS, ("pair", SANDBOX): PAIRS}
    return (
        names == wanted
        and all(item.state == "running" for item in found)
        and all(answers(cluster, item) for item in owners(found) if asking in ("", item.pod))
    )


def owners(found: list[Found]) -> list[Found]:
    """Of each pod the container that has its network."""
    return [item for item in found if item.container == SANDBOX or item.pod.startswith("web-")]


def answers(cluster: Cluster, owner: Found) -> bool:
    """Whether the pod's web server is reached from its host by the pod's address."""
    host = cluster.host(owner.host)
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    address = host.docker("inspect", "-f", template, owner.id, check=False)
    return bool(address) and http_get(host, address) == "v1"


DRIFTS: dict[str, Callable[[LabHost, str], object]] = {
    "kill": lambda host, name: host.docker("kill", name),
    "stop": lambda host, name: host.docker("stop", "-t", "1", name),
    "rm -f": lambda host, name: host.docker("rm", "-f", name),
    "pause": lambda host, name: host.docker("pause", name),
    "rename": lambda host, name: host.docker("rename", name, "mine"),
    "restart": lambda host, name: host.docker("restart", "-t", "1", name),
}


EVENTS = {"kill": "die", "stop": "die", "rm -f": "destroy", "pause": "pause", "rename": "rename", "restart": "restart"}

# pod and container, the number of the pod among its like, what is done to it
CASES = [
    *(("web", "web", number, how) for number, how in enumerate(DRIFTS)),
    *(("pair", "web", number, how) for number, how in enumerate(["kill", "stop", "rm -f", "pause", "rename"])),
    *(("pair", SANDBOX, 3 + number, how) for number, how in enumerate(["kill", "rm -f", "pause", "restart"])),
]


@pytest.mark.parametrize(("kind", "container", "number", "how"), CASES)
def test_drift_is_put_right(
    cluster: Cluster, foreign: object, kind: str, container: str, number: int, how: str
) -> None:
    before = cluster.containers()
    victim = sorted(item for item in before if item.pod.startswith(kind) and item.container == container)[number]
    host, began = cluster.host(victim.host), time.time()
    DRIFTS[how](host, victim.id)

    def told() -> list[str]:
        window = ["--since", f"{began:.6f}", "--until", f"{time.time():.6f}"]
        return host.docker("events", *window, "--filter", f"container={victim.id}", "--format", "{{.Action}}").split()

    # Engine 25 and newer may answer before they have noted the end.
    cluster.wait(lambda: EVENTS[how] in told(), f"docker {how} to have an effect")
    cluster.wait(lambda: is_whole(cluster, asking=victim.pod), f"{victim.pod} put right after docker {how}")
    now = cluster.containers()
    assert {item.uid for item in now} == {item.uid for item in before}, "the same pods, only containers may be new"
    assert {item for item in before if item.uid != victim.uid} <= set(now)
    assert all(item.name.startswith("berth_") for item in now)


def test_settings_that_somebody_changed(cluster: Cluster, foreign: object) -> None:
    cluster.wait(lambda: is_whole(cluster), "everything whole before")
    app = cluster.containers(pod="pair-", container="web")[0]
    host = cluster.host(app.host)
    host.docker("update", "--cpu-shares", "900", "--memory", "100m", "--memory-swap", "100m", "--restart", "no", app.id)

    def settings() -> tuple[object, ...]:
        found = host.api().inspect_container(app.id)["HostConfig"]
        return found["CpuShares"], found["Memory"], found["RestartPolicy"]["Name"]

    cluster.wait(lambda: settings() == (256, 64 << 20, "always"), "shares, memory and restart policy as written")


def test_a_container_taken_off_its_network(cluster: Cluster, foreign: object) -> None:
    cluster.wait(lambda: is_whole(cluster), "everything whole before")
    web = cluster.containers(pod="web-")[0]
    others = set(cluster.containers()) - {web}
    cluster.host(web.host).docker("network", "disconnect", "-f", "berth-pods", web.id)
    cluster.wait(lambda: is_whole(cluster), "a pod with its network again")
    assert others <= set(cluster.containers())


def test_a_copy_of_a_container_is_nobodys(cluster: Cluster, foreign: object) -> None:
    cluster.wait(lambda: is_whole(cluster), "everything whole before")
    web = cluster.containers(pod="web-")[0]
    host = cluster.host(web.host)
    labels = host.api().inspect_container(web.id)["Config"]["Labels"]
    arguments = [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]
    debug = f"debug-{web.pod}"
    host.docker("commit", web.id, f"{debug}:1")

    def running() -> set[str]:
        return set(host.docker("ps", "-q", "--no-trunc").split())

    try:
        made = {
            host.docker("run", "-d", "--name", "copy", *arguments, "web:v1"),
            host.docker("run", "-d", "--name", debug, "--restart", "always", f"{debug}:1"),
        }
        host.docker("rm", "-f", web.id)
        cluster.wait(lambda: len(cluster.containers(pod=web.pod)) == 3, "the pod's own to be made again")
        assert made <= running(), "what a person runs is not touched"
    finally:
        host.docker("rm", "-f", "copy", debug, check=False)
        host.docker("rmi", "-f", f"{debug}:1", check=False)
    cluster.wait(lambda: is_whole(cluster), "everything whole after")


def berth_says(cluster: Cluster, *arguments: str) -> str:
    environment = {"PATH": SEARCH_PATH, "HOME": str(cluster.home), "LC_ALL": "C.UTF-8"}
    argv = berth_argv(*cluster.arguments(*arguments))
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def test_drift_of_an_application_that_heals_nothing_is_shown(cluster: Cluster) -> None:
    """Paused: shown and left; killed: started again; a commit that wants it healed puts everything right."""
    app = {
        "apps/web.yaml": APPLICATION.format("web", "web", "selfHeal: true"),
        "apps/lenient.yaml": APPLICATION.format("lenient", "lenient", "selfHeal: false"),
        "apps/lenient/lenient.yaml": deployment("lenient", replicas=2),
    }
    cluster.push("An application that only shows drift", app)
    first, second = sorted(cluster.wait_running("lenient-", 2))
    cluster.host(first.host).docker("pause", first.id)
    said = {"type": "InSync", "status": "False", "reason": "OutOfSync", "message": "container web is paused"}

    def shown() -> dict[str, str]:
        conditions = cluster.status("Pod", first.pod).get("status", {}).get("conditions", ())
        found: dict[str, str] = next((one for one in conditions if one["type"] == "InSync"), {})
        return {name: found[name] for name in said if name in found}

    cluster.wait(lambda: shown() == said, "the drift in the pod's status", pod="lenient-")
    cluster.host(second.host).docker("kill", second.id)
    cluster.wait(lambda: len(cluster.containers(pod="lenient-", state="running")) == 1, "the killed one runs again")
    assert [one.state for one in cluster.containers(pod=first.pod)] == ["paused"]
    said_of = dict(line.split()[:4:3] for line in berth_says(cluster, "get", "applications").splitlines())
    assert (said_of["web"], said_of["lenient"]) == ("Synced", "OutOfSync")
    cluster.push("Put it right", {"apps/lenient.yaml": APPLICATION.format("lenient", "lenient", "selfHeal: true")})
    cluster.wait_running("lenient-", 2)
    assert {found.id for found in cluster.running_pods("lenient-")} == {first.id, second.id}
    cluster.push("It is gone", dict.fromkeys(app))
    cluster.wait(lambda: not cluster.containers(pod="lenient-"), "its end", pod="lenient-")
