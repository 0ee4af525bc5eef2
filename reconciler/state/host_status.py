"""HostStatus: what is known of a host now, as an object in the store beside its `Host`.

Internal: written by the engine from host messages, read by the node controller; never in a manifest. Figures that
change all the time (free memory) stay inside `facts` and are quantised by those who show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import ClassVar, Final

from objects.api.meta import KubeObject
from objects.observation.figures import ForeignLoad, HostVitals
from objects.observation.host import HostFacts
from objects.own.config import EvictionThresholds
from policies.pressure import has_plenty
from reconciler.state.messages import HostFailure

GIVEN_AWAY: Final = "PodCIDRGivenAway"
"""Why a host has no slice while another one has that of its containers. It ends with the pods that have them."""


class HostStatus(KubeObject):
    """reachable: the last attempt to observe it worked. unreachable_since: None while it is reachable.

    pod_subnet: its slice of the pod network, '' until it was reached for the first time, and when it gets none:
    network_reason and network_message say why, or what is wrong with it. foreign: what others run on
    it. measured_at: when its pods were last measured; moves only while somebody wants that. is_reclaiming: unused
    images, or what evicted pods left, are being removed; reclaimed_at: when that was last seen to be over. A reading
    that was begun before says too little of what is free.

    network_problem: why its pods cannot have their network, as its worker found when it tried; '' while they can.
    failures: what does not work beside the looks at it: measurements, events … held: pods that could not be planned
    for and stay as they are, uid → why.

    is_recorded: what may run there of what must not run twice is on the status branch, and in the store.

    is_unobserved: its facts are known, but it is refused (`policies.host_support`), and was so since this process
    began: what runs there was never seen.

    may_hold_pods: it was in Git when this process began, and an earlier one may have used it: of its last moments the
    status branch tells nothing.
    """

    API_VERSION: ClassVar[str] = "berth.dev/v1alpha1"
    KIND: ClassVar[str] = "HostStatus"
    NAMESPACED: ClassVar[bool] = False

    facts: HostFacts | None = None
    reachable: bool = False
    unreachable_since: datetime | None = None
    reason: str = ""
    message: str = ""
    pod_subnet: str = ""
    network_reason: str = ""
    network_message: str = ""
    may_hold_pods: bool = False
    is_recorded: bool = False
    is_unobserved: bool = False
    foreign: tuple[ForeignLoad, ...] = ()
    measured_at: datetime | None = None
    is_reclaiming: bool = False
    reclaimed_at: datetime | None = None
    failures: tuple[HostFailure, ...] = ()
    held: Mapping[str, str] = {}
    network_problem: str = ""

    @property
    def was_observed(self) -> bool:
        """Whether this process has seen what runs there."""
        return self.facts is not None and not self.is_unobserved


_MOVING: Final = frozenset(HostVitals.__struct_fields__)
_settled_facts = attrgetter(*(name for name in HostFacts.__struct_fields__ if name not in _MOVING))
_settled = attrgetter(
    *(name for name in HostStatus.__struct_fields__ if name not in ("metadata", "facts", "measured_at"))
)


def moves_within_plenty(old: HostStatus, new: HostStatus, limits: EvictionThresholds) -> bool:
    """Whether a host only has a little more or less left of what it has plenty of: that changes nothing for anybody.

    So thousands of hosts whose free memory moves cost next to nothing.
    """
    if old.facts is None or new.facts is None or _settled(old) != _settled(new):
        return False
    if _settled_facts(old.facts) != _settled_facts(new.facts) or old.facts.disk_bytes != new.facts.disk_bytes:
        return False
    if old.facts.tasks_limit != new.facts.tasks_limit or old.facts.inodes != new.facts.inodes:
        return False
    return has_plenty(old.facts, limits) and has_plenty(new.facts, limits)
