"""What many pods have alike is held once: pods that were read one by one from their hosts share nothing. Pure.

Pods that controllers made of one template share its parts; of 50,000 that a fresh process finds, each brings
containers, tolerations and labels of its own: 8 KiB a pod for what is the same for hundreds.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from objects.api.pods import Pod

_METADATA: Final = ("labels", "annotations", "owner_references")
_SPEC: Final = (
    "containers",
    "init_containers",
    "volumes",
    "tolerations",
    "affinity",
    "topology_spread_constraints",
    "security_context",
)
_ENCODER: Final = msgspec.msgpack.Encoder()


class Sharing:
    """Remembers parts of pods as long as it lives: keep it while many pods are read, not for ever."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, bytes], Any] = {}

    def pod(self, pod: Pod) -> Pod:
        """An equal pod that has its parts in common with those that were asked about before."""
        metadata = {name: self._part(name, getattr(pod.metadata, name)) for name in _METADATA}
        spec = {name: self._part(name, getattr(pod.spec, name)) for name in _SPEC}
        return msgspec.structs.replace(
            pod,
            metadata=msgspec.structs.replace(pod.metadata, **metadata),
            spec=msgspec.structs.replace(pod.spec, **spec),
        )

    def _part(self, name: str, value: Any) -> Any:
        if not value:
            return value
        digest = hashlib.blake2b(_ENCODER.encode(value), digest_size=16).digest()
        known = self._parts.setdefault((name, digest), value)
        return known if known == value else value
