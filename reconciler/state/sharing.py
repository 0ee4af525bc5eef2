"""What many pods have alike is held once: pods that were read one by one from their hosts share nothing. Pure.

Pods that controllers made of one template share its parts; of 50,000 that a fresh process finds, each brings
containers, tolerations and labels of its own: 8 KiB a pod for what is the same for hundreds.
"""

from __future__ import annotations

import hashlib
from operator import attrgetter, is_
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
_parts_of_metadata = attrgetter(*_METADATA)
_parts_of_spec = attrgetter(*_SPEC)
_ENCODER: Final = msgspec.msgpack.Encoder()


class Sharing:
    """Remembers parts of pods as long as it lives: keep it while many pods are read, not for ever."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, bytes], Any] = {}
        self._groups: dict[bytes, tuple[Any, ...]] = {}
        self._last: dict[tuple[str, ...], tuple[tuple[Any, ...], tuple[Any, ...]]] = {}
        """Names of parts → those of the last pod, and what was given for them."""

    def pod(self, pod: Pod, like: Pod | None = None) -> Pod:
        """An equal pod that has its parts in common with those that were asked about before.

        like: what was given for a pod that is likely equal, when there is one: comparing is faster than finding.
        """
        metadata, spec = pod.metadata, pod.spec
        of_metadata, of_spec = _parts_of_metadata(metadata), _parts_of_spec(spec)
        if like is not None and _parts_of_metadata(like.metadata) == of_metadata:
            shared_metadata = _parts_of_metadata(like.metadata)
        else:
            shared_metadata = self._group(_METADATA, of_metadata)
        if like is not None and _parts_of_spec(like.spec) == of_spec:
            shared_spec = _parts_of_spec(like.spec)
        else:
            shared_spec = self._group(_SPEC, of_spec)
        if all(map(is_, of_metadata, shared_metadata)) and all(map(is_, of_spec, shared_spec)):
            return pod
        return msgspec.structs.replace(
            pod,
            metadata=msgspec.structs.replace(metadata, **dict(zip(_METADATA, shared_metadata, strict=True))),
            spec=msgspec.structs.replace(spec, **dict(zip(_SPEC, shared_spec, strict=True))),
        )

    def _group(self, names: tuple[str, ...], values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Several parts at once: pods of one template have all of them alike, and are asked about one after another."""
        last = self._last.get(names)
        if last is not None and all(map(is_, last[0], values)):
            return last[1]
        digest = _digest(values)
        known = self._groups.get(digest)
        if known is None:
            known = self._groups[digest] = tuple(map(self._part, names, values))
        elif known != values:
            known = values
        self._last[names] = values, known
        return known

    def _part(self, name: str, value: Any) -> Any:
        if not value:
            return value
        known = self._parts.setdefault((name, _digest(value)), value)
        return known if known == value else value


def _digest(value: Any) -> bytes:
    return hashlib.blake2b(_ENCODER.encode(value), digest_size=16).digest()
