"""One budget for the sessions of a connection: commands, the shell that stays, `dial-stdio` streams.

sshd opens at most MaxSessions of them on one connection, ten by default; forwarded channels are not counted. What it
really allows is learnt when it refuses one. A session takes its place until sshd itself says that it has ended: a
program that does not end keeps its place, whoever gave up on it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum

DEFAULT_PLACES = 10
"""sshd's default MaxSessions."""

KEPT_FOR_OTHERS = 3
"""Places that streams leave free: one for the shell that stays, two for commands."""

LEAST_STREAMS = 2
"""One to hear of events and one to ask, also where that leaves nothing for others but what is idle."""

SLICE_SECONDS = 0.5
"""Between two looks whether the connection still lives, while a place is waited for."""


class Use(Enum):
    """What a session is for."""

    COMMAND = "command"
    STREAM = "stream"


class Sessions:
    """The places of one connection. Thread-safe."""

    def __init__(self, places: int = DEFAULT_PLACES) -> None:
        self._changed = threading.Condition()
        self._places = places
        self._opening: list[Use] = []
        self._open: dict[int, Use] = {}
        self._channels: dict[int, object] = {}
        self.ended_at = float("-inf")
        """When one ended last, by the clock of the connection."""
        self.is_learnt = False
        """Whether sshd has refused one, so that `places` is its own number."""

    @property
    def places(self) -> int:
        """How many sessions there may be."""
        return self._places

    @property
    def places_for_streams(self) -> int:
        """How many of them may be streams."""
        return max(min(LEAST_STREAMS, self._places), self._places - KEPT_FOR_OTHERS)

    @property
    def in_use(self) -> int:
        with self._changed:
            return len(self._opening) + len(self._open)

    def take(self, use: Use, *, seconds: Callable[[], float], make_room: Callable[[], None]) -> bool:
        """Wait for a place, to be told of by `opened`, `refused` or `failed`. False: none came free in time.

        seconds: left to wait, asked again and again; it may raise. make_room: called, on no lock of ours, when all
        places are taken: whoever holds one that is idle should give it up.
        """
        has_asked = False
        while True:
            with self._changed:
                if self._is_free(use):
                    self._opening.append(use)
                    return True
                if has_asked:
                    left = seconds()
                    if left <= 0:
                        return False
                    self._changed.wait(min(left, SLICE_SECONDS))
                    continue
            make_room()
            has_asked = True

    def _is_free(self, use: Use) -> bool:
        uses = [*self._opening, *self._open.values()]
        if use is Use.STREAM and uses.count(Use.STREAM) >= self.places_for_streams:
            return False
        return len(uses) < self._places

    def opened(self, use: Use, number: int, *, is_there: Callable[[int], bool], channel: object = None) -> None:
        """sshd opened channel `number`. is_there: whether it has not ended by now.

        channel: held until its end, because of one that is forgotten paramiko does not tell the end.
        """
        with self._changed:
            self._opening.remove(use)
            self._open[number] = use
            self._channels[number] = channel
            if not is_there(number):
                del self._open[number], self._channels[number]
            self._changed.notify_all()

    def refused(self, use: Use) -> bool:
        """sshd refused it: it allows no more than others are open or being opened, of which it may refuse some, too.

        False: there are no others, so that is not the cause.
        """
        with self._changed:
            self._opening.remove(use)
            self._changed.notify_all()
            if not self._open and not self._opening:
                return False
            self._places = max(1, min(self._places, len(self._open) + len(self._opening)))
            self.is_learnt = True
            return True

    def failed(self, use: Use) -> None:
        """Nothing came of it."""
        with self._changed:
            self._opening.remove(use)
            self._changed.notify_all()

    def ended(self, number: int, at: float) -> None:
        """The channel is closed on both sides. Called in the connection's thread, for any channel. at: by its clock."""
        if number in self._open:
            self.ended_at = at
            with self._changed:
                self._open.pop(number, None)
                self._channels.pop(number, None)
                self._changed.notify_all()
