"""Berth's own kinds: Cluster, Host, Application."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from urllib.parse import urlsplit

from objects.api.core import Taint
from objects.api.meta import QuantityLike
from objects.fields import FieldPath
from objects.own.config import (
    LABEL_MATCHERS,
    SERIES,
    Application,
    Cluster,
    EvictionThresholds,
    Host,
    NetworkSettings,
    PrometheusSettings,
)
from objects.syntax import (
    cidr_problem,
    dns_label_problem,
    dns_subdomain_problem,
    label_key_problem,
    label_value_problem,
)
from objects.validation.found import Found
from objects.validation.resources import check_resource_list

_SPEC: FieldPath = ("spec",)
_HOST_KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,31}")
_ADDRESS = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]*[A-Za-z0-9_-]")
_PLACEHOLDER = re.compile(r"<<.*?>>")
_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]+)?%")


# --- Cluster ------------------------------------------------------------------------------------------------------


def check_cluster(found: Found, obj: Cluster) -> None:
    spec = obj.spec
    _check_network(found, (*_SPEC, "network"), spec.network)
    found.text((*_SPEC, "ssh", "user"), spec.ssh.user, _user_problem)
    found.port((*_SPEC, "ssh", "port"), spec.ssh.port)
    for field, seconds in (
        ("connectTimeoutSeconds", spec.ssh.connect_timeout_seconds),
        ("keepaliveSeconds", spec.ssh.keepalive_seconds),
    ):
        if not 0 < seconds <= 600:
            found.add((*_SPEC, "ssh", field), f"must be greater than 0 and at most 600, not {seconds:g}")
    for field, seconds in (("pollSeconds", spec.sync.poll_seconds), ("relistSeconds", spec.sync.relist_seconds)):
        if not 1 <= seconds <= 86400:
            found.add((*_SPEC, "sync", field), f"must be between 1 and 86400, not {seconds:g}")
    found.text((*_SPEC, "sync", "statusBranch"), spec.sync.status_branch, _branch_problem)
    found.amount((*_SPEC, "sync", "deletionBudget"), spec.sync.deletion_budget)
    for index, profile in enumerate(spec.scheduling.profiles):
        place = (*_SPEC, "scheduling", "profiles", index)
        found.text((*place, "name"), profile.name, dns_subdomain_problem)
        for number, priority in enumerate(profile.priorities):
            found.number((*place, "priorities", number, "weight"), priority.weight, least=1, most=100)
    names = (((index, "name"), profile.name) for index, profile in enumerate(spec.scheduling.profiles))
    found.unique((*_SPEC, "scheduling", "profiles"), names, "profile")
    _check_prometheus(found, (*_SPEC, "metrics", "prometheus"), spec.metrics.prometheus)
    found.require((*_SPEC, "pauseImage"), spec.pause_image)


def _check_network(found: Found, path: FieldPath, network: NetworkSettings) -> None:
    found.text((*path, "clusterDomain"), network.cluster_domain, dns_subdomain_problem)
    readable = True
    for field, cidr in (("podCIDR", network.pod_cidr), ("serviceCIDR", network.service_cidr)):
        if problem := cidr_problem(cidr):
            found.add((*path, field), f"'{cidr}' {problem}")
            readable = False
    if not readable:
        return
    pods, services = ipaddress.ip_network(network.pod_cidr), ipaddress.ip_network(network.service_cidr)
    if pods.version == services.version and pods.overlaps(services):
        found.add((*path, "serviceCIDR"), f"{services} overlaps with podCIDR {pods}")
    # A host's slice needs room for its gateway and at least one pod.
    found.number((*path, "hostPrefix"), network.host_prefix, least=pods.prefixlen, most=pods.max_prefixlen - 2)


def _check_prometheus(found: Found, path: FieldPath, server: PrometheusSettings) -> None:
    if server.url and (problem := _url_problem(server.url)):
        # The address itself is not shown: somebody may have put a password there.
        found.add((*path, "url"), problem, "name a file: passwordFile or tokenFile" if "password" in problem else "")
    if server.token_file and (server.user or server.password_file):
        found.add((*path, "tokenFile"), "may not be there together with user and passwordFile")
    if bool(server.user) != bool(server.password_file):
        missing = "passwordFile" if server.user else "user"
        found.add((*path, missing), f"is required with {'user' if server.user else 'passwordFile'}")
    for field, seconds in (("intervalSeconds", server.interval_seconds), ("timeoutSeconds", server.timeout_seconds)):
        if not 1 <= seconds <= 60:
            found.add((*path, field), f"must be between 1 and 60, not {seconds:g}")
    for index, rule in enumerate(server.queries):
        found.require((*path, "queries", index, "metric"), rule.metric)
        if found.require((*path, "queries", index, "query"), rule.query):
            for one in sorted(set(_PLACEHOLDER.findall(rule.query)) - {LABEL_MATCHERS, SERIES}):
                found.add((*path, "queries", index, "query"), f"{one} is not {LABEL_MATCHERS} or {SERIES}")
    names = (((index, "metric"), rule.metric) for index, rule in enumerate(server.queries))
    found.unique((*path, "queries"), names, "metric")


def _url_problem(url: str) -> str:
    try:
        parts = urlsplit(url)
        has_bad_port = parts.port == 0
    except ValueError:
        return "is no address"
    if parts.scheme not in ("http", "https") or not parts.hostname or has_bad_port:
        return "must be http://… or https://… with a host"
    if "@" in parts.netloc:
        return "may hold no user or password: Git is not the place for them"
    return "may hold no query and no fragment" if parts.query or parts.fragment else ""


def _user_problem(user: str) -> str:
    return "" if _USER.fullmatch(user) else "must be a user name: letters, digits, '.', '_' and '-'"


def _branch_problem(branch: str) -> str:
    is_plain = _BRANCH.fullmatch(branch) and ".." not in branch and "//" not in branch and not branch.endswith(".lock")
    return "" if is_plain else "must be the name of a branch: letters, digits, '.', '_', '-' and '/'"


# --- Host ---------------------------------------------------------------------------------------------------------


def check_host(found: Found, obj: Host) -> None:
    spec = obj.spec
    found.text((*_SPEC, "address"), spec.address, _address_problem)
    if problem := host_key_problem(spec.host_key):
        found.add((*_SPEC, "hostKey"), problem, "ssh-keyscan prints it after the name")
    if spec.user:
        found.text((*_SPEC, "user"), spec.user, _user_problem)
    if spec.port:
        found.port((*_SPEC, "port"), spec.port)
    if spec.jump and spec.jump == obj.name:
        found.add((*_SPEC, "jump"), "must be another host")
    if not spec.docker_socket.startswith("/"):
        found.add((*_SPEC, "dockerSocket"), "must be an absolute path on the host")
    for index, taint in enumerate(spec.taints):
        _check_taint(found, (*_SPEC, "taints", index), taint)
    pairs = (((index,), f"{taint.key}:{taint.effect}") for index, taint in enumerate(spec.taints))
    found.unique((*_SPEC, "taints"), pairs, "taint")
    if spec.pod_cidr:
        found.text((*_SPEC, "podCIDR"), spec.pod_cidr, cidr_problem)
    found.number((*_SPEC, "maxPods"), spec.max_pods, least=0)
    capacity = {name: quantity for name, quantity in spec.capacity.items() if name != "pods"}
    check_resource_list(found, (*_SPEC, "capacity"), capacity)
    check_resource_list(found, (*_SPEC, "reserved"), spec.reserved)
    _check_eviction(found, (*_SPEC, "eviction"), spec.eviction)


def _address_problem(address: str) -> str:
    """A name or IP address. Never something that a command line would read as an option."""
    return "" if _ADDRESS.fullmatch(address) else "must be a host name or an IP address, without user and port"


def host_key_problem(key: str) -> str:
    """What is wrong with a host key (`ssh-ed25519 AAAA…`), or ''. The key type inside must be the one outside."""
    parts = key.split()
    if len(parts) >= 3 and parts[0] not in _HOST_KEY_TYPES and parts[1] in _HOST_KEY_TYPES:
        return f"begins with the host's name: leave it out and begin with {parts[1]}"
    if len(parts) < 2 or parts[0] not in _HOST_KEY_TYPES:
        return f"must be a key type and its key, as 'ssh-ed25519 AAAA…'; types: {', '.join(_HOST_KEY_TYPES)}"
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (binascii.Error, ValueError):
        return "its key is not valid base64"
    length = int.from_bytes(blob[:4], "big")
    if blob[4 : 4 + length] != parts[0].encode():
        return f"its key is not of the type {parts[0]}"
    return ""


def _check_taint(found: Found, path: FieldPath, taint: Taint) -> None:
    found.text((*path, "key"), taint.key, label_key_problem)
    found.text((*path, "value"), taint.value, label_value_problem)
    if found.require((*path, "effect"), taint.effect):
        found.choice((*path, "effect"), taint.effect, ("NoSchedule", "PreferNoSchedule", "NoExecute"))


def _check_eviction(found: Found, path: FieldPath, eviction: EvictionThresholds) -> None:
    for field, threshold in (
        ("memoryAvailable", eviction.memory_available),
        ("diskAvailable", eviction.disk_available),
        ("inodesFree", eviction.inodes_free),
        ("pidAvailable", eviction.pid_available),
    ):
        _check_threshold(found, (*path, field), threshold)
    if eviction.pressure_transition_seconds < 0:
        seconds = f"{eviction.pressure_transition_seconds:g}"
        found.add((*path, "pressureTransitionSeconds"), f"must not be negative, not {seconds}")
    low, high = eviction.image_gc_low_percent, eviction.image_gc_high_percent
    found.number((*path, "imageGcHighPercent"), high, most=100)
    found.number((*path, "imageGcLowPercent"), low, most=100)
    if low >= high:
        found.add((*path, "imageGcLowPercent"), f"must be less than imageGcHighPercent {high}, not {low}")


def _check_threshold(found: Found, path: FieldPath, threshold: QuantityLike) -> None:
    if isinstance(threshold, str) and threshold.endswith("%"):
        if not _PERCENT.fullmatch(threshold) or float(threshold[:-1]) > 100:
            found.add(path, f"must be a quantity or a percentage up to 100%, not '{threshold}'")
        return
    found.quantity(path, threshold)


# --- Application --------------------------------------------------------------------------------------------------


def check_application(found: Found, obj: Application) -> None:
    path = obj.spec.path
    if found.require((*_SPEC, "path"), path):
        if path.startswith("/"):
            found.add((*_SPEC, "path"), "must be relative to the top of the repository")
        elif ".." in path.split("/") or "\0" in path:
            found.add((*_SPEC, "path"), "must lie inside the repository, without '..'")
    if obj.spec.namespace:
        found.text((*_SPEC, "namespace"), obj.spec.namespace, dns_label_problem)
