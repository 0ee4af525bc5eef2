"""The marks of who is in charge on one host: Docker volumes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hosts.docker.engine import Engine
from objects.own.charge import (
    Charge,
    marker_labels,
    marker_name,
    parse_marker,
)


def read_charges(volumes: Iterable[Mapping[str, Any]]) -> tuple[Charge, ...]:
    """The charges that volumes speak of, in their order. One whose name says otherwise is somebody's copy. Pure."""
    told = ((str(volume["Name"]), parse_marker(volume.get("Labels") or {})) for volume in volumes)
    charges = (charge for name, charge in told if charge is not None and marker_name(charge) == name)
    return tuple(sorted(charges, key=lambda charge: charge.rank))


def mark_charge(engine: Engine, charge: Charge) -> None:
    """Leave the mark; one that is there stays. Raises HostError."""
    engine.api.create_volume(marker_name(charge), driver="local", labels=marker_labels(charge))
