"""`ttlSecondsAfterFinished`: a finished Job goes after its time, with its pods.

A Job that Git declares stays, as the record that it was done; only its pods go. Would it go as well, Git would bring it
back and it would run again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from objects.api.batch import Job
from objects.api.meta import ObjectKey, controller_of
from objects.api.pods import Pod
from objects.conditions import find_condition
from reconciler.controllers.base import NOTHING, Context, Controller, Delete, Outcome, own_key
from reconciler.controllers.jobs.verdict import COMPLETE, FAILED
from reconciler.state.store import View


def reconcile(view: View, key: ObjectKey, context: Context) -> Outcome:
    """Delete what has expired, or say when it will."""
    job = view.get(Job, key.namespace, key.name)
    ends = expires_at(job) if job is not None else None
    if job is None or ends is None:
        return NOTHING
    if ends > context.now:
        return Outcome(again_at=ends)
    if controller_of(job) is not None:
        return Outcome(changes=(Delete(job.key, job.uid),))
    return Outcome(
        changes=tuple(Delete(pod.key, pod.uid) for pod in view.owned(Pod, job.uid) if not pod.is_terminating)
    )


def expires_at(job: Job) -> datetime | None:
    """When the Job's time is over; None without a limit and while it is not finished."""
    seconds = job.spec.ttl_seconds_after_finished
    end = finished_at(job)
    return None if seconds is None or end is None else end + timedelta(seconds=seconds)


def finished_at(job: Job) -> datetime | None:
    """When the Job completed or failed."""
    for kind in (COMPLETE, FAILED):
        condition = find_condition(job.status.conditions, kind)
        if condition is not None and condition.status == "True":
            return condition.last_transition_time
    return None


CONTROLLER = Controller(name="ttl-after-finished-controller", watches={Job.KIND: own_key}, reconcile=reconcile)
