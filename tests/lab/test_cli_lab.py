"""What a person types, against real hosts: get, describe, events, hosts, logs, exec, init."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lab.berth_process import BerthProcess, berth_argv, running_berth
from tests.lab.cluster import Cluster, deployment
from tests.lab.lab import Lab
from tests.lab.processes import SEARCH_PATH

TALKER = """\
apiVersion: v1
kind: Pod
metadata:
  name: talker
  labels: {app: talker}
spec:
  terminationGracePeriodSeconds: 1
  initContainers:
    - name: first
      image: busybox:1.35
      command: ["echo", "made ready"]
  containers:
    - name: app
      image: busybox:1.35
      command: [sh, -c, "trap exit TERM; printf 'line %s\\n' 1 2 3; while true; do sleep 1 & wait $!; done"]
      env: [{name: GREETING, value: hello}]
    - name: side
      image: busybox:1.35
      command: ["sh", "-c", "trap exit TERM; echo beside; while true; do sleep 1 & wait $!; done"]
"""


class Said(NamedTuple):
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """A table's cells, headings first; cells are at least two blanks apart."""
        return [re.split(r" {2,}", line) for line in self.out.splitlines()]


@pytest.fixture(scope="module")
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """Three web pods and one of two containers, applied; no daemon runs."""
    files = {"apps/web/web.yaml": deployment("web"), "apps/talker/talker.yaml": TALKER}
    made = Cluster.create(lab, "cli", tmp_path_factory.mktemp("cli"), files=files)
    said = berth(made, "apply", "--timeout", "60")
    assert (said.code, said.out.splitlines()[-1], said.err) == (0, "everything is as desired", "")
    return made


def environment(cluster: Cluster) -> dict[str, str]:
    return {"PATH": SEARCH_PATH, "HOME": str(cluster.home), "LC_ALL": "C.UTF-8", "TERM": "dumb"}


def arguments(cluster: Cluster, words: Sequence[str]) -> list[str]:
    """The repository's options stand right after the verb: what follows `--` belongs to a container."""
    return cluster.arguments(words[0]) + list(words[1:])


def berth(cluster: Cluster, *words: str, stdin: str = "", timeout_seconds: float = 90) -> Said:
    done = subprocess.run(
        berth_argv(*arguments(cluster, words)),
        cwd=cluster.home,
        env=environment(cluster),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_seconds,
    )
    return Said(done.returncode, done.stdout, done.stderr)


@contextmanager
def going_on(cluster: Cluster, *words: str, log: Path) -> Iterator[BerthProcess]:
    with running_berth(
        *arguments(cluster, words), log=log, directory=cluster.home, environment=environment(cluster)
    ) as process:
        yield process


def web_pods(cluster: Cluster) -> list[str]:
    return sorted({found.pod for found in cluster.running_pods("web-")})


# --- get, describe, events, hosts ----------------------------------------------------------------------------------


def test_pods_are_listed_as_docker_has_them(cluster: Cluster) -> None:
    said = berth(cluster, "get", "pods", "-o", "wide")
    assert said.rows[0][:7] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    listed = {(row[0], row[6]) for row in said.rows[1:]}
    assert listed == {(found.pod, found.host) for found in cluster.running_pods()}
    ready = {row[0].split("-")[0]: row[1:4] for row in said.rows[1:]}
    assert ready == {"web": ["1/1", "Running", "0"], "talker": ["2/2", "Running", "0"]}


def test_names_by_selector_are_for_scripts(cluster: Cluster) -> None:
    said = berth(cluster, "get", "po", "-l", "app=web", "-o", "name")
    assert said.out.splitlines() == [f"pod/{name}" for name in web_pods(cluster)]


def test_json_is_the_object_with_its_status(cluster: Cluster) -> None:
    document = json.loads(berth(cluster, "get", "deploy", "web", "-o", "json").out)
    assert (document["kind"], document["spec"]["replicas"], document["status"]["readyReplicas"]) == ("Deployment", 3, 3)


def test_describe_tells_of_containers_and_events(cluster: Cluster) -> None:
    text = berth(cluster, "describe", "pod/talker").out
    for part in ("Terminated: Completed, exit code 0", "Running since", "GREETING: hello", "Init Containers:"):
        assert part in text
    assert "Scaled up replica set" in berth(cluster, "describe", "deploy", "web").out
    assert "Scaled up replica set" in berth(cluster, "events", "--for", "deploy/web").out


def test_hosts(cluster: Cluster) -> None:
    said = berth(cluster, "hosts")
    assert said.code == 0
    assert [row[:3] for row in said.rows[1:]] == [[host.name, host.address, "Ready"] for host in cluster.hosts]


def test_what_is_not_there(cluster: Cluster) -> None:
    assert berth(cluster, "get", "pods", "nope") == (1, "", 'error: pods "nope" not found in namespace default\n')
    assert berth(cluster, "get", "jobs") == (0, "", "No resources found in default namespace.\n")


def test_watch_tells_of_a_restart(cluster: Cluster, tmp_path: Path) -> None:
    victim = cluster.running_pods("web-")[0]
    with going_on(cluster, "get", "pods", "-w", log=tmp_path / "log") as watching:
        watching.wait_for(victim.pod)
        before = watching.output.count(victim.pod)
        cluster.host(victim.host).docker("kill", victim.id)
        cluster.wait(lambda: watching.output.count(victim.pod) > before, "a line about the killed container")
    # Nobody but the watcher ran: Docker leaves what was killed by hand, the next pass puts it right.
    assert berth(cluster, "apply", "--timeout", "60").code == 0


