"""The mounts of a container in Docker's terms: which Docker volume, or which path of the host, comes where. Pure."""

from __future__ import annotations

from differ.kubelet.actions import Mount
from differ.kubelet.containers.environment import (
    PodContext,
    expand,
    resolve_environment,
    unknown_references,
)
from differ.kubelet.files.claims import claim_mount
from differ.kubelet.files.content import data_directory
from differ.kubelet.files.volumes import docker_volume, is_empty_dir, is_file_volume
from objects.api.pods import Container, VolumeMount
from objects.api.volumes import HostPathVolumeSource, Volume
from objects.errors import ContainerConfigError
from objects.names import volume_name

_CREATED_BY_DOCKER = frozenset({"", "DirectoryOrCreate"})
_MUST_EXIST = frozenset({"Directory", "File", "Socket", "CharDevice", "BlockDevice"})
_PROPAGATION = {"None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}


def container_mounts(container: Container, context: PodContext) -> tuple[Mount, ...]:
    """The mounts of a container of the manifest. Raises ContainerConfigError for what cannot be mounted."""
    volumes = {volume.name: volume for volume in context.pod.spec.volumes}
    mounts = []
    for mount in container.volume_mounts:
        if mount.name not in volumes:
            raise ContainerConfigError(f'volume mount "{mount.name}" names no volume of the pod')
        mounts.append(_mount(mount, volumes[mount.name], container, context))
    return tuple(mounts)


def _mount(mount: VolumeMount, volume: Volume, container: Container, context: PodContext) -> Mount:
    sub_path = expand_sub_path(mount, container, context)
    if sub_path:
        return _part_of(mount, volume, sub_path, context)
    if volume.host_path is not None:
        return _host_path(mount, volume.host_path)
    if is_file_volume(volume):
        return docker_volume(context.pod, volume, target=mount.mount_path, read_only=True)
    if is_empty_dir(volume):
        return docker_volume(context.pod, volume, target=mount.mount_path, read_only=mount.read_only)
    if volume.persistent_volume_claim is not None:
        return claim_mount(mount, volume.persistent_volume_claim, context)
    kind = next(name for name in volume.__struct_fields__ if name != "name" and getattr(volume, name) is not None)
    raise ContainerConfigError(f'volume "{volume.name}": {kind} volumes are not supported yet')


def _part_of(mount: VolumeMount, volume: Volume, sub_path: str, context: PodContext) -> Mount:
    """A file or directory of a volume that only we write to; as in Kubernetes it follows no later change."""
    if not is_file_volume(volume):
        raise ContainerConfigError(
            f'subPath of volume "{volume.name}" is not supported',
            hint="a container could turn it into a link to anywhere on the host; mount the whole volume",
        )
    if sub_path.startswith("/") or ".." in sub_path.split("/"):
        raise ContainerConfigError(f"subPath {sub_path} leads out of its volume")
    place = f"{context.docker_root}/volumes/{volume_name(context.pod.uid, volume.name)}/_data"
    source = f"{place}/{data_directory(volume.name, context)}/{sub_path}"
    # Docker wants a mount below its own directory to let go of what is unmounted there.
    return Mount(source=source, target=mount.mount_path, read_only=True, propagation="rslave")


def expand_sub_path(mount: VolumeMount, container: Container, context: PodContext) -> str:
    """`subPath`, or `subPathExpr` with its `$(NAME)`s resolved. Raises ContainerConfigError for an unknown name."""
    if not mount.sub_path_expr:
        return mount.sub_path
    values = resolve_environment(container, context)
    unknown = unknown_references(mount.sub_path_expr, values)
    if unknown:
        names = ", ".join(unknown)
        raise ContainerConfigError(f'subPathExpr of volume "{mount.name}" names an unknown variable: {names}')
    expanded = expand(mount.sub_path_expr, values)
    if not isinstance(expanded, str):
        raise ContainerConfigError(f'subPathExpr of volume "{mount.name}" would show a secret value')
    return expanded


def _host_path(mount: VolumeMount, source: HostPathVolumeSource) -> Mount:
    if source.type not in _CREATED_BY_DOCKER and source.type not in _MUST_EXIST:
        raise ContainerConfigError(f'hostPath type {source.type} of volume "{mount.name}" is not supported')
    if ":" in source.path or ":" in mount.mount_path:
        raise ContainerConfigError(f'volume "{mount.name}": Docker takes no path with a colon')
    return Mount(
        source=source.path,
        target=mount.mount_path,
        read_only=mount.read_only,
        make_directory=source.type in _CREATED_BY_DOCKER,
        propagation=_PROPAGATION[mount.mount_propagation or "None"],
    )
