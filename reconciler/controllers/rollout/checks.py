"""What the checks of a canary's step say now, from the answers of the metrics server. Pure.

A check that failed ends the canary for good: the mark on the ReplicaSet says so, through restarts and though the values
get better once nothing is at stake any more. It counts for this revision and these steps and checks only, so a commit
that changes them tries anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from objects.api.apps import ReplicaSet
from objects.hashing import content_hash
from objects.own.canary import CANARY_CHECKS, CANARY_STEPS, CanaryCheck
from objects.own.config import PrometheusSettings
from policies.canary import Verdict, judge_check
from reconciler.controllers.autoscaling.metrics import NO_SERVER
from reconciler.controllers.rollout.revisions import Revision, Rollout, with_annotations
from reconciler.figures.pod_metrics import QueryAnswer, find_answer
from reconciler.state.store import View

CANARY_FAILED_MARK = "berth.dev/canary-failed"


class ChecksSaid(msgspec.Struct, frozen=True):
    """failed: why the canary ends, '' when it does not. waiting: what has to hold still, '' when all of it has."""

    failed: str = ""
    waiting: str = ""


class Checking(msgspec.Struct, frozen=True):
    """Where answers are found, and how often the server is asked."""

    view: View
    server: PrometheusSettings = PrometheusSettings()

    def ask(self, checks: Iterable[CanaryCheck], *, since: datetime) -> ChecksSaid:
        """What the answers since then say of these checks."""
        waiting: list[str] = []
        for check in checks:
            answer = find_answer(self.view, check.query)
            verdict = self._judge(check, answer, since)
            if verdict is Verdict.BROKEN and answer is not None:
                return ChecksSaid(failed=_broken(check, answer))
            if verdict is Verdict.OPEN:
                waiting.append(self._open(check, answer))
        return ChecksSaid(waiting="; ".join(waiting))

    def _judge(self, check: CanaryCheck, answer: QueryAnswer | None, since: datetime) -> Verdict:
        if answer is None or not self.server.url:
            return Verdict.OPEN
        # Three answers missing in a row: nobody knows what was in between.
        max_gap = timedelta(seconds=3 * self.server.interval_seconds + 2 * self.server.timeout_seconds)
        return judge_check(check, answer.looks, since=since, max_gap=max_gap)

    def _open(self, check: CanaryCheck, answer: QueryAnswer | None) -> str:
        """In words that stay the same as long as the reason does: they are written to Git."""
        problem = answer.problem if answer is not None else ""
        if not self.server.url:
            problem = NO_SERVER
        if problem:
            return f"check {check.name} cannot be judged: {problem}"
        return f"check {check.name} has to hold: {_said(check)}"


def _broken(check: CanaryCheck, answer: QueryAnswer) -> str:
    value = answer.looks[-1].value
    return f"check {check.name} failed: {0.0 if value is None else value:g} is not {_said(check)}"


def _said(check: CanaryCheck) -> str:
    told = f"{check.comparison} {check.threshold:g}"
    if check.lasting:
        return f"{told} for {check.lasting.total_seconds():g} s"
    return f"{told}, {check.times} times in a row" if check.times > 1 else told


# --- the mark -----------------------------------------------------------------------------------------------------


def noted_failure(rollout: Rollout) -> str:
    """Why the newest revision's canary ended; '' when it did not."""
    if rollout.new is None:
        return ""
    wanted = _identity(rollout, rollout.new)
    found = rollout.new.replica_set.annotations.get(CANARY_FAILED_MARK, "")
    return found.removeprefix(wanted) if found.startswith(wanted) else ""


def with_failure_noted(replica_set: ReplicaSet, rollout: Rollout, why: str) -> ReplicaSet:
    """The newest revision's ReplicaSet with the mark; without it when there is no reason."""
    annotations = {name: text for name, text in replica_set.annotations.items() if name != CANARY_FAILED_MARK}
    if why and rollout.new is not None:
        annotations[CANARY_FAILED_MARK] = _identity(rollout, rollout.new) + why
    return with_annotations(replica_set, annotations)


def is_way_back(rollout: Rollout) -> bool:
    """Whether the newest revision is one from before a canary that failed: pods must not wait to get out of it."""
    new = rollout.new.replica_set.metadata.creation_timestamp if rollout.new is not None else None
    failed = (
        revision.replica_set.metadata.creation_timestamp
        for revision in rollout.old
        if revision.size > 0 and CANARY_FAILED_MARK in revision.replica_set.annotations
    )
    return any(new is not None and at is not None and new < at for at in failed)


def _identity(rollout: Rollout, revision: Revision) -> str:
    said: Mapping[str, str] = rollout.deployment.annotations
    asked = content_hash([said.get(CANARY_STEPS, ""), said.get(CANARY_CHECKS, "")], length=8)
    return f"{revision.number} {asked} "
