"""What can be done to a host: frozen values, complete, so that whoever performs them has nothing left to decide.

Every action names the pod it serves (`pod_uid`, empty when it serves the host) and the object it acts on. Performing
one twice is harmless: `hosts.runtime.interface` treats "already so" as done. Values that may be secret are
`SecretValue`s; nothing here shows one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

from differ.kubelet.assignment import DifferStruct, PodNetwork
from differ.kubelet.probes.checks import Check
from objects.own.charge import Charge
from objects.secrets import SecretValue

EnvironmentValue: TypeAlias = str | SecretValue


class PortBinding(DifferStruct):
    """A container port published on the host. protocol: `tcp`, `udp` or `sctp`; host_ip '' is every address."""

    container_port: int
    protocol: str
    host_port: int
    host_ip: str = ""


class Mount(DifferStruct):
    """A place in the container. source: a volume's name, or a path of the host when it begins with `/`.

    make_directory: make the host path if it is missing. tmpfs_bytes: the volume is memory of that size (0: unlimited),
    None: disk.
    propagation: Docker's `rprivate`, `rslave`, `rshared`.
    """

    source: str
    target: str
    read_only: bool = False
    make_directory: bool = False
    tmpfs_bytes: int | None = None
    labels: Mapping[str, str] = {}
    propagation: str = ""

    @property
    def is_volume(self) -> bool:
        return not self.source.startswith("/")


class ResourceSettings(DifferStruct):
    """Docker's own terms; 0 is "no setting". Docker shows `cpu_shares` of an unset container as 0.

    cpu_quota_micros counts within CPU_PERIOD_MICROS.
    """

    cpu_shares: int = 0
    cpu_quota_micros: int = 0
    memory_bytes: int = 0


CPU_PERIOD_MICROS = 100_000
"""100 ms, Kubernetes' default CFS period."""


