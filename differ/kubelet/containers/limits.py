"""Resource settings of containers that a host's kernel does not hold: they are said, and not asked for again. Pure.

An engine takes such a setting, warns, and drops it, or keeps it without effect; which one depends on its version.
"""

from __future__ import annotations

from collections.abc import Iterator

from differ.kubelet.actions import ResourceSettings
from objects.observation.host import HostTraits


def held(settings: ResourceSettings, traits: HostTraits) -> ResourceSettings:
    """What of `settings` the kernel holds; 0 for what it does not.

    Worked example: 256 shares, 50 ms of 100 ms and 64 MiB where there is no CFS quota -> 256 shares, 0, 64 MiB.
    """
    return ResourceSettings(
        cpu_shares=settings.cpu_shares if traits.weighs_cpu else 0,
        cpu_quota_micros=settings.cpu_quota_micros if traits.limits_cpu else 0,
        memory_bytes=settings.memory_bytes if traits.limits_memory else 0,
    )


def unheld_limits(settings: ResourceSettings, traits: HostTraits) -> Iterator[str]:
    """The limits that are set and not held, in words. Requests are none: without weights every container is as good."""
    if settings.cpu_quota_micros and not traits.limits_cpu:
        yield "CPU"
    if settings.memory_bytes and not traits.limits_memory:
        yield "memory"
