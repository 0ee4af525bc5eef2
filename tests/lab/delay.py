"""A slow line to a host: a cable whose two ends are this process, which hands each frame on some time later.

For kernels without netem. The ends are TAP devices, one in the lab's bridge and one, `eth0`, in the host's network
namespace; both are gone with the process. Frames keep their order; nothing is lost, and the line is as wide as Python
is fast (some 10,000 frames a second).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import struct
import sys
import time
from collections import deque
from pathlib import Path

_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_CLONE_NEWNET = 0x40000000
_FRAME_BYTES = 65536
_LONGEST_QUEUE = 10_000
"""Frames on their way; more are dropped, as by a router."""


def carry(outer: int, inner: int, *, delay_seconds: float) -> None:
    """Hand frames from each end to the other until one of them is taken away."""
    other = {outer: inner, inner: outer}
    waiting: deque[tuple[float, int, bytes]] = deque()
    while True:
        until_next = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        readable, _, _ = select.select(list(other), [], [], until_next)
        now = time.monotonic()
        for end in readable:
            frame = os.read(end, _FRAME_BYTES)
            if len(waiting) < _LONGEST_QUEUE:
                waiting.append((now + delay_seconds, other[end], frame))
        while waiting and waiting[0][0] <= now:
            _, end, frame = waiting.popleft()
            try:
                os.write(end, frame)
            except OSError:  # that end is down: a pulled cable
                continue


def _open_tap(name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TAP | _IFF_NO_PI))
    return descriptor


def _enter_network(path: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with path.open() as file:
        if libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns to {path}")


def main(argv: list[str]) -> None:
    """NAME of the outer end, NAMESPACE (a path) of the inner one, SECONDS of delay."""
    name, namespace, delay = argv
    outer = _open_tap(name)
    _enter_network(Path(namespace))
    inner = _open_tap("eth0")
    carry(outer, inner, delay_seconds=float(delay))


if __name__ == "__main__":
    main(sys.argv[1:])
