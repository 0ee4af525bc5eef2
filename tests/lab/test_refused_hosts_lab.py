"""A host that must not be acted on any more, and one whose addresses are taken: what is said of them, what is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.lab.cluster import Cluster, pod
from tests.lab.host import LabHost
from tests.lab.hostspec import HostSpec
from tests.lab.lab import Lab
from tests.lab.test_host_check_lab import check

PINNED = """\
nodeSelector: {kubernetes.io/hostname: %s}
terminationGracePeriodSeconds: 1
containers: [{name: web, image: web:v1}]
"""
SETTINGS = Path("etc/docker/daemon.json")


def test_remapped_users_and_a_network_of_others(
    lab: Lab, extra_host: Callable[[HostSpec], LabHost], tmp_path: Path
) -> None:
    remapped, taken = extra_host(HostSpec("remapped")), extra_host(HostSpec("taken"))
    taken.docker("network", "create", "--subnet", "10.244.0.0/16", "shop")
    hosts = [lab.hosts[0], remapped, taken]
    files = {f"apps/pinned/{host.name}.yaml": pod(f"on-{host.name}", PINNED % host.name) for host in hosts}
    cluster = Cluster.create(lab, "refused", tmp_path, hosts=hosts, files=files)
    with cluster.running():
        cluster.wait(lambda: "Docker network shop" in line_of(cluster, taken), "what is wrong with the network")
        cluster.wait(lambda: cluster.running_pods("on-remapped"), "the pod on the host that is to be refused")
        before = cluster.containers(pod="on-remapped")
        cluster.wait_running(f"on-{lab.hosts[0].name}", 1)

        remap_users(remapped, "dockremap")
        cluster.wait(lambda: "userns-remap" in line_of(cluster, remapped), "the refusal")
        said = check(cluster, "-o", "json")
        items = json.loads(said.stdout)["items"]
        findings = {item["host"]: [one["reason"] for one in item["findings"]] for item in items}
        assert (said.returncode, findings[lab.hosts[0].name]) == (1, []), said
        assert (findings["remapped"][0], findings["taken"][0]) == ("UserNamespaceRemap", "PodCIDRTaken")
        # Its engine shows nothing of ours. Nothing is made in place of it, and nothing is taken for gone.
        assert remapped.docker("ps", "-aq", "--filter", "label=berth.dev/managed") == ""
        status = cluster.status("Pod", "on-remapped")
        assert status["status"]["conditions"]
        assert not cluster.containers(pod="on-taken")

        remap_users(remapped, "")
        cluster.wait(lambda: "| yes |" in line_of(cluster, remapped), "the host in order again")
        cluster.wait(lambda: cluster.running_pods("on-remapped"), "the pod as before")
        assert [found.id for found in cluster.containers(pod="on-remapped")] == [found.id for found in before]


def line_of(cluster: Cluster, host: LabHost) -> str:
    """What the overview says of a host."""
    return next((line for line in cluster.readme.splitlines() if line.startswith(f"| {host.name} |")), "")


def remap_users(host: LabHost, user: str) -> None:
    """Restart the engine with `userns-remap` for this user, or without."""
    if user:
        host.exec(["sh", "-c", f"echo {user}:x:900:900::/:/bin/false >>/etc/passwd; echo {user}:x:900: >>/etc/group"])
        host.exec(["sh", "-c", f"echo {user}:100000:65536 | tee -a /etc/subuid >>/etc/subgid"])
    read = json.loads(host.exec(["cat", f"/{SETTINGS}"]).stdout)
    settings = {**read, "userns-remap": user} if user else {key: read[key] for key in read if key != "userns-remap"}
    host.exec(["sh", "-c", f"cat >/{SETTINGS}"], stdin=json.dumps(settings).encode())
    host.restart_engine()
