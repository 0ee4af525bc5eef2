"""One file a controller: each a pure function from what is observed to what should change."""

from __future__ import annotations

from reconciler.controllers import (
    cronjob,
    daemonset,
    deployment,
    disruption,
    garbage,
    hpa,
    job,
    replicaset,
    statefulset,
    ttl,
)
from reconciler.controllers.base import Controller
from reconciler.controllers.node import (
    drain,
    eviction,
    nodes,
)
from reconciler.controllers.node import (
    lifecycle as node_lifecycle,
)
from reconciler.controllers.pods import finished as finished_pods
from reconciler.controllers.volumes import claims

CONTROLLERS: tuple[Controller, ...] = (
    nodes.CONTROLLER,
    node_lifecycle.CONTROLLER,
    eviction.CONTROLLER,
    disruption.CONTROLLER,
    drain.CONTROLLER,
    claims.CONTROLLER,
    hpa.CONTROLLER,
    cronjob.CONTROLLER,
    deployment.CONTROLLER,
    replicaset.CONTROLLER,
    daemonset.CONTROLLER,
    statefulset.CONTROLLER,
    job.CONTROLLER,
    ttl.CONTROLLER,
    finished_pods.CONTROLLER,
    garbage.CONTROLLER,
)
"""All controllers, in the order in which the engine runs them: who takes pods away for a cause comes before who counts
what is left, and who sets a size before who makes and ends pods for it."""
