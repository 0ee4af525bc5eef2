"""The pod runtime on real hosts: what only a real engine, kernel, registry or disk can tell.

Behaviour that a simulated host shares is in `tests/contract`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import yaml

from differ.kubelet.actions import ApplyHostPart
from differ.kubelet.pods import HostPlan
from hosts.runtime import outdated_files
from objects.api.core import ConfigMap, Secret
from objects.api.meta import LocalObjectReference, ObjectMeta
from objects.api.pods import (
    Capabilities,
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    Container,
    ContainerPort,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    ExecAction,
    Pod,
    PodSecurityContext,
    PodStatus,
    Probe,
    ResourceRequirements,
    SecretKeySelector,
    SecurityContext,
    Sysctl,
    VolumeMount,
)
from objects.api.volumes import (
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    KeyToPath,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretVolumeSource,
    Volume,
)
from objects.codec import decode
from objects.defaults import default
from objects.errors import HostUnreachable
from objects.secrets import SecretValue
from tests.contract.world import NETWORK, DockerWorld, Kubelet, container, docker_world, make_pod, show
from tests.lab.host import LabHost
from tests.lab.hostspec import HostSpec
from tests.lab.lab import Lab
from tests.lab.processes import wait_until

WALKTHROUGH = Path(__file__).parents[1] / "walkthrough"
NOBODY = SecurityContext(run_as_user=1000)


@pytest.fixture
def host(lab: Lab) -> LabHost:
    return lab.hosts[0]


@pytest.fixture
def world(host: LabHost) -> Iterator[DockerWorld]:
    with docker_world(host) as real:
        yield real


def in_container(host: LabHost, pod: Pod, name: str, script: str, *, attempt: int = 0) -> str:
    docker_name = f"berth_{name}_{pod.name}_{pod.namespace}_{pod.uid}_{attempt}"
    return host.docker("exec", docker_name, "sh", "-c", script)


def on_host(host: LabHost, script: str) -> str:
    return host.exec(["sh", "-c", script]).stdout.decode().strip()


def inspect(host: LabHost, pod: Pod, name: str = "sleeper") -> dict[str, object]:
    docker_name = f"berth_{name}_{pod.name}_{pod.namespace}_{pod.uid}_0"
    found: dict[str, object] = host.api().inspect_container(docker_name)
    return found


def from_walkthrough(file: str) -> Pod:
    pod = default(decode(yaml.safe_load((WALKTHROUGH / file).read_text(encoding="utf-8"))))
    assert isinstance(pod, Pod)
    metadata = msgspec.structs.replace(pod.metadata, uid=f"uid-{pod.name}", namespace="default")
    return msgspec.structs.replace(pod, metadata=metadata, status=PodStatus(pod_ip="10.244.9.20"))


def deleted(pod: Pod, world: DockerWorld) -> Pod:
    metadata = msgspec.structs.replace(
        pod.metadata, deletion_timestamp=world.now() + timedelta(seconds=5), deletion_grace_period_seconds=5
    )
    return msgspec.structs.replace(pod, metadata=metadata)


# --- pods of the walkthrough --------------------------------------------------------------------------------------


def test_javaweb_serves_what_its_init_container_copied(host: LabHost, world: DockerWorld) -> None:
    kubelet, pod = Kubelet(world), from_walkthrough("pod-javaweb.yaml")
    plan = kubelet.settle(pod)
    assert show(plan.statuses[pod.uid]) == "Running ready [war Completed(0) r0, tomcat running r0]"
    request = "printf 'GET /sample.war HTTP/1.0\\r\\n\\r\\n' | busybox nc 127.0.0.1 8001 | head -n 1"
    assert on_host(host, request) == "HTTP/1.1 200 OK"
    kubelet.until(lambda plan: bool(plan.gone), deleted(pod, world))
    assert host.docker("volume", "ls", "-q", "--filter", "label=berth.dev/managed") == ""


# --- environment and files ----------------------------------------------------------------------------------------

CONFIG = ConfigMap(
    metadata=ObjectMeta(name="settings", namespace="default"), data={"colour": "blue", "app.conf": "a=1\n"}
)
SECRET = Secret(metadata=ObjectMeta(name="login", namespace="default"), data={"password": SecretValue(b"open sesame")})
LIMITS = ResourceRequirements(limits={"memory": "64Mi", "cpu": "250m"}, requests={"memory": "32Mi", "cpu": "100m"})


def variable(name: str, value: str = "", **source: object) -> EnvVar:
    return EnvVar(name=name, value=value, value_from=EnvVarSource(**source) if source else None)  # type: ignore[arg-type]


def test_environment(host: LabHost, world: DockerWorld) -> None:
    environment = (
        variable("COLOUR", config_map_key_ref=ConfigMapKeySelector(name="settings", key="colour")),
        variable("PASSWORD", secret_key_ref=SecretKeySelector(name="login", key="password")),
        variable("BOTH", "$(COLOUR):$(PASSWORD):$$(COLOUR):$(NONE)"),
        variable("POD", field_ref=ObjectFieldSelector(field_path="metadata.name")),
        variable("ADDRESS", field_ref=ObjectFieldSelector(field_path="status.podIP")),
        variable("MEMORY", resource_field_ref=ResourceFieldSelector(resource="limits.memory", divisor="1Mi")),
    )
    sources = (EnvFromSource(prefix="C_", config_map_ref=ConfigMapEnvSource(name="settings")),)
    pod = make_pod("env", container("sleeper", env=environment, env_from=sources, resources=LIMITS))
    Kubelet(world, CONFIG, SECRET).settle(pod)
    script = 'echo "$COLOUR|$PASSWORD|$BOTH|$POD|$ADDRESS|$MEMORY|$C_colour|$(hostname)"'
    assert in_container(host, pod, "sleeper", script) == (
        "blue|open sesame|blue:open sesame:$(COLOUR):$(NONE)|env|10.244.9.5|64|blue|env"
    )


def files_pod() -> Pod:
    volumes = (
        Volume(
            name="config",
            config_map=ConfigMapVolumeSource(name="settings", items=(KeyToPath(key="app.conf", path="etc/app.conf"),)),
        ),
        Volume(name="secret", secret=SecretVolumeSource(secret_name="login", default_mode=0o400)),
        Volume(
            name="about",
            downward_api=DownwardAPIVolumeSource(
                items=(DownwardAPIVolumeFile(path="name", field_ref=ObjectFieldSelector(field_path="metadata.name")),)
            ),
        ),
        Volume(name="memory", empty_dir=EmptyDirVolumeSource(medium="Memory", size_limit="4Mi")),
        Volume(name="disk", empty_dir=EmptyDirVolumeSource()),
    )
    mounts = tuple(VolumeMount(name=volume.name, mount_path=f"/mnt/{volume.name}") for volume in volumes)
    part = VolumeMount(name="config", mount_path="/etc/app.conf", sub_path="etc/app.conf")
    return make_pod(
        "files",
        container("sleeper", volume_mounts=(*mounts, part), security_context=NOBODY),
        volumes=volumes,
        security_context=PodSecurityContext(fs_group=2000),
    )


def test_files_are_there_for_a_user_without_rights(host: LabHost, world: DockerWorld) -> None:
    pod = files_pod()
    Kubelet(world, CONFIG, SECRET).settle(pod)
    script = "cd /mnt; cat config/etc/app.conf secret/password about/name /etc/app.conf; id -G"
    assert in_container(host, pod, "sleeper", script) == "a=1\nopen sesamefilesa=1\n0 2000"
    script = "cd /mnt; stat -c '%a %g %n' secret/..data/password memory disk; grep -c tmpfs.*/mnt /proc/mounts"
    assert in_container(host, pod, "sleeper", script) == (
        "440 2000 secret/..data/password\n2777 2000 memory\n2777 2000 disk\n2"
    )
    script = "cd /mnt; touch memory/ok disk/ok && ls memory disk; touch config/no secret/no 2>&1 | grep -c Read-only"
    assert in_container(host, pod, "sleeper", script) == "disk:\nok\n\nmemory:\nok\n2"
    assert "open sesame" not in str(inspect(host, pod))


def test_files_follow_and_a_fresh_process_knows_them(host: LabHost, world: DockerWorld) -> None:
    pod = files_pod()
    kubelet = Kubelet(world, CONFIG, SECRET)
    kubelet.settle(pod)
    before = len(kubelet.actions)
    kubelet.forget()
    assert kubelet.step(pod).actions == ()
    changed = msgspec.structs.replace(CONFIG, data={**CONFIG.data, "app.conf": "a=2\n"})
    kubelet.objects = (changed, SECRET)
    kubelet.settle(pod)
    assert in_container(host, pod, "sleeper", "cat /mnt/config/etc/app.conf /mnt/secret/password") == "a=2\nopen sesame"
    assert [type(action).__name__ for action in kubelet.actions[before:]] == ["RenameContainer", "WriteFiles"]
    # Put back while nobody looked: the label of the sandbox tells of the first files, and must not be believed.
    kubelet.forget()
    kubelet.objects = (CONFIG, SECRET)
    kubelet.settle(pod)
    assert in_container(host, pod, "sleeper", "cat /mnt/config/etc/app.conf") == "a=1"


@pytest.mark.parametrize("is_root", [True, False], ids=["root", "nobody-but-docker"])
def test_rotated_values_and_removed_keys_leave_the_folder(
    host: LabHost, world: DockerWorld, monkeypatch: pytest.MonkeyPatch, is_root: bool
) -> None:
    """As with the kubelet: who reads the folder finds what the Secret has now, under any name that is there."""
    if not is_root:
        monkeypatch.setattr(outdated_files, "_removed_by_root", lambda *_: False)
    volumes = (
        Volume(name="config", config_map=ConfigMapVolumeSource(name="settings")),
        Volume(name="secret", secret=SecretVolumeSource(secret_name="login")),
    )
    mounts = tuple(VolumeMount(name=volume.name, mount_path=f"/mnt/{volume.name}") for volume in volumes)
    pod = make_pod("rotated", container("sleeper", volume_mounts=mounts), volumes=volumes)
    old = msgspec.structs.replace(SECRET, data={**SECRET.data, "gone": SecretValue(b"an old value")})
    kubelet = Kubelet(world, CONFIG, old)
    kubelet.settle(pod)
    assert in_container(host, pod, "sleeper", "cat /mnt/secret/gone") == "an old value"
    new = msgspec.structs.replace(SECRET, data={"password": SecretValue(b"another")})
    kubelet.objects = (msgspec.structs.replace(CONFIG, data={"colour": "red"}), new)
    kubelet.settle(pod)
    # `..data`, the content behind it, and one link a key; without root an empty file stays of each earlier content.
    assert in_container(host, pod, "sleeper", "cat /mnt/secret/password /mnt/config/colour") == "anotherred"
    everything = in_container(host, pod, "sleeper", "find /mnt -type f -exec cat {} +; true")
    assert sorted(everything.split("\n")) in (["anotherred"], ["redanother"])
    if is_root:
        shown = in_container(host, pod, "sleeper", "cd /mnt; ls -Ad secret/* secret/..* config/* config/..*").split()
        assert {name for name in shown if "/.." not in name} == {"secret/password", "config/colour"}
        assert len([name for name in shown if "/.." in name and not name.endswith("/..")]) == 4


def test_memory_and_secrets_survive_a_restart_of_the_container(host: LabHost, world: DockerWorld) -> None:
    pod = files_pod()
    kubelet = Kubelet(world, CONFIG, SECRET)
    kubelet.settle(pod)
    in_container(host, pod, "sleeper", "echo kept > /mnt/memory/note")
    world.kill(f"berth_sleeper_files_default_{pod.uid}_0")
    kubelet.settle(pod)
    assert in_container(host, pod, "sleeper", "cat /mnt/memory/note /mnt/secret/password", attempt=1) == (
        "kept\nopen sesame"
    )


def test_missing_files_are_named_and_waited_for(world: DockerWorld) -> None:
    pod = files_pod()
    kubelet = Kubelet(world, CONFIG)
    plan = kubelet.until(lambda plan: "login" in str(plan.statuses[pod.uid].container_statuses), pod)
    (status,) = plan.statuses[pod.uid].container_statuses
    assert status.state.waiting is not None
    assert status.state.waiting.message == 'volume "secret": secret "login" not found'
    kubelet.objects = (CONFIG, SECRET)
    assert show(kubelet.settle(pod).statuses[pod.uid]) == "Running ready [sleeper running r0]"


def test_one_container_writes_its_empty_dir_and_the_hosts_path(host: LabHost, world: DockerWorld) -> None:
    volumes = (
        Volume(name="data", empty_dir=EmptyDirVolumeSource()),
        Volume(name="host", host_path=HostPathVolumeSource(path="/srv/runtime-lab", type="DirectoryOrCreate")),
    )
    mounts = (VolumeMount(name="data", mount_path="/data"), VolumeMount(name="host", mount_path="/host"))
    pod = make_pod("alone", container("sleeper", volume_mounts=mounts, security_context=NOBODY), volumes=volumes)
    Kubelet(world).settle(pod)
    assert in_container(host, pod, "sleeper", "touch /data/x && ls /data; stat -c %a /data") == "x\n777"
    assert on_host(host, "ls -d /srv/runtime-lab") == "/srv/runtime-lab"
    missing = HostPathVolumeSource(path="/srv/not-there", type="Directory")
    other = make_pod(
        "strict",
        container("sleeper", volume_mounts=(VolumeMount(name="h", mount_path="/h"),)),
        last_byte=6,
        volumes=(Volume(name="h", host_path=missing),),
    )
    kubelet = Kubelet(world)
    plan = kubelet.until(lambda plan: bool(kubelet.errors), other)
    plan = kubelet.step(other)
    assert "bind source path does not exist" in str(plan.statuses[other.uid].container_statuses[0].state.waiting)


# --- what `docker inspect` shows ----------------------------------------------------------------------------------


def test_resources_and_security_arrive(host: LabHost, world: DockerWorld) -> None:
    security = SecurityContext(
        run_as_user=1000,
        run_as_group=3000,
        read_only_root_filesystem=True,
        allow_privilege_escalation=False,
        capabilities=Capabilities(add=("NET_ADMIN",), drop=("ALL",)),
    )
    pod = make_pod(
        "secure",
        container("sleeper", resources=LIMITS, security_context=security),
        security_context=PodSecurityContext(
            supplemental_groups=(4000,), sysctls=(Sysctl(name="net.ipv4.ip_unprivileged_port_start", value="0"),)
        ),
    )
    Kubelet(world).settle(pod)
    found = inspect(host, pod)
    settings = found["HostConfig"]
    assert isinstance(settings, dict)
    wanted = {
        "CpuShares": 102,
        "CpuPeriod": 100_000,
        "CpuQuota": 25_000,
        "Memory": 64 << 20,
        "MemorySwap": 64 << 20,
        "ReadonlyRootfs": True,
        "CapAdd": ["NET_ADMIN"],
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "GroupAdd": ["4000"],
        "Sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
        "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
    }
    assert {name: settings[name] for name in wanted} == wanted
    assert 900 < settings["OomScoreAdj"] < 1000
    assert in_container(host, pod, "sleeper", "id -u; id -g; id -G") == "1000\n3000\n3000 4000"


def test_an_image_that_runs_as_root_is_refused_where_that_is_forbidden(world: DockerWorld) -> None:
    pod = make_pod("root", container("sleeper", security_context=SecurityContext(run_as_non_root=True)))
    kubelet = Kubelet(world)
    kubelet.until(lambda plan: bool(kubelet.errors), pod)
    (status,) = kubelet.step(pod).statuses[pod.uid].container_statuses
    assert status.state.waiting is not None
    assert status.state.waiting.reason == "CreateContainerConfigError"
    assert "has runAsNonRoot, and image busybox runs as root" in status.state.waiting.message


# --- images -------------------------------------------------------------------------------------------------------


def pull_pod(image: str, *secrets: str) -> Pod:
    return make_pod(
        "pull",
        container("sleeper", image=image, image_pull_policy="Always"),
        image_pull_secrets=tuple(LocalObjectReference(name=name) for name in secrets),
    )


def test_a_private_image_needs_its_secret(lab: Lab, world: DockerWorld) -> None:
    image = lab.registry.push("busybox:latest", through=lab.hosts[0], name="private/busybox:1")
    good = Secret(
        metadata=ObjectMeta(name="good", namespace="default"),
        data={".dockerconfigjson": SecretValue(lab.registry.pull_secret().encode())},
    )
    kubelet = Kubelet(world, good)
    plan = kubelet.until(lambda plan: bool(kubelet.errors) and not plan.actions, pull_pod(image, "missing"))
    waiting = str(plan.statuses["uid-pull"].container_statuses[0].state.waiting)
    assert "ImagePullBackOff" in waiting
    assert "the registry wants a log-in" in waiting
    assert 'pull secret "missing" not found' in waiting
    kubelet.forget()
    plan = kubelet.settle(pull_pod(image, "missing", "good"))
    assert show(plan.statuses["uid-pull"]) == "Running ready [sleeper running r0]"


def test_a_full_disk_is_named(lab: Lab, extra_host: Callable[[HostSpec], LabHost]) -> None:
    small = extra_host(HostSpec("small", disk_bytes=256 << 20))
    image = lab.registry.push("nginx:1.9.1", through=lab.hosts[0], name="private/nginx:1")
    secret = Secret(
        metadata=ObjectMeta(name="good", namespace="default"),
        data={".dockerconfigjson": SecretValue(lab.registry.pull_secret().encode())},
    )
    small.docker("image", "prune", "-af")
    small.fill_disk()
    with docker_world(small) as world:
        kubelet = Kubelet(world, secret)
        pod = pull_pod(image, "good")
        plan = kubelet.until(lambda plan: any(e.reason == "DiskFull" for e in kubelet.errors), pod)
        plan = kubelet.step(pod)
        assert "no space left on device" in str(plan.statuses[pod.uid].container_statuses[0].state.waiting)
        small.free_disk()
        kubelet.forget()
        assert show(kubelet.settle(pod).statuses[pod.uid]) == "Running ready [sleeper running r0]"


# --- the host -----------------------------------------------------------------------------------------------------


def test_pods_come_back_after_a_reboot_without_us(lab: Lab, extra_host: Callable[[HostSpec], LabHost]) -> None:
    host = extra_host(HostSpec("rebooted"))
    one = make_pod("one", container("sleeper"))
    init = (container("done"),)
    two = make_pod("two", container("sleeper"), container("sleeper-2"), last_byte=6, init_containers=init)
    over = make_pod("over", container("done"), last_byte=7, restart_policy="Never")
    with docker_world(host) as world:
        Kubelet(world).settle(one, two, over)
        host.reboot()
        states = dict(
            line.split() for line in host.docker("ps", "-a", "--format", "{{.Names}} {{.State}}").splitlines()
        )
        assert states["berth_sleeper_one_default_uid-one_0"] == "running"
        assert states["berth_done_over_default_uid-over_0"] == "exited"
    with docker_world(host) as world:
        kubelet = Kubelet(world)
        plan = kubelet.settle(one, two, over, seconds=40)
        assert [show(status) for status in plan.statuses.values()] == [
            "Running ready [sleeper running r0]",
            "Running ready [done Completed(0) r0, sleeper running r0, sleeper-2 running r0]",
            "Succeeded [done Completed(0) r0]",
        ]
        in_pod = host.docker("exec", running_name(host, "sleeper-2", "two"), "ip", "-4", "addr", "show", "eth0")
        assert "10.244.9.6/24" in in_pod
        rules = on_host(host, "iptables -t nat -S")
        assert f"-s {NETWORK.subnet} ! -d {NETWORK.cluster_cidr}" in rules


def test_secrets_are_written_again_after_a_reboot(extra_host: Callable[[HostSpec], LabHost]) -> None:
    host = extra_host(HostSpec("rebooted"))
    pod = files_pod()
    with docker_world(host) as world:
        old, fresh = Kubelet(world, CONFIG, SECRET), Kubelet(world, CONFIG, SECRET)
        old.settle(pod)
        for kubelet in (old, fresh):
            host.reboot()
            await_link(world)
            plan = kubelet.until(lambda plan: "ready" in show(plan.statuses[pod.uid]) and not plan.actions, pod)
            assert plan.statuses[pod.uid].phase == "Running"
            name = running_name(host, "sleeper", "files")
            assert host.docker("exec", name, "cat", "/mnt/secret/password") == "open sesame"


def await_link(world: DockerWorld) -> None:
    """Until the host is reached again: who watches it may have tried while it was down, and tries again in a moment."""

    def is_reached() -> bool:
        try:
            world.runtime.observe()
        except HostUnreachable:
            return False
        return True

    wait_until(is_reached, what="the host is reached again", timeout_seconds=20)


def running_name(host: LabHost, container_name: str, pod: str) -> str:
    names = host.docker("ps", "--format", "{{.Names}}").splitlines()
    (name,) = [name for name in names if name.startswith(f"berth_{container_name}_{pod}_")]
    return name


def test_containers_of_a_pod_share_network_and_ipc(host: LabHost, world: DockerWorld) -> None:
    web = Container(name="web", image="web:v1", ports=(ContainerPort(container_port=80),))
    pod = make_pod("shared", web, container("sleeper"))
    Kubelet(world).settle(pod)
    script = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc 127.0.0.1 80 | tail -n 1"
    assert in_container(host, pod, "sleeper", script).strip() == "v1"
    assert in_container(host, pod, "sleeper", "readlink /proc/self/ns/ipc") == in_container(
        host, pod, "web", "readlink /proc/self/ns/ipc"
    )


def test_someone_elses_containers_are_seen_and_left_alone(host: LabHost, world: DockerWorld) -> None:
    host.docker("run", "-d", "--name", "database", "-p", "8098:80", "--memory", "32m", "web:v1")
    try:
        plan: HostPlan = Kubelet(world).settle(make_pod("mine", container("sleeper")))
        foreign = [c for c in world.runtime.observe().containers if c.name == "database"]
        assert [(c.state, c.memory_bytes, ("tcp", "0.0.0.0", 8098) in c.host_ports) for c in foreign] == [
            ("running", 32 << 20, True)
        ]
        assert plan.unknown == ()
    finally:
        host.docker("rm", "-f", "database")


def test_a_pod_network_of_another_subnet_is_made_anew_once_it_is_empty(host: LabHost, world: DockerWorld) -> None:
    host.docker("network", "rm", NETWORK.name, check=False)
    labels = ("--label", "berth.dev/managed=true")
    host.docker("network", "create", "--subnet", "10.99.0.0/24", *labels, NETWORK.name)
    host.docker("run", "-d", "--name", "guest", "--network", NETWORK.name, "web:v1")
    kubelet = Kubelet(world)
    pod = make_pod("waits", container("sleeper"))
    try:
        kubelet.step(pod)
        (error,) = kubelet.errors
        assert str(error) == (
            f"network {NETWORK.name} is 10.99.0.0/24 and has to become {NETWORK.subnet}, but guest hang on it"
            f" (take them off: docker network disconnect {NETWORK.name} NAME)"
        )
    finally:
        host.docker("rm", "-f", "guest")
    assert show(kubelet.settle(pod).statuses[pod.uid]) == "Running ready [sleeper running r0]"


def test_a_flushed_rule_is_back_within_seconds(host: LabHost, world: DockerWorld) -> None:
    kubelet = Kubelet(world)
    pod = make_pod("flushed", container("sleeper"))
    kubelet.settle(pod)
    rules = ["iptables", "-t", "nat", "-S", "BERTH-POSTROUTING"]
    before = host.exec(rules).stdout
    assert b"-j MASQUERADE" in before
    quiet = len(kubelet.actions)
    kubelet.step(pod)
    assert kubelet.actions[quiet:] == [], "what is there is not set again"
    for flush in (["iptables", "-t", "nat", "-F", "BERTH-POSTROUTING"], ["iptables", "-t", "nat", "-F", "POSTROUTING"]):
        host.exec(flush)
        deadline = time.monotonic() + 5
        while not any(isinstance(action, ApplyHostPart) for action in kubelet.actions[quiet:]):
            assert time.monotonic() < deadline, "the flush was not noticed"
            kubelet.step(pod)
            time.sleep(0.1)
        assert host.exec(rules).stdout == before
        assert "BERTH-POSTROUTING" in host.exec(["iptables", "-t", "nat", "-S", "POSTROUTING"]).stdout.decode()
        quiet = len(kubelet.actions)
    host.restart_engine()  # its own rules were in that chain, too


def test_a_network_of_ours_by_name_only_is_left_alone(host: LabHost, world: DockerWorld) -> None:
    host.docker("network", "rm", NETWORK.name, check=False)
    made = host.docker("network", "create", "--subnet", "10.99.0.0/24", NETWORK.name)
    kubelet = Kubelet(world)
    pod = make_pod("waits", container("sleeper"))
    try:
        kubelet.step(pod)
        (error,) = kubelet.errors
        assert str(error) == (
            f"the host has a network {NETWORK.name} (10.99.0.0/24) that Berth did not make"
            f" (remove it if nobody needs it: docker network rm {NETWORK.name})"
        )
        assert host.docker("network", "inspect", "-f", "{{.Id}}", NETWORK.name) == made
    finally:
        host.docker("network", "rm", NETWORK.name)
    kubelet.world.pass_time(2)
    assert show(kubelet.settle(pod).statuses[pod.uid]) == "Running ready [sleeper running r0]"


def test_a_probe_whose_program_is_gone_says_so(world: DockerWorld) -> None:
    script = "echo '#!/bin/sh' > /p; chmod 755 /p; mv /p /probe; sleep 3; rm /probe; sleep 1000"
    probe = Probe(exec=ExecAction(command=("/probe",)), period_seconds=1, timeout_seconds=5, failure_threshold=1)
    pod = make_pod("gone", Container(name="main", image="busybox", command=("sh", "-c", script), readiness_probe=probe))
    kubelet = Kubelet(world)
    kubelet.until(lambda plan: show(plan.statuses[pod.uid]) == "Running ready [main running r0]", pod)
    kubelet.until(lambda plan: show(plan.statuses[pod.uid]) == "Running [main running r0]", pod)
    assert "no such file or directory" in kubelet.happened[-1].message


HANGS = "test -e /hang || exit 0; echo begun >> /begun; sleep 997 & sleep 998"


def hanging_pod(*, host_network: bool = False) -> Pod:
    """Ready until there is a file /hang; then its probe never ends."""
    probe = Probe(exec=ExecAction(command=("sh", "-c", HANGS)), period_seconds=1, timeout_seconds=1)
    sleeper = msgspec.structs.replace(container("sleeper"), readiness_probe=probe)
    return make_pod("hangs", sleeper, host_network=host_network)


def commands_begun(host: LabHost, pod: Pod) -> int:
    return int(in_container(host, pod, "sleeper", "cat /begun 2>/dev/null | wc -l"))


def test_commands_of_probes_that_hang_do_not_pile_up(host: LabHost, world: DockerWorld) -> None:
    """Each is killed at its time, with what it started, and the next one is asked then."""
    kubelet, pod = Kubelet(world), hanging_pod()
    kubelet.until(lambda plan: show(plan.statuses[pod.uid]) == "Running ready [sleeper running r0]", pod)
    in_container(host, pod, "sleeper", "touch /hang")
    kubelet.until(lambda _: commands_begun(host, pod) >= 5, pod)
    assert host.docker("top", running_name(host, "sleeper", "hangs")).count("sleep 997") <= 1
    assert show(kubelet.step(pod).statuses[pod.uid]) == "Running [sleeper running r0]"
    in_container(host, pod, "sleeper", "rm /hang")
    kubelet.until(lambda plan: show(plan.statuses[pod.uid]) == "Running ready [sleeper running r0]", pod, seconds=20)
    assert "sleep 99" not in host.docker("top", running_name(host, "sleeper", "hangs"))


def test_a_command_that_hangs_and_cannot_be_killed_is_waited_for(extra_host: Callable[[HostSpec], LabHost]) -> None:
    host = extra_host(HostSpec("no-sudo", user="deploy", has_sudo=False))
    with docker_world(host) as world:
        waits_for_a_command_that_hangs(host, Kubelet(world), hanging_pod(host_network=True))


def waits_for_a_command_that_hangs(host: LabHost, kubelet: Kubelet, pod: Pod) -> None:
    kubelet.until(lambda plan: show(plan.statuses[pod.uid]) == "Running ready [sleeper running r0]", pod)
    in_container(host, pod, "sleeper", "touch /hang")
    kubelet.until(lambda plan: show(plan.statuses[pod.uid]) == "Running [sleeper running r0]", pod)
    for _ in range(20):
        kubelet.step(pod)
        kubelet.world.pass_time(0.2)
    assert commands_begun(host, pod) == 1
    in_container(host, pod, "sleeper", "rm /hang")
    on_host(host, "pkill -9 -f 'sleep 99[78]'")
    kubelet.until(lambda plan: show(plan.statuses[pod.uid]) == "Running ready [sleeper running r0]", pod, seconds=20)
