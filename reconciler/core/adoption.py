"""Adoption: pods that are found running, but are not in the store, come back into it. Pure.

A fresh process has an empty store; its pods are in the labels of their containers, and their owners' uids are derived
from names. What cannot be found again is what controllers made: a ReplicaSet of an older revision, the Job of one time
of a CronJob. When the status branch does not know it either (it lags), it is rebuilt from its pods, so that garbage
collection does not take them for garbage and no time is run twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from objects.api.apps import Deployment, ReplicaSet, ReplicaSetSpec
from objects.api.batch import CronJob, Job
from objects.api.meta import (
    KubeObject,
    LabelSelector,
    ObjectKey,
    ObjectMeta,
    controller_of,
    controller_reference,
)
from objects.api.pods import Pod, PodTemplateSpec
from objects.names import ANNOTATION_TEMPLATE_HASH, POD_TEMPLATE_HASH, stable_uid
from reconciler.controllers.cronjob import job_of, scheduled_in_name
from reconciler.controllers.jobs.indexes import index_of
from reconciler.controllers.jobs.policies import is_indexed
from reconciler.controllers.pods.owned import is_active
from reconciler.controllers.rollout.revisions import with_size
from reconciler.state.desired import renamed_for_removal
from reconciler.state.pod_state import terminating
from reconciler.state.store import View


def is_from_git(pod: Pod) -> bool:
    """Whether the pod was written by a person and not made by a controller: Git alone decides whether it goes."""
    return controller_of(pod) is None and ANNOTATION_TEMPLATE_HASH in pod.annotations


def is_fragment(pod: Pod) -> bool:
    """Whether its host told no more than its name: the container that holds the manifest was removed by somebody."""
    return controller_of(pod) is None and not is_from_git(pod)


def made_whole(fragment: Pod, remembered: Mapping[str, Pod], *, now: datetime) -> Pod:
    """The pod of a fragment as the status branch knows it (remembered: by uid); one that nobody knows is to go.

    That one gets a name that no manifest can have: it must not stand in the way of its successor.
    """
    known = remembered.get(fragment.uid)
    if known is None:
        return terminating(renamed_for_removal(fragment), grace_seconds=None, now=now)
    return known if known.is_finished else msgspec.structs.replace(known, status=fragment.status)


def owners_as_found(view: View, pods: Iterable[Pod], *, are_all: bool) -> list[KubeObject]:
    """What has to be put so that `pods`, just found, have their owners, and these are of the size that was found.

    are_all: `pods` are all there are (a process begins): a ReplicaSet of a Deployment then has the size of what is
    there, since what the status branch says may be old, and where a rollout stands follows from its pods. Later finds
    only let it grow. Either way the Deployment decides what is too many, by its rules of availability.
    """
    found: dict[ObjectKey, list[Pod]] = {}
    for pod in pods:
        owner = controller_of(pod)
        if owner is not None and owner.kind in (ReplicaSet.KIND, Job.KIND):
            found.setdefault(ObjectKey(owner.kind, pod.namespace, owner.name), []).append(pod)
    rebuilt = [_rebuilt(view, members) for key, members in sorted(found.items()) if view.find(key) is None]
    missing = _without_replaced(view, [obj for obj in rebuilt if obj is not None])
    known = [view.find(key) for key in sorted(found)]
    sized = view.all_of(ReplicaSet) if are_all else [one for one in known if isinstance(one, ReplicaSet)]
    resized = (_resized(view, one, may_shrink=are_all) for one in sized)
    return [*missing, *(one for one in resized if one is not None)]


def _resized(view: View, replica_set: ReplicaSet, *, may_shrink: bool) -> ReplicaSet | None:
    owner = controller_of(replica_set)
    deployment = view.get(Deployment, replica_set.namespace, owner.name) if owner is not None else None
    there = sum(map(is_active, view.owned(Pod, replica_set.uid)))
    size = there if may_shrink else max(there, replica_set.spec.replicas or 0)
    if deployment is None or size == replica_set.spec.replicas:
        return None
    return with_size(replica_set, size, deployment)


def _rebuilt(view: View, pods: list[Pod]) -> KubeObject | None:
    owner = controller_of(pods[0])
    is_job = owner is not None and owner.kind == Job.KIND
    return _rebuilt_job(view, pods) if is_job else _rebuilt_replica_set(view, pods)


def _rebuilt_job(view: View, pods: list[Pod]) -> Job | None:
    """The Job of a CronJob that exists, by its name, which holds its time.

    When the status branch knows of the time, but not of the Job, that was deleted already: its pods are garbage.
    """
    owner = controller_of(pods[0])
    name, minute = scheduled_in_name(owner.name) if owner is not None else ("", None)
    cron_job = view.get(CronJob, pods[0].namespace, name)
    if owner is None or cron_job is None or minute is None:
        return None
    last = cron_job.status.last_schedule_time
    if last is not None and minute <= last:
        return None
    job = _as_its_pods(job_of(cron_job, minute, _first_created(pods)), pods)
    return job if job.uid == owner.uid else None


def _as_its_pods(job: Job, pods: list[Pod]) -> Job:
    """`job` counting as its pods were made to be counted: its CronJob's template may be another since.

    By their restart policy it counts restarts or failed pods. How many it wanted then is not known: no more than were
    begun.
    """
    policy = pods[0].spec.restart_policy
    pod_spec = msgspec.structs.replace(job.spec.template.spec, restart_policy=policy)
    template = msgspec.structs.replace(job.spec.template, spec=pod_spec)
    job = msgspec.structs.replace(job, spec=msgspec.structs.replace(job.spec, template=template))
    indexes = {index for pod in pods if (index := index_of(pod)) is not None}
    if is_indexed(job) == bool(indexes):
        return job
    begun = len(indexes) or sum(pod.status.phase != "Failed" for pod in pods)
    mode = "Indexed" if indexes else "NonIndexed"
    spec = msgspec.structs.replace(job.spec, completion_mode=mode, completions=max(1, begun))
    return msgspec.structs.replace(job, spec=spec)


def _without_replaced(view: View, owners: list[KubeObject]) -> list[KubeObject]:
    """Of several Jobs of a CronJob that replaces the running one only the newest: the others were on their way out."""
    newest: dict[str, str] = {}
    for obj in owners:
        owner = controller_of(obj)
        cron_job = view.get(CronJob, obj.namespace, owner.name) if owner is not None else None
        if cron_job is not None and cron_job.spec.concurrency_policy == "Replace":
            newest[cron_job.uid] = max(newest.get(cron_job.uid, ""), obj.name)
    return [obj for obj in owners if obj.name == newest.get(_owner_uid(obj), obj.name)]


def _owner_uid(obj: KubeObject) -> str:
    owner = controller_of(obj)
    return owner.uid if owner is not None else ""


def _first_created(pods: list[Pod]) -> datetime | None:
    times = (pod.metadata.creation_timestamp for pod in pods)
    return min((at for at in times if at is not None), default=None)


def _rebuilt_replica_set(view: View, pods: list[Pod]) -> ReplicaSet | None:
    """Only of a Deployment that exists, and for pods that stay: those of a deleted one are garbage and stay so, also
    when another Deployment has its name by now.
    """
    if all(pod.is_terminating for pod in pods):
        return None
    pod = pods[0]
    owner = controller_of(pod)
    template_hash = pod.labels.get(POD_TEMPLATE_HASH, "")
    if owner is None or not template_hash or not owner.name.endswith(f"-{template_hash}"):
        return None
    deployment = view.get(Deployment, pod.namespace, owner.name.removesuffix(f"-{template_hash}"))
    key = ObjectKey("ReplicaSet", pod.namespace, owner.name)
    if deployment is None or deployment.spec.selector is None or owner.uid != stable_uid(key):
        return None
    selector = LabelSelector(
        match_labels={**deployment.spec.selector.match_labels, POD_TEMPLATE_HASH: template_hash},
        match_expressions=deployment.spec.selector.match_expressions,
    )
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels=pod.labels, annotations=pod.annotations),
        spec=msgspec.structs.replace(pod.spec, node_name=""),
    )
    return ReplicaSet(
        metadata=ObjectMeta(
            name=owner.name,
            namespace=pod.namespace,
            uid=owner.uid,
            labels=pod.labels,
            creation_timestamp=_first_created(pods),
            owner_references=(controller_reference(deployment),),
        ),
        spec=ReplicaSetSpec(selector=selector, template=template, replicas=sum(map(is_active, pods))),
    )
