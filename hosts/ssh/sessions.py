"""One budget for the sessions of a connection: commands, the shell that stays, `dial-stdio` streams.

sshd opens at most MaxSessions of them on one connection, ten by default; forwarded channels are not counted. What it
really allows is learnt when it refuses one, and tried anew now and then: no lesson lasts for ever. A session takes its
place until sshd itself says that it has ended: a program that does not end keeps its place, whoever gave up on it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum

DEFAULT_PLACES = 10
"""sshd's default MaxSessions."""

KEPT_FOR_OTHERS = 3
"""Places that streams leave free: one for the shell that stays, two for commands."""

LEAST_STREAMS = 2
"""One to hear of events and one to ask, also where that leaves nothing for others but what is idle."""

SLICE_SECONDS = 0.5
"""Between two looks whether the connection still lives and whether somebody else's session has become idle, while a
place is waited for."""

LINGERING_SECONDS = 5.0
"""A session that has ended may keep its place in sshd until its process is collected: so long it may be counted there
and not here."""

MORE_SECONDS = (10.0, 600.0)
"""What was learnt is tried anew, by one session more, after a pause that doubles from the first to the second of these
as long as it is true: that costs a refusal each time, and only while somebody waits for a place."""


class Use(Enum):
    """What a session is for."""

    COMMAND = "command"
    STREAM = "stream"


class Sessions:
    """The places of one connection. Thread-safe. clock: monotonic, in seconds."""

    def __init__(self, places: int = DEFAULT_PLACES, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._changed = threading.Condition()
        self._clock = clock
        self._places = places
        self._opening: list[Use] = []
        self._open: dict[int, Use] = {}
        self._channels: dict[int, object] = {}
        self._ended_at: deque[float] = deque()
        self._more_at = float("inf")
        self._pause = MORE_SECONDS[0]
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

        seconds: left to wait, asked again and again; it may raise. make_room: called, on no lock of ours, as long as
        all places are taken: whoever holds one that is idle should give it up, also one that is idle only by then.
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
                    has_asked = False
                    continue
            make_room()
            has_asked = True

    def _is_free(self, use: Use) -> bool:
        uses = [*self._opening, *self._open.values()]
        if use is Use.STREAM and uses.count(Use.STREAM) >= self.places_for_streams:
            return False
        return len(uses) < self._places or self._may_try_more()

    def _may_try_more(self) -> bool:
        """Whether it is time to see if sshd allows more than was learnt; true for one caller."""
        now = self._clock()
        if now < self._more_at:
            return False
        self._pause = min(self._pause * 2, MORE_SECONDS[1])
        self._more_at = now + self._pause
        return True

    def opened(self, use: Use, number: int, *, is_there: Callable[[int], bool], channel: object = None) -> None:
        """sshd opened channel `number`. is_there: whether it has not ended by now.

        channel: held until its end, because of one that is forgotten paramiko does not tell the end.
        """
        with self._changed:
            self._opening.remove(use)
            self._open[number] = use
            self._channels[number] = channel
            if len(self._open) > self._places:  # it allows more than was learnt, perhaps more than that
                self._places = len(self._open)
                self._pause = MORE_SECONDS[0]
                self._more_at = self._clock()
            if not is_there(number):
                self._forget(number)
            self._changed.notify_all()

    def refused(self, use: Use) -> bool:
        """sshd refused it: it allows no more than there are others. False: there are none, so that is not the cause.

        Others are those that are open, being opened (of which it may refuse some, too), or have just ended. So the
        number that is learnt is never too low, and often too high at first.
        """
        with self._changed:
            self._opening.remove(use)
            self._changed.notify_all()
            others = len(self._open) + len(self._opening) + self._lingering()
            if not others:
                return False
            if others < self._places:
                self._places = others
                self.is_learnt = True
                self._more_at = self._clock() + self._pause
            return True

    def _lingering(self) -> int:
        """How many have ended of late."""
        since = self._clock() - LINGERING_SECONDS
        while self._ended_at and self._ended_at[0] < since:
            self._ended_at.popleft()
        return len(self._ended_at)

    def failed(self, use: Use) -> None:
        """Nothing came of it."""
        with self._changed:
            self._opening.remove(use)
            self._changed.notify_all()

    def ended(self, number: int) -> None:
        """The channel is closed on both sides. Called in the connection's thread, for any channel."""
        if number in self._open:
            with self._changed:
                self._forget(number)
                self._changed.notify_all()

    def _forget(self, number: int) -> None:
        """The caller holds the lock."""
        if self._open.pop(number, None) is not None:
            self._lingering()  # what nobody asks for any more goes
            self._ended_at.append(self._clock())
        self._channels.pop(number, None)
