"""`podFailurePolicy` and `successPolicy`: what a failed pod means for its Job, and when enough indexes are done. Pure.

Source of the rules: Kubernetes' pod_failure_policy and success_policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

import msgspec

from objects.api.batch import (
    Job,
    PodFailurePolicy,
    PodFailurePolicyOnExitCodes,
    PodFailurePolicyOnPodCondition,
    SuccessPolicy,
)
from objects.api.pods import ContainerStateTerminated, Pod
from reconciler.controllers.jobs.indexes import parse_indexes

FAIL_JOB = "FailJob"
FAIL_INDEX = "FailIndex"
IGNORE = "Ignore"
COUNT = "Count"
_ACTIONS = frozenset({FAIL_JOB, FAIL_INDEX, IGNORE, COUNT})


_MOST_INDEXES = 100_000
"""Kubernetes' own limit of completions; it bounds what a range in a policy can make us hold."""


class Verdict(msgspec.Struct, frozen=True):
    """action: FailJob, FailIndex, Ignore or Count. message: for people, only of FailJob."""

    action: str = COUNT
    message: str = ""


def judge_failed_pod(policy: PodFailurePolicy | None, pod: Pod) -> Verdict:
    """What the first rule that matches says; without one a failure counts."""
    for index, rule in enumerate(policy.rules if policy is not None else ()):
        if rule.action not in _ACTIONS:
            continue
        reason = ""
        if rule.on_exit_codes is not None:
            reason = _match_exit_codes(rule.on_exit_codes, pod)
        elif rule.on_pod_conditions:
            reason = _match_conditions(rule.on_pod_conditions, pod)
        if reason:
            message = f"{reason} matching {rule.action} rule at index {index}" if rule.action == FAIL_JOB else ""
            return Verdict(rule.action, message)
    return Verdict()


def _match_exit_codes(rule: PodFailurePolicyOnExitCodes, pod: Pod) -> str:
    for name, ended in _ended_containers(pod):
        if rule.container_name not in (None, name) or ended.exit_code == 0:
            continue
        if (ended.exit_code in rule.values) == (rule.operator == "In"):
            return f"Container {name} for pod {pod.namespace}/{pod.name} failed with exit code {ended.exit_code}"
    return ""


def _match_conditions(patterns: tuple[PodFailurePolicyOnPodCondition, ...], pod: Pod) -> str:
    for pattern in patterns:
        for condition in pod.status.conditions:
            if condition.type == pattern.type and condition.status == (pattern.status or "True"):
                return f"Pod {pod.namespace}/{pod.name} has condition {condition.type}"
    return ""


def _ended_containers(pod: Pod) -> Iterator[tuple[str, ContainerStateTerminated]]:
    for status in (*pod.status.container_statuses, *pod.status.init_container_statuses):
        if status.state.terminated is not None:
            yield status.name, status.state.terminated


def met_success_rule(policy: SuccessPolicy | None, succeeded: Set[int]) -> str:
    """A sentence naming the first rule that is met; '' while none is."""
    for index, rule in enumerate(policy.rules if policy is not None else ()):
        counted = succeeded
        needed = rule.succeeded_count
        if rule.succeeded_indexes is not None:
            named = parse_indexes(rule.succeeded_indexes, below=_MOST_INDEXES)
            counted = succeeded & named
            needed = len(named) if needed is None else needed
        if needed and len(counted) >= needed:
            return f"Matched rules at index {index}"
    return ""


def is_indexed(job: Job) -> bool:
    """Whether each pod works on an index of its own."""
    return job.spec.completion_mode == "Indexed"
