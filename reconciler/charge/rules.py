"""Two reconcilers of one cluster are kept apart: who is in charge, and when a host may be acted on. Pure.

The record on the status branch says who is in charge; a push changes only what it has seen, so taking the charge is a
compare-and-swap. It costs a commit when it changes hands, none while it is kept. Whoever took it leaves its mark on
each host before it acts there: so an earlier one that cannot reach Git finds out from the first host that it shares
with the new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec
import yaml

from objects.errors import InChargeElsewhere, Superseded
from objects.own.charge import Charge

CHARGE_PATH = "charge.yaml"
"""On the status branch."""

SETTLE_SECONDS = 3.0
"""From our mark on a host that another was in charge of to the first look that counts. The other hears of the mark in
milliseconds; what it called before that is carried out by then, and seen. A create and a start take 0.1 to 0.5 s, on a
host with ten processes for each processor up to 2 s."""


class Claimant(msgspec.Struct, frozen=True):
    """A process that wants to act. holder: its id. name: for people. other: who runs with the same cache now.

    is_lasting: `berth run`, which takes over; `berth apply` is for moments when nobody is in charge. takes_over: a
    person said so.
    """

    holder: str
    name: str
    is_lasting: bool
    takes_over: bool = False
    other: str = ""


def choose_charge(record: Charge | None, claimant: Claimant, now: datetime) -> Charge:
    """The charge that `claimant` goes on with; the same as `record` when nothing needs to be written.

    record                  run                     apply
    none, or released       a new epoch             a new epoch
    its own                 as it is                as it is
    its own, released       no longer released      as it is
    somebody else's         a new epoch             InChargeElsewhere

    A new epoch is a time (seconds since 1970) where that is higher than all before: so it is also higher than marks on
    hosts whose record was lost with the branch. Raises InChargeElsewhere.
    """
    if not (claimant.is_lasting or claimant.takes_over):
        if claimant.other:
            raise _elsewhere(f"{claimant.other}, with the same cache,")
        if record is not None and not record.is_released and record.holder != claimant.holder:
            raise _elsewhere(str(record))
    if record is not None and record.holder == claimant.holder and not claimant.takes_over:
        if record.is_released and claimant.is_lasting:
            return msgspec.structs.replace(record, is_released=False, name=claimant.name, since=now)
        return record
    epoch = max(int(now.timestamp()), record.epoch + 1 if record else 1)
    return Charge(epoch=epoch, holder=claimant.holder, name=claimant.name, since=now)


def _elsewhere(who: str) -> InChargeElsewhere:
    return InChargeElsewhere(
        f"{who} acts on this cluster already", hint="push, and it deploys; if it is gone for good: --take-over"
    )


def superseded(by: Charge) -> Superseded:
    """What the earlier one says at its end."""
    return Superseded(f"superseded by {by}", hint="hosts keep running what they run")


# --- on a host ----------------------------------------------------------------------------------------------------


class Go(msgspec.Struct, frozen=True):
    """The host is ours: what was seen counts. stale: marks of earlier charges that may be removed."""

    stale: tuple[Charge, ...] = ()


class Mark(msgspec.Struct, frozen=True):
    """Our mark is missing: leave it, and look again."""


class Settle(msgspec.Struct, frozen=True):
    """Calls of an earlier one may still have effects: look again then."""

    until: datetime


class Over(msgspec.Struct, frozen=True):
    """Somebody later is in charge."""

    by: Charge


Step: TypeAlias = Go | Mark | Settle | Over


def next_step(own: Charge, found: Iterable[Charge], *, marked_at: datetime | None, now: datetime) -> Step:
    """What to do about a host on which `found` left marks, before anything else is done there.

    marked_at: since when our mark is known to be there, None before it was seen. Marks of others that stay beside ours
    mean that the host has not settled: so a process that was killed while it waited waits again, and any other start
    of the same holder waits for nothing.
    """
    marks = tuple(found)
    latest = max(marks, key=lambda charge: charge.rank, default=own)
    if latest.is_after(own):
        return Over(latest)
    if all(charge.rank != own.rank for charge in marks):
        return Mark()
    stale = tuple(charge for charge in marks if charge.rank != own.rank)
    if any(charge.holder != own.holder for charge in stale):
        until = (marked_at or now) + timedelta(seconds=SETTLE_SECONDS)
        if now < until:
            return Settle(until)
    return Go(stale)


# --- the record ---------------------------------------------------------------------------------------------------


def render_record(charge: Charge) -> bytes:
    """The file on the status branch; byte for byte the same for the same charge."""
    text: str = yaml.safe_dump(msgspec.to_builtins(charge), sort_keys=False, allow_unicode=True, width=120)
    return text.encode()


def parse_record(content: bytes | None) -> Charge | None:
    """Read the file; None when there is none, or none that makes sense: then nobody is in charge."""
    if content is None:
        return None
    try:
        return msgspec.convert(yaml.load(content, Loader=yaml.CSafeLoader), Charge, strict=False)
    except (yaml.YAMLError, msgspec.ValidationError):
        return None
