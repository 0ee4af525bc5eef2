"""Which of equal hosts wins: a hash of its name, so that every run and every order of arrival decides alike."""

from __future__ import annotations

import functools
import hashlib
from typing import Final

import numpy as np

from policies.scheduling.state.arrays import IntArray, grown
from policies.scheduling.state.snapshot import Snapshot

TIE_BITS: Final = 40
"""Leaves 23 bits for the total score: weights may sum up to 80,000."""


class TieBreaker:
    """A hash for each row, of the host's name and the seed: independent of the order in which hosts arrived."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._names: list[str] = []
        self._structure = -1
        self._hashes: IntArray = np.zeros(0, dtype=np.int64)

    def hashes(self, snapshot: Snapshot) -> IntArray:
        """By row; the array is never changed later."""
        names = snapshot.names
        if self._structure == snapshot.structure:
            return self._hashes
        self._structure = snapshot.structure
        if names != self._names:
            old = self._names
            self._hashes = grown(self._hashes, len(names))
            for row, name in enumerate(names):
                if row >= len(old) or old[row] != name:
                    self._hashes[row] = _tie_hash(name, self._seed)
            self._names = list(names)
        return self._hashes


@functools.lru_cache(maxsize=32768)
def _tie_hash(host: str, seed: int) -> int:
    digest = hashlib.blake2b(f"{seed}\0{host}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - TIE_BITS)
