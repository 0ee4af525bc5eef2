"""Specs of containers, whole: what Docker will be told."""

from __future__ import annotations

import msgspec
import pytest

from differ.kubelet.actions import (
    ContainerSpec,
    Mount,
    NamespaceSettings,
    PortBinding,
    ResourceSettings,
    SecuritySettings,
)
from differ.kubelet.containers.environment import PodContext
from differ.kubelet.containers.spec import (
    compose_container,
    compose_sandbox,
    container_hash,
    docker_restart_policy,
    manifest_label,
    oom_score_adjustment,
    owner_of_namespaces,
    resource_settings,
)
from objects.api.core import ConfigMap
from objects.api.meta import ObjectMeta
from objects.api.pods import (
    AppArmorProfile,
    Capabilities,
    Container,
    ContainerPort,
    HostAlias,
    Lifecycle,
    Pod,
    PodDNSConfig,
    PodDNSConfigOption,
    PodSecurityContext,
    ResourceRequirements,
    SeccompProfile,
    SecurityContext,
    SELinuxOptions,
    Sysctl,
    VolumeMount,
)
from objects.api.volumes import (
    ConfigMapVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    PersistentVolumeClaimVolumeSource,
    SecretVolumeSource,
    Volume,
)
from objects.errors import ContainerConfigError
from objects.hashing import content_hash
from objects.names import LABEL_FILES_HASH, LABEL_POD
from tests.unit.differ.building import FACTS, NETWORK, assign, container, make_pod

EMPTY = Volume(name="v", empty_dir=EmptyDirVolumeSource())
SETTINGS = ConfigMap(metadata=ObjectMeta(name="c", namespace="default"), data={"k": "v"})


def compose(pod: Pod, name: str = "main", *, sandbox_id: str = "") -> ContainerSpec:
    every = {c.name: c for c in (*pod.spec.init_containers, *pod.spec.containers)}
    context = PodContext(pod, assign(pod, config_maps={("default", "c"): SETTINGS}))
    return compose_container(
        every[name], context, attempt=2, sandbox_id=sandbox_id, host_memory_bytes=FACTS.memory_bytes
    )


def labels(pod: Pod, name: str, role: str, spec_hash: str) -> dict[str, str]:
    return {
        "berth.dev/managed": "true",
        "berth.dev/pod-uid": pod.uid,
        "berth.dev/pod-name": pod.name,
        "berth.dev/pod-namespace": "default",
        "berth.dev/container": name,
        "berth.dev/role": role,
        "berth.dev/spec-hash": spec_hash,
    }


def test_a_container_that_owns_its_namespaces() -> None:
    main = container(
        command=("run", "$(X)"),
        args=("--fast",),
        working_dir="/srv",
        ports=(
            ContainerPort(container_port=80, host_port=8080),
            ContainerPort(container_port=80, host_port=8080, protocol="TCP"),
            ContainerPort(container_port=53, host_port=53, protocol="UDP", host_ip="192.0.2.9"),
            ContainerPort(container_port=9000),
        ),
        lifecycle=Lifecycle(stop_signal="SIGQUIT"),
        tty=True,
        stdin=True,
        resources=ResourceRequirements(limits={"cpu": "500m", "memory": "64Mi"}, requests={"cpu": "250m"}),
    )
    pod = make_pod(
        main,
        hostname="www",
        host_aliases=(HostAlias(ip="192.0.2.5", hostnames=("db", "db.local")),),
        dns_config=PodDNSConfig(
            nameservers=("192.0.2.53",), searches=("example",), options=(PodDNSConfigOption(name="ndots", value="2"),)
        ),
        security_context=PodSecurityContext(sysctls=(Sysctl(name="net.core.somaxconn", value="9"),)),
    )
    assert compose(pod) == ContainerSpec(
        name="berth_main_web_default_uid-web_2",
        image="web:v1",
        labels={**labels(pod, "main", "main", container_hash(main)), **manifest_label(pod)},
        entrypoint=("run", "$(X)"),
        command=("--fast",),
        working_directory="/srv",
        restart_policy="always",
        stop_signal="SIGQUIT",
        resources=ResourceSettings(cpu_shares=256, cpu_quota_micros=50_000, memory_bytes=64 << 20),
        oom_score_adjustment=1000 - 1000 * (64 << 20) // (16 << 30),
        has_terminal=True,
        has_stdin=True,
        namespaces=NamespaceSettings(
            network_mode=NETWORK.name,
            address="10.244.3.7",
            hostname="www",
            ports=(
                PortBinding(container_port=80, protocol="tcp", host_port=8080),
                PortBinding(container_port=53, protocol="udp", host_port=53, host_ip="192.0.2.9"),
            ),
            extra_hosts=(("db", "192.0.2.5"), ("db.local", "192.0.2.5")),
            dns_servers=("192.0.2.53",),
            dns_searches=("example",),
            dns_options=("ndots:2",),
            sysctls={"net.core.somaxconn": "9"},
        ),
    )


