"""Who is in charge: what the record says for a newcomer, and what marks on a host say for who comes there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from objects.errors import InChargeElsewhere
from objects.own.charge import (
    Charge,
    is_marker_name,
    marker_labels,
    marker_name,
    parse_marker,
)
from reconciler.charge.rules import (
    SETTLE_SECONDS,
    Claimant,
    Go,
    Mark,
    Over,
    Settle,
    Step,
    choose_charge,
    next_step,
    parse_record,
    render_record,
)

NOW = datetime(2026, 11, 26, 0, 10, 12, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
BEFORE = NOW - timedelta(hours=1)

OURS = Charge(epoch=7, holder="a1", name="berth run of a", since=BEFORE)
OURS_RELEASED = msgspec.structs.replace(OURS, is_released=True)
THEIRS = Charge(epoch=7, holder="b2", name="berth run of b", since=BEFORE)
THEIRS_RELEASED = msgspec.structs.replace(THEIRS, is_released=True)
AHEAD = msgspec.structs.replace(THEIRS, epoch=EPOCH + 100)

RUN = Claimant("a1", "berth run of a", is_lasting=True)
APPLY = Claimant("a1", "berth apply of a", is_lasting=False)


def fresh(claimant: Claimant, epoch: int = EPOCH) -> Charge:
    return Charge(epoch=epoch, holder="a1", name=claimant.name, since=NOW)


@pytest.mark.parametrize(
    ("record", "claimant", "expected"),
    [
        pytest.param(None, RUN, fresh(RUN), id="run, nobody ever"),
        pytest.param(None, APPLY, fresh(APPLY), id="apply, nobody ever"),
        pytest.param(OURS, RUN, OURS, id="run, killed before"),
        pytest.param(OURS, APPLY, OURS, id="apply, killed before"),
        pytest.param(OURS_RELEASED, RUN, msgspec.structs.replace(OURS, since=NOW), id="run again"),
        pytest.param(OURS_RELEASED, APPLY, OURS_RELEASED, id="apply again"),
        pytest.param(THEIRS, RUN, fresh(RUN), id="run takes over"),
        pytest.param(AHEAD, RUN, fresh(RUN, EPOCH + 101), id="run takes over from one whose clock is ahead"),
        pytest.param(THEIRS_RELEASED, APPLY, fresh(APPLY), id="apply after a clean end"),
        pytest.param(
            THEIRS, msgspec.structs.replace(APPLY, takes_over=True), fresh(APPLY), id="apply, when a person says so"
        ),
        pytest.param(OURS, msgspec.structs.replace(RUN, takes_over=True), fresh(RUN), id="run, anew"),
        pytest.param(None, msgspec.structs.replace(RUN, other="x"), fresh(RUN), id="run, beside one of its cache"),
    ],
)
def test_charge(record: Charge | None, claimant: Claimant, expected: Charge) -> None:
    assert choose_charge(record, claimant, NOW) == expected


@pytest.mark.parametrize(
    ("record", "claimant", "message"),
    [
        pytest.param(
            THEIRS,
            APPLY,
            "berth run of b, in charge since 2026-11-25 23:10:12 UTC acts on this cluster already "
            "(push, and it deploys; if it is gone for good: --take-over)",
            id="somebody else",
        ),
        pytest.param(
            OURS,
            msgspec.structs.replace(APPLY, other="berth run of a (process 4711)"),
            "berth run of a (process 4711), with the same cache, acts on this cluster already "
            "(push, and it deploys; if it is gone for good: --take-over)",
            id="one with the same cache",
        ),
    ],
)
def test_apply_is_refused(record: Charge, claimant: Claimant, message: str) -> None:
    with pytest.raises(InChargeElsewhere) as caught:
        choose_charge(record, claimant, NOW)
    assert str(caught.value) == message


OLDER = Charge(epoch=6, holder="b2")
OUR_OLDER = Charge(epoch=5, holder="a1")
LATER = Charge(epoch=8, holder="b2")
SETTLED = NOW - timedelta(seconds=SETTLE_SECONDS)


@pytest.mark.parametrize(
    ("found", "marked_at", "expected"),
    [
        pytest.param((), None, Mark(), id="a fresh host"),
        pytest.param((OURS,), None, Go(), id="a restart"),
        pytest.param((OLDER,), None, Mark(), id="a host that was somebody else's"),
        pytest.param((OLDER, OURS), None, Settle(NOW + timedelta(seconds=SETTLE_SECONDS)), id="just marked"),
        pytest.param((OLDER, OURS), NOW, Settle(NOW + timedelta(seconds=SETTLE_SECONDS)), id="it settles"),
        pytest.param((OLDER, OURS), SETTLED, Go((OLDER,)), id="it has settled"),
        pytest.param((OUR_OLDER, OURS), None, Go((OUR_OLDER,)), id="only we were there"),
        pytest.param((OUR_OLDER, OLDER, OURS), SETTLED, Go((OUR_OLDER, OLDER)), id="all marks but ours go"),
        pytest.param((OURS, LATER), SETTLED, Over(LATER), id="somebody took over"),
        pytest.param((LATER,), None, Over(LATER), id="somebody took over before we came"),
        pytest.param((OURS, THEIRS), None, Over(THEIRS), id="two without a common past: one stays"),
    ],
)
def test_a_host(found: tuple[Charge, ...], marked_at: datetime | None, expected: Step) -> None:
    assert next_step(OURS, found, marked_at=marked_at, now=NOW) == expected


@pytest.mark.parametrize("charge", [OURS, OURS_RELEASED, AHEAD], ids=["held", "released", "another"])
def test_a_record_is_read_as_it_was_written(charge: Charge) -> None:
    assert parse_record(render_record(charge)) == charge
    assert render_record(parse_record(render_record(charge)) or OURS) == render_record(charge)


@pytest.mark.parametrize("content", [None, b"", b"- 1", b"epoch: [", b"epoch: x\nholder: a1\n", b"holder: a1\n"])
def test_what_makes_no_sense_puts_nobody_in_charge(content: bytes | None) -> None:
    assert parse_record(content) is None


def test_a_mark_is_read_as_it_was_left() -> None:
    assert parse_marker(marker_labels(OURS)) == OURS
    assert marker_name(OURS) == "berth-charge-7-a1"


@pytest.mark.parametrize("labels", [{}, {"berth.dev/charge": "7"}, {"berth.dev/charge": "x", "berth.dev/holder": "a"}])
def test_labels_of_others_are_no_mark(labels: dict[str, str]) -> None:
    assert parse_marker(labels) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("berth-charge-7-a1", True), ("berth-claim_default_data", False), ("berth-charge-x", False), ("data", False)],
)
def test_names_of_marks(name: str, expected: bool) -> None:
    assert is_marker_name(name) is expected
