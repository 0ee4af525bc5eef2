"""The lab's state file: what another process needs to attach, and which address block a lab owns."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from tests.lab.errors import LabError
from tests.lab.hostspec import HostSpec
from tests.lab.names import RUNTIME_ROOT, STATE_ROOT, LabNames
from tests.lab.processes import wait_until

_FORMAT = 1


@dataclass(frozen=True)
class LabState:
    """block: second byte of the lab's addresses. hosts: by number, which gives each its address."""

    block: int
    hosts: dict[int, HostSpec]

    def numbers(self) -> dict[str, int]:
        return {spec.name: number for number, spec in self.hosts.items()}


def read_state(names: LabNames) -> LabState | None:
    """The state, or None if the lab was never up or its file is from another version or torn."""
    try:
        content = json.loads(names.state_file.read_text())
        if content["format"] != _FORMAT:
            return None
        return LabState(content["block"], {int(key): HostSpec(**spec) for key, spec in content["specs"].items()})
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None  # `up` makes it anew from names alone


def write_state(names: LabNames, state: LabState, description: dict[str, Any]) -> None:
    """description: what people and other tools like to read, such as addresses and keys; it is never read back."""
    content = {
        "format": _FORMAT,
        "block": state.block,
        "specs": {str(number): asdict(spec) for number, spec in state.hosts.items()},
        **description,
    }
    names.state.mkdir(parents=True, exist_ok=True)
    draft = names.state_file.with_suffix(".new")
    draft.write_text(json.dumps(content, indent=2) + "\n")
    draft.replace(names.state_file)


def blocks_of_other_labs(names: LabNames) -> set[int]:
    blocks = set()
    for directory in STATE_ROOT.glob("[a-z]*"):
        if directory.name != names.lab and (state := read_state(LabNames(directory.name))) is not None:
            blocks.add(state.block)
    return blocks


def lab_names() -> list[str]:
    """All labs that have left something on disk."""
    return sorted(directory.name for directory in STATE_ROOT.glob("[a-z]*") if directory.is_dir())


@contextmanager
def locked(name: str, *, timeout_seconds: float = 60) -> Iterator[None]:
    """Keep other processes out while a lab changes; the lock dies with its holder. LabError after the timeout."""
    RUNTIME_ROOT.mkdir(parents=True, exist_ok=True)
    with (RUNTIME_ROOT / f"_{name}.lock").open("w") as file:
        _acquire(file.fileno(), name, timeout_seconds)
        yield


def _acquire(descriptor: int, name: str, timeout_seconds: float) -> None:
    def taken() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        wait_until(taken, what="", timeout_seconds=timeout_seconds, interval_seconds=0.05)
    except LabError as error:
        raise LabError(
            f"another process has been changing the lab {name!r} for {timeout_seconds:g} s; wait for it or end it"
        ) from error
