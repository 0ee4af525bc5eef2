"""One file a controller: each a pure function from what is observed to what should change."""

from __future__ import annotations

from reconciler.controllers import (
    claims,
    cronjob,
    daemonset,
    deployment,
    disruption,
    drain,
    eviction,
    finished_pods,
    garbage,
    hpa,
    job,
    node_lifecycle,
    nodes,
    replicaset,
    statefulset,
    ttl,
)
from reconciler.controllers.base import Controller

CONTROLLERS: tuple[Controller, ...] = (
    nodes.CONTROLLER,
    node_lifecycle.CONTROLLER,
    eviction.CONTROLLER,
    claims.CONTROLLER,
    deployment.CONTROLLER,
    replicaset.CONTROLLER,
    daemonset.CONTROLLER,
    statefulset.CONTROLLER,
    cronjob.CONTROLLER,
    job.CONTROLLER,
    ttl.CONTROLLER,
    finished_pods.CONTROLLER,
    disruption.CONTROLLER,
    hpa.CONTROLLER,
    drain.CONTROLLER,
    garbage.CONTROLLER,
)
"""All controllers, in the order in which the engine runs them for one change."""
