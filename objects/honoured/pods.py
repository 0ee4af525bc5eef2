"""Which fields of pods Berth acts on. Paths begin at the pod's `spec`."""

from __future__ import annotations

from collections.abc import Iterator

from objects.api.pods import Container, PodSpec
from objects.fields import FieldPath
from objects.honoured.table import FieldNotice, Level, Rule, Table, honoured, is_false, refused, warned

_TCP_HOOK = "hooks cannot only connect, in Kubernetes neither: use exec, httpGet or sleep"
_DEVICES = "block devices and claimed devices are not supported yet"
_WINDOWS = "Windows containers are not supported"


def _is_lost_with_the_process(path: str) -> bool:
    """The default is not warned of: it is in every manifest, and few programs write there."""
    return path.startswith("/dev/") and path != "/dev/termination-log"


def _is_localhost_profile(profile: object) -> bool:
    return getattr(profile, "type", "") == "Localhost"


def _container(field: str) -> tuple[Rule, ...]:
    """Rules of `containers` or `initContainers`."""
    at = f"{field}[]."
    return (
        *honoured(
            *(
                at + name
                for name in (
                    "name",
                    "image",
                    "imagePullPolicy",
                    "command",
                    "args",
                    "workingDir",
                    "ports",
                    "env",
                    "envFrom",
                    "resources",
                    "volumeMounts",
                    "stdin",
                    "stdinOnce",
                    "tty",
                    "securityContext",
                    "livenessProbe",
                    "readinessProbe",
                    "startupProbe",
                    "lifecycle",
                    "terminationMessagePath",
                    "terminationMessagePolicy",
                )
            )
        ),
        *warned(
            at + "terminationMessagePath",
            "/dev is memory and gone with the process: only a file elsewhere, or the log, can be read afterwards",
            when=_is_lost_with_the_process,
        ),
        *refused(at + "lifecycle.postStart.tcpSocket", _TCP_HOOK),
        *refused(at + "lifecycle.preStop.tcpSocket", _TCP_HOOK),
        *warned(at + "volumeMounts[].recursiveReadOnly", "mounts below a read-only mount stay as they are"),
        *warned(at + "resizePolicy", "running pods are not resized: a change makes new pods"),
        *refused(at + "volumeDevices", _DEVICES),
        *refused(at + "resources.claims", _DEVICES),
        *refused(at + "securityContext.windowsOptions", _WINDOWS),
        *refused(
            at + "securityContext.seccompProfile",
            "profiles of the host (type Localhost) are not supported yet",
            when=_is_localhost_profile,
        ),
        *refused(at + "restartPolicyRules", "restarts by exit code are not supported yet: a Job has podFailurePolicy"),
        *refused(
            at + "env[].valueFrom.fileKeyRef",
            "variables from files of a volume are not supported yet: use a ConfigMap or Secret",
        ),
        *refused(at + "targetContainerName", "only ephemeral containers have a target"),
    )


_CONTAINERS = (
    *_container("containers"),
    *_container("initContainers"),
    *refused("containers[].restartPolicy", "only init containers may have a restart policy of their own yet"),
    *refused("initContainers[].restartPolicy", "only Always, which makes a sidecar, is supported", unless=("Always",)),
    *refused("ephemeralContainers", "ephemeral containers are not supported"),
)

_NETWORK_VOLUMES = (
    "nfs",
    "iscsi",
    "rbd",
    "cephfs",
    "flexVolume",
    "csi",
    "image",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cinder",
    "fc",
    "glusterfs",
    "vsphereVolume",
    "gitRepo",
    "flocker",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "scaleIO",
    "storageos",
)


def _is_huge_pages(medium: str) -> bool:
    return medium.startswith("HugePages")


_VOLUMES = (
    *honoured(
        "volumes[].name",
        "volumes[].emptyDir",
        "volumes[].hostPath",
        "volumes[].configMap",
        "volumes[].secret",
        "volumes[].downwardAPI",
        "volumes[].projected",
        "volumes[].persistentVolumeClaim",
    ),
    *refused("volumes[].emptyDir.medium", "huge pages are not supported", when=_is_huge_pages),
    *refused(
        "volumes[].hostPath.type",
        "files cannot be created on the host: let it exist and use File",
        when=lambda kind: kind == "FileOrCreate",
    ),
    *refused("volumes[].projected.sources[].serviceAccountToken", "there is no API server to talk to"),
    *refused("volumes[].projected.sources[].clusterTrustBundle", "there is no API server to talk to"),
    *refused("volumes[].projected.sources[].podCertificate", "there is no API server that signs certificates"),
    *refused("volumes[].ephemeral", "claims of a pod's own are not supported yet: use emptyDir, or write the claim"),
    *(rule for kind in _NETWORK_VOLUMES for rule in refused(f"volumes[].{kind}", "this kind is not supported yet")),
)

