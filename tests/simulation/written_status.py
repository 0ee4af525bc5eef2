"""The status branch of a simulated world: what a killed reconciler leaves behind, older than what it knew."""

from __future__ import annotations

import msgspec

from objects.api.core import Node
from objects.api.meta import KubeObject
from objects.api.pods import Pod
from objects.own.config import Host
from reconciler.core.engine import Engine
from reconciler.state.host_status import HostStatus
from reconciler.state.messages import Remembered, Restored
from reconciler.status.content import (
    is_in_inventory_only,
    render_files,
    restore,
    status_path,
)
from tests.simulation.machine import CANARY


def written(engine: Engine) -> Restored:
    """Written as YAML and read back, as the daemon does it."""
    files = render_files(engine.store, engine.inventory, is_ahead=engine.is_ahead)
    for path, content in files.items():
        assert CANARY.encode() not in content, f"a secret can be read in {path}"
    return restore(files.items())


def remembered(engine: Engine) -> Restored:
    """The same without the detour over YAML, which is most of the work (`test_histories` holds the two equal).

    And without copies of what Git holds: in these histories everything that is deployed is in Git, or goes.
    """
    objects: list[KubeObject] = []
    known = {}
    for obj in engine.store:
        if status_path(obj.key) is None:
            if is_in_inventory_only(obj.key) and obj.key in engine.inventory:
                known[obj.key] = Remembered(obj.metadata.creation_timestamp, None)
            continue
        if obj.key in engine.inventory and not isinstance(obj, Pod | Node):
            known[obj.key] = Remembered(obj.metadata.creation_timestamp, getattr(obj, "status", None))
            continue
        metadata = msgspec.structs.replace(obj.metadata, resource_version="", generation=0)
        objects.append(msgspec.structs.replace(obj, metadata=metadata))
        if isinstance(obj, Node):
            key = obj.key._replace(kind=Host.KIND)
            known[key] = Remembered(obj.metadata.creation_timestamp, None)
    subnets = {status.name: status.pod_subnet for status in engine.store.all_of(HostStatus) if status.pod_subnet}
    return Restored(
        objects=tuple(objects),
        remembered=known,
        inventory=dict(engine.inventory),
        subnets=subnets,
        is_ahead=engine.is_ahead,
    )
