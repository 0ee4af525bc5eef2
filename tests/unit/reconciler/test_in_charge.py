"""Taking charge on a real remote: a compare-and-swap, a commit at most, and whoever was in charge before finds out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from objects.errors import InChargeElsewhere, Superseded
from objects.own.charge import Charge
from reconciler.charge.holding import InCharge, release_charge, take_charge
from reconciler.charge.rules import CHARGE_PATH, Claimant, parse_record
from sources.git.repository import Repository
from sources.git.status_branch import FileAtTip, StatusBranch
from tests.unit.sources.conftest import Remote

NOW = datetime(2026, 11, 26, tzinfo=UTC)
TRAILERS = {"Desired-Commit": "abc", "Health": "Healthy"}


class Machine:
    """A machine with a clone of its own. id: of the reconciler on it."""

    def __init__(self, repository: Repository, holder: str) -> None:
        self.branch = StatusBranch(repository)
        self.holder = holder

    def take(self, *, is_lasting: bool = True, is_behind: bool = False) -> Charge:
        """is_behind: from what it knew before."""
        seen = self.branch.known_file(CHARGE_PATH) if is_behind else self.branch.fetch_file(CHARGE_PATH)
        claimant = Claimant(self.holder, f"berth of {self.holder}", is_lasting)
        return self.be_in_charge(claimant, seen).charge

    def be_in_charge(self, claimant: Claimant | None = None, seen: FileAtTip | None = None) -> InCharge:
        claimant = claimant or Claimant(self.holder, f"berth of {self.holder}", is_lasting=True)
        return take_charge(self.branch, claimant, seen or self.branch.fetch_file(CHARGE_PATH), clock=lambda: NOW)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "git")


@pytest.fixture
def machines(remote: Remote, tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    with Repository(remote.url, tmp_path / "a") as one, Repository(remote.url, tmp_path / "b") as two:
        yield Machine(one, "a1"), Machine(two, "b2")


def subjects(remote: Remote) -> list[str]:
    return remote.in_remote("log", "--format=%s", "berth/status").splitlines()


def test_charge_costs_a_commit_when_it_changes_hands_and_none_while_it_is_kept(
    remote: Remote, machines: tuple[Machine, Machine]
) -> None:
    one, two = machines
    first = one.take()
    assert (one.take(), one.take(is_lasting=False)) == (first, first)
    second = two.take()
    assert second.is_after(first)
    assert subjects(remote) == ["In charge: berth of b2", "In charge: berth of a1"]
    with pytest.raises(InChargeElsewhere, match="berth of b2"):
        one.take(is_lasting=False)


def test_whoever_is_in_charge_knows_whether_somebody_was_before(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    before = two.branch.fetch_file(CHARGE_PATH)
    assert not one.be_in_charge().follows
    assert one.be_in_charge().follows, "another process of the same holder"
    assert two.be_in_charge(seen=before).follows, "also if that was not known yet when it asked"


def test_what_was_said_of_the_desired_commit_stays_said(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    one.branch.write({"README.md": b"ok"}, message="Status", trailers=TRAILERS)
    two.take()
    snapshot = two.branch.read()
    assert (snapshot.desired_commit, snapshot.health, set(snapshot.files)) == (
        "abc",
        "Healthy",
        {"README.md", CHARGE_PATH},
    )


def test_who_was_slower_decides_anew(remote: Remote, machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    assert two.branch.fetch_file(CHARGE_PATH) == ("", None)
    first = one.take()
    second = two.take(is_behind=True)
    assert second.is_after(first)
    third = one.take(is_lasting=True, is_behind=True)
    assert third == first, "it has not heard of the second yet"
    one.branch.write({"a": b"1"}, message="Status", trailers=TRAILERS)
    two.branch.fetch_file("a")
    assert two.take().epoch == second.epoch


def test_a_status_commit_of_one_that_is_not_in_charge_is_not_made(
    remote: Remote, machines: tuple[Machine, Machine]
) -> None:
    one, two = machines
    first = InCharge(one.take())
    said: list[bool] = []
    first.on_end = lambda: said.append(first.is_over)
    second = two.take()
    with pytest.raises(Superseded, match="superseded by berth of b2, in charge since 2026-11-26"):
        one.branch.write({"a": b"1", **first.files}, message="Status", guard=first.guard)
    assert (first.is_over, said) == (True, [True])
    assert parse_record(two.branch.fetch_file(CHARGE_PATH).content) == second


@pytest.mark.parametrize(
    "content", [pytest.param(None, id="gone"), pytest.param(b"?", id="garbled"), pytest.param(b"{epoch: 1, holder: b}")]
)
def test_a_record_that_is_lost_takes_the_charge_from_nobody(
    machines: tuple[Machine, Machine], content: bytes | None
) -> None:
    one, two = machines
    charge = InCharge(one.take())
    two.branch.fetch_file(CHARGE_PATH)
    two.branch.write({CHARGE_PATH: content} if content else {}, [] if content else [CHARGE_PATH], message="by hand")
    one.branch.write({"a": b"1", **charge.files}, message="Status", guard=charge.guard)
    assert parse_record(two.branch.fetch_file(CHARGE_PATH).content) == charge.charge


def test_a_clean_end_is_recorded(remote: Remote, machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    release_charge(one.branch, InCharge(one.take(is_lasting=False)))
    assert subjects(remote)[0] == "Nobody in charge"
    before = len(subjects(remote))
    release_charge(one.branch, InCharge(one.take(is_lasting=False)))
    assert len(subjects(remote)) == before, "one who was not recorded has nothing to take back"
    assert two.take(is_lasting=False).holder == "b2"
