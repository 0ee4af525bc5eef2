"""One file a controller: each a pure function from what is observed to what should change."""

from __future__ import annotations

from reconciler.controllers import deployment, replicaset
from reconciler.controllers.base import Controller

CONTROLLERS: tuple[Controller, ...] = (
    deployment.CONTROLLER,
    replicaset.CONTROLLER,
)
"""All controllers, in the order in which the engine runs them for one change."""
