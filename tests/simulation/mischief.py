"""What people, machines and the network do to a simulated world: one seeded thing at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from objects.api.storage import PersistentVolumeClaim

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

FEWEST_HOSTS = 2
MOST_MACHINES = 7


def happen(world: World) -> str:
    """Perhaps something happens; returns what, '' for nothing."""
    drawn = world.random.random()
    for share, deed in _DEEDS:
        drawn -= share
        if drawn < 0:
            return deed(world)
    return ""


def _commit(world: World) -> str:
    said = world.git.commit_workload()
    world.pending.append(world.git.desired())
    return said


def _commit_host(world: World) -> str:
    said = world.git.commit_host(world.clock.now)
    world.pending.append(world.git.desired())
    return said


def _give_up(world: World) -> str:
    """Somebody gives up the data of a claim, whatever its host and its pod are up to."""
    claims = world.engine.store.all_of(PersistentVolumeClaim)
    names = sorted(claim.spec.volume_name for claim in claims if claim.spec.volume_name)
    if not names:
        return ""
    said = world.git.commit_word(world.random.choice(names))
    world.pending.append(world.git.desired())
    return said


def _kill_reconciler(world: World) -> str:
    """At one of the next actions, before or after its effect."""
    world.crash_in = world.random.randint(1, 8)
    return ""


def _cut(world: World) -> str:
    machine = _any_machine(world)
    if machine.is_off:
        return ""
    machine.is_reachable = not machine.is_reachable
    return f"{machine.name} {'is back' if machine.is_reachable else 'is cut off'}"


def _stop_engine(world: World) -> str:
    machine = _any_machine(world)
    if machine.is_off:
        return ""
    machine.is_engine_down = not machine.is_engine_down
    return f"{machine.name}: the engine {'hangs' if machine.is_engine_down else 'answers again'}"


def _restart_engine(world: World) -> str:
    machine = _any_machine(world)
    if machine.is_off:
        return ""
    machine.restart_engine()
    return f"{machine.name}: the engine restarts"


def _power(world: World) -> str:
    machine = world.machines[world.random.choice(sorted(world.git.hosts))]
    if not machine.is_off:
        machine.lose_power()
        return f"{machine.name} loses power"
    if world.git.hosts[machine.name].is_out_of_service:
        return ""
    machine.boot()
    return f"{machine.name} boots"


def _meddle(world: World) -> str:
    machine = _any_machine(world)
    ours = sorted(machine.ours(), key=lambda c: c.id)
    if machine.is_off or not ours:
        return ""
    victim = world.random.choice(ours)
    deed = world.random.choice(("kill", "kill", "crash", "remove", "rename", "pause", "limit"))
    if victim.state != "running" and deed in ("kill", "crash", "pause"):
        return ""
    if deed == "rename" and victim.name.startswith("mine-"):
        return ""
    world.ledger.tampered.add(victim.labels["berth.dev/pod-uid"])
    machine.meddle(deed, victim)
    return f"{machine.name}: {deed} {victim.name}"


def _leave(world: World) -> str:
    """A host is taken out of Git; whoever does that has switched it off."""
    if len(world.git.hosts) <= FEWEST_HOSTS:
        return ""
    machine = world.machines[world.random.choice(sorted(world.git.hosts))]
    machine.lose_power()
    said = world.git.commit_leave(machine.name)
    world.pending.append(world.git.desired())
    return said


def _join(world: World) -> str:
    """A host that Git does not know comes in, empty: a new one or one that left."""
    free = sorted(world.machines.keys() - world.git.hosts.keys())
    if not free and len(world.machines) < MOST_MACHINES:
        free = [world.add_machine().name]
    if not free:
        return ""
    machine = world.machines[world.random.choice(free)]
    machine.wipe()
    machine.boot()
    said = world.git.commit_join(machine.name)
    world.pending.append(world.git.desired())
    return said


def _out_of_service(world: World) -> str:
    """A person says that a machine is off, which it is, and comes back with it wiped."""
    machine = _any_machine(world)
    if machine.name not in world.git.hosts:
        return ""
    wish = world.git.hosts[machine.name]
    if not wish.is_out_of_service and not machine.is_off:
        return ""
    said = world.git.commit_service(machine.name, out=not wish.is_out_of_service)
    if not wish.is_out_of_service:
        machine.wipe()
        machine.boot()
    world.pending.append(world.git.desired())
    return said


def _clock(world: World) -> str:
    """Time passes; or the reconciler's clock is set, and the hosts' are not.

    By how much the process' own clock follows is bounded (`reconciler.process.clock`), of the machine's it is not.
    """
    kind = world.random.random()
    if kind < 0.5:
        seconds = world.random.choice((20, 60, 400))
        world.clock.now += timedelta(seconds=seconds)
        return f"{seconds} s pass"
    if kind < 0.75:
        hours = world.random.choice((-24, -2, 2, 24))
        world.clock.ahead = timedelta(hours=hours)
        return f"the clock of the reconciler's machine is set: {hours} h ahead of what it was"
    seconds = world.random.choice((-2, -1, 3, 30))
    world.clock.now += timedelta(seconds=seconds)
    world.skew -= timedelta(seconds=seconds)
    return f"the reconciler's clock is set by {seconds} s"


def _any_machine(world: World) -> Machine:
    return world.machines[world.random.choice(sorted(world.machines))]


_DEEDS: tuple[tuple[float, Callable[[World], str]], ...] = (
    (0.07, _commit),
    (0.02, _commit_host),
    (0.01, _give_up),
    (0.05, _kill_reconciler),
    (0.06, _cut),
    (0.02, _stop_engine),
    (0.02, _restart_engine),
    (0.03, _power),
    (0.10, _meddle),
    (0.02, _leave),
    (0.03, _join),
    (0.02, _out_of_service),
    (0.03, _clock),
)
