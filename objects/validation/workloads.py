"""Deployments, ReplicaSets, DaemonSets, StatefulSets, Jobs and CronJobs."""

from __future__ import annotations

from objects.api.apps import (
    DaemonSet,
    Deployment,
    DeploymentSpec,
    ReplicaSet,
    ReplicationController,
    StatefulSet,
)
from objects.api.batch import (
    CronJob,
    Job,
    JobSpec,
    PodFailurePolicyRule,
)
from objects.api.meta import LabelSelector
from objects.api.pods import PodTemplateSpec
from objects.errors import InvalidInput
from objects.fields import FieldPath
from objects.own.canary import strategy_problem
from objects.selectors import format_selector, labels_match, selector_matches
from objects.syntax import (
    dns_label_problem,
    dns_subdomain_problem,
    domain_prefixed_path_problem,
    label_key_problem,
)
from objects.validation.found import Found
from objects.validation.metadata import check_selector
from objects.validation.pods import check_template
from objects.validation.volumes import check_claim_spec
from objects.values.schedule import schedule_problem, time_zone_problem

_SPEC: FieldPath = ("spec",)
_TEMPLATE: FieldPath = ("spec", "template")
_MAX_INDEXED = 10**5
_MAX_RULES = 20
_MAX_EXIT_CODES = 255
_MAX_POD_NAME = 63
_MAX_SET_NAME = _MAX_POD_NAME - 11
"""The name of a revision, which is a label of its pods, has `-` and ten characters of a hash behind the set's."""
_MAX_MANAGER = 63
_MANY_COMPLETIONS = 10**5
_MOST_OF_MANY = 10**4


def check_replica_set(found: Found, obj: ReplicaSet) -> None:
    spec = obj.spec
    found.number((*_SPEC, "replicas"), spec.replicas)
    found.number((*_SPEC, "minReadySeconds"), spec.min_ready_seconds)
    _check_selector_and_template(found, spec.selector, spec.template)


def check_replication_controller(found: Found, obj: ReplicationController) -> None:
    spec = obj.spec
    found.number((*_SPEC, "replicas"), spec.replicas)
    found.number((*_SPEC, "minReadySeconds"), spec.min_ready_seconds)
    if not spec.selector:
        found.add((*_SPEC, "selector"), "is required")
    elif not labels_match(spec.selector, spec.template.metadata.labels):
        found.add((*_TEMPLATE, "metadata", "labels"), "must have all labels of spec.selector")
    check_template(found, _TEMPLATE, spec.template)


def _check_selector_and_template(
    found: Found, selector: LabelSelector | None, template: PodTemplateSpec, *, claims: tuple[str, ...] = ()
) -> None:
    """The selector says which pods are ours: it must find those that the template makes."""
    if selector is None or not (selector.match_labels or selector.match_expressions):
        found.add((*_SPEC, "selector"), "is required and must not be empty")
    else:
        _check_selector(found, selector, template)
    check_template(found, _TEMPLATE, template, claims=claims)
    if template.spec.active_deadline_seconds is not None:
        place = (*_TEMPLATE, "spec", "activeDeadlineSeconds")
        found.add(place, "is not allowed here: these pods run until they are replaced")


def _check_selector(found: Found, selector: LabelSelector | None, template: PodTemplateSpec) -> None:
    if selector is None:
        found.add((*_SPEC, "selector"), "is required")
        return
    before = len(found.errors)
    check_selector(found, (*_SPEC, "selector"), selector)
    if len(found.errors) == before and not selector_matches(selector, template.metadata.labels):
        place = (*_TEMPLATE, "metadata", "labels")
        found.add(place, f"must match spec.selector, which asks for {format_selector(selector)}")


# --- Deployment ---------------------------------------------------------------------------------------------------