def test_a_sandbox_owns_what_its_containers_join() -> None:
    a = container("a", ports=(ContainerPort(container_port=80, host_port=80),))
    pod = make_pod(a, container("b"), volumes=(EMPTY,), share_process_namespace=True)
    volume = Mount(
        source=f"berth_{pod.uid}_v",
        target="/volumes/v",
        labels={"berth.dev/managed": "true", "berth.dev/pod-uid": pod.uid},
    )
    assert compose_sandbox(PodContext(pod, assign(pod)), attempt=0) == ContainerSpec(
        name="berth_POD_web_default_uid-web_0",
        image="pause:3.9",
        labels={**labels(pod, "POD", "sandbox", content_hash("pause:3.9")), **manifest_label(pod)},
        restart_policy="always",
        resources=ResourceSettings(cpu_shares=2),
        oom_score_adjustment=-998,
        mounts=(volume,),
        namespaces=NamespaceSettings(
            network_mode=NETWORK.name,
            address="10.244.3.7",
            ipc_mode="shareable",
            hostname="web",
            ports=(PortBinding(container_port=80, protocol="tcp", host_port=80),),
        ),
    )
    joined = compose(pod, "a", sandbox_id="42")
    mode = "container:42"
    assert joined.namespaces == NamespaceSettings(network_mode=mode, ipc_mode=mode, pid_mode=mode)
    assert LABEL_POD not in joined.labels


def test_a_pod_in_the_hosts_namespaces() -> None:
    ports = (ContainerPort(container_port=80, host_port=80),)
    pod = make_pod(container(ports=ports), host_network=True, host_pid=True, host_ipc=True)
    assert compose(pod).namespaces == NamespaceSettings(network_mode="host", pid_mode="host", ipc_mode="host")


def test_the_label_tells_the_whole_pod_and_no_status() -> None:
    pod = make_pod(container(env=()), priority=7)
    told = msgspec.json.decode(manifest_label(pod)[LABEL_POD], type=Pod)
    assert told == pod


READ_ONLY = SecurityContext(read_only_root_filesystem=True)


@pytest.mark.parametrize(
    ("pod", "owner"),
    [
        pytest.param(make_pod(), "main", id="one"),
        pytest.param(make_pod(container("a"), container("b")), "POD", id="two"),
        pytest.param(make_pod(init_containers=(container("i"),)), "POD", id="init"),
        pytest.param(make_pod(volumes=(EMPTY,)), "main", id="empty-dir"),
        pytest.param(
            make_pod(volumes=(Volume(name="v", empty_dir=EmptyDirVolumeSource(medium="Memory")),)),
            "POD",
            id="memory-must-be-held",
        ),
        pytest.param(
            make_pod(volumes=(Volume(name="v", config_map=ConfigMapVolumeSource(name="c")),)), "POD", id="files"
        ),
        pytest.param(
            make_pod(container(security_context=READ_ONLY), volumes=(EMPTY,)), "POD", id="read-only-root-with-volume"
        ),
        pytest.param(make_pod(container(security_context=READ_ONLY)), "main", id="read-only-root"),
        pytest.param(
            make_pod(volumes=(Volume(name="v", host_path=HostPathVolumeSource(path="/x")),)), "main", id="host-path"
        ),
    ],
)
def test_who_owns_the_namespaces(pod: Pod, owner: str) -> None:
    assert owner_of_namespaces(pod) == owner


SECRET_FILES = (Volume(name="v", secret=SecretVolumeSource(secret_name="s")),)


@pytest.mark.parametrize(
    ("policy", "role", "volumes", "expected"),
    [
        pytest.param("Always", "main", (), "always", id="always"),
        pytest.param("", "main", (), "always", id="not-defaulted"),
        pytest.param("OnFailure", "main", (), "no", id="on-failure"),
        pytest.param("Never", "main", (), "no", id="never"),
        pytest.param("Always", "init", (), "no", id="init"),
        pytest.param("Never", "sidecar", (), "always", id="sidecar"),
        pytest.param("Never", "sandbox", (), "always", id="sandbox"),
        pytest.param("Always", "main", SECRET_FILES, "no", id="files-that-a-boot-loses"),
        pytest.param("Always", "sandbox", SECRET_FILES, "always", id="sandbox-of-such"),
    ],
)
def test_dockers_restart_policy(policy: str, role: str, volumes: tuple[Volume, ...], expected: str) -> None:
    assert docker_restart_policy(make_pod(restart_policy=policy, volumes=volumes), role) == expected


