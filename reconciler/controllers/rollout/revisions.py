"""The revisions of a Deployment: its ReplicaSets, which of them is the newest template, and their annotations. Pure.

A revision is found by the template hash that its label carries, so nothing has to be remembered. Old revisions keep
their number; one that becomes the newest again (a revert) gets the next number. Source: Kubernetes' deployment_util.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from objects.api.apps import Deployment, ReplicaSet, ReplicaSetSpec
from objects.api.meta import (
    EPOCH,
    LabelSelector,
    ObjectKey,
    ObjectMeta,
    controller_reference,
)
from objects.api.pods import Pod
from objects.names import ANNOTATION_TEMPLATE_HASH, LABEL_PREFIX, POD_TEMPLATE_HASH, stable_uid
from reconciler.controllers.pods.owned import PodCounts, available_at, count_pods
from reconciler.controllers.pods.template import hash_of_template, with_hash_label
from reconciler.controllers.rollout.arithmetic import desired_replicas, max_total
from reconciler.state.store import View

REVISION = "deployment.kubernetes.io/revision"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
NEVER_READY = "berth.dev/never-ready"
"""On a ReplicaSet that we created and of which no pod was ever ready: nobody depends on its pods yet.

Its *absence* protects: a ReplicaSet that was rebuilt from running pods counts as one that served.
"""

_NOT_INHERITED = frozenset(
    {"kubectl.kubernetes.io/last-applied-configuration", REVISION, DESIRED_REPLICAS, MAX_REPLICAS}
)
_LARGEST = 2**31 - 1


class Revision(msgspec.Struct, frozen=True):
    """One ReplicaSet of the Deployment and what is seen of its pods. last_ready_at: of the youngest ready one."""

    replica_set: ReplicaSet
    counts: PodCounts = PodCounts()
    last_ready_at: datetime | None = None

    @property
    def name(self) -> str:
        return self.replica_set.name

    @property
    def size(self) -> int:
        """Pods asked for."""
        size = self.replica_set.spec.replicas
        return 1 if size is None else size

    @property
    def available(self) -> int:
        """Available pods that will stay: above `size` they are already on their way out."""
        return min(self.counts.available, self.size)

    @property
    def was_never_ready(self) -> bool:
        return NEVER_READY in self.replica_set.annotations and self.counts.ready == 0

    @property
    def number(self) -> int:
        return whole_number(self.replica_set.annotations.get(REVISION, ""))


class Rollout(msgspec.Struct, frozen=True):
    """A Deployment and its revisions. new: the one of the present template, None until it is created.

    old: all others, oldest first.
    """

    deployment: Deployment
    new: Revision | None
    old: tuple[Revision, ...]

    @property
    def revisions(self) -> tuple[Revision, ...]:
        return (*self.old, self.new) if self.new is not None else self.old

    @property
    def total_size(self) -> int:
        return sum(revision.size for revision in self.revisions)


def whole_number(text: str) -> int:
    """The number in an annotation; 0 when it is none (of 32 bits), since anybody may have written it."""
    return int(text) if text.isascii() and text.isdigit() and int(text) <= _LARGEST else 0


def observe_rollout(view: View, deployment: Deployment, *, now: datetime) -> Rollout:
    """The revisions as they are. Pods are counted here and not read from statuses, which may lag behind a lost pod."""
    replica_sets = [rs for rs in view.owned(ReplicaSet, deployment.uid) if not rs.is_terminating]
    seconds = deployment.spec.min_ready_seconds
    revisions: list[Revision] = []
    for replica_set in sorted(replica_sets, key=_by_age):
        pods = view.owned(Pod, replica_set.uid)
        counts = count_pods(pods, now=now, min_ready_seconds=seconds)
        times = [at for pod in pods if not pod.is_terminating and (at := available_at(pod, seconds)) is not None]
        revisions.append(Revision(replica_set, counts, max(times, default=None)))
    newest = find_new_replica_set(deployment, [revision.replica_set for revision in revisions])
    new = next((revision for revision in revisions if newest is not None and revision.name == newest.name), None)
    return Rollout(deployment, new, tuple(revision for revision in revisions if revision is not new))


def find_new_replica_set(deployment: Deployment, replica_sets: list[ReplicaSet]) -> ReplicaSet | None:
    """The oldest ReplicaSet of the Deployment's present template.

    Compared is the hash of the template as written, where the source noted it: new defaults are no new revision.
    """
    wanted = hash_of_template(deployment, deployment.spec.template)
    is_noted = ANNOTATION_TEMPLATE_HASH in deployment.annotations
    for replica_set in sorted(replica_sets, key=_by_age):
        label = replica_set.labels.get(POD_TEMPLATE_HASH)
        found = label if is_noted and label else hash_of_template(replica_set, replica_set.spec.template)
        if found == wanted:
            return replica_set
    return None


def _by_age(replica_set: ReplicaSet) -> tuple[datetime, str]:
    return (replica_set.metadata.creation_timestamp or EPOCH, replica_set.name)


def new_replica_set(rollout: Rollout, *, now: datetime) -> ReplicaSet:
    """The ReplicaSet of the present template, still of size 0. Its uid follows from its name, so a restart finds it."""
    deployment = rollout.deployment
    hash_text = hash_of_template(deployment, deployment.spec.template)
    name = replica_set_name(deployment.name, hash_text)
    template = with_hash_label(deployment.spec.template, hash_text)
    selector = deployment.spec.selector or LabelSelector()
    metadata = ObjectMeta(
        name=name,
        namespace=deployment.namespace,
        uid=stable_uid(ObjectKey(ReplicaSet.KIND, deployment.namespace, name)),
        labels=template.metadata.labels,
        annotations={NEVER_READY: "true"},
        creation_timestamp=now,
        owner_references=(controller_reference(deployment),),
    )
    spec = ReplicaSetSpec(
        selector=LabelSelector(
            match_labels={**selector.match_labels, POD_TEMPLATE_HASH: hash_text},
            match_expressions=selector.match_expressions,
        ),
        template=template,
        replicas=0,
    )
    return ReplicaSet(metadata=metadata, spec=spec)


_LONGEST_DEPLOYMENT_PART = 253 - 11
"""A name has 253 characters at most; a dash and a hash of ten come behind."""


def replica_set_name(deployment_name: str, hash_text: str) -> str:
    """`<deployment>-<hash>`, with a long Deployment name cut so that the hash stays whole."""
    return f"{deployment_name[:_LONGEST_DEPLOYMENT_PART]}-{hash_text}"


def next_revision_number(rollout: Rollout) -> int:
    """The number that the newest revision must at least have."""
    return max((revision.number for revision in rollout.old), default=0) + 1


def with_newest_metadata(replica_set: ReplicaSet, rollout: Rollout) -> ReplicaSet:
    """The newest revision's ReplicaSet with what it takes over from the Deployment: annotations, number, readiness."""
    deployment = rollout.deployment
    annotations = dict(replica_set.annotations)
    annotations.update(
        (name, text)
        for name, text in deployment.annotations.items()
        if name not in _NOT_INHERITED and not name.startswith(LABEL_PREFIX)
    )
    number = max(whole_number(annotations.get(REVISION, "")), next_revision_number(rollout))
    annotations[REVISION] = str(number)
    spec = msgspec.structs.replace(replica_set.spec, min_ready_seconds=deployment.spec.min_ready_seconds)
    return with_annotations(msgspec.structs.replace(replica_set, spec=spec), annotations)