def check_deployment(found: Found, obj: Deployment) -> None:
    spec = obj.spec
    found.number((*_SPEC, "replicas"), spec.replicas)
    found.number((*_SPEC, "minReadySeconds"), spec.min_ready_seconds)
    found.number((*_SPEC, "revisionHistoryLimit"), spec.revision_history_limit)
    found.number((*_SPEC, "progressDeadlineSeconds"), spec.progress_deadline_seconds)
    deadline = spec.progress_deadline_seconds
    if deadline is not None and 0 <= deadline <= spec.min_ready_seconds:
        place = (*_SPEC, "progressDeadlineSeconds")
        found.add(place, f"must be greater than minReadySeconds {spec.min_ready_seconds}, not {deadline}")
    _check_strategy(found, spec)
    if (problem := strategy_problem(obj.annotations)) is not None:
        annotation, text = problem
        found.add(("metadata", "annotations", annotation), text)
    _check_selector_and_template(found, spec.selector, spec.template)


def _check_strategy(found: Found, spec: DeploymentSpec) -> None:
    strategy, path = spec.strategy, (*_SPEC, "strategy")
    found.choice((*path, "type"), strategy.type, ("RollingUpdate", "Recreate"))
    rolling = strategy.rolling_update
    if rolling is None:
        return
    place = (*path, "rollingUpdate")
    if strategy.type == "Recreate":
        found.add(place, "is not allowed with type Recreate")
        return
    unavailable = found.amount((*place, "maxUnavailable"), rolling.max_unavailable)
    surge = found.amount((*place, "maxSurge"), rolling.max_surge, share_of_pods=False)
    both_set = rolling.max_unavailable is not None and rolling.max_surge is not None
    if both_set and unavailable == 0 and surge == 0:
        found.add((*place, "maxUnavailable"), "must not be 0 when maxSurge is 0: no pod could ever be replaced")


# --- DaemonSet and StatefulSet ------------------------------------------------------------------------------------


def check_daemon_set(found: Found, obj: DaemonSet) -> None:
    spec = obj.spec
    found.number((*_SPEC, "minReadySeconds"), spec.min_ready_seconds)
    found.number((*_SPEC, "revisionHistoryLimit"), spec.revision_history_limit)
    strategy, path = spec.update_strategy, (*_SPEC, "updateStrategy")
    found.choice((*path, "type"), strategy.type, ("RollingUpdate", "OnDelete"))
    rolling = strategy.rolling_update
    if rolling is not None and strategy.type != "OnDelete":
        unavailable = found.amount((*path, "rollingUpdate", "maxUnavailable"), rolling.max_unavailable)
        surge = found.amount((*path, "rollingUpdate", "maxSurge"), rolling.max_surge)
        if unavailable and surge:
            found.add((*path, "rollingUpdate", "maxSurge"), "must be 0 when maxUnavailable is not 0")
        both_set = rolling.max_unavailable is not None and rolling.max_surge is not None
        if both_set and not unavailable and not surge:
            found.add((*path, "rollingUpdate", "maxUnavailable"), "must not be 0 when maxSurge is 0")
    _check_selector_and_template(found, spec.selector, spec.template)


