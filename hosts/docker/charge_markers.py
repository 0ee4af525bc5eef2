"""The marks of who is in charge on one host: Docker volumes, listed and made by one call each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hosts.docker.engine import Engine
from objects.names import LABEL_CHARGE
from objects.own.charge import (
    Charge,
    marker_labels,
    marker_name,
    parse_marker,
)


def list_charges(engine: Engine) -> tuple[Charge, ...]:
    """Everybody who left a mark, in the order of their charges. Raises HostError."""
    answer: dict[str, Any] = engine.api.volumes(filters={"label": LABEL_CHARGE})
    return read_charges(answer.get("Volumes") or ())


def read_charges(volumes: Iterable[Mapping[str, Any]]) -> tuple[Charge, ...]:
    """The charges that volumes speak of, in their order. One whose name says otherwise is somebody's copy. Pure."""
    told = ((str(volume["Name"]), parse_marker(volume.get("Labels") or {})) for volume in volumes)
    charges = (charge for name, charge in told if charge is not None and marker_name(charge) == name)
    return tuple(sorted(charges, key=lambda charge: charge.rank))


def mark_charge(engine: Engine, charge: Charge) -> None:
    """Leave the mark; one that is there stays. Raises HostError."""
    engine.api.create_volume(marker_name(charge), driver="local", labels=marker_labels(charge))
