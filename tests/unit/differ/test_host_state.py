"""Declared host state: what is read of a host and what follows from it."""

from __future__ import annotations

import pytest

from differ.kubelet.actions import ApplyHostPart, HostPart
from differ.kubelet.host.state import digest_of, plan_parts, way_out
from differ.kubelet.memory import Failure
from hosts.network.declared_state import parse_state, read_script, watch_script
from tests.unit.differ.building import NETWORK, NOW, after

ROUTES = HostPart(name="routes", read="ip route", wanted=digest_of("a\n"), apply="true")
WAY_OUT = way_out(NETWORK)
HAS = {WAY_OUT.name: WAY_OUT.wanted, "routes": ROUTES.wanted}


def failed(seconds: float) -> Failure:
    return Failure(count=1, retry_at=after(seconds), reason="CommandFailed", message="no")


@pytest.mark.parametrize(
    ("digests", "failures", "applied", "problem", "wake"),
    [
        pytest.param(HAS, {}, [], "", None, id="all there"),
        pytest.param({}, {}, ["way-out", "routes"], "", None, id="nothing is known"),
        pytest.param({**HAS, "routes": "x"}, {}, ["routes"], "", None, id="one was flushed"),
        pytest.param({}, {"routes": failed(5)}, ["way-out"], "no", after(5), id="one waits, the other goes on"),
        pytest.param({}, {"routes": failed(-1)}, ["way-out", "routes"], "no", None, id="its time has come"),
        pytest.param(HAS, {"routes": failed(5)}, [], "", None, id="somebody put it right"),
    ],
)
def test_what_is_applied(
    digests: dict[str, str], failures: dict[str, Failure], applied: list[str], problem: str, wake: object
) -> None:
    actions, why, again_at = plan_parts((WAY_OUT, ROUTES), digests, failures, NOW)
    assert [action.part.name for action in actions if isinstance(action, ApplyHostPart)] == applied
    assert (why, again_at) == (problem, wake)
    assert len({action.lane for action in actions}) == len(actions), "one that hangs holds up no other"


def test_what_a_host_says_is_read() -> None:
    said = f"part way-out {WAY_OUT.wanted} -\npart routes ff -\ntool iptables\n"
    fact = parse_state(said)
    assert (fact.digests, fact.has_iptables) == ({"way-out": WAY_OUT.wanted, "routes": "ff"}, True)
    assert parse_state("").has_iptables is False


def test_scripts_name_every_part() -> None:
    parts = {part.name: part for part in (WAY_OUT, ROUTES)}
    assert read_script(parts) in watch_script(parts)
    assert all(part.read in read_script(parts) for part in parts.values())
    assert read_script(parts).startswith("PATH=$PATH:")  # where sudo leaves a user's own, root's programs are not in it
