"""Finished pods of a ReplicaSet: the last few stay as evidence, older ones go.

A ReplicaSet replaces a pod that failed for good (evicted, over its deadline) and forgets it; its dead containers would
fill the host's disk. Not here: pods of Jobs, which go with their Job, and bare pods, which Git declares.
"""

from __future__ import annotations

from objects.api.apps import ReplicaSet
from objects.api.meta import EPOCH, KubeObject, ObjectKey
from objects.api.pods import Pod
from reconciler.controllers.base import NOTHING, Context, Controller, Delete, Outcome, owner_key
from reconciler.state.store import View

KEPT_PER_OWNER = 5
"""Kubernetes keeps 12,500 in the cluster; here each one holds space on a Docker host, and five show a pattern."""

_owner_key = owner_key(ReplicaSet.KIND)


def reconcile(view: View, key: ObjectKey, _context: Context) -> Outcome:
    """Delete the oldest finished pods of a ReplicaSet beyond those that are kept."""
    replica_set = view.get(ReplicaSet, key.namespace, key.name)
    if replica_set is None:
        return NOTHING
    finished = [pod for pod in view.owned(Pod, replica_set.uid) if pod.is_finished and not pod.is_terminating]
    finished.sort(key=lambda pod: (pod.metadata.creation_timestamp or EPOCH, pod.name))
    return Outcome(changes=tuple(Delete(pod.key, pod.uid) for pod in finished[:-KEPT_PER_OWNER]))


def _keys_of_pod(view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    return tuple(_owner_key(view, obj)) if isinstance(obj, Pod) and obj.is_finished else ()


CONTROLLER = Controller(name="finished-pods", watches={Pod.KIND: _keys_of_pod}, reconcile=reconcile)
