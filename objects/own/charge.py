"""Who is in charge of a cluster: the record on the status branch, and its mark on every host. Pure.

Only one process reconciles a cluster at a time. Each change of hands has a higher `epoch` than all before, so whoever
meets the word of a later charge knows that its own is over. On a host the word is a Docker volume, empty and unused:
made and listed by one call, told by an event, and gone with nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from objects.names import LABEL_CHARGE, LABEL_HOLDER, LABEL_HOLDER_NAME, LABEL_MANAGED, LABEL_SINCE

MARKER_PREFIX = "berth-charge-"
_MARKER = re.compile(r"berth-charge-(\d+)-([0-9a-f]+)")


class Charge(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One process's charge of a cluster.

    epoch: higher than that of every charge before. holder: id of who has it; a process that is started again with the
    same cache has the same. name: for people. since: when it began. is_released: its holder ended cleanly.
    """

    epoch: int
    holder: str
    name: str = ""
    since: datetime = datetime.fromtimestamp(0, UTC)
    is_released: bool = msgspec.field(default=False, name="released")

    @property
    def rank(self) -> tuple[int, str]:
        """Charges in their order. Epochs differ, but for two that began without knowing of each other."""
        return self.epoch, self.holder

    def is_after(self, other: Charge) -> bool:
        """Whether `other` is over because of this one."""
        return self.rank > other.rank

    def __str__(self) -> str:
        """`berth run of root@nas, in charge since 2026-11-26 00:10:12 UTC`."""
        return f"{self.name or self.holder}, in charge since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def marker_name(charge: Charge) -> str:
    """The Docker volume that says on a host who is in charge."""
    return f"{MARKER_PREFIX}{charge.epoch}-{charge.holder}"


def is_marker_name(volume: str) -> bool:
    """Whether a Docker volume's name is one of `marker_name`."""
    return _MARKER.fullmatch(volume) is not None


def marker_labels(charge: Charge) -> dict[str, str]:
    """The labels of that volume: `parse_marker` reads them, and so may a person (`docker volume inspect`)."""
    return {
        LABEL_MANAGED: "true",
        LABEL_CHARGE: str(charge.epoch),
        LABEL_HOLDER: charge.holder,
        LABEL_HOLDER_NAME: charge.name,
        LABEL_SINCE: charge.since.isoformat(),
    }


def parse_marker(labels: Mapping[str, str]) -> Charge | None:
    """The charge that a volume with these labels speaks of; None when it is none of ours."""
    epoch, holder = labels.get(LABEL_CHARGE, ""), labels.get(LABEL_HOLDER, "")
    if not epoch.isdigit() or not holder:
        return None
    try:
        since = datetime.fromisoformat(labels.get(LABEL_SINCE, ""))
    except ValueError:
        since = datetime.fromtimestamp(int(epoch), UTC)
    return Charge(epoch=int(epoch), holder=holder, name=labels.get(LABEL_HOLDER_NAME, ""), since=since)
