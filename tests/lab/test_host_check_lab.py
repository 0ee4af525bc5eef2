"""`berth hosts check` on real hosts: those of the lab, one without sudo, one without TCP forwarding, one cut off."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.lab.berth_process import berth_argv
from tests.lab.cluster import Cluster
from tests.lab.host import LabHost
from tests.lab.hostspec import HostSpec
from tests.lab.lab import Lab


def test_what_hosts_can_do(lab: Lab, extra_host: Callable[[HostSpec], LabHost], tmp_path: Path) -> None:
    hosts = list(lab.hosts)
    usual = [host.name for host in hosts]
    no_sudo = extra_host(HostSpec("no-sudo", user="deploy", has_sudo=False))
    no_tcp = extra_host(HostSpec("no-tcp", tcp_forwarding=False))
    cluster = Cluster.create(lab, "host-check", tmp_path, hosts=[*hosts, no_sudo, no_tcp])

    said = check(cluster, *usual)
    assert (said.returncode, said.stderr) == (0, ""), said
    rows = [line.split() for line in said.stdout.splitlines()[1:4]]
    assert [row[:7] for row in rows] == [[name, "yes", "yes", "yes", "yes", "Docker", "Engine"] for name in usual]
    assert said.stdout.endswith("3 of 3 hosts can run pods.\n")

    said = check(cluster)
    assert (said.returncode, said.stderr) == (1, ""), said
    lines = [" ".join(line.split()) for line in said.stdout.splitlines()]
    assert lines[4].startswith("no-sudo hostNetwork only no yes yes Docker Engine")
    assert lines[5].startswith("no-tcp yes yes yes commands only Docker Engine")
    assert "NoRoot: Rules of the host cannot be set" in said.stdout
    assert "AllowTcpForwarding local" in said.stdout
    assert lines[-1] == "4 of 5 hosts can run pods."

    hosts[1].cut()
    try:
        said = check(cluster, "-o", "json")
    finally:
        hosts[1].restore()
    assert said.returncode == 1, said
    items = {item["host"]: item for item in json.loads(said.stdout)["items"]}
    assert {name: item["canRunPods"] for name, item in items.items()} == {
        usual[0]: True,
        usual[1]: False,
        usual[2]: True,
        "no-sudo": False,
        "no-tcp": True,
    }
    silence, *more = items[usual[1]]["findings"]
    assert (items[usual[1]]["answers"], silence["reason"], more) == (False, "HostUnreachable", [])


def check(cluster: Cluster, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        berth_argv(*cluster.arguments("hosts", "check", *words)),
        cwd=cluster.home,
        env=cluster.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
