"""`berth drain`: a host is emptied, within disruption budgets. A commit on its Host, then a look at how it goes.

What evicts is the reconciler (`reconciler.controllers.node.drain`), so a drain goes on when this command is
interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from objects.api.apps import DaemonSet
from objects.api.core import Node
from objects.api.meta import controller_of
from objects.api.pods import Pod
from objects.errors import InvalidInput, NotFound
from objects.own.config import Host
from reconciler.cli.common.committing import (
    Intent,
    change_cause,
    commit_in,
    writing_options,
)
from reconciler.cli.common.exit_codes import NOT_CONVERGED, OK
from reconciler.cli.common.host_marks import host_targets, request_drain
from reconciler.cli.common.viewing import LiveView, live_view
from reconciler.cli.common.waiting import DURATION, looks
from reconciler.controllers.node.drain import is_draining, must_leave, why_it_stays
from reconciler.editing.draft import Draft
from reconciler.process.clock import utc_now
from reconciler.process.options import Options

HELP = """Empty a host, within disruption budgets (a commit on its Host).

\b
berth drain alpha --ignore-daemonsets
berth drain alpha --timeout=5m --grace-period=10
berth uncordon alpha                                takes it back
"""


@click.command("drain", help=HELP)
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@click.option("--ignore-daemonsets", is_flag=True, help="Pods of DaemonSets stay; without this they are in the way.")
@click.option("--delete-emptydir-data", is_flag=True, help="Pods that lose what they keep in emptyDir go, too.")
@click.option("--grace-period", type=click.IntRange(min=0), help="Seconds to end in, instead of what each pod says.")
@click.option("--timeout", type=DURATION, default=0.0, metavar="DURATION", help="Wait at most so long, e.g. 5m.")
@click.option("--wait/--no-wait", default=True, help="Wait until the host is empty. Default: yes.")
@writing_options
@click.pass_obj
def command(
    options: Options,
    hosts: tuple[str, ...],
    grace_period: int | None,
    timeout: float,
    intent: Intent,
    *,
    ignore_daemonsets: bool,
    delete_emptydir_data: bool,
    wait: bool,
) -> int:
    """Exit code 0 when nothing is left on the hosts that a drain ends, 4 when time ran out."""
    targets, now = host_targets(hosts), utc_now()
    names = tuple(target.key.name for target in targets)

    def edit(draft: Draft) -> list[str]:
        return [request_drain(draft, target, now=now, grace_seconds=grace_period) for target in targets]

    words = ["drain", *names, *([f"--grace-period={grace_period}"] if grace_period is not None else [])]
    with live_view(options) as live:
        problems = list(obstacles(live, names, daemonsets=ignore_daemonsets, emptydir=delete_emptydir_data))
        if problems:
            raise InvalidInput("cannot drain: " + "; ".join(problems))
        # Of before the commit: a reconciler that runs may be faster than our next look.
        here = {pod.uid: pod for name in names for pod in _to_leave(live, name)}
        stays = [line for name in names for line in _staying(live, name)]
        commit_in(live.session, intent, edit, cause=change_cause(words))
        if intent.dry_run or not wait:
            return OK
        for line in stays:
            click.echo(line)
        live.take_newest_commit()
        live.daemon.run_once(timeout_seconds=1.0)
        return _wait(live, names, timeout, here)


def obstacles(live: LiveView, hosts: Iterable[str], *, daemonsets: bool, emptydir: bool) -> Iterable[str]:
    """What keeps a person from draining these hosts without thinking, as kubectl has it. Raises NotFound."""
    for name in hosts:
        pods = [pod for pod in live.store.pods_on(_host(live, name).name) if not pod.is_finished]
        of_daemons = [pod for pod in pods if (owner := controller_of(pod)) and owner.kind == DaemonSet.KIND]
        local = [
            pod
            for pod in pods
            if pod not in of_daemons and any(volume.empty_dir is not None for volume in pod.spec.volumes)
        ]
        if of_daemons and not daemonsets:
            yield f"pods of DaemonSets are on {name} (use --ignore-daemonsets): {_names(of_daemons)}"
        if local and not emptydir:
            yield f"pods on {name} keep data in emptyDir (use --delete-emptydir-data): {_names(local)}"


def _wait(live: LiveView, hosts: tuple[str, ...], timeout: float, known: dict[str, Pod]) -> int:
    """Say who is gone and what is waited for, until the hosts are empty. known: pods that have to go, by uid."""
    for pod in known.values():
        click.echo(f"evicting pod {pod.namespace}/{pod.name}")
    said = ""
    for is_over in looks(live, timeout_seconds=timeout):
        here = {pod.uid: pod for name in hosts for pod in leaving(live, name)}
        for uid, pod in known.items():
            if uid not in here:
                click.echo(f"pod/{pod.name} evicted")
        for uid, pod in here.items():
            if uid not in known:
                click.echo(f"evicting pod {pod.namespace}/{pod.name}")
        known = here
        if not here:
            click.echo("\n".join(f"host.berth.dev/{name} drained" for name in hosts))
            return OK
        holds = "; ".join(hold.message for (name, _), hold in live.engine.holds.items() if name == "drain-controller")
        if holds and holds != said:
            click.echo(holds)
        said = holds
        if is_over:
            hint = "it goes on as long as `berth run` runs; berth uncordon takes it back"
            click.echo(f"error: timed out after {timeout:g} s with {len(here)} pods left ({hint})", err=True)
    return NOT_CONVERGED


def leaving(live: LiveView, name: str) -> list[Pod]:
    """Pods that the drain of a host still has to end. Raises NotFound; InvalidInput when it is drained no more."""
    if not is_draining(_host(live, name)) or live.store.get(Node, "", name) is None:
        raise InvalidInput(f"host {name} is not being drained any more", hint="somebody uncordoned it")
    return _to_leave(live, name)


def _to_leave(live: LiveView, name: str) -> list[Pod]:
    host = _host(live, name)
    return [pod for pod in live.store.pods_on(name) if must_leave(live.store, host, pod)]


def _staying(live: LiveView, name: str) -> Iterator[str]:
    """A line for each pod that a drain leaves, except those of DaemonSets, which the person gave leave for."""
    host = _host(live, name)
    for pod in live.store.pods_on(name):
        owner = controller_of(pod)
        why = why_it_stays(live.store, host, pod)
        if why and not pod.is_finished and (owner is None or owner.kind != DaemonSet.KIND):
            yield f"pod/{pod.name} stays: {why}"


def _host(live: LiveView, name: str) -> Host:
    host = live.store.get(Host, "", name)
    if host is None:
        raise NotFound(f'hosts "{name}" not found')
    return host


def _names(pods: list[Pod]) -> str:
    return ", ".join(f"{pod.namespace}/{pod.name}" for pod in pods)