def check_stateful_set(found: Found, obj: StatefulSet) -> None:
    spec = obj.spec
    found.number((*_SPEC, "replicas"), spec.replicas)
    found.number((*_SPEC, "minReadySeconds"), spec.min_ready_seconds)
    found.number((*_SPEC, "revisionHistoryLimit"), spec.revision_history_limit)
    found.choice((*_SPEC, "podManagementPolicy"), spec.pod_management_policy, ("OrderedReady", "Parallel"))
    if spec.service_name:
        found.text((*_SPEC, "serviceName"), spec.service_name, dns_subdomain_problem)
    strategy, path = spec.update_strategy, (*_SPEC, "updateStrategy")
    found.choice((*path, "type"), strategy.type, ("RollingUpdate", "OnDelete"))
    if strategy.rolling_update is not None:
        place = (*path, "rollingUpdate")
        if strategy.type == "OnDelete":
            found.add(place, "is not allowed with type OnDelete")
        found.number((*place, "partition"), strategy.rolling_update.partition)
        found.amount((*place, "maxUnavailable"), strategy.rolling_update.max_unavailable)
        if strategy.rolling_update.max_unavailable in (0, "0%"):
            found.add((*place, "maxUnavailable"), "must not be 0: no pod could ever be replaced")
    if spec.ordinals is not None:
        found.number((*_SPEC, "ordinals", "start"), spec.ordinals.start)
    # Kubernetes lets up to 63 pass, and then can make no pod of it: the label of the revision would be too long.
    if _MAX_SET_NAME < len(obj.name) <= _MAX_POD_NAME:
        found.add(
            ("metadata", "name"),
            f"must be at most {_MAX_SET_NAME} characters long: with a hash behind it, it is a label of the pods",
        )
    retention = spec.persistent_volume_claim_retention_policy
    if retention is not None:
        place = (*_SPEC, "persistentVolumeClaimRetentionPolicy")
        found.choice((*place, "whenDeleted"), retention.when_deleted, ("Retain", "Delete"))
        found.choice((*place, "whenScaled"), retention.when_scaled, ("Retain", "Delete"))
    for index, claim in enumerate(spec.volume_claim_templates):
        place = (*_SPEC, "volumeClaimTemplates", index)
        found.text((*place, "metadata", "name"), claim.name, dns_label_problem)
        check_claim_spec(found, (*place, "spec"), claim.spec)
    claims = tuple(claim.name for claim in spec.volume_claim_templates)
    names = (((index, "metadata", "name"), name) for index, name in enumerate(claims))
    found.unique((*_SPEC, "volumeClaimTemplates"), names, "claim name")
    _check_selector_and_template(found, spec.selector, spec.template, claims=claims)


# --- Job and CronJob ----------------------------------------------------------------------------------------------


def check_job(found: Found, obj: Job) -> None:
    _check_job_spec(found, _SPEC, obj.spec)
    if len(obj.name) > _MAX_POD_NAME:
        found.add(("metadata", "name"), f"must be at most {_MAX_POD_NAME} characters long: it is a label of the pods")
    elif obj.spec.completion_mode == "Indexed":
        host_name = f"{obj.name}-{max(0, (obj.spec.completions or 1) - 1)}"
        if problem := dns_label_problem(host_name):
            found.add(("metadata", "name"), f"makes host names of pods as {host_name}, which {problem}")
    selector = obj.spec.selector
    if selector is not None and not obj.spec.manual_selector:
        found.add((*_SPEC, "selector"), "is made for you: leave it out, or set manualSelector: true")
    elif obj.spec.manual_selector:
        _check_selector(found, selector, obj.spec.template)


def _check_job_spec(found: Found, path: FieldPath, spec: JobSpec) -> None:
    for field, value in (
        ("parallelism", spec.parallelism),
        ("completions", spec.completions),
        ("backoffLimit", spec.backoff_limit),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index),
        ("maxFailedIndexes", spec.max_failed_indexes),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished),
    ):
        found.number((*path, field), value)
    found.number((*path, "activeDeadlineSeconds"), spec.active_deadline_seconds)
    found.choice((*path, "completionMode"), spec.completion_mode, ("NonIndexed", "Indexed"))
    if spec.completion_mode == "Indexed":
        _check_indexes(found, path, spec)
    elif spec.backoff_limit_per_index is not None:
        found.add((*path, "backoffLimitPerIndex"), "needs completionMode: Indexed")
    if spec.max_failed_indexes is not None and spec.backoff_limit_per_index is None:
        found.add((*path, "maxFailedIndexes"), "needs backoffLimitPerIndex")
    found.choice((*path, "podReplacementPolicy"), spec.pod_replacement_policy, ("TerminatingOrFailed", "Failed"))
    if spec.pod_failure_policy is not None and spec.pod_replacement_policy == "TerminatingOrFailed":
        found.add((*path, "podReplacementPolicy"), "must be Failed when there is a podFailurePolicy")
    if spec.managed_by is not None:
        found.text((*path, "managedBy"), spec.managed_by, domain_prefixed_path_problem)
        if len(spec.managed_by) > _MAX_MANAGER:
            found.add((*path, "managedBy"), f"must be at most {_MAX_MANAGER} characters long")
    if spec.pod_failure_policy is not None:
        _check_failure_policy(found, path, spec)
    _check_success_policy(found, path, spec)
    check_template(found, (*path, "template"), spec.template, restart_policies=("Never", "OnFailure"))


