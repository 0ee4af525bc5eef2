"""Taking charge of a cluster, and finding out that somebody else did. The edge of `reconciler.charge.rules`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

import msgspec

from objects.own.charge import Charge
from reconciler.charge.rules import (
    CHARGE_PATH,
    Claimant,
    choose_charge,
    parse_record,
    render_record,
    superseded,
)
from sources.git.branch_writer import MovedOn
from sources.git.status_branch import FileAtTip, StatusBranch

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 10
"""A branch moves on under us when others write to it, at most every few seconds."""

ReadFile = Callable[[str], bytes | None]


class InCharge:
    """What this process knows of its charge; one for all its threads.

    Whoever finds out that it is over says so here (`end`), and everybody who acts asks before (`is_over`). follows:
    somebody was in charge before, who may have acted and not written it down.
    """

    def __init__(self, charge: Charge, *, follows: bool = False) -> None:
        self.charge = charge
        self.follows = follows
        self.on_end: Callable[[], None] = lambda: None
        self._superseded_by: Charge | None = None

    @property
    def is_over(self) -> bool:
        return self._superseded_by is not None

    def end(self, by: Charge) -> None:
        """Somebody later is in charge: nothing is done any more. From any thread."""
        if self._superseded_by is None:
            self._superseded_by = by
            log.warning("%s", superseded(by))
            self.on_end()

    def require(self) -> None:
        """Raises Superseded when the charge is over."""
        if self._superseded_by is not None:
            raise superseded(self._superseded_by)

    def take_note(self, content: bytes | None) -> None:
        """What the record on the status branch says now.

        One that is gone, older or garbled takes the charge from nobody: ours is written with the next status.
        """
        record = parse_record(content)
        if record is not None and record.is_after(self.charge):
            self.end(record)

    def guard(self, read_file: ReadFile) -> None:
        """To be asked before anything is written to the status branch. Raises Superseded."""
        self.take_note(read_file(CHARGE_PATH))
        self.require()

    def release(self) -> None:
        """Nothing is done any more, by our own will: the next status commit says so."""
        self.charge = msgspec.structs.replace(self.charge, is_released=True)

    @property
    def files(self) -> dict[str, bytes]:
        """What the status branch should say of it."""
        return {CHARGE_PATH: render_record(self.charge)}


def take_charge(
    branch: StatusBranch, claimant: Claimant, seen: FileAtTip, *, clock: Callable[[], datetime]
) -> InCharge:
    """Be the one in charge: recorded on the status branch when this returns. One commit at most.

    seen: the record, as the branch had it a moment ago; when it is not so any more, it is asked again. Raises
    InChargeElsewhere, SourceError.
    """
    for _ in range(MAX_ATTEMPTS):
        record = parse_record(seen.content)
        charge = choose_charge(record, claimant, clock())
        if charge == record:
            return InCharge(charge, follows=True)
        try:
            branch.write_next(seen.tip, {CHARGE_PATH: render_record(charge)}, message=f"In charge: {charge.name}")
        except MovedOn:
            seen = branch.known_file(CHARGE_PATH)
            continue
        if record is not None and not record.is_released and record.holder != charge.holder:
            log.warning("took over from %s", record)
        return InCharge(charge, follows=seen.content is not None)
    raise MovedOn(f"the status branch moved on {MAX_ATTEMPTS} times while this process tried to take charge")


def release_charge(branch: StatusBranch, in_charge: InCharge) -> None:
    """Say that nobody is in charge any more, in a commit of its own. Raises Superseded, SourceError."""
    in_charge.release()
    for _ in range(MAX_ATTEMPTS):
        seen = branch.known_file(CHARGE_PATH)
        in_charge.take_note(seen.content)
        in_charge.require()
        try:
            branch.write_next(seen.tip, in_charge.files, message="Nobody in charge")
            return
        except MovedOn:
            continue