class NamespaceSettings(DifferStruct):
    """What belongs to the namespaces and not to a process: set by their owner, inherited by who joins it.

    network_mode: name of a network, `host`, or `container:<id>`. address: fixed, on the network; '' for the other
    modes. pid_mode, ipc_mode: '' is Docker's default. extra_hosts: (name, address).
    """

    network_mode: str = ""
    address: str = ""
    pid_mode: str = ""
    ipc_mode: str = ""
    hostname: str = ""
    ports: tuple[PortBinding, ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()
    dns_servers: tuple[str, ...] = ()
    dns_searches: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = {}


class SecuritySettings(DifferStruct):
    """Who the process is and what it may. options: as `docker run --security-opt` takes them.

    user: `uid[:gid]`, '' is the image's. forbids_root: refuse an image that would run as root.
    """

    user: str = ""
    forbids_root: bool = False
    groups: tuple[str, ...] = ()
    is_privileged: bool = False
    has_read_only_root: bool = False
    added_capabilities: tuple[str, ...] = ()
    dropped_capabilities: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class ContainerSpec(DifferStruct):
    """Everything Docker is told when a container is created. entrypoint, command: None leaves the image's."""

    name: str
    image: str
    labels: Mapping[str, str]
    environment: tuple[tuple[str, EnvironmentValue], ...] = ()
    entrypoint: tuple[EnvironmentValue, ...] | None = None
    command: tuple[EnvironmentValue, ...] | None = None
    working_directory: str = ""
    restart_policy: str = "no"
    stop_signal: str = ""
    resources: ResourceSettings = ResourceSettings()
    oom_score_adjustment: int = 0
    mounts: tuple[Mount, ...] = ()
    namespaces: NamespaceSettings = NamespaceSettings()
    security: SecuritySettings = SecuritySettings()
    has_terminal: bool = False
    has_stdin: bool = False
    stdin_once: bool = False


class RegistryCredentials(DifferStruct):
    """A log-in for one registry, from a pull secret."""

    registry: str
    username: str
    password: SecretValue


class Action(DifferStruct):
    """Base of all actions. pod_uid: whom it serves; '' for the host."""

    pod_uid: str = ""

    @property
    def lane(self) -> str:
        """Actions of one lane follow one another, lanes go side by side."""
        return pod_lane(self.pod_uid) if self.pod_uid else "host"


def pod_lane(pod_uid: str) -> str:
    """The lane of all actions that serve this pod."""
    return f"pod/{pod_uid}"


class EnsureNetwork(Action, kw_only=True):
    """Make the pod network, or make it again when it has another subnet and nothing hangs on it."""

    network: PodNetwork


class HostPart(DifferStruct):
    """One part of what a host must have (`differ.kubelet.host.state`). wanted: digest of what `read` is to write.

    read, apply: POSIX shell scripts for root; `apply` is whole or not at all, and can be repeated.
    """

    name: str
    read: str
    wanted: str
    apply: str


class ApplyHostPart(Action, kw_only=True):
    """Make a part of the host as it is declared, unless it is so already; from then on it is watched."""

    part: HostPart

    @property
    def lane(self) -> str:
        return f"host-part {self.part.name}"


class PullImage(Action, kw_only=True):
    """Fetch an image. waiting: the (pod uid, container name) pairs that want it; `pod_uid` is empty.

    credentials: those of each of these pods, tried in this order, then without any.
    """

    image: str
    credentials: tuple[RegistryCredentials, ...] = ()
    waiting: tuple[tuple[str, str], ...] = ()

    @property
    def lane(self) -> str:
        """Pulls with other log-ins do not wait for one another; who logs in is no secret, with what is."""
        users = ", ".join(f"{one.username} at {one.registry}" for one in self.credentials)
        return f"image/{self.image}" + (f" as {users}" if users else "")


class RemoveImage(Action, kw_only=True):
    """Remove an image by all its names; one that a container uses stays, and that is an error. names: may be empty."""

    id: str
    names: tuple[str, ...] = ()

    @property
    def lane(self) -> str:
        return "images"


class CreateContainer(Action, kw_only=True):
    """Make a container and start it, unless `start` says not to. container: its name in the manifest."""

    container: str
    spec: ContainerSpec
    start: bool = True


class StartContainer(Action, kw_only=True):
    """Start a container that does not run. rename_to: its new name first, which counts the attempt; '' keeps it."""

    container: str
    id: str
    rename_to: str = ""


class SignalContainer(Action, kw_only=True):
    """Send a signal; Docker then leaves the container down (also one that it is just restarting).

    signal: `TERM`-like name without `SIG`. stops_restarting: sent to take over from Docker's own restarts. run: which
    run of the container is meant to end. restarts: the container alone is stopped, to be started again. why: for an
    event, where a stop begins.
    """

    container: str
    id: str
    signal: str
    stops_restarting: bool = False
    run: str = ""
    restarts: bool = False
    why: str = ""


class RunHook(Action, kw_only=True):
    """Begin a lifecycle hook of one run of a container; how it goes is in later observations. Once per run.

    kind: `postStart` or `preStop`. started_at, run: which run. restarts, why: as in SignalContainer.
    """

    container: str
    id: str
    kind: str
    started_at: datetime
    run: str
    check: Check
    timeout_seconds: float
    restarts: bool = False
    why: str = ""


class RemoveContainer(Action, kw_only=True):
    """Remove a container with its anonymous volumes; one that still runs is killed."""

    container: str
    id: str


class RenameContainer(Action, kw_only=True):
    """Give a container its name back."""

    container: str
    id: str
    name: str


class UpdateContainer(Action, kw_only=True):
    """Put settings right that can change while a container lives. resources None: they stay."""

    container: str
    id: str
    restart_policy: str
    resources: ResourceSettings | None = None


class UnpauseContainer(Action, kw_only=True):
    container: str
    id: str


class FileEntry(DifferStruct):
    """A file, directory or symbolic link to be written. path: relative. content None: a directory, or a link to
    `target`.

    owner: numeric uid and gid of a file or directory.
    """

    path: str
    mode: int = 0o644
    content: SecretValue | None = None
    target: str = ""
    owner: tuple[int, int] = (0, 0)


class WriteFiles(Action, kw_only=True):
    """Write into volumes by way of a container that mounts them. id: its id, or its name when it was just made.

    directory: absolute, in the container; entries lie below it, directories before what they hold. mark: of this
    content in this life of the container, for the memory; '' when nothing needs to be remembered. tidied: names of the
    directories below `directory` that hold nothing but `entries` afterwards.
    """

    container: str
    id: str
    directory: str
    entries: tuple[FileEntry, ...]
    mark: str = ""
    tidied: tuple[str, ...] = ()


class PrepareVolume(Action, kw_only=True):
    """Make the volume of a claim, if it is not there, and open it for pods, if nobody used it yet.

    container: the first that mounts it. mode, group: of the volume's directory.
    """

    container: str
    volume: str
    labels: Mapping[str, str]
    mode: int
    group: int = 0


class RemoveVolume(Action, kw_only=True):
    """Remove a volume of a pod; one that is not there is fine, one that is in use stays, and that is an error.

    Without a pod_uid: what was left of a pod that is gone.
    """

    volume: str


class MarkCharge(Action, kw_only=True):
    """Leave the mark of who is in charge. Marks of others stay."""

    charge: Charge
