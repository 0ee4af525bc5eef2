"""When a pod's volumes are written: before its first container starts, and when a ConfigMap or Secret changed. Pure."""

from __future__ import annotations

import posixpath

from differ.kubelet.actions import (
    Action,
    CreateContainer,
    FileEntry,
    RenameContainer,
    StartContainer,
    WriteFiles,
)
from differ.kubelet.containers.spec import container_name
from differ.kubelet.files.content import empty_directory, file_volumes_hash, volume_entries
from differ.kubelet.files.volumes import (
    HOLDER_DIRECTORY,
    is_empty_dir,
    is_file_volume,
    own_volumes,
)
from differ.kubelet.identity import own_name
from differ.kubelet.planning import PodPlanContext, Step
from objects.api.pods import ContainerStateWaiting, Pod
from objects.errors import ContainerConfigError
from objects.names import LABEL_FILES_HASH, SANDBOX_CONTAINER
from objects.observation.host import ObservedContainer


def write_through_itself(step: Step, plan_context: PodPlanContext) -> Step:
    """For a pod without sandbox: its container is made, written through while it does not run yet, then started.

    Docker refuses to write where the root file system is read-only: such a pod has a sandbox if it has volumes.
    """
    pod = plan_context.pod
    empty = {volume.name for volume in pod.spec.volumes if is_empty_dir(volume)}
    paths = [
        mount.mount_path
        for c in pod.spec.containers
        for mount in c.volume_mounts
        if mount.name in empty and not mount.read_only
    ]
    if not paths:
        return step
    actions: list[Action] = []
    for action in step.actions:
        if isinstance(action, CreateContainer):
            name = action.spec.name
            actions.append(CreateContainer(pod_uid=pod.uid, container=action.container, spec=action.spec, start=False))
            actions += (_open(path, action.container, name, plan_context) for path in paths)
            actions.append(StartContainer(pod_uid=pod.uid, container=action.container, id=name))
        elif isinstance(action, StartContainer) and not action.rename_to:
            actions += (_open(path, action.container, action.id, plan_context) for path in paths)
            actions.append(action)
        else:
            actions.append(action)
    return step._replace(actions=tuple(actions))


def write_through_sandbox(step: Step, plan_context: PodPlanContext, sandbox: ObservedContainer) -> Step:
    """`step`, with the writing of the volumes before it where it is due; without starts where it is impossible."""
    if not own_volumes(plan_context.pod):
        return step
    try:
        entries = volume_entries(plan_context.context)
    except ContainerConfigError as error:
        return _without_starts(step, str(error), plan_context)
    wanted = file_volumes_hash(plan_context.pod, entries)
    mark = _mark(wanted, sandbox)
    before: tuple[Action, ...] = ()
    starts = any(isinstance(action, CreateContainer | StartContainer) for action in step.actions)
    if _is_fresh(plan_context, sandbox):
        if not starts:
            return step
    elif not wanted or mark == (plan_context.memory.files_written or _written_by_label(sandbox)):
        return step
    else:
        # Directories of emptyDirs are the containers' own by now.
        entries = tuple(entry for entry in entries if "/" in entry.path)
        before = _mark_as_written_again(plan_context, sandbox)
    write = WriteFiles(
        pod_uid=plan_context.pod.uid,
        container=SANDBOX_CONTAINER,
        id=sandbox.id,
        directory=HOLDER_DIRECTORY,
        entries=entries,
        mark=mark,
        tidied=() if _has_first_content(plan_context, sandbox) else _followed_volumes(plan_context.pod),
    )
    return step._replace(actions=(*before, write, *step.actions))


def _has_first_content(plan_context: PodPlanContext, sandbox: ObservedContainer) -> bool:
    """Whether nothing was ever written through the sandbox: volumes are as Docker made them."""
    name = own_name(sandbox)
    is_first = name is not None and name.attempt == 0 and sandbox.finished_at is None
    return is_first and not plan_context.memory.files_written and _is_fresh(plan_context, sandbox)


def _followed_volumes(pod: Pod) -> tuple[str, ...]:
    """Volumes whose earlier contents nobody needs: a `subPath` goes on showing the one that it began with."""
    parts = {
        mount.name
        for container in (*pod.spec.init_containers, *pod.spec.containers)
        for mount in container.volume_mounts
        if mount.sub_path or mount.sub_path_expr
    }
    return tuple(volume.name for volume in pod.spec.volumes if is_file_volume(volume) and volume.name not in parts)


def _mark(content: str, sandbox: ObservedContainer) -> str:
    """Of a content in this life of a sandbox: one that was started again has lost what lay in memory."""
    return f"{content}@{sandbox.started_at}" if content else ""


def _written_by_label(sandbox: ObservedContainer) -> str:
    """What the sandbox's label says was written; nothing is certain once it was started or written through again."""
    name = own_name(sandbox)
    is_first = name is not None and name.attempt == 0 and sandbox.finished_at is None
    return _mark(sandbox.labels.get(LABEL_FILES_HASH, ""), sandbox) if is_first else ""


def _mark_as_written_again(plan_context: PodPlanContext, sandbox: ObservedContainer) -> tuple[Action, ...]:
    """Labels cannot change, names can: a fresh process must see that the label tells of old files."""
    if not _written_by_label(sandbox):
        return ()
    renamed = container_name(plan_context.pod, SANDBOX_CONTAINER, 1)
    return (RenameContainer(pod_uid=plan_context.pod.uid, container=SANDBOX_CONTAINER, id=sandbox.id, name=renamed),)


def _is_fresh(plan_context: PodPlanContext, sandbox: ObservedContainer) -> bool:
    """Whether nothing was started yet in this life of the sandbox: volumes in memory are empty then."""
    if sandbox.started_at is None:
        return True
    others = (found for name, found in plan_context.found.current.items() if name != SANDBOX_CONTAINER)
    return not any(plan_context.has_begun_since(found, sandbox) for found in others)


def _without_starts(step: Step, message: str, plan_context: PodPlanContext) -> Step:
    """A pod whose volumes cannot be filled starts nothing; what runs goes on with what it has."""
    spec = plan_context.pod.spec
    actions = tuple(a for a in step.actions if not isinstance(a, CreateContainer | StartContainer))
    waiting = ContainerStateWaiting(reason="ContainerCreating", message=message)
    alive = {name for name, found in plan_context.found.current.items() if found.state == "running"}
    names = (c.name for c in (*spec.init_containers, *spec.containers) if c.name not in alive)
    return Step(actions, dict.fromkeys(names, waiting), wake_at=step.wake_at)


def _open(path: str, container: str, container_id: str, plan_context: PodPlanContext) -> WriteFiles:
    # By way of the parent: Docker leaves the directory alone that it unpacks into.
    parent, name = posixpath.split(posixpath.normpath(path))
    entry: FileEntry = empty_directory(plan_context.pod, name)
    return WriteFiles(
        pod_uid=plan_context.pod.uid, container=container, id=container_id, directory=parent, entries=(entry,)
    )