def _check_indexes(found: Found, path: FieldPath, spec: JobSpec) -> None:
    """The numbers of an indexed job: what its status lists must stay small."""
    completions, most_failed = spec.completions, spec.max_failed_indexes
    if completions is None:
        found.add((*path, "completions"), "is required with completionMode: Indexed")
    elif most_failed is not None and most_failed > completions:
        found.add((*path, "maxFailedIndexes"), f"must be at most completions {completions}, not {most_failed}")
    has_many = completions is not None and completions > _MANY_COMPLETIONS and spec.backoff_limit_per_index is not None
    most = _MOST_OF_MANY if has_many else _MAX_INDEXED
    for field, value in (("parallelism", spec.parallelism), ("maxFailedIndexes", most_failed)):
        if value is not None and value > most:
            found.number((*path, field), value, most=most)
    if has_many and most_failed is None:
        text = f"is required with backoffLimitPerIndex and more than {_MANY_COMPLETIONS} completions"
        found.add((*path, "maxFailedIndexes"), text)


def _check_failure_policy(found: Found, path: FieldPath, spec: JobSpec) -> None:
    if spec.template.spec.restart_policy != "Never":
        found.add((*path, "template", "spec", "restartPolicy"), "must be Never when there is a podFailurePolicy")
    rules = spec.pod_failure_policy.rules if spec.pod_failure_policy else ()
    if len(rules) > _MAX_RULES:
        found.add((*path, "podFailurePolicy", "rules"), f"must be at most {_MAX_RULES}, not {len(rules)}")
    for index, rule in enumerate(rules):
        _check_failure_rule(found, (*path, "podFailurePolicy", "rules", index), rule, spec)


def _check_failure_rule(found: Found, place: FieldPath, rule: PodFailurePolicyRule, spec: JobSpec) -> None:
    if found.require((*place, "action"), rule.action):
        found.choice((*place, "action"), rule.action, ("FailJob", "FailIndex", "Ignore", "Count"))
    if rule.action == "FailIndex" and spec.backoff_limit_per_index is None:
        found.add((*place, "action"), "FailIndex needs backoffLimitPerIndex")
    codes = rule.on_exit_codes
    given = [name for name, value in (("onExitCodes", codes), ("onPodConditions", rule.on_pod_conditions)) if value]
    found.only_one(place, given, "a condition")
    if len(rule.on_pod_conditions) > _MAX_RULES:
        found.add((*place, "onPodConditions"), f"must be at most {_MAX_RULES}, not {len(rule.on_pod_conditions)}")
    for index, condition in enumerate(rule.on_pod_conditions):
        where = (*place, "onPodConditions", index)
        found.text((*where, "type"), condition.type, label_key_problem)
        found.choice((*where, "status"), condition.status, ("True", "False", "Unknown"))
    if codes is None:
        return
    place = (*place, "onExitCodes")
    if found.require((*place, "operator"), codes.operator):
        found.choice((*place, "operator"), codes.operator, ("In", "NotIn"))
    if found.require((*place, "values"), codes.values) and len(codes.values) > _MAX_EXIT_CODES:
        found.add((*place, "values"), f"must be at most {_MAX_EXIT_CODES}, not {len(codes.values)}")
    if codes.operator == "In" and 0 in codes.values:
        found.add((*place, "values"), "must not hold 0 with operator In: 0 is success")
    found.unique((*place, "values"), (((index,), code) for index, code in enumerate(codes.values)), "exit code")
    if list(codes.values) != sorted(codes.values):
        found.add((*place, "values"), "must be in ascending order")
    names = [one.name for one in (*spec.template.spec.init_containers, *spec.template.spec.containers)]
    if codes.container_name and codes.container_name not in names:
        text = f"there is no container '{codes.container_name}'"
        found.add((*place, "containerName"), text, f"the pods have {', '.join(names)}")


