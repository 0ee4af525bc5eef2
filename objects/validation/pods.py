"""Pods and pod templates."""

from __future__ import annotations

import re
from collections.abc import Collection

from objects.api.meta import ObjectMeta
from objects.api.pods import Pod, PodSpec, PodTemplateSpec, ResourceRequirements
from objects.fields import FieldPath
from objects.pod_resources import is_pod_level_resource
from objects.syntax import (
    dns_label_problem,
    dns_subdomain_problem,
    dns_subdomain_with_underscore_problem,
    ip_problem,
    label_key_problem,
)
from objects.validation.containers import check_containers, check_profiles
from objects.validation.found import Found
from objects.validation.metadata import check_labels_and_annotations
from objects.validation.placement import check_placement
from objects.validation.resources import check_resource_list, check_resources, is_readable
from objects.validation.volumes import check_volumes
from objects.values.quantity import compare

RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_MAX_ID = 2**31 - 1
_MAX_NAMESERVERS = 3
_MAX_SEARCHES = 32
_MAX_SEARCH_CHARACTERS = 2048
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_IPC_SYSCTLS = ("kernel.sem", "kernel.shm", "kernel.msg", "fs.mqueue.")
_SYSCTL = re.compile(r"[a-z0-9]([-_a-z0-9]*[a-z0-9])?([./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*")


def check_pod(found: Found, obj: Pod) -> None:
    _check_deletion_cost(found, ("metadata",), obj.metadata)
    check_pod_spec(found, ("spec",), obj.spec)
    if obj.spec.scheduling_gates and obj.spec.node_name:
        found.add(("spec", "nodeName"), "cannot be set while there are schedulingGates")


def check_template(
    found: Found,
    path: FieldPath,
    template: PodTemplateSpec,
    *,
    restart_policies: Collection[str] = ("Always",),
    claims: Collection[str] = (),
) -> None:
    """A pod template. path: of the template; claims: names of claim templates that its containers may mount too."""
    check_labels_and_annotations(found, (*path, "metadata"), template.metadata)
    _check_deletion_cost(found, (*path, "metadata"), template.metadata)
    check_pod_spec(found, (*path, "spec"), template.spec, claims=claims)
    policy = template.spec.restart_policy
    if policy in RESTART_POLICIES and policy not in restart_policies:
        found.add((*path, "spec", "restartPolicy"), f"must be {' or '.join(restart_policies)} here, not {policy}")


def _check_deletion_cost(found: Found, path: FieldPath, metadata: ObjectMeta) -> None:
    cost = metadata.annotations.get(_DELETION_COST)
    if cost is not None and not (_WHOLE.fullmatch(cost) and -(2**31) <= int(cost) < 2**31):
        found.add((*path, "annotations", _DELETION_COST), f"must be a whole number of 32 bits, not '{cost}'")


def check_pod_spec(found: Found, path: FieldPath, spec: PodSpec, *, claims: Collection[str] = ()) -> None:
    """path: of the spec. claims: further names that can be mounted."""
    volumes = {volume.name for volume in spec.volumes}
    check_containers(found, path, spec, volumes=volumes.union(claims) if claims else volumes)
    check_volumes(found, path, spec.volumes)
    check_placement(found, path, spec)
    found.choice((*path, "restartPolicy"), spec.restart_policy, RESTART_POLICIES)
    found.choice((*path, "preemptionPolicy"), spec.preemption_policy, ("PreemptLowerPriority", "Never"))
    found.number((*path, "terminationGracePeriodSeconds"), spec.termination_grace_period_seconds, most=2**62)
    found.number((*path, "activeDeadlineSeconds"), spec.active_deadline_seconds, least=1)
    for field, value in (("hostname", spec.hostname), ("subdomain", spec.subdomain)):
        if value:
            found.text((*path, field), value, dns_label_problem)
    for field, value in (
        ("serviceAccountName", spec.service_account_name),
        ("priorityClassName", spec.priority_class_name),
        ("nodeName", spec.node_name),
        ("schedulerName", spec.scheduler_name),
    ):
        if value:
            found.text((*path, field), value, dns_subdomain_problem)
    if spec.host_pid and spec.share_process_namespace:
        found.add((*path, "shareProcessNamespace"), "cannot be true together with hostPID")
    _check_lists(found, path, spec)
    _check_dns(found, path, spec)
    _check_security(found, path, spec)
    if spec.overhead:
        check_resource_list(found, (*path, "overhead"), spec.overhead)
    if spec.resources is not None:
        check_resources(found, (*path, "resources"), spec.resources)
        _check_pod_resources(found, (*path, "resources"), spec.resources, spec)


