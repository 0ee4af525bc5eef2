"""A pod's volumes in Docker's terms: which Docker volume or host path each mount is, and what must lie in it.

Pure. A pod's own volumes are Docker volumes named after its uid, so that one call makes them (with the container that
mounts them first) and one call removes them. Files (ConfigMap, Secret, downward API, projected) are written by way of
the container that owns the pod's namespaces: it mounts every such volume under HOLDER_DIRECTORY, writable.
"""

from __future__ import annotations

from differ.actions import Mount
from differ.environment import PodContext, expand, resolve_environment
from objects import quantity
from objects.errors import ContainerConfigError
from objects.names import LABEL_MANAGED, LABEL_POD_UID, volume_name
from objects.pods import Container, Pod, VolumeMount
from objects.volumes import EmptyDirVolumeSource, HostPathVolumeSource, Volume

HOLDER_DIRECTORY = "/volumes"
_CREATED_BY_DOCKER = frozenset({"", "DirectoryOrCreate"})
_MUST_EXIST = frozenset({"Directory", "File", "Socket", "CharDevice", "BlockDevice"})
_PROPAGATION = {"None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}


def is_file_volume(volume: Volume) -> bool:
    """Whether its content is files that we write."""
    return any(
        source is not None for source in (volume.config_map, volume.secret, volume.downward_api, volume.projected)
    )


def is_empty_dir(volume: Volume) -> bool:
    """A volume without a source is an emptyDir, as the API server defaults it."""
    return volume.empty_dir is not None or not any(
        getattr(volume, name) is not None for name in volume.__struct_fields__ if name != "name"
    )


def is_in_memory(volume: Volume) -> bool:
    """Whether it is a tmpfs, which lasts only while some container of the pod holds it."""
    if volume.secret is not None or (volume.empty_dir is not None and volume.empty_dir.medium == "Memory"):
        return True
    return volume.projected is not None and any(source.secret is not None for source in volume.projected.sources)


def needs_holder(pod: Pod) -> bool:
    """Whether a volume needs a container that holds it while others restart: then the pod needs a sandbox."""
    return any(is_file_volume(volume) or is_in_memory(volume) for volume in pod.spec.volumes)


def own_volumes(pod: Pod) -> tuple[Volume, ...]:
    """The volumes that are made for this pod and go with it."""
    return tuple(volume for volume in pod.spec.volumes if is_file_volume(volume) or is_empty_dir(volume))


def own_volume_names(pod: Pod) -> tuple[str, ...]:
    """Their names in Docker."""
    return tuple(volume_name(pod.uid, volume.name) for volume in own_volumes(pod))


def holder_mounts(pod: Pod) -> tuple[Mount, ...]:
    """The mounts of a sandbox: all the pod's own volumes, writable."""
    return tuple(
        _docker_volume(pod, volume, target=f"{HOLDER_DIRECTORY}/{volume.name}", read_only=False)
        for volume in own_volumes(pod)
    )


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
    if expand_sub_path(mount, container, context):
        raise ContainerConfigError(
            f'subPath of volume "{mount.name}" is not supported',
            hint="a container could turn it into a link to anywhere on the host; mount the whole volume",
        )
    if volume.host_path is not None:
        return _host_path(mount, volume.host_path)
    if is_file_volume(volume):
        return _docker_volume(context.pod, volume, target=mount.mount_path, read_only=True)
    if is_empty_dir(volume):
        return _docker_volume(context.pod, volume, target=mount.mount_path, read_only=mount.read_only)
    kind = next(name for name in volume.__struct_fields__ if name != "name" and getattr(volume, name) is not None)
    raise ContainerConfigError(f'volume "{volume.name}": {kind} volumes are not supported yet')


def expand_sub_path(mount: VolumeMount, container: Container, context: PodContext) -> str:
    """`subPath`, or `subPathExpr` with its `$(NAME)`s resolved. Raises ContainerConfigError for an unknown name."""
    if not mount.sub_path_expr:
        return mount.sub_path
    values = resolve_environment(container, context)
    expanded = expand(mount.sub_path_expr, values)
    if not isinstance(expanded, str):
        raise ContainerConfigError(f'subPathExpr of volume "{mount.name}" would show a secret value')
    if "$(" in expanded:
        raise ContainerConfigError(f'subPathExpr of volume "{mount.name}" names an unknown variable: {expanded}')
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


def _docker_volume(pod: Pod, volume: Volume, *, target: str, read_only: bool) -> Mount:
    return Mount(
        source=volume_name(pod.uid, volume.name),
        target=target,
        read_only=read_only,
        tmpfs_bytes=_tmpfs_bytes(volume),
        labels={LABEL_MANAGED: "true", LABEL_POD_UID: pod.uid},
    )


def _tmpfs_bytes(volume: Volume) -> int | None:
    if not is_in_memory(volume):
        return None
    source = volume.empty_dir or EmptyDirVolumeSource()
    return quantity.value(source.size_limit or 0)
