"""What a worker needs of a host, real or simulated: look at it, act on it, hear from it.

`hosts.runtime.docker_runtime` is the real one, `hosts.simulated.host` the other; `tests/contract` holds both to the
same behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from differ.kubelet.actions import Action
from differ.kubelet.probes.probing import ProbeOrder
from objects.observation.figures import Measurement
from objects.observation.host import HostObservation
from objects.observation.metrics import Scrape, Scraped


class HostRuntime(Protocol):
    """Thread-safe. Raises only `objects.errors.HostError`s; nothing is repeated inside."""

    def observe(self) -> HostObservation:
        """A complete look at the host. Raises rather than to give a partial one."""
        ...

    def measure(self, *, containers: bool = False, disk: bool = False) -> Measurement:
        """What the host has left. containers: and what each container uses; disk: and what takes space on its disk.

        Cheap without `disk`. Raises rather than to give a part.
        """
        ...

    def scrape(self, scrapes: Sequence[Scrape]) -> tuple[Scraped, ...]:
        """What endpoints of pods answer, in the order given; a pod that does not answer is a value, no error."""
        ...

    def perform(self, action: Action) -> tuple[str, ...]:
        """Carry out one action. Returns when it has had its effect ("already so" is done) what the engine warned of.

        A raised HostUnreachable or DeadlineExceeded leaves open whether it had: the next look tells. While a mark of
        who is in charge appeared that no look has shown yet, nothing but `MarkCharge` is done: ChargeInDoubt.
        """
        ...

    def keep_probing(self, orders: Sequence[ProbeOrder]) -> None:
        """Exactly these probes from now on, each when it is due; what they say is in the observations. Returns at once.

        Wakes as `watch` says when what they say has changed.
        """
        ...

    def watch(self, wake: Callable[[], None], wake_later: Callable[[], None]) -> None:
        """Begin to call `wake`, from any thread, whenever the host may have changed by itself. Once, at the start.

        wake_later: called instead when only something of somebody else's has changed, which can wait for a while.
        """
        ...

    def close(self) -> None:
        """Let go of the host; what it runs stays as it is."""
        ...