def _check_pod_resources(found: Found, path: FieldPath, resources: ResourceRequirements, spec: PodSpec) -> None:
    """What a pod has as a whole: processor and memory, of which no container may have more."""
    for field, amounts in (("limits", resources.limits), ("requests", resources.requests)):
        # A request that is not written is a copy of its limit.
        for name in amounts if field == "limits" else amounts.keys() - resources.limits.keys():
            if not is_pod_level_resource(name):
                found.add(
                    (*path, field, name), "cannot be given to a pod as a whole: only cpu, memory, hugepages-<size>"
                )
    for name, limit in resources.limits.items():
        for container in (*spec.init_containers, *spec.containers):
            own = container.resources.limits.get(name)
            if own is not None and is_readable(own) and is_readable(limit) and compare(own, limit) > 0:
                found.add((*path, "limits", name), f"must be at least the limit {own} of container {container.name}")


def _check_lists(found: Found, path: FieldPath, spec: PodSpec) -> None:
    for index, reference in enumerate(spec.image_pull_secrets):
        found.require((*path, "imagePullSecrets", index, "name"), reference.name)
    for index, alias in enumerate(spec.host_aliases):
        place = (*path, "hostAliases", index)
        found.text((*place, "ip"), alias.ip, ip_problem)
        for number, name in enumerate(alias.hostnames):
            found.text((*place, "hostnames", number), name, dns_subdomain_problem)
    for index, gate in enumerate(spec.scheduling_gates):
        found.text((*path, "schedulingGates", index, "name"), gate.name, label_key_problem)
    gates = (((index, "name"), gate.name) for index, gate in enumerate(spec.scheduling_gates))
    found.unique((*path, "schedulingGates"), gates, "gate")
    for index, readiness in enumerate(spec.readiness_gates):
        found.text((*path, "readinessGates", index, "conditionType"), readiness.condition_type, label_key_problem)
    if spec.os is not None:
        found.choice((*path, "os", "name"), spec.os.name, ("linux", "windows"))


def _check_dns(found: Found, path: FieldPath, spec: PodSpec) -> None:
    found.choice((*path, "dnsPolicy"), spec.dns_policy, _DNS_POLICIES)
    config = spec.dns_config
    if spec.dns_policy == "None" and (config is None or not config.nameservers):
        found.add((*path, "dnsConfig", "nameservers"), "must have at least one entry with dnsPolicy None")
    if config is None:
        return
    place = (*path, "dnsConfig")
    if len(config.nameservers) > _MAX_NAMESERVERS:
        found.add((*place, "nameservers"), f"must have at most {_MAX_NAMESERVERS} entries")
    if len(config.searches) > _MAX_SEARCHES:
        found.add((*place, "searches"), f"must have at most {_MAX_SEARCHES} entries")
    if len(" ".join(config.searches)) > _MAX_SEARCH_CHARACTERS:
        found.add((*place, "searches"), f"must be at most {_MAX_SEARCH_CHARACTERS} characters in all")
    for index, server in enumerate(config.nameservers):
        found.text((*place, "nameservers", index), server, ip_problem)
    for index, search in enumerate(config.searches):
        name = search.removesuffix(".") if search != "." else "a"
        found.text((*place, "searches", index), name, dns_subdomain_with_underscore_problem)
    for index, option in enumerate(config.options):
        found.require((*place, "options", index, "name"), option.name)


def _check_security(found: Found, path: FieldPath, spec: PodSpec) -> None:
    context = spec.security_context
    if context is None:
        return
    place = (*path, "securityContext")
    for field, value in (
        ("runAsUser", context.run_as_user),
        ("runAsGroup", context.run_as_group),
        ("fsGroup", context.fs_group),
    ):
        found.number((*place, field), value, most=_MAX_ID)
    for index, group in enumerate(context.supplemental_groups):
        found.number((*place, "supplementalGroups", index), group, most=_MAX_ID)
    found.choice((*place, "fsGroupChangePolicy"), context.fs_group_change_policy, ("OnRootMismatch", "Always"))
    found.choice((*place, "supplementalGroupsPolicy"), context.supplemental_groups_policy, ("Merge", "Strict"))
    for index, sysctl in enumerate(context.sysctls):
        if not _SYSCTL.fullmatch(sysctl.name):
            found.add((*place, "sysctls", index, "name"), f"'{sysctl.name}' is not a kernel parameter's name")
        name = sysctl.name.replace("/", ".")
        for field, is_shared, prefixes in (
            ("hostNetwork", spec.host_network, ("net.",)),
            ("hostIPC", spec.host_ipc, _IPC_SYSCTLS),
        ):
            if is_shared and name.startswith(prefixes):
                found.add((*place, "sysctls", index, "name"), f"'{sysctl.name}' is the host's own with {field}: true")
    names = (((index, "name"), sysctl.name) for index, sysctl in enumerate(context.sysctls))
    found.unique((*place, "sysctls"), names, "kernel parameter")
    check_profiles(found, place, context)
