"""Which pods a running Job needs more or fewer, and what they look like. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec

from objects.api.batch import Job
from objects.api.meta import ObjectMeta
from objects.api.pods import (
    Container,
    EnvVar,
    Pod,
    PodTemplateSpec,
)
from reconciler.controllers.base import Context
from reconciler.controllers.jobs.accounting import JobState, completions_of
from reconciler.controllers.jobs.backoff import retry_at
from reconciler.controllers.jobs.indexes import INDEX_KEY, first_free_indexes, index_of
from reconciler.controllers.jobs.policies import is_indexed
from reconciler.controllers.pods.ranking import choose_pods_to_delete
from reconciler.controllers.pods.template import fresh_pod_name, pod_from_template
from reconciler.state.store import View

_INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
_LONGEST_HOST_NAME = 63


class Work(msgspec.Struct, frozen=True):
    """count: pods to make now, of an indexed Job on `indexes`. delete: pods to end. retry_at: when more may come."""

    count: int = 0
    indexes: tuple[int, ...] = ()
    delete: tuple[Pod, ...] = ()
    retry_at: datetime | None = None


def plan_work(job: Job, state: JobState, *, now: datetime) -> Work:
    """The pods to make and to end now, so that as many run as the Job wants."""
    surplus = _surplus(job, state, now)
    wanted = wanted_active(job, state)
    if surplus:
        return Work(delete=surplus)
    # Kubernetes' podReplacementPolicy: with `Failed` a pod is replaced only when it is really over.
    waits_for_end = job.spec.pod_replacement_policy == "Failed" or job.spec.pod_failure_policy is not None
    missing = wanted - len(state.active) - (len(state.terminating) if waits_for_end else 0)
    if missing <= 0:
        return Work()
    if is_indexed(job):
        return _indexed_work(job, state, missing, now)
    at = retry_at(state.failed_pods, state.succeeded_pods)
    return Work(retry_at=at) if at is not None and at > now else Work(count=missing)


def wanted_active(job: Job, state: JobState) -> int:
    """How many pods should run at a time: as many as `parallelism` allows and successes still miss.

    completions  parallelism  succeeded -> wanted
             10            3          0         3
             10            3          9         1
              -            3          0         3   a work queue
              -            3          1         -   nobody new; those that run may finish
    """
    if job.spec.suspend:
        return 0
    parallelism = 1 if job.spec.parallelism is None else job.spec.parallelism
    completions = completions_of(job)
    if completions is None:
        return len(state.active) if state.succeeded > 0 else parallelism
    return max(0, min(parallelism, completions - state.succeeded - len(state.failed_indexes)))


def _surplus(job: Job, state: JobState, now: datetime) -> tuple[Pod, ...]:
    """Active pods that nobody needs: without a place of their own (indexed), else the least missed ones."""
    useless: list[Pod] = []
    if is_indexed(job):
        taken = set(state.succeeded_indexes | state.failed_indexes)
        for pod in sorted(state.active, key=lambda pod: (pod.status.phase == "Pending", pod.name)):
            index = index_of(pod)
            if index is None or index >= (completions_of(job) or 0) or index in taken:
                useless.append(pod)
            else:
                taken.add(index)
    needed = [pod for pod in state.active if pod not in useless]
    too_many = len(needed) - wanted_active(job, state)
    return (*useless, *choose_pods_to_delete(needed, too_many, related=state.active, now=now))


def _indexed_work(job: Job, state: JobState, missing: int, now: datetime) -> Work:
    completions = completions_of(job) or 0
    busy = {index for pod in (*state.active, *state.terminating) if (index := index_of(pod)) is not None}
    taken = state.succeeded_indexes | state.failed_indexes | busy
    if job.spec.backoff_limit_per_index is None:
        at = retry_at(state.failed_pods, state.succeeded_pods)
        if at is not None and at > now:
            return Work(retry_at=at)
        indexes = first_free_indexes(missing, completions=completions, taken=taken)
        return Work(count=len(indexes), indexes=tuple(indexes))
    retries = {index: _index_retry_at(state, index) for index in state.failed_by_index}
    waiting = {index: at for index, at in retries.items() if at is not None and at > now}
    indexes = first_free_indexes(missing, completions=completions, taken=taken | waiting.keys())
    is_short = len(indexes) < missing
    later = min((at for index, at in waiting.items() if index not in taken), default=None)
    return Work(count=len(indexes), indexes=tuple(indexes), retry_at=later if is_short else None)


def _index_retry_at(state: JobState, index: int) -> datetime | None:
    """When a failed index may be tried again: each index waits for itself."""
    return retry_at([pod for pod in state.failed_pods if index_of(pod) == index], ())


def pods_for(view: View, job: Job, work: Work, context: Context) -> list[Pod]:
    """The pods that `work` asks for."""
    made: list[Pod] = []
    names: set[str] = set()
    places = work.indexes if is_indexed(job) else (None,) * work.count
    for index in places:
        base = job if index is None else _renamed(job, f"{job.name[:50]}-{index}")
        name = fresh_pod_name(view, base, context.random, taken=names)
        names.add(name)
        made.append(pod_from_template(job, job_template(job, index), name=name, context=context))
    return made


def _renamed(job: Job, name: str) -> Job:
    return msgspec.structs.replace(job, metadata=msgspec.structs.replace(job.metadata, name=name))


def job_template(job: Job, index: int | None) -> PodTemplateSpec:
    """The Job's template with the labels of its pods and, for an indexed Job, what tells a pod its index."""
    template = job.spec.template
    marks = {
        "batch.kubernetes.io/controller-uid": job.uid,
        "controller-uid": job.uid,
        "batch.kubernetes.io/job-name": job.name,
        "job-name": job.name,
    }
    annotations = dict(template.metadata.annotations)
    spec = template.spec
    if index is not None:
        marks[INDEX_KEY] = annotations[INDEX_KEY] = str(index)
        spec = msgspec.structs.replace(
            spec,
            hostname=f"{job.name}-{index}"[:_LONGEST_HOST_NAME],
            containers=tuple(_with_index(container, index) for container in spec.containers),
            init_containers=tuple(_with_index(container, index) for container in spec.init_containers),
        )
    labels = {**template.metadata.labels, **marks}
    metadata: ObjectMeta = msgspec.structs.replace(template.metadata, labels=labels, annotations=annotations)
    return PodTemplateSpec(metadata=metadata, spec=spec)


def _with_index(container: Container, index: int) -> Container:
    if any(variable.name == _INDEX_VARIABLE for variable in container.env):
        return container
    return msgspec.structs.replace(container, env=(*container.env, EnvVar(name=_INDEX_VARIABLE, value=str(index))))