# --- logs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(("talker",), "line 1\nline 2\nline 3\n", id="first-container"),
        pytest.param(("talker", "--tail", "1"), "line 3\n", id="tail"),
        pytest.param(("talker", "-c", "first"), "made ready\n", id="init-container"),
        pytest.param(("pod/talker", "-c", "side", "--prefix"), "[pod/talker/side] beside\n", id="prefix"),
        pytest.param(("-l", "app=talker", "-c", "side"), "beside\n", id="by-label"),
        pytest.param(
            ("talker", "--all-containers"), "made ready\nline 1\nline 2\nline 3\nbeside\n", id="all-containers"
        ),
        pytest.param(("talker", "--since", "1s"), "", id="nothing-so-new"),
    ],
)
def test_logs(cluster: Cluster, words: tuple[str, ...], expected: str) -> None:
    assert berth(cluster, "logs", *words) == (0, expected, "")


def test_logs_with_times(cluster: Cluster) -> None:
    lines = berth(cluster, "logs", "talker", "--timestamps", "--tail", "1").out.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z line 3", lines[0])


def test_logs_of_the_last_run_and_those_before(cluster: Cluster) -> None:
    found = cluster.containers(pod="talker", container="side")[0]
    host = cluster.host(found.host)
    host.docker("restart", "--time", "1", found.id)
    assert berth(cluster, "logs", "talker", "-c", "side").out == "beside\n"
    assert berth(cluster, "logs", "talker", "-c", "side", "-p").out == "beside\n"


def test_logs_are_followed(cluster: Cluster, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with going_on(cluster, "logs", "talker", "-c", "side", "-f", log=log) as following:
        following.wait_for("beside")
        assert following.is_running
        assert berth(cluster, "exec", "talker", "-c", "side", "--", "sh", "-c", "echo news > /proc/1/fd/1").code == 0
        following.wait_for("news")


# --- exec ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "stdin", "expected"),
    [
        pytest.param("echo $GREETING", "", Said(0, "hello\n", ""), id="output"),
        pytest.param("echo bad >&2; exit 7", "", Said(7, "", "bad\n"), id="code-and-stderr"),
        pytest.param("wc -c", "12345", Said(0, "5\n", ""), id="input"),
    ],
)
def test_exec(cluster: Cluster, command: str, stdin: str, expected: Said) -> None:
    options = ["-i"] if stdin else []
    assert berth(cluster, "exec", *options, "talker", "--", "sh", "-c", command, stdin=stdin) == expected


def test_exec_refuses_what_is_not_there(cluster: Cluster) -> None:
    said = berth(cluster, "exec", "talker", "-c", "nope", "--", "true")
    assert (said.code, said.out) == (2, "")
    assert "it has: first, app, side" in said.err


def test_exec_with_a_terminal_of_its_size(cluster: Cluster) -> None:
    """A real terminal: the command sees one, with our size, and what is typed reaches it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    process = subprocess.Popen(
        berth_argv(*arguments(cluster, ["exec", "-it", "talker", "--", "sh"])),
        cwd=cluster.home,
        env=environment(cluster),
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    try:
        seen = read_until(master, "# ")
        os.write(master, b"sleep 0.5; tty; stty size; exit 5\n")
        seen = read_until(master, "")
        code = process.wait(timeout=30)
    finally:
        process.kill()
        os.close(master)
    assert code == 5
    assert "/dev/pts/" in seen
    assert "33 77" in seen


def read_until(master: int, text: str) -> str:
    """What the terminal shows until `text` is in it, or to the end when it is ''."""
    seen = ""
    while not text or text not in seen:
        try:
            block = os.read(master, 4096)
        except OSError:
            break  # Linux' way of saying that the other end is closed
        if not block:
            break
        seen += block.decode(errors="replace")
    return seen


# --- init, silent hosts --------------------------------------------------------------------------------------------


def test_init_fetches_host_keys(cluster: Cluster, tmp_path: Path) -> None:
    host = cluster.hosts[0]
    said = berth(cluster, "init", str(tmp_path / "new"), "--host", f"alpha={host.user}@{host.address}:{host.port}")
    assert said.code == 0
    assert f"hostKey: {host.host_key}" in (tmp_path / "new/hosts/alpha.yaml").read_text()
    assert berth(cluster, "validate", str(tmp_path / "new")).code == 0


def test_a_silent_host_is_said_and_its_pods_are_unknown(cluster: Cluster) -> None:
    host = cluster.hosts[0]
    pods = {found.pod for found in cluster.running_pods() if found.host == host.name}
    host.cut()
    try:
        said = berth(cluster, "get", "pods", "-o", "wide")
        silent = berth(cluster, "hosts")
    finally:
        host.restore()
    assert {row[0] for row in said.rows[1:] if row[2] == "Unknown"} == pods
    assert f"warning: host {host.name} does not answer" in said.err
    assert silent.code == 5
    assert [row[2] for row in silent.rows[1:]] == ["HostUnreachable", "Ready", "Ready"]