@pytest.mark.parametrize(
    ("limits", "requests", "expected"),
    [
        pytest.param({}, {}, ResourceSettings(cpu_shares=2), id="none"),
        pytest.param({}, {"cpu": "1"}, ResourceSettings(cpu_shares=1024), id="request"),
        pytest.param(
            {"cpu": "2"}, {}, ResourceSettings(cpu_shares=2048, cpu_quota_micros=200_000), id="limit-is-request"
        ),
        pytest.param(
            {"cpu": "1m"}, {"cpu": "1m"}, ResourceSettings(cpu_shares=2, cpu_quota_micros=1000), id="kernels-minimum"
        ),
        pytest.param({}, {"cpu": "400"}, ResourceSettings(cpu_shares=262_144), id="kernels-maximum"),
        pytest.param({"memory": "1Gi"}, {}, ResourceSettings(cpu_shares=2, memory_bytes=1 << 30), id="memory"),
    ],
)
def test_resources(limits: dict[str, str], requests: dict[str, str], expected: ResourceSettings) -> None:
    given = container(resources=ResourceRequirements(limits=dict(limits), requests=dict(requests)))
    assert resource_settings(given) == expected


def memory(request: str, limit: str = "") -> ResourceRequirements:
    limits = {"memory": limit, "cpu": "1"} if limit else {}
    requests = {"memory": request, **({"cpu": "1"} if limit else {})} if request else {}
    return ResourceRequirements(limits=dict(limits), requests=dict(requests))


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param(memory("1Gi", "1Gi"), -997, id="guaranteed"),
        pytest.param(memory(""), 1000, id="best-effort"),
        pytest.param(memory("4Gi"), 750, id="burstable-quarter"),
        pytest.param(memory("1Ki"), 999, id="burstable-least"),
        pytest.param(memory("16Gi"), 2, id="burstable-all"),
    ],
)
def test_oom_score(resources: ResourceRequirements, expected: int) -> None:
    given = container(resources=resources)
    assert oom_score_adjustment(make_pod(given), given, 16 << 30) == expected


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        pytest.param(None, None, SecuritySettings(), id="nothing"),
        pytest.param(
            PodSecurityContext(run_as_user=1, run_as_group=2, supplemental_groups=(3,), fs_group=4),
            None,
            SecuritySettings(user="1:2", groups=("3", "4")),
            id="of-the-pod",
        ),
        pytest.param(
            PodSecurityContext(run_as_user=1, run_as_non_root=True),
            SecurityContext(run_as_user=5),
            SecuritySettings(user="5"),
            id="the-containers-wins",
        ),
        pytest.param(
            PodSecurityContext(run_as_non_root=True), None, SecuritySettings(forbids_root=True), id="must-not-be-root"
        ),
        pytest.param(
            None,
            SecurityContext(
                privileged=True,
                read_only_root_filesystem=True,
                allow_privilege_escalation=False,
                proc_mount="Unmasked",
                capabilities=Capabilities(add=("A",), drop=("ALL",)),
                seccomp_profile=SeccompProfile(type="Unconfined"),
                app_armor_profile=AppArmorProfile(type="Localhost", localhost_profile="mine"),
                se_linux_options=SELinuxOptions(type="t", level="s0"),
            ),
            SecuritySettings(
                is_privileged=True,
                has_read_only_root=True,
                added_capabilities=("A",),
                dropped_capabilities=("ALL",),
                options=(
                    "no-new-privileges",
                    "seccomp=unconfined",
                    "apparmor=mine",
                    "label=type:t",
                    "label=level:s0",
                    "systempaths=unconfined",
                ),
            ),
            id="everything",
        ),
        pytest.param(
            PodSecurityContext(seccomp_profile=SeccompProfile(type="Unconfined")),
            SecurityContext(seccomp_profile=SeccompProfile(type="RuntimeDefault")),
            SecuritySettings(),
            id="runtime-default",
        ),
    ],
)
def test_security(outer: PodSecurityContext | None, inner: SecurityContext | None, expected: SecuritySettings) -> None:
    assert compose(make_pod(container(security_context=inner), security_context=outer)).security == expected


def mounting(volume: Volume, **fields: object) -> Pod:
    mount = VolumeMount(name=volume.name, mount_path="/m", **fields)  # type: ignore[arg-type]
    return make_pod(container(volume_mounts=(mount,)), volumes=(volume,))


