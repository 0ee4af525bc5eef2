"""The scheduler's verdicts about one pod, from a live view: what `berth explain` shows. Decides nothing."""

from __future__ import annotations

import msgspec

from objects.api.pods import Pod
from objects.errors import NotFound
from objects.own.config import ClusterSpec
from policies.scheduling.explain import HostVerdict, explain
from policies.scheduling.profiles import DEFAULT_SCHEDULER, make_profiles
from reconciler.core.scheduling import SchedulingLoop
from reconciler.process.plugins import load_rules
from reconciler.state.store import Changed, Store


def judge_hosts(store: Store, settings: ClusterSpec, pod: Pod, *, host: str = "") -> list[HostVerdict]:
    """Every host (or one) judged for a pod, the best first; a pod that runs is judged as if it still had to be placed.

    Raises NotFound for a host or a scheduler that does not exist.
    """
    name, rules = pod.spec.scheduler_name or DEFAULT_SCHEDULER, load_rules()
    profile = make_profiles(settings.scheduling.profiles, rules).get(name)
    if profile is None:
        raise NotFound(
            f"pod {pod.name} waits for the scheduler {name!r}", hint="no profile of the Cluster has this name"
        )
    loop = SchedulingLoop(rules)
    for obj in store:
        loop.observe(Changed(obj.key, None, obj))
    if host and host not in loop.snapshot.row_of:
        raise NotFound(f'hosts "{host}" not found, or never reached')
    loose = msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, node_name=""))
    return explain(loose, loop.snapshot, profile, host or None, seed=settings.scheduling.seed)
