"""Which pod and which container a person means in `logs` and `exec`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from objects.api.apps import Deployment, ReplicaSet
from objects.api.meta import KubeObject, ObjectKey
from objects.api.pods import Pod
from objects.errors import NotFound
from reconciler.cli.common.naming import parse_one
from reconciler.state.store import View

DEFAULT_CONTAINER_ANNOTATION = "kubectl.kubernetes.io/default-container"


def find_pods(view: View, arguments: Sequence[str], namespace: str) -> list[Pod]:
    """`POD`, `pod/NAME` or `deploy/NAME`: the pods of a workload, running ones first. Raises NotFound, UsageError."""
    info, name = parse_one(arguments, default_kind="pod")
    obj = view.find(ObjectKey(info.kind.KIND, namespace if info.kind.NAMESPACED else "", name))
    if obj is None:
        raise NotFound(f'{info.plural} "{name}" not found in namespace {namespace}')
    pods = sorted(_pods_of(view, obj), key=_attractiveness)
    if not pods:
        raise NotFound(f'{info.plural} "{name}" has no pods')
    return pods


def _pods_of(view: View, obj: KubeObject) -> list[Pod]:
    match obj:
        case Pod():
            return [obj]
        case Deployment():
            return [pod for owned in view.owned(ReplicaSet, obj.uid) for pod in view.owned(Pod, owned.uid)]
    return view.owned(Pod, obj.uid)


def _attractiveness(pod: Pod) -> tuple[bool, bool, bool, str]:
    return pod.is_terminating, not pod.is_ready, pod.status.phase != "Running", pod.name


def find_container_name(pod: Pod, wanted: str) -> str:
    """The container that is meant; without a name the default or the first one. Raises UsageError naming the others."""
    names = container_names(pod)
    if wanted and wanted not in names:
        raise click.UsageError(f"pod {pod.name} has no container {wanted!r}; it has: {', '.join(names)}")
    return wanted or pod.annotations.get(DEFAULT_CONTAINER_ANNOTATION, "") or pod.spec.containers[0].name


def container_names(pod: Pod) -> list[str]:
    """All containers, init containers first."""
    return [container.name for container in (*pod.spec.init_containers, *pod.spec.containers)]
