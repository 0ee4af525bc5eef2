"""What has to be written into a pod's volumes before its first container starts. Pure.

Docker makes a volume's directory for root only; an `emptyDir` is everybody's.
"""

from __future__ import annotations

from differ.actions import Action, CreateContainer, FileEntry, StartContainer, WriteFiles
from differ.container_spec import has_sandbox
from differ.pod_volumes import HOLDER_DIRECTORY, is_empty_dir
from differ.situation import PodSituation, Step
from objects.names import SANDBOX_CONTAINER

EMPTY_DIR_MODE = 0o777


def plan_files(step: Step, situation: PodSituation) -> Step:
    """`step`, with the writing of the volumes before what it starts, unless that was done before."""
    if not any(is_empty_dir(volume) for volume in situation.pod.spec.volumes):
        return step
    if has_sandbox(situation.pod):
        return _before_first_container(step, situation)
    return step._replace(actions=tuple(_through_itself(step.actions, situation)))


def _through_itself(actions: tuple[Action, ...], situation: PodSituation) -> list[Action]:
    """A container that holds its own volumes is made, written through while it does not run yet, and then started."""
    pod = situation.pod
    (container,) = pod.spec.containers
    empty = {volume.name for volume in pod.spec.volumes if is_empty_dir(volume)}
    paths = [mount.mount_path for mount in container.volume_mounts if mount.name in empty and not mount.read_only]
    result: list[Action] = []
    for action in actions:
        if isinstance(action, CreateContainer) and action.start:
            name = action.spec.name
            result.append(CreateContainer(pod_uid=pod.uid, container=container.name, spec=action.spec, start=False))
            result += (_open_directory(pod.uid, container.name, name, path) for path in paths)
            result.append(StartContainer(pod_uid=pod.uid, container=container.name, id=name))
        elif isinstance(action, StartContainer) and not action.rename_to:
            result += (_open_directory(pod.uid, container.name, action.id, path) for path in paths)
            result.append(action)
        else:
            result.append(action)
    return result


def _open_directory(uid: str, container: str, container_id: str, path: str) -> WriteFiles:
    entry = FileEntry(path=".", mode=EMPTY_DIR_MODE)
    return WriteFiles(pod_uid=uid, container=container, id=container_id, directory=path, entries=(entry,))


def _before_first_container(step: Step, situation: PodSituation) -> Step:
    sandbox = situation.found.sandbox
    starts = any(isinstance(action, CreateContainer | StartContainer) for action in step.actions)
    if sandbox is None or not starts or sandbox.started_at is None:
        return step
    others = (found for name, found in situation.found.current.items() if name != SANDBOX_CONTAINER)
    if any(found.started_at is not None and found.started_at >= sandbox.started_at for found in others):
        return step
    entries = tuple(
        FileEntry(path=volume.name, mode=EMPTY_DIR_MODE)
        for volume in situation.pod.spec.volumes
        if is_empty_dir(volume)
    )
    write = WriteFiles(
        pod_uid=situation.pod.uid,
        container=SANDBOX_CONTAINER,
        id=sandbox.id,
        directory=HOLDER_DIRECTORY,
        entries=entries,
    )
    return step._replace(actions=(write, *step.actions))
