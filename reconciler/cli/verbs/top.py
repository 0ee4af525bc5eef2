"""`berth top`: how much of each host is promised and used, and what each pod uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import click

from objects.api.pods import Pod
from objects.errors import BerthError, NotFound
from objects.observation.figures import ContainerUse, PodUse
from objects.own.config import Host
from reconciler.cli.common.exit_codes import OK, UNREACHABLE
from reconciler.cli.common.listing import Scope, select
from reconciler.cli.common.naming import Wanted, find_kind
from reconciler.cli.common.viewing import LiveView, live_view, scope_options
from reconciler.cli.printing.capacity import HostRow, host_row, host_table
from reconciler.cli.printing.table import render_table
from reconciler.process.load import HostLoad, measure_loads
from reconciler.process.options import Options

_MEBIBYTE = 1 << 20


@click.group("top", help="Show how much of hosts is promised and used, and what pods use.")
def command() -> None:
    pass


@command.command("hosts", help="CPU and memory of each host: used, requested, limited.")
@click.argument("names", nargs=-1)
@click.option("--no-headers", is_flag=True, help="Rows alone.")
@click.pass_obj
def hosts(options: Options, names: tuple[str, ...], *, no_headers: bool) -> int:
    """Exit code 5 if one of the hosts does not answer."""
    with live_view(options) as live:
        group, *_ = select(live.surroundings(), (Wanted(find_kind("hosts"), names),), Scope(None))
        shown = [host for host in group.objects if isinstance(host, Host)]
        loads = _loads(live, shown)
        rows: list[HostRow] = [host_row(live.store, host, loads.get(host.name)) for host in shown]
    click.echo("\n".join(host_table(rows, with_bars=options.color, headers=not no_headers)) or "No hosts.")
    return UNREACHABLE if len(loads) < len(shown) else OK


@command.command("pods", help="CPU and memory that pods use.")
@click.argument("names", nargs=-1)
@scope_options
@click.option("--containers", is_flag=True, help="A row for each container.")
@click.option("--sort-by", type=click.Choice(["name", "cpu", "memory"]), default="name", show_default=True)
@click.option("--no-headers", is_flag=True, help="Rows alone.")
@click.pass_obj
def pods(
    options: Options, names: tuple[str, ...], scope: Scope, sort_by: str, *, containers: bool, no_headers: bool
) -> int:
    with live_view(options) as live:
        group, *_ = select(live.surroundings(), (Wanted(find_kind("pods"), names),), scope)
        found = [pod for pod in group.objects if isinstance(pod, Pod) and pod.spec.node_name]
        nodes = {pod.spec.node_name for pod in found}
        loads = _loads(live, [host for host in live.store.all_of(Host) if host.name in nodes])
    uses = {uid: use for load in loads.values() for uid, use in load.pods.items()}
    rows = sorted(_pod_rows(found, uses, containers=containers), key=_ORDER[sort_by])
    if not rows:
        click.echo("No pods are running there.", err=True)
        if names:
            raise NotFound(f"nothing was measured of {', '.join(names)}")
        return OK
    headings = ["POD", "NAME"] if containers else ["NAME"]
    headings = [*(["NAMESPACE"] if scope.namespace is None else []), *headings, "CPU(cores)", "MEMORY(bytes)"]
    cells = [row.cells(with_namespace=scope.namespace is None, with_container=containers) for row in rows]
    click.echo("\n".join(render_table([] if no_headers else headings, cells)))
    return OK


def _loads(live: LiveView, hosts_shown: Iterable[Host]) -> dict[str, HostLoad]:
    """Those that were measured; why others were not is said."""
    loads: dict[str, HostLoad] = {}
    for name, load in measure_loads(live.session, live.daemon, hosts_shown).items():
        if isinstance(load, BerthError):
            click.echo(f"warning: host {name} was not measured: {load}", err=True)
        else:
            loads[name] = load
    return loads


# --- rows ----------------------------------------------------------------------------------------------------------


class PodRow(NamedTuple):
    """cpu_millis, memory_bytes: None where it is not known."""

    namespace: str
    pod: str
    container: str
    cpu_millis: int | None
    memory_bytes: int | None

    def cells(self, *, with_namespace: bool, with_container: bool) -> list[str]:
        cpu = "<unknown>" if self.cpu_millis is None else f"{self.cpu_millis}m"
        memory = "<unknown>" if self.memory_bytes is None else f"{self.memory_bytes // _MEBIBYTE}Mi"
        scope = [self.namespace] if with_namespace else []
        return [*scope, self.pod, *([self.container] if with_container else []), cpu, memory]


_ORDER: dict[str, Callable[[PodRow], tuple[object, ...]]] = {
    "name": lambda row: (row.namespace, row.pod, row.container),
    "cpu": lambda row: (-(row.cpu_millis or 0), row.namespace, row.pod, row.container),
    "memory": lambda row: (-(row.memory_bytes or 0), row.namespace, row.pod, row.container),
}


def _pod_rows(found: Iterable[Pod], uses: dict[str, PodUse], *, containers: bool) -> list[PodRow]:
    rows = []
    for pod in found:
        use = uses.get(pod.uid)
        if use is None:
            continue
        if containers:
            rows += [
                PodRow(pod.namespace, pod.name, one.name, one.cpu_millis, one.memory_bytes) for one in use.containers
            ]
        else:
            rows.append(PodRow(pod.namespace, pod.name, "", *_total(use.containers)))
    return rows


def _total(containers: Iterable[ContainerUse]) -> tuple[int | None, int | None]:
    """The sum of what is known; None when nothing is."""
    cpu = [one.cpu_millis for one in containers if one.cpu_millis is not None]
    memory = [one.memory_bytes for one in containers if one.memory_bytes is not None]
    return (sum(cpu) if cpu else None), (sum(memory) if memory else None)