OWN = {"berth.dev/managed": "true", "berth.dev/pod-uid": "uid-web"}


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param(mounting(EMPTY), Mount(source="berth_uid-web_v", target="/m", labels=OWN), id="empty-dir"),
        pytest.param(
            mounting(Volume(name="v"), read_only=True),
            Mount(source="berth_uid-web_v", target="/m", read_only=True, labels=OWN),
            id="no-source-is-empty-dir",
        ),
        pytest.param(
            mounting(Volume(name="v", empty_dir=EmptyDirVolumeSource(medium="Memory", size_limit="1Mi"))),
            Mount(source="berth_uid-web_v", target="/m", tmpfs_bytes=1 << 20, labels=OWN),
            id="memory",
        ),
        pytest.param(
            mounting(Volume(name="v", config_map=ConfigMapVolumeSource(name="c"))),
            Mount(source="berth_uid-web_v", target="/m", read_only=True, labels=OWN),
            id="files-are-read-only",
        ),
        pytest.param(
            mounting(Volume(name="v", host_path=HostPathVolumeSource(path="/x", type="DirectoryOrCreate"))),
            Mount(source="/x", target="/m", make_directory=True, propagation="rprivate"),
            id="host-path",
        ),
        pytest.param(
            mounting(
                Volume(name="v", host_path=HostPathVolumeSource(path="/x", type="File")),
                mount_propagation="HostToContainer",
                read_only=True,
            ),
            Mount(source="/x", target="/m", read_only=True, propagation="rslave"),
            id="host-file",
        ),
    ],
)
def test_mounts(pod: Pod, expected: Mount) -> None:
    assert compose(pod).mounts == (expected,)


def test_a_part_of_a_file_volume_is_mounted_from_its_place_on_the_host() -> None:
    pod = mounting(Volume(name="v", config_map=ConfigMapVolumeSource(name="c")), sub_path="k")
    (mount,) = compose(pod).mounts
    place, _, file = mount.source.rpartition("/")
    assert place.startswith("/var/lib/docker/volumes/berth_uid-web_v/_data/..")
    assert (file, mount.target, mount.read_only, mount.propagation) == ("k", "/m", True, "rslave")


@pytest.mark.parametrize(
    ("pod", "message"),
    [
        pytest.param(mounting(EMPTY, sub_path="x"), 'subPath of volume "v" is not supported', id="sub-path"),
        pytest.param(
            mounting(Volume(name="v", config_map=ConfigMapVolumeSource(name="c")), sub_path="../x"),
            "subPath ../x leads out of its volume",
            id="sub-path-out",
        ),
        pytest.param(
            mounting(Volume(name="v", host_path=HostPathVolumeSource(path="/x", type="FileOrCreate"))),
            'hostPath type FileOrCreate of volume "v" is not supported',
            id="host-path-type",
        ),
        pytest.param(
            mounting(Volume(name="v", host_path=HostPathVolumeSource(path="/a:b"))),
            'volume "v": Docker takes no path with a colon',
            id="colon",
        ),
        pytest.param(
            mounting(Volume(name="v", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="c"))),
            'claim "c" has no volume on this host yet',
            id="claim",
        ),
        pytest.param(
            make_pod(
                container(security_context=SecurityContext(run_as_user=0)),
                security_context=PodSecurityContext(run_as_non_root=True),
            ),
            "container main: runAsUser 0 breaks its runAsNonRoot",
            id="root-and-not-root",
        ),
        pytest.param(
            make_pod(container(security_context=SecurityContext(run_as_group=5))),
            "container main: runAsGroup needs a runAsUser",
            id="group-without-user",
        ),
    ],
)
def test_what_cannot_be_composed_is_said(pod: Pod, message: str) -> None:
    with pytest.raises(ContainerConfigError) as caught:
        compose(pod)
    assert caught.value.message == message


def test_a_sandbox_is_labelled_with_its_files() -> None:
    pod = mounting(Volume(name="v", config_map=ConfigMapVolumeSource(name="c")))
    known = PodContext(pod, assign(pod, config_maps={("default", "c"): SETTINGS}))
    other_data = ConfigMap(metadata=SETTINGS.metadata, data={"k": "w"})
    other = PodContext(pod, assign(pod, config_maps={("default", "c"): other_data}))
    missing = PodContext(pod, assign(pod))
    hashes = [compose_sandbox(c, attempt=0).labels.get(LABEL_FILES_HASH) for c in (known, other, missing)]
    assert hashes[0] != hashes[1]
    assert hashes[2] is None


def test_hash_counts_what_the_manifest_says() -> None:
    assert container_hash(container()) == container_hash(Container(name="main", image="web:v1"))
    assert container_hash(container()) != container_hash(container(args=("x",)))
