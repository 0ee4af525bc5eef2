"""The lab does what `docs/lab.md` promises: only then do the other tests that stand on it mean anything."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import docker.errors
import pytest

from tests.lab import network
from tests.lab.engines import is_version, layer_of
from tests.lab.errors import LabError
from tests.lab.fixtures import lab_of_tests
from tests.lab.host import LabHost
from tests.lab.hostspec import MIXED_ENGINES, HostSpec, mixed_hosts
from tests.lab.images import build_image
from tests.lab.lab import Lab, in_parallel, take_down
from tests.lab.names import LabNames
from tests.lab.processes import wait_until

AddHost = Callable[[HostSpec], LabHost]


def _runs(host: LabHost, container: str) -> bool:
    return host.docker("inspect", "--format", "{{.State.Running}}", container, check=False) == "true"


def _accepts(host: LabHost, *, timeout_seconds: float = 1) -> bool:
    try:
        with socket.create_connection((host.address, host.port), timeout=timeout_seconds) as link:
            return link.recv(4) == b"SSH-"
    except OSError:
        return False


# -- hosts


def test_three_hosts_answer_over_ssh_with_strict_host_keys_and_an_engine_each(lab: Lab) -> None:
    answers = [host.ssh("hostname; docker info --format '{{.Name}} {{.Driver}}'").stdout.decode() for host in lab.hosts]
    assert answers == [f"host-{number}\nhost-{number} overlay2\n" for number in (1, 2, 3)]
    identities = {host.docker("info", "--format", "{{.ID}}") for host in lab.hosts}
    assert len(identities) == 3


def test_each_host_of_a_run_has_another_engine(lab: Lab) -> None:
    for host in lab.hosts:
        told = [host.docker("version", "--format", "{{.Server.Version}}")]
        if layer_of(host.spec.engine):  # else the machine's own, beside which a person may have another command line
            told.append(host.ssh("docker version --format '{{.Client.Version}}'").stdout.decode().strip())
        assert [version for version in told if not is_version(version, host.spec.engine)] == []
    assert [host.spec.engine for host in lab.hosts] == list(MIXED_ENGINES)


def test_a_host_has_no_secrets_and_no_disks_of_the_machine(lab: Lab) -> None:
    for host in lab.hosts:
        assert host.exec(["sh", "-c", "cut -d : -f 2 /etc/shadow | sort -u"]).stdout == b"*\n"
        found = host.exec(
            ["find", "/etc", "-name", "*.key", "-o", "-name", "*-key*", "-o", "-path", "*/private/*"]
        ).stdout
        assert found == b""
        nodes = host.exec(["find", "/dev", "-type", "b", "-o", "-name", "mem", "-o", "-name", "kvm"]).stdout
        assert nodes == b""


def test_hosts_reach_each_other_and_share_no_files(lab: Lab) -> None:
    first, second, _ = lab.hosts
    first.exec(["busybox", "ping", "-c", "1", "-W", "2", second.address])
    first.exec(["touch", "/var/lib/only-here", "/tmp/only-here"])
    assert second.exec(["ls", "/var/lib/only-here", "/tmp/only-here"], check=False).returncode != 0
    assert not Path("/var/lib/only-here").exists()
    own_commands = {process.command for process in first.machine.processes()}
    assert own_commands >= {"sshd", "dockerd", "containerd"}
    listed = first.exec(["ps", "-e", "-o", "comm="]).stdout.decode().split()
    assert listed.count("dockerd") == 1


def test_containers_run_on_the_bridge_network_with_limits(lab: Lab) -> None:
    host = lab.hosts[0]
    limits = ["--memory", "64m", "--cpu-shares", "256", "--cpu-period", "100000", "--cpu-quota", "50000"]
    host.docker("run", "--detach", "--name", "limited", *limits, "--publish", "8088:80", "web:v1")
    wait_until(
        lambda: _get(f"http://{host.address}:8088/") == "v1\n", what="the published port is silent", timeout_seconds=5
    )
    version = host.api().info()["CgroupVersion"]
    files = {
        "1": ["memory/memory.limit_in_bytes", "cpu/cpu.shares", "cpu/cpu.cfs_quota_us"],
        "2": ["memory.max", "cpu.weight", "cpu.max"],
    }[version]
    seen = [host.docker("exec", "limited", "cat", f"/sys/fs/cgroup/{file}").split()[0] for file in files]
    assert seen == {"1": ["67108864", "256", "50000"], "2": ["67108864", "10", "50000"]}[version]
    # An idle server of busybox counts well below its limit, and it is counted.
    stats = host.api().stats("limited", stream=False)
    assert 0 < stats["memory_stats"]["usage"] < 64 << 20


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--privileged"], id="privileged"),
        pytest.param(["--oom-score-adj", "-997"], id="guaranteed"),
        pytest.param(["--oom-score-adj", "1000"], id="best-effort"),
        pytest.param(["--read-only", "--tmpfs", "/scratch"], id="read-only"),
        pytest.param(["--network", "host"], id="host network"),
        pytest.param(["--pid", "host"], id="host pids"),
    ],
)
def test_containers_run_with(lab: Lab, options: list[str]) -> None:
    assert lab.hosts[0].docker("run", "--rm", *options, "busybox", "echo", "ran") == "ran"


@pytest.mark.parametrize("image", ["pause:3.9", "web:v1", "mytomcat:7.0", "sample:v2"])
def test_images_end_at_once_on_sigterm(lab: Lab, image: str) -> None:
    host = lab.hosts[1]
    container = host.docker("run", "--detach", image)
    wait_until(lambda: _runs(host, container), what=f"{image} does not run", timeout_seconds=5)
    # A shell sets its trap a moment after the process exists; its process then waits in a read or for its child.
    wait_until(lambda: "00000000" not in _caught_signals(host, container), what="no signal handler", timeout_seconds=5)
    host.docker("stop", "--time", "30", container)
    assert host.docker("inspect", "--format", "{{.State.ExitCode}}", container) == "0"


def test_the_javaweb_images_work_together(lab: Lab) -> None:
    host = lab.hosts[2]
    webapps = "/root/apache-tomcat-7.0.42-v2/webapps"
    host.docker("run", "--rm", "--volume", "war:/app", "resouer/sample:v2", "cp", "/sample.war", "/app")
    start = ["sh", "-c", "/root/apache-tomcat-7.0.42-v2/bin/start.sh"]
    mount = ["--volume", f"war:{webapps}", "--publish", "8001:8080"]
    host.docker("run", "--detach", "--name", "tomcat", *mount, "resouer/mytomcat:7.0", *start)
    wait_until(
        lambda: _get(f"http://{host.address}:8001/sample.war") == "hello from sample.war\n",
        what="the war is not served",
        timeout_seconds=5,
    )
    started = time.monotonic()
    host.docker("stop", "--time", "30", "tomcat")
    assert time.monotonic() - started < 25  # it heard SIGTERM; else this is the grace period


def test_an_image_of_a_program_with_libraries_runs(lab: Lab) -> None:
    image = build_image("made:1", binaries=["/usr/bin/env"], environment={"SEEN": "yes"}, command=["/usr/bin/env"])
    lab.hosts[0].load(image)
    assert "SEEN=yes" in lab.hosts[0].docker("run", "--rm", "made:1").splitlines()


# -- Git remote and registry


def test_git_push_and_fetch_over_ssh(lab: Lab, tmp_path: Path) -> None:
    url = lab.git.create("cluster")
    clone = lab.git.clone("cluster", tmp_path / "clone")
    first = clone.commit_and_push("first", {"apps/web.yaml": "kind: Pod\n"})
    second = clone.commit_and_push("second", {"apps/web.yaml": None, "README.md": "hello\n"})
    other = lab.git.clone("cluster", tmp_path / "other")
    assert url == f"ssh://git@{lab.git.host.address}:22/srv/git/cluster.git"
    assert other.git("log", "--format=%H %s").splitlines() == [f"{second} second", f"{first} first"]
    assert other.git("ls-files") == "README.md"


def test_git_remote_shows_its_own_host_key_and_takes_only_the_labs_key(lab: Lab, tmp_path: Path) -> None:
    lab.git.create("guarded")
    wrong = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", wrong], check=True)
    environment = lab.git.environment()
    environment["GIT_SSH_COMMAND"] = environment["GIT_SSH_COMMAND"].replace(str(lab.key_path), str(wrong))
    refused = subprocess.run(
        ["git", "ls-remote", lab.git.url("guarded")], env=environment, capture_output=True, check=False
    )
    assert b"Permission denied" in refused.stderr
    assert lab.git.known_hosts_line() in lab.known_hosts.read_text()


def test_a_remote_that_is_gone_comes_back_with_its_content(lab: Lab, tmp_path: Path) -> None:
    lab.git.create("patient")
    clone = lab.git.clone("patient", tmp_path / "clone")
    pushed = clone.commit_and_push("kept", {"a": "1\n"})
    lab.git.host.kill_sshd()
    with pytest.raises(LabError, match="Connection refused"):
        clone.git("fetch")
    lab.git.host.start_sshd()
    assert clone.git("ls-remote", "origin", "main").split()[0] == pushed


def test_the_registry_wants_its_password(lab: Lab) -> None:
    registry = lab.registry
    assert registry.status() == 401
    assert registry.status(user=registry.user, password="wrong") == 401
    assert registry.status(user=registry.user, password=registry.password) == 200


def test_an_engine_pulls_from_the_registry_only_with_credentials(lab: Lab) -> None:
    reference = lab.registry.push("web:v1", through=lab.hosts[0], name="team/private:1")
    puller = lab.hosts[1].api()
    with pytest.raises(docker.errors.APIError, match=r"no basic auth credentials|unauthorized"):
        puller.pull(reference)
    puller.pull(reference, auth_config=lab.registry.auth())
    seen = [lab.hosts[1].docker("inspect", "--format", "{{.Id}}", name) for name in (reference, "web:v1")]
    assert seen[0] == seen[1]


def test_an_image_of_nowhere_fails_at_once(lab: Lab) -> None:
    started = time.monotonic()
    with pytest.raises(docker.errors.APIError):
        lab.hosts[0].api().pull("registry.example.com/nothing", tag="1")
    assert time.monotonic() - started < 18  # refused; a look-up that times out takes 20 s and more


# -- faults


def test_cut_and_restore(lab: Lab) -> None:
    host, other, _ = lab.hosts
    assert _accepts(host)
    host.cut()
    assert not _accepts(host, timeout_seconds=0.5)
    assert other.exec(["busybox", "ping", "-c", "1", "-W", "1", host.address], check=False).returncode != 0
    assert host.docker("info", "--format", "{{.Name}}") == "host-1"
    host.restore()
    wait_until(lambda: _accepts(host), what="the host does not come back", timeout_seconds=10)


def test_a_paused_engine_connects_and_never_answers(lab: Lab) -> None:
    host = lab.hosts[0]
    host.docker("run", "--detach", "--name", "steady", "pause")
    host.pause_engine()
    assert not host.engine.answers()
    assert _accepts(host)
    host.resume_engine()
    host.engine.wait_ready()
    assert _runs(host, "steady")


def test_a_killed_engine_leaves_containers_running(lab: Lab) -> None:
    host = lab.hosts[0]
    host.docker("run", "--detach", "--name", "survivor", "web:v1")
    pid = int(host.docker("inspect", "--format", "{{.State.Pid}}", "survivor"))
    host.kill_engine()
    assert not host.engine.answers()
    host.exec(["kill", "-0", str(pid)])
    assert {process.command for process in host.machine.processes()} >= {"containerd", "containerd-shim"}
    host.start_engine()
    assert host.docker("inspect", "--format", "{{.State.Status}}", "survivor") == "exited"


def test_a_stopped_engine_ends_containers_and_restart_brings_those_back_that_ask_for_it(lab: Lab) -> None:
    host = lab.hosts[1]
    host.docker("run", "--detach", "--name", "once", "pause")
    host.docker("run", "--detach", "--name", "always", "--restart", "always", "pause")
    host.stop_engine()
    assert not host.engine.answers()
    host.start_engine()
    wait_until(lambda: _runs(host, "always"), what="restart policy is not followed", timeout_seconds=10)
    assert not _runs(host, "once")


def test_reboot_is_a_power_cycle(lab: Lab) -> None:
    host = lab.hosts[2]
    host.docker("run", "--detach", "--name", "always", "--restart", "always", "web:v1")
    host.exec(["iptables", "-w", "-N", "LAB-TEST"])
    host.exec(["sh", "-c", "echo kept >/var/lib/kept; echo lost >/run/lost"])
    before = host.machine.processes()
    host.reboot()
    assert not any(process.is_alive for process in before)
    assert host.exec(["iptables", "-w", "-L", "LAB-TEST"], check=False).returncode != 0
    assert host.exec(["sh", "-c", "cat /var/lib/kept; ls /run/lost"], check=False).stdout == b"kept\n"
    wait_until(lambda: _runs(host, "always"), what="restart policy is not followed", timeout_seconds=10)
    assert host.ssh("hostname").stdout == b"host-3\n"


def test_killed_sshd_breaks_open_connections_and_comes_back(lab: Lab) -> None:
    host = lab.hosts[0]
    session = subprocess.Popen(host.ssh_argv("echo open; sleep 60"), stdout=subprocess.PIPE)
    with session:
        assert session.stdout is not None
        assert session.stdout.readline() == b"open\n"
        host.kill_sshd()
        assert session.wait(timeout=10) == 255
    assert not _accepts(host)
    host.start_sshd()
    assert _accepts(host)


def test_a_changed_host_key_is_noticed(lab: Lab) -> None:
    host = lab.hosts[0]
    genuine = host.host_key
    assert host.change_host_key() != genuine
    with pytest.raises(LabError, match="Host key verification failed"):
        host.ssh("true")
    host.restore_host_key()
    assert host.host_key == genuine
    host.ssh("true")


# -- hosts of another kind


def test_a_full_disk(lab: Lab, extra_host: AddHost) -> None:
    host = extra_host(HostSpec("small", disk_bytes=128 << 20))
    total = int(host.exec(["df", "--output=size", "-B1", "/var/lib/docker"]).stdout.split()[-1])
    assert 90 << 20 < total <= 128 << 20
    host.fill_disk()
    write = ["run", "--rm", "busybox", "dd", "if=/dev/zero", "of=/big", "bs=1M", "count=8"]
    assert "8+0 records out" not in host.docker(*write, check=False)
    assert int(host.exec(["df", "--output=avail", "-B1", "/var/lib/docker"]).stdout.split()[-1]) < 1 << 20
    host.free_disk()
    host.docker(*write)


def test_a_host_with_little_memory(lab: Lab, extra_host: AddHost) -> None:
    host = extra_host(HostSpec("lean", memory_bytes=256 << 20))
    assert host.api().info()["MemTotal"] == 256 << 20
    eat = "busybox dd if=/dev/zero of=/dev/null bs=400M count=1"
    assert host.exec(["sh", "-c", eat], check=False).returncode == 137
    host.docker("run", "--rm", "busybox", "true")


def test_only_a_disk_of_its_own_can_be_filled(lab: Lab) -> None:
    with pytest.raises(ValueError, match="no disk of its own"):
        lab.hosts[0].fill_disk()


def test_another_user_and_port(lab: Lab, extra_host: AddHost) -> None:
    host = extra_host(HostSpec("strict", user="deploy", port=2222, stream_local_forwarding=False))
    answer = host.ssh("id -un; docker info --format '{{.Name}}'; sudo -n id -un").stdout
    assert answer == b"deploy\nstrict\nroot\n"
    config = host.exec(["/usr/sbin/sshd", "-T"]).stdout.decode()
    assert "allowstreamlocalforwarding no" in config
    as_root = [word.replace("deploy@", "root@") for word in host.ssh_argv("true")]
    assert b"Permission denied" in subprocess.run(as_root, capture_output=True, check=False).stderr


def test_a_user_without_sudo_and_an_sshd_without_forwarding(lab: Lab, extra_host: AddHost) -> None:
    spec = HostSpec("bare", user="deploy", has_sudo=False, tcp_forwarding=False, sshd_lines=("MaxSessions 2",))
    host = extra_host(spec)
    assert host.ssh("docker info --format '{{.Name}}'").stdout == b"bare\n"
    assert host.ssh("sudo -n id", check=False).returncode != 0
    told = host.exec(["/usr/sbin/sshd", "-T"]).stdout.decode().splitlines()
    assert {"allowtcpforwarding no", "allowstreamlocalforwarding yes", "maxsessions 2"} <= set(told)
    host.reboot()
    assert host.ssh("id -un").stdout == b"deploy\n"
    attached = Lab.attach(lab.name)
    assert attached.host("bare").is_up()
    attached.close()


@pytest.mark.parametrize("engine", MIXED_ENGINES)
def test_an_engine_with_settings_of_its_own(lab: Lab, extra_host: AddHost, engine: str) -> None:
    """User namespaces: root of a container is an ordinary user of the host."""
    host = extra_host(HostSpec("mapped", engine=engine, engine_settings={"userns-remap": "default", "bip": None}))
    assert "name=userns" in host.docker("info", "--format", "{{.SecurityOptions}}")
    container = host.docker("run", "--detach", "web:v1")
    pid = host.docker("inspect", "--format", "{{.State.Pid}}", container)
    assert host.exec(["stat", "--format", "%u", f"/proc/{pid}"]).stdout == b"1000000\n"


def test_the_containerd_image_store(lab: Lab, extra_host: AddHost) -> None:
    settings = {"features": {"containerd-snapshotter": True}, "storage-driver": None}
    host = extra_host(HostSpec("store", engine="28", engine_settings=settings))
    assert "io.containerd.snapshotter.v1" in host.docker("info", "--format", "{{.DriverStatus}}")
    assert host.docker("run", "--rm", "busybox", "echo", "ran") == "ran"


def test_a_slow_line(lab: Lab, extra_host: AddHost) -> None:
    """Every packet takes its time, there and back; a pulled cable is one here too."""
    host = extra_host(HostSpec("slow", latency_seconds=0.1))
    started = time.monotonic()
    assert _accepts(host, timeout_seconds=30)  # a round trip to connect, and sshd's first words one way
    assert time.monotonic() - started >= 0.3
    assert host.ssh("hostname").stdout == b"slow\n"
    assert len(host.ssh("head -c 3000000 /dev/zero").stdout) == 3_000_000
    host.cut()
    assert not _accepts(host)
    host.restore()
    host.reboot()
    assert host.ssh("hostname").stdout == b"slow\n"


def test_a_host_behind_a_jump_host(lab: Lab, extra_host: AddHost) -> None:
    extra_host(HostSpec("jump", has_engine=False))
    host = extra_host(HostSpec("inner", behind="jump"))
    assert host.ssh("docker", "info", "--format", "'{{.Name}}'").stdout == b"inner\n"
    assert not _accepts(host)
    assert host.name in [each.name for each in lab.hosts]


# -- life of a lab


def test_up_again_changes_nothing_and_heals_what_is_missing(lab: Lab) -> None:
    before = {host.name: host.machine.init() for host in lab.machines.values()}
    Lab.up(lab.name, mixed_hosts()).close()
    assert {host.name: host.machine.init() for host in lab.machines.values()} == before
    lab.hosts[1].power_off()
    Lab.up(lab.name, mixed_hosts()).close()
    after = {host.name: host.machine.init() for host in lab.machines.values()}
    assert after.pop("host-2") not in (None, before.pop("host-2"))
    assert after == before


def test_up_makes_up_for_an_earlier_one_that_was_killed_before_its_last_step(lab: Lab) -> None:
    lab.hosts[0].docker("rmi", "--force", "web:v3")
    lab.registry.kill()
    Lab.up(lab.name, mixed_hosts()).close()
    assert lab.hosts[0].docker("images", "--quiet", "web:v3") != ""
    assert lab.registry.status() == 401


def test_another_process_attaches(lab: Lab) -> None:
    seen_from_there = "[host.ssh('hostname').stdout for host in Lab.attach(sys.argv[1]).hosts]"
    script = f"import sys; from tests.lab.lab import Lab; print({seen_from_there})"
    seen = subprocess.run([sys.executable, "-c", script, lab.name], capture_output=True, check=True).stdout
    assert seen == b"[b'host-1\\n', b'host-2\\n', b'host-3\\n']\n"


def test_clean_takes_everything_back(lab: Lab) -> None:
    first, second, third = lab.hosts
    first.docker("network", "create", "made-by-test")
    first.docker("volume", "create", "made-by-test")
    first.docker("run", "--detach", "--restart", "always", "web:v1")
    first.docker("tag", "web:v1", "made-by-test:1")
    first.docker("rmi", "web:v2", "nginx:1.9.1")
    first.exec(["sh", "-c", "mkdir -p /var/lib/berth/pods/x; mount -t tmpfs tmpfs /var/lib/berth/pods/x"])
    first.cut()
    second.pause_engine()
    second.change_host_key()
    third.power_off()
    lab.git.host.cut()
    lab.registry.kill()
    lab.clean()
    assert [host.docker("ps", "--all", "--quiet") for host in lab.hosts] == ["", "", ""]
    assert first.docker("network", "ls", "--quiet", "--filter", "type=custom") == ""
    assert first.docker("volume", "ls", "--quiet") == ""
    assert first.docker("images", "--quiet", "made-by-test") == ""
    assert first.docker("images", "--quiet", "web:v2") != ""
    assert first.exec(["ls", "/var/lib/berth"], check=False).returncode != 0
    in_parallel(lambda host: host.ssh("true"), lab.machines.values())
    assert lab.registry.status() == 401


def test_a_second_lab_beside_and_its_leftovers(lab: Lab) -> None:
    """Killed while coming up, with half of it torn away: `up` makes it whole, `down` removes every trace."""
    name = f"{lab.name[:12]}-2nd"
    names = LabNames(name)
    script = "import sys; from tests.lab.lab import Lab; Lab.up(sys.argv[1], 1)"
    creator = subprocess.Popen([sys.executable, "-c", script, name], start_new_session=True)
    try:
        wait_until(lambda: names.host("host-1").netns_path.exists(), what="no namespace appears", timeout_seconds=20)
        os.killpg(creator.pid, signal.SIGKILL)
        creator.wait(timeout=10)
        stale = names.host("host-9")
        subprocess.run(["ip", "netns", "add", stale.netns], check=True)
        after_reboot = names.host("host-8")  # the name is left, the namespace is not
        after_reboot.netns_path.touch()
        names.state_file.write_text("{ torn")

        second = Lab.up(name, 1)
        assert [host.ssh("hostname").stdout for host in second.hosts] == [b"host-1\n"]
        assert second.hosts[0].address.split(".")[1] != lab.hosts[0].address.split(".")[1]
        assert lab.hosts[0].ssh("hostname").stdout == b"host-1\n"
        assert not stale.netns_path.exists()
        assert not after_reboot.netns_path.exists()
        second.close()

        other = Lab.up(name, [HostSpec("host-1", port=2022)])
        assert [host.ssh("hostname").stdout for host in other.hosts] == [b"host-1\n"]
        other.close()
        running = [process for host in second.machines.values() for process in host.machine.processes()]
        subprocess.run(["ip", "link", "delete", names.bridge], check=True)
    finally:
        take_down(name, purge=True)
    assert not any(process.is_alive for process in running)
    assert network.namespaces_of(names) == []
    traces = [names.state, names.runtime, Path("/sys/class/net") / names.bridge]
    assert [trace for trace in traces if trace.exists()] == []
    assert names.lab not in Path("/proc/self/mounts").read_text()
    assert list(Path("/sys/fs/cgroup").glob(f"**/{names.cgroup}")) == []
    take_down(name)  # nothing there is no error


def test_a_killed_run_of_tests_leaves_a_lab_that_the_next_one_ends(lab: Lab) -> None:
    name = f"{lab.name[:12]}-3rd"
    names = LabNames(name)
    script = (
        "import sys, time; from tests.lab.fixtures import lab_of_tests\n"
        "with lab_of_tests(sys.argv[1], []): print('up', flush=True); time.sleep(300)"
    )
    try:
        with subprocess.Popen([sys.executable, "-c", script, name], stdout=subprocess.PIPE) as run_of_tests:
            assert run_of_tests.stdout is not None
            assert run_of_tests.stdout.readline() == b"up\n"
            run_of_tests.kill()
        assert network.has_bridge(names)
        with lab_of_tests(name, []) as again:
            assert again.git.host.ssh("hostname").stdout == b"git\n"
        assert not network.has_bridge(names)
        Lab.up(name, []).close()
        names.made_by_tests.unlink()  # as `python -m tests.lab up` does
        with lab_of_tests(name, []):
            pass
        assert network.has_bridge(names)
    finally:
        take_down(name, purge=True)


def _caught_signals(host: LabHost, container: str) -> str:
    """Signal mask, as hex, of what the first process of the container handles itself."""
    status = host.docker("exec", container, "cat", "/proc/1/status")
    return next(line.split()[1][8:] for line in status.splitlines() if line.startswith("SigCgt:"))


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""