_PLACEMENT = honoured(
    "nodeSelector",
    "nodeName",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "schedulerName",
    "schedulingGates",
    "priority",
    "preemptionPolicy",
    "overhead",
)

_POD = (
    *honoured(
        "restartPolicy",
        "terminationGracePeriodSeconds",
        "activeDeadlineSeconds",
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "shareProcessNamespace",
        "hostname",
        "hostAliases",
        "dnsConfig",
        "imagePullSecrets",
        "readinessGates",
        "securityContext",
        "resources",
        "enableServiceLinks",
    ),
    *warned(
        "dnsPolicy",
        "names of services come with the network work: the host's resolver is used",
        unless=("ClusterFirst", "Default", "None"),
    ),
    *warned("subdomain", "names of pods come with the network work"),
    *warned("setHostnameAsFQDN", "names of pods come with the network work"),
    *refused("hostnameOverride", "is not supported: use hostname"),
    *warned("serviceAccountName", "pods get no token: there is no API server to talk to", unless=("default",)),
    *warned("serviceAccount", "pods get no token: there is no API server to talk to", unless=("default",)),
    *warned("automountServiceAccountToken", "pods get no token: there is no API server to talk to"),
    *honoured("priorityClassName"),
    *refused("runtimeClassName", "containers run with Docker's default runtime only"),
    *refused("hostUsers", "user namespaces are not supported yet", when=is_false),
    *refused("os", _WINDOWS, when=lambda os: os is not None and os.name != "linux"),
    *refused("resourceClaims", _DEVICES),
    *warned("schedulingGroup", "pods are scheduled one by one: there are no PodGroups"),
    *warned("resources.limits", "limits of the pod as a whole are scheduled by, not enforced on the host yet"),
    *warned(
        "securityContext.fsGroupChangePolicy", "the files of volumes that exist already keep their group", unless=()
    ),
    *warned("securityContext.supplementalGroupsPolicy", "groups of the image are kept", unless=("Merge",)),
    *warned("securityContext.seLinuxChangePolicy", "labels of volumes stay as they are"),
    *refused("securityContext.windowsOptions", _WINDOWS),
    *refused(
        "securityContext.seccompProfile",
        "profiles of the host (type Localhost) are not supported yet",
        when=_is_localhost_profile,
    ),
)

POD_TABLE = Table(_CONTAINERS, _VOLUMES, _PLACEMENT, _POD)


def pod_notices(spec: PodSpec, path: FieldPath) -> Iterator[FieldNotice]:
    """What a pod uses and does not get. path: of its spec."""
    yield from POD_TABLE.notices(spec, path)
    file_volumes = {
        volume.name
        for volume in spec.volumes
        if volume.config_map or volume.secret or volume.downward_api or volume.projected
    }
    for field, containers in (("containers", spec.containers), ("initContainers", spec.init_containers)):
        for index, container in enumerate(containers):
            place = (*path, field, index)
            yield from _resource_notices(container, place)
            yield from _sub_path_notices(container, place, file_volumes)


def _resource_notices(container: Container, path: FieldPath) -> Iterator[FieldNotice]:
    for field, amounts in (("limits", container.resources.limits), ("requests", container.resources.requests)):
        for name in amounts:
            place = (*path, "resources", field, name)
            if name.startswith("hugepages-"):
                yield FieldNotice(place, Level.REFUSED, "huge pages are not supported")
            elif name == "ephemeral-storage" and field == "limits":
                yield FieldNotice(place, Level.WARNED, "disk space is scheduled by, not limited on the host yet")
            elif "/" in name and field == "limits":
                text = "is counted and scheduled by; devices are not passed into containers yet"
                yield FieldNotice(place, Level.WARNED, text)


def _sub_path_notices(container: Container, path: FieldPath, file_volumes: set[str]) -> Iterator[FieldNotice]:
    """A container that can write to a volume could turn its `subPath` into a link to anywhere on the host."""
    for index, mount in enumerate(container.volume_mounts):
        if mount.name in file_volumes:
            continue
        for field, value in (("subPath", mount.sub_path), ("subPathExpr", mount.sub_path_expr)):
            if value:
                text = "is only supported for configMap, secret, downwardAPI and projected volumes: mount it whole"
                yield FieldNotice((*path, "volumeMounts", index, field), Level.REFUSED, text)