def with_size(replica_set: ReplicaSet, size: int, deployment: Deployment) -> ReplicaSet:
    """`replica_set` of this size, noting the Deployment's size at the time: by it a later scaling is recognised."""
    annotations = {
        **replica_set.annotations,
        DESIRED_REPLICAS: str(desired_replicas(deployment)),
        MAX_REPLICAS: str(max_total(deployment)),
    }
    spec = msgspec.structs.replace(replica_set.spec, replicas=size)
    return with_annotations(msgspec.structs.replace(replica_set, spec=spec), annotations)


def with_readiness_noted(replica_set: ReplicaSet, counts: PodCounts) -> ReplicaSet:
    """`replica_set` without the mark that nobody depends on it, once one of its pods is ready."""
    if counts.ready == 0 or NEVER_READY not in replica_set.annotations:
        return replica_set
    kept = {name: text for name, text in replica_set.annotations.items() if name != NEVER_READY}
    return with_annotations(replica_set, kept)


def with_annotations(replica_set: ReplicaSet, annotations: dict[str, str]) -> ReplicaSet:
    """`replica_set` with exactly these annotations; the same object when they are what it has."""
    if annotations == replica_set.annotations:
        return replica_set
    metadata = msgspec.structs.replace(replica_set.metadata, annotations=annotations)
    return msgspec.structs.replace(replica_set, metadata=metadata)


def surplus_history(rollout: Rollout) -> tuple[ReplicaSet, ...]:
    """Old ReplicaSets beyond `revisionHistoryLimit`, lowest revision first; never one that still has pods."""
    limit = rollout.deployment.spec.revision_history_limit
    if limit is None:
        return ()
    surplus = sorted(rollout.old, key=lambda revision: revision.number)[: max(0, len(rollout.old) - limit)]
    return tuple(
        revision.replica_set
        for revision in surplus
        if revision.size == 0 and revision.counts.replicas == 0 and revision.counts.terminating == 0
    )