def _check_success_policy(found: Found, path: FieldPath, spec: JobSpec) -> None:
    place = (*path, "successPolicy")
    if spec.success_policy is None:
        return
    if spec.completion_mode != "Indexed":
        found.add(place, "needs completionMode: Indexed")
    rules = spec.success_policy.rules
    if not rules or len(rules) > _MAX_RULES:
        found.add((*place, "rules"), f"must be at least 1 and at most {_MAX_RULES}, not {len(rules)}")
    for index, rule in enumerate(rules):
        where = (*place, "rules", index)
        if rule.succeeded_count is None and not rule.succeeded_indexes:
            found.add(where, "needs succeededCount or succeededIndexes")
        count: int | None = None
        if rule.succeeded_indexes:
            try:
                count = count_indexes(rule.succeeded_indexes, completions=spec.completions)
            except InvalidInput as error:
                found.add((*where, "succeededIndexes"), error.message)
                continue
        if rule.succeeded_count is not None:
            found.number((*where, "succeededCount"), rule.succeeded_count, least=1)
            most = spec.completions if count is None else count
            if most is not None and rule.succeeded_count > most:
                what = "completions" if count is None else "the number of succeededIndexes"
                found.add((*where, "succeededCount"), f"must be at most {what} {most}, not {rule.succeeded_count}")


def count_indexes(text: str, *, completions: int | None) -> int:
    """How many indexes a list such as `0,2-4` names: ascending, each below `completions`. Raises InvalidInput."""
    total, before = 0, -1
    for part in text.split(","):
        first, dash, last = part.partition("-")
        words = (first, last) if dash else (first,)
        if not all(word.isascii() and word.isdigit() for word in words):
            raise InvalidInput(f"'{text}' is not a list of indexes such as 0,2-4")
        start, end = int(first), int(last or first)
        if start <= before or (dash and end <= start):
            raise InvalidInput(f"'{text}': indexes must be in ascending order")
        if completions is not None and end >= completions:
            raise InvalidInput(f"'{text}': {end} is not below completions {completions}")
        total, before = total + end - start + 1, end
    return total


def check_cron_job(found: Found, obj: CronJob) -> None:
    spec = obj.spec
    if found.require((*_SPEC, "schedule"), spec.schedule) and (problem := schedule_problem(spec.schedule)):
        found.add((*_SPEC, "schedule"), problem)
    if spec.time_zone is not None and (problem := time_zone_problem(spec.time_zone)):
        hint = "a name of the IANA database, as Europe/Berlin or Etc/UTC"
        found.add((*_SPEC, "timeZone"), f"'{spec.time_zone}' {problem}", hint)
    found.choice((*_SPEC, "concurrencyPolicy"), spec.concurrency_policy, ("Allow", "Forbid", "Replace"))
    for field, value in (
        ("startingDeadlineSeconds", spec.starting_deadline_seconds),
        ("successfulJobsHistoryLimit", spec.successful_jobs_history_limit),
        ("failedJobsHistoryLimit", spec.failed_jobs_history_limit),
    ):
        found.number((*_SPEC, field), value)
    path = (*_SPEC, "jobTemplate", "spec")
    _check_job_spec(found, path, spec.job_template.spec)
    if spec.job_template.spec.manual_selector:
        found.add((*path, "manualSelector"), "is not allowed in a CronJob: each of its jobs needs its own selector")
    if spec.job_template.spec.selector is not None:
        found.add((*path, "selector"), "is not allowed in a CronJob: each of its jobs gets its own")
