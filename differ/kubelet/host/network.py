"""What a host needs for the network of its pods: Docker's network, and the declared host state around it. Pure."""

from __future__ import annotations

from datetime import datetime

from differ.kubelet.actions import Action, EnsureNetwork
from differ.kubelet.assignment import HostAssignment
from differ.kubelet.host.state import desired_parts, plan_parts
from differ.kubelet.memory import WorkerMemory
from differ.kubelet.planning import earliest
from objects.observation.host import HostObservation


def plan_network(
    assignment: HostAssignment, observation: HostObservation, memory: WorkerMemory, now: datetime
) -> tuple[tuple[Action, ...], str, datetime | None]:
    """(actions, why pods cannot have their network yet, when to try again).

    A host without pods that need it gets none, but what it has is kept whole (one of another slice is replaced: that
    may be another host's by now), and what failed is tried again: somebody may have put it right, and until then no pod
    is to come. Pods start while the rules around a network are set; they wait once that has failed, or where it is
    known that it cannot work. A host that has no slice (yet, or another host has its own by now) keeps what is there.
    """
    if not assignment.network.subnet:
        return (), "the host has no slice of the pod network: see the conditions of its node", None
    made, problem, wake_at = _plan_docker_network(assignment, observation, memory, now)
    if not _is_needed(assignment, observation, memory):
        return (), "", None
    set_, unset, retry_at = plan_parts(desired_parts(assignment), observation.host_parts, memory.host_parts, now)
    refused = observation.facts.traits.root_refused
    problem = problem or unset or (f"rules of the host cannot be set: {refused}" if refused else "")
    return (*made, *set_), problem, earliest((wake_at, retry_at))


def has_failed(observation: HostObservation, memory: WorkerMemory) -> bool:
    """Whether what keeps pods from their network is more than that it is just being made."""
    return bool(memory.network_failure or memory.host_parts or observation.facts.traits.root_refused)


def _is_needed(assignment: HostAssignment, observation: HostObservation, memory: WorkerMemory) -> bool:
    found = observation.pod_network
    return (
        any(not pod.spec.host_network and not pod.is_terminating for pod in assignment.pods)
        or bool(memory.network_failure or memory.host_parts)
        or (found is not None and found.name == assignment.network.name)
    )


def _plan_docker_network(
    assignment: HostAssignment, observation: HostObservation, memory: WorkerMemory, now: datetime
) -> tuple[tuple[Action, ...], str, datetime | None]:
    wanted, found = assignment.network, observation.pod_network
    if found is not None and (found.name, found.subnet) == (wanted.name, wanted.subnet):
        return (), "", None
    failure = memory.network_failure
    if failure is None:
        return (EnsureNetwork(network=wanted),), f"the pod network {wanted.subnet} is being made", None
    problem = f"the pod network {wanted.subnet} cannot be made: {failure.message}"
    if now < failure.retry_at:
        return (), problem, failure.retry_at
    return (EnsureNetwork(network=wanted),), problem, None
