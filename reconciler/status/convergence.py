"""Is the cluster where the commit wants it? Pure: what `berth apply` waits for and prints."""

from __future__ import annotations

import msgspec

from objects.api.apps import Deployment
from objects.api.meta import ObjectKey
from objects.api.pods import Pod
from objects.own.config import Host
from reconciler.core.engine import Engine
from reconciler.core.health import Health, HealthStatus, health_of


class Convergence(msgspec.Struct, frozen=True):
    """waiting: subject → why it is not there yet. failed: subject → why it will not get there without a change.

    resting: canaries at one of their steps, where they are meant to be: nobody waits for them, but they are named.
    silent_hosts: hosts that do not answer; what they run is not known and not waited for.
    """

    waiting: dict[str, str]
    failed: dict[str, str]
    silent_hosts: dict[str, str]
    resting: dict[str, str] = {}

    @property
    def is_done(self) -> bool:
        return not self.waiting and not self.failed


def assess(engine: Engine) -> Convergence:
    """Look at everything that is desired, and at pods that still have to go."""
    if not engine.is_started:
        return Convergence({f"Host {name}": "is being looked at" for name in engine.unheard_hosts}, {}, {})
    waiting: dict[str, str] = {}
    failed: dict[str, str] = {}
    resting: dict[str, str] = {}
    for key in engine.inventory:
        obj = engine.store.find(key)
        if obj is None:
            waiting[str(key)] = _waits(engine, key)
        elif not isinstance(obj, Host):
            health = health_of(engine.store, obj)
            _sort(health, str(key), waiting, failed)
            if isinstance(obj, Deployment) and not obj.spec.paused and health.status is HealthStatus.SUSPENDED:
                resting[str(key)] = health.message
    silent = {
        host.name: health.message
        for host in engine.store.all_of(Host)
        if (health := health_of(engine.store, host)).status is not HealthStatus.HEALTHY
    }
    for pod in engine.store.all_of(Pod):
        if pod.is_terminating and pod.spec.node_name not in silent:
            waiting[str(pod.key)] = f"is ending on {pod.spec.node_name}"
    if engine.deployed.held:
        failed["Deletions"] = engine.deployed.held
    return Convergence(waiting, failed, silent, resting)


def _sort(health: Health, subject: str, waiting: dict[str, str], failed: dict[str, str]) -> None:
    if health.status is HealthStatus.PROGRESSING:
        waiting[subject] = health.message
    elif health.status is HealthStatus.DEGRADED:
        failed[subject] = health.message


def _waits(engine: Engine, key: ObjectKey) -> str:
    holds = [hold.message for (_, held), hold in engine.holds.items() if held == key]
    return holds[0] if holds else "is not made yet"
