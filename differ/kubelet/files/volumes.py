"""A pod's own volumes: which they are, what holds them, what they are called in Docker.

Pure. A pod's own volumes are Docker volumes named after its uid, so that one call makes them (with the container that
mounts them first) and one call removes them. Files (ConfigMap, Secret, downward API, projected) are written by way of
the container that owns the pod's namespaces: it mounts every such volume under HOLDER_DIRECTORY, writable.
"""

from __future__ import annotations

from differ.kubelet.actions import Mount
from objects.api.pods import Pod
from objects.api.volumes import EmptyDirVolumeSource, Volume
from objects.names import LABEL_MANAGED, LABEL_POD_UID, volume_name
from objects.values import quantity

HOLDER_DIRECTORY = "/volumes"


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
    """Whether the pod needs a sandbox for its volumes.

    One in memory, or with files, must be held while others restart. And through a container whose root file system is
    read-only Docker writes nothing.
    """
    if any(is_file_volume(volume) or is_in_memory(volume) for volume in pod.spec.volumes):
        return True
    has_read_only_root = any(
        c.security_context and c.security_context.read_only_root_filesystem for c in pod.spec.containers
    )
    return has_read_only_root and any(is_empty_dir(volume) for volume in pod.spec.volumes)


def has_volatile_files(pod: Pod) -> bool:
    """Whether files of it are gone after a boot: then no container may be started but by us, who write them first."""
    return any(is_file_volume(volume) and is_in_memory(volume) for volume in pod.spec.volumes)


def own_volumes(pod: Pod) -> tuple[Volume, ...]:
    """The volumes that are made for this pod and go with it."""
    return tuple(volume for volume in pod.spec.volumes if is_file_volume(volume) or is_empty_dir(volume))


def own_volume_names(pod: Pod) -> tuple[str, ...]:
    """Their names in Docker."""
    return tuple(volume_name(pod.uid, volume.name) for volume in own_volumes(pod))


def holder_mounts(pod: Pod) -> tuple[Mount, ...]:
    """The mounts of a sandbox: all the pod's own volumes, writable."""
    return tuple(
        docker_volume(pod, volume, target=f"{HOLDER_DIRECTORY}/{volume.name}", read_only=False)
        for volume in own_volumes(pod)
    )


def docker_volume(pod: Pod, volume: Volume, *, target: str, read_only: bool) -> Mount:
    """A mount of one of the pod's own volumes; Docker makes the volume with the first container that mounts it."""
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
