"""Probes and lifecycle hooks of containers."""

from __future__ import annotations

import re

from objects.api.pods import (
    Container,
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    LifecycleHandler,
    Probe,
    TCPSocketAction,
)
from objects.fields import FieldPath
from objects.syntax import http_header_problem
from objects.validation.found import Found

_SIGNAL = re.compile(
    "SIG(ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|STKFLT|STOP|SYS|TERM|TRAP"
    "|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|RTMIN([+]([1-9]|1[0-5]))?|RTMAX(-([1-9]|1[0-4]))?)"
)


def check_probes_and_hooks(found: Found, path: FieldPath, container: Container, *, grace_seconds: int | None) -> None:
    """path: of the container; grace_seconds: of its pod, which bounds a `sleep` hook."""
    _check_probe(found, path, "livenessProbe", container.liveness_probe)
    _check_probe(found, path, "readinessProbe", container.readiness_probe)
    _check_probe(found, path, "startupProbe", container.startup_probe)
    if container.lifecycle is None:
        return
    signal = container.lifecycle.stop_signal
    if signal is not None and not _SIGNAL.fullmatch(signal):
        found.add(
            (*path, "lifecycle", "stopSignal"), f"'{signal}' is not a signal's name such as SIGTERM or SIGRTMIN+3"
        )
    for name, hook in (("postStart", container.lifecycle.post_start), ("preStop", container.lifecycle.pre_stop)):
        if hook is not None:
            _check_hook(found, (*path, "lifecycle", name), hook, grace_seconds=grace_seconds)


def _check_probe(found: Found, path: FieldPath, name: str, probe: Probe | None) -> None:
    if probe is None:
        return
    place = (*path, name)
    handlers = {"exec": probe.exec, "httpGet": probe.http_get, "tcpSocket": probe.tcp_socket, "grpc": probe.grpc}
    found.only_one(place, [field for field, value in handlers.items() if value is not None], "a handler")
    _check_actions(found, place, probe.exec, probe.http_get, probe.tcp_socket)
    if probe.grpc is not None:
        _check_grpc(found, (*place, "grpc"), probe.grpc)
    for field, value in (
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ):
        found.number((*place, field), value)
    if name != "readinessProbe" and probe.success_threshold > 1:
        found.add((*place, "successThreshold"), f"must be 1 in a {name}, not {probe.success_threshold}")
    grace = probe.termination_grace_period_seconds
    if grace is not None and name == "readinessProbe":
        found.add((*place, "terminationGracePeriodSeconds"), "is not allowed in a readinessProbe: it stops nothing")
    found.number((*place, "terminationGracePeriodSeconds"), grace, least=1)


def _check_hook(found: Found, path: FieldPath, hook: LifecycleHandler, *, grace_seconds: int | None) -> None:
    handlers = {"exec": hook.exec, "httpGet": hook.http_get, "tcpSocket": hook.tcp_socket, "sleep": hook.sleep}
    found.only_one(path, [field for field, value in handlers.items() if value is not None], "a handler")
    _check_actions(found, path, hook.exec, hook.http_get, hook.tcp_socket)
    if hook.sleep is not None:
        most = 30 if grace_seconds is None else grace_seconds
        found.number((*path, "sleep", "seconds"), hook.sleep.seconds, least=0, most=most)


def _check_actions(
    found: Found,
    path: FieldPath,
    command: ExecAction | None,
    http: HTTPGetAction | None,
    tcp: TCPSocketAction | None,
) -> None:
    if command is not None:
        found.require((*path, "exec", "command"), command.command)
    if http is not None:
        found.port_or_name((*path, "httpGet", "port"), http.port)
        found.choice((*path, "httpGet", "scheme"), http.scheme, ("HTTP", "HTTPS"))
        for index, header in enumerate(http.http_headers):
            found.text((*path, "httpGet", "httpHeaders", index, "name"), header.name, http_header_problem)
    if tcp is not None:
        found.port_or_name((*path, "tcpSocket", "port"), tcp.port)


def _check_grpc(found: Found, path: FieldPath, action: GRPCAction) -> None:
    found.port((*path, "port"), action.port)
