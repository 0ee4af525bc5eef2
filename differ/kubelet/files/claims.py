"""Volumes of claims: the Docker volume that is mounted, and what must be done before a container may write to it. Pure.

They outlive their pods: no action of ours removes one.
"""

from __future__ import annotations

from differ.kubelet.actions import ContainerSpec, Mount, PrepareVolume
from differ.kubelet.assignment import HostAssignment
from differ.kubelet.containers.environment import PodContext
from differ.kubelet.files.content import empty_directory
from objects.api.pods import Pod, VolumeMount
from objects.api.volumes import PersistentVolumeClaimVolumeSource
from objects.errors import ContainerConfigError
from objects.names import LABEL_CLAIM, LABEL_MANAGED


def claim_mount(mount: VolumeMount, source: PersistentVolumeClaimVolumeSource, context: PodContext) -> Mount:
    """A mount of the claim's volume. Raises ContainerConfigError while the claim has none."""
    namespace = context.pod.namespace
    volume = context.assignment.claim_volumes.get((namespace, source.claim_name))
    if volume is None:
        raise ContainerConfigError(_missing(source.claim_name))
    return Mount(
        source=volume,
        target=mount.mount_path,
        read_only=mount.read_only or source.read_only,
        labels={LABEL_MANAGED: "true", LABEL_CLAIM: f"{namespace}/{source.claim_name}"},
    )


def missing_claim(pod: Pod, assignment: HostAssignment) -> str:
    """Which claim the pod waits for; '' when all of them have their volumes."""
    for volume in pod.spec.volumes:
        source = volume.persistent_volume_claim
        if source is not None and (pod.namespace, source.claim_name) not in assignment.claim_volumes:
            return _missing(source.claim_name)
    return ""


def prepared_volumes(pod: Pod, container: str, spec: ContainerSpec) -> tuple[PrepareVolume, ...]:
    """What makes the claims' volumes that `spec` mounts, each once, before the container is made."""
    mounts = {mount.source: mount for mount in spec.mounts if LABEL_CLAIM in mount.labels}
    opened = empty_directory(pod, "")
    return tuple(
        PrepareVolume(
            pod_uid=pod.uid,
            container=container,
            volume=name,
            labels=mount.labels,
            mode=opened.mode,
            group=opened.owner[1],
        )
        for name, mount in mounts.items()
    )


def _missing(claim: str) -> str:
    return f'claim "{claim}" has no volume on this host yet'
