"""What hosts can and cannot do for pods, as `berth hosts check` says it. Pure: from looks to text and documents.

The words are those of `policies.host_support`, as in the conditions of Nodes; a host that does not answer is one more
finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from policies.host_support import LIMITS, NETWORK, NOTE, PROBES, READY, Finding, findings_of
from reconciler.cli.printing.table import render_table
from reconciler.state.host_status import HostStatus

NOT_SEEN: Final = "HostUnreachable"
UNKNOWN, NOT_ASKED = "?", "-"

_REMEDIES: Final = {
    NOT_SEEN: "see that the host is up, that its sshd runs, and that address and port of the Host are right",
    "HostKeyMismatch": "if the host was installed anew, put its new key into `hostKey` of the Host",
    "AuthenticationRefused": "put the public key into ~/.ssh/authorized_keys of that user",
    "EngineUnavailable": "on the host: systemctl enable --now docker, and let the user into the group docker",
}
"""What to do about a host that does not answer, by the reason of its silence."""


class HostCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What one host can do.

    engine: `Docker Engine 28.5.2`, '' while it does not answer. findings: the gravest first.
    """

    host: str
    answers: bool
    engine: str = ""
    findings: tuple[Finding, ...] = ()

    def lacks(self, condition: str) -> bool:
        """Whether something of this sort (`NetworkUnavailable` …; `Ready`: everything) is missing there."""
        return any(finding.condition == condition for finding in self.findings)

    @property
    def can_run_pods(self) -> bool:
        """Any pod: those of the host's network need no pod network, and are not asked about here."""
        return self.answers and not self.lacks(READY) and not self.lacks(NETWORK)


def check_host(host: str, seen: HostStatus | None) -> HostCheck:
    """What a look at a host amounts to. seen: None when no look ended."""
    if seen is None or not seen.reachable or seen.facts is None:
        reason = (seen.reason if seen is not None else "") or NOT_SEEN
        message = (seen.message if seen is not None else "") or "It did not answer in time."
        silence = Finding(condition=READY, reason=reason, message=message, remedy=_REMEDIES.get(reason, ""))
        return HostCheck(host=host, answers=False, findings=(silence,))
    facts = seen.facts
    found = [*findings_of(facts, pod_subnet=seen.pod_subnet)]
    if seen.network_reason:
        # A host that keeps another slice than its Host says works; one without a slice runs nothing.
        condition = NOTE if seen.pod_subnet else READY
        found.append(Finding(condition=condition, reason=seen.network_reason, message=seen.network_message))
    found += [
        Finding(condition=f"{one.part}Unavailable", reason=one.reason, message=one.message)
        for one in seen.failures
        if f"{one.part}Unavailable" not in {finding.condition for finding in found}
    ]
    engine = f"{facts.traits.engine or 'Docker'} Engine {facts.engine_version}".strip()
    return HostCheck(host=host, answers=True, engine=engine, findings=tuple(sorted(found, key=_gravity)))


_ORDER: Final = (READY, NETWORK, LIMITS, PROBES)


def _gravity(finding: Finding) -> int:
    if finding.condition == NOTE:
        return len(_ORDER) + 1
    return _ORDER.index(finding.condition) if finding.condition in _ORDER else len(_ORDER)


def render_checks(checks: Sequence[HostCheck]) -> str:
    """A table of all hosts, below it what is to be said of each and what to do, and how many can run pods."""
    rows = [(one.host, *_abilities(one), one.engine or UNKNOWN) for one in checks]
    lines = render_table(("NAME", "PODS", "NETWORK", "LIMITS", "PROBES", "ENGINE"), rows)
    for one in checks:
        lines += ["", f"{one.host}:"] if one.findings else []
        for finding in one.findings:
            lines.append(f"  {finding.reason}: {finding.message}")
            lines += [f"    to do: {finding.remedy}"] if finding.remedy else []
    able = sum(one.can_run_pods for one in checks)
    return "\n".join([*lines, "", f"{able} of {len(checks)} hosts can run pods."])


def _abilities(check: HostCheck) -> tuple[str, str, str, str]:
    """Pods, their network, their limits, their probes, in a word or two each."""
    if not check.answers:
        return (UNKNOWN,) * 4
    if check.lacks(READY):
        return "no", NOT_ASKED, NOT_ASKED, NOT_ASKED
    return (
        "hostNetwork only" if check.lacks(NETWORK) else "yes",
        "no" if check.lacks(NETWORK) else "yes",
        "memory only" if check.lacks(LIMITS) else "yes",
        "commands only" if check.lacks(PROBES) else "yes",
    )


def checks_document(checks: Iterable[HostCheck]) -> dict[str, Any]:
    """The same for programs: `-o json` and `-o yaml`. What is not known of a silent host is null."""
    return {"apiVersion": "berth.dev/v1alpha1", "kind": "HostCheckList", "items": [_document(one) for one in checks]}


def _document(check: HostCheck) -> dict[str, Any]:
    def has(condition: str) -> bool | None:
        return not (check.lacks(READY) or check.lacks(condition)) if check.answers else None

    return {
        "host": check.host,
        "answers": check.answers,
        "engine": check.engine,
        "canRunPods": check.can_run_pods,
        "network": has(NETWORK),
        "cpuLimits": has(LIMITS),
        "networkProbes": has(PROBES),
        "findings": [msgspec.to_builtins(finding) for finding in check.findings],
    }
