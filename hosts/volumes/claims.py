"""Makes a claim's Docker volume ready for its first pod. One that holds data is left as it is."""

from __future__ import annotations

import shlex
from typing import Any

from differ.kubelet.actions import PrepareVolume
from hosts.docker.engine import Engine

OPEN_SECONDS = 20.0


def prepare_volume(engine: Engine, action: PrepareVolume) -> None:
    """Make the volume if there is none, and let pods write to it while it is as Docker made it.

    Raises HostError. Can be repeated, also after half of it.
    """
    api = engine.api
    body = {"Name": action.volume, "Driver": "local", "Labels": dict(action.labels)}
    response = api.post(api.versioned("/volumes/create"), json=body, timeout=engine.call_seconds)
    api.check(response)
    made: dict[str, Any] = response.json()
    command = open_command(str(made["Mountpoint"]), mode=action.mode, group=action.group)
    engine.link.run(command, timeout_seconds=OPEN_SECONDS, root=True, check=True)


def open_command(directory: str, *, mode: int, group: int) -> str:
    """A shell command that opens an empty directory of root's with Docker's own mode, and no other. Pure.

    A database that made its directory its own, even while it is empty, must find it so again.
    """
    place = shlex.quote(directory)
    fresh = f"find {place} -maxdepth 0 -empty -user 0 -perm 755"
    return f'if [ -n "$({fresh})" ]; then chgrp {group:d} {place} && chmod {mode:o} {place}; fi'
