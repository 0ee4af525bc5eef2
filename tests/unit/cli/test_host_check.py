"""`berth hosts check`: what hosts can and cannot do, as text and for programs, and the exit code."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from objects.api.meta import ObjectMeta
from objects.observation.host import HostFacts, HostTraits, NetworkRange
from reconciler.cli import make_group
from reconciler.cli.frame import run_command
from reconciler.cli.printing.host_check import HostCheck, check_host, checks_document, render_checks
from reconciler.cli.verbs.hosts import exit_code_of
from reconciler.state.host_status import HostStatus
from reconciler.state.messages import HostFailure
from tests.unit.cli.gitops import HOST, make_gitops

FACTS = HostFacts(
    engine_version="28.5.2+dfsg1",
    api_version="1.51",
    traits=HostTraits(engine="Docker", has_iptables=True, forwards_tcp=True, forwards_sockets=True),
)
GOOD = HostStatus(metadata=ObjectMeta(name="alpha"), facts=FACTS, reachable=True, pod_subnet="10.244.1.0/24")
SILENT = HostStatus(
    metadata=ObjectMeta(name="gone"), reason="AuthenticationRefused", message="host gone: sshd refuses user 'ops'"
)
AT = datetime(2026, 11, 30, tzinfo=UTC)


def with_traits(**traits: Any) -> HostStatus:
    return structs.replace(GOOD, facts=structs.replace(FACTS, traits=structs.replace(FACTS.traits, **traits)))


NO_SUDO = {"root_refused": "sudo refuses user 'ops'", "root_remedy": "let ops use sudo"}


@pytest.mark.parametrize(
    ("seen", "row", "said"),
    [
        pytest.param(GOOD, "yes yes yes yes Docker Engine 28.5.2+dfsg1", [], id="as most are"),
        pytest.param(
            with_traits(**NO_SUDO),
            "hostNetwork only no yes yes Docker Engine 28.5.2+dfsg1",
            [
                "alpha:",
                "  NoRoot: Rules of the host cannot be set, so pods would have no way out: sudo refuses user 'ops'.",
                "    to do: let ops use sudo",
            ],
            id="no sudo",
        ),
        pytest.param(
            with_traits(forwards_tcp=False, limits_cpu=False),
            "yes yes memory only commands only Docker Engine 28.5.2+dfsg1",
            [
                "alpha:",
                "  NoCpuLimit: The kernel limits no CPU time of containers (CONFIG_CFS_BANDWIDTH is off):"
                " CPU limits do not hold.",
                "    to do: use a kernel with CONFIG_CFS_BANDWIDTH=y; requests hold without it",
                "  TcpForwardingForbidden: sshd forwards no TCP connections: probes by HTTP, TCP and gRPC and metrics"
                " of pods cannot be asked.",
                "    to do: set `AllowTcpForwarding local` in /etc/ssh/sshd_config, then: systemctl reload ssh",
            ],
            id="works in part",
        ),
        pytest.param(
            with_traits(security_options=("rootless",), has_containerd_images=True),
            "no - - - Docker Engine 28.5.2+dfsg1",
            [
                "alpha:",
                "  RootlessEngine: Docker Engine runs rootless: its pods have no addresses on the host, so nothing"
                " could reach them.",
                "    to do: use the system's engine: systemctl enable --now docker, and let the user into the group"
                " docker",
                "  ContainerdImageStore: Images lie in containerd's store: their ids are digests of manifests, not of"
                " configurations.",
            ],
            id="the gravest first, what is only to know last",
        ),
        pytest.param(
            structs.replace(GOOD, pod_subnet="", network_reason="NoFreePodCIDR", network_message="No slice is left."),
            "no - - - Docker Engine 28.5.2+dfsg1",
            ["alpha:", "  NoFreePodCIDR: No slice is left."],
            id="no slice of the pod network",
        ),
        pytest.param(
            structs.replace(GOOD, network_reason="PodCIDRChanged", network_message="It keeps 10.244.1.0/24."),
            "yes yes yes yes Docker Engine 28.5.2+dfsg1",
            ["alpha:", "  PodCIDRChanged: It keeps 10.244.1.0/24."],
            id="it keeps its slice",
        ),
        pytest.param(
            structs.replace(GOOD, failures=(HostFailure("Events", "DeadlineExceeded", "no answer", AT),)),
            "yes yes yes yes Docker Engine 28.5.2+dfsg1",
            ["alpha:", "  DeadlineExceeded: no answer"],
            id="a part fails",
        ),
        pytest.param(
            structs.replace(SILENT, metadata=ObjectMeta(name="alpha")),
            "? ? ? ? ?",
            [
                "alpha:",
                "  AuthenticationRefused: host gone: sshd refuses user 'ops'",
                "    to do: put the public key into ~/.ssh/authorized_keys of that user",
            ],
            id="no answer",
        ),
        pytest.param(
            None,
            "? ? ? ? ?",
            [
                "alpha:",
                "  HostUnreachable: It did not answer in time.",
                "    to do: see that the host is up, that its sshd runs, and that address and port of the Host are"
                " right",
            ],
            id="not looked at",
        ),
    ],
)
def test_text(seen: HostStatus | None, row: str, said: list[str]) -> None:
    checked = check_host("alpha", seen)
    lines = render_checks([checked]).splitlines()
    assert [" ".join(line.split()) for line in lines[:2]] == ["NAME PODS NETWORK LIMITS PROBES ENGINE", f"alpha {row}"]
    able = int(checked.can_run_pods)
    assert lines[2:] == [*(["", *said] if said else []), "", f"{able} of 1 hosts can run pods."]


def test_for_programs() -> None:
    checks = [check_host("alpha", with_traits(forwards_tcp=False)), check_host("gone", SILENT)]
    assert checks_document(checks) == {
        "apiVersion": "berth.dev/v1alpha1",
        "kind": "HostCheckList",
        "items": [
            {
                "host": "alpha",
                "answers": True,
                "engine": "Docker Engine 28.5.2+dfsg1",
                "canRunPods": True,
                "network": True,
                "cpuLimits": True,
                "networkProbes": False,
                "findings": [
                    {
                        "condition": "ProbesUnavailable",
                        "reason": "TcpForwardingForbidden",
                        "message": "sshd forwards no TCP connections: probes by HTTP, TCP and gRPC and metrics of pods"
                        " cannot be asked.",
                        "remedy": "set `AllowTcpForwarding local` in /etc/ssh/sshd_config, then: systemctl reload ssh",
                    }
                ],
            },
            {
                "host": "gone",
                "answers": False,
                "engine": "",
                "canRunPods": False,
                "network": None,
                "cpuLimits": None,
                "networkProbes": None,
                "findings": [
                    {
                        "condition": "Ready",
                        "reason": "AuthenticationRefused",
                        "message": "host gone: sshd refuses user 'ops'",
                        "remedy": "put the public key into ~/.ssh/authorized_keys of that user",
                    }
                ],
            },
        ],
    }


FIT = check_host("fit", GOOD)
TAKEN = check_host("taken", with_traits(networks=(NetworkRange(name="shop", subnet="10.244.0.0/16"),)))
GONE = check_host("gone", SILENT)


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        pytest.param([], 0, id="no hosts"),
        pytest.param([FIT], 0, id="all can"),
        pytest.param([FIT, check_host("held", with_traits(forwards_tcp=False))], 0, id="probes only by command"),
        pytest.param([FIT, TAKEN], 1, id="no pod network on one"),
        pytest.param([FIT, GONE], 1, id="one does not answer"),
        pytest.param([TAKEN, GONE], 1, id="none can, one answers"),
        pytest.param([GONE], 5, id="none answers"),
    ],
)
def test_exit_codes(checks: list[HostCheck], code: int) -> None:
    assert exit_code_of(checks) == code


def test_a_host_that_does_not_answer_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = HOST.replace("192.0.2.11", "127.0.0.1\n  port: 1")
    gitops = make_gitops(tmp_path, capsys, {"hosts/alpha.yaml": nobody})
    ran = gitops.berth("hosts", "check")
    assert (ran.code, ran.err) == (5, ""), ran
    assert "alpha   ?      ?" in ran.out
    assert "  HostUnreachable: " in ran.out
    assert "0 of 1 hosts can run pods." in ran.out
    ran = gitops.berth("hosts", "check", "alpha", "-o", "json")
    assert (ran.code, json.loads(ran.out)["items"][0]["answers"]) == (5, False)
    ran = gitops.berth("hosts", "check", "beta")
    assert (ran.code, ran.err) == (1, 'error: hosts "beta" not found\n')


def test_names_are_names_of_hosts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`berth hosts` lists as it did before it had commands of its own."""
    nobody = HOST.replace("192.0.2.11", "127.0.0.1\n  port: 1")
    gitops = make_gitops(tmp_path, capsys, {"hosts/alpha.yaml": nobody})
    for words in ((), ("alpha",), ("-o", "name"), ("list", "alpha")):
        ran = gitops.berth("hosts", *words)
        assert (ran.code, "alpha" in ran.out) == (5, True), ran
    assert run_command(make_group(), ["hosts", "--help"]) == 0
    assert "berth hosts check" in capsys.readouterr().out
