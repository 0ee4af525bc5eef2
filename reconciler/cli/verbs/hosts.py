"""`berth hosts`: the machines, as `berth get hosts` shows them."""

from __future__ import annotations

import click

from objects.kinds import BY_KIND
from reconciler.cli.common.exit_codes import OK, UNREACHABLE
from reconciler.cli.common.listing import (
    Layout,
    Scope,
    render,
    select,
)
from reconciler.cli.common.naming import Wanted
from reconciler.cli.common.viewing import live_view
from reconciler.cli.verbs.get import checked_format
from reconciler.process.options import Options


@click.command("hosts", help="List hosts with their state and capacity.")
@click.argument("names", nargs=-1)
@click.option("-o", "--output", default="", metavar="FORMAT", help="wide, yaml, json, name or jsonpath=TEMPLATE.")
@click.pass_obj
def command(options: Options, names: tuple[str, ...], output: str) -> int:
    """Exit code 5 if one of the hosts does not answer: a health check in one line."""
    wanted = Wanted(BY_KIND["Host"], names)
    layout = Layout(checked_format(output), words=options.words)
    with live_view(options) as live:
        around = live.surroundings()
        found = select(around, (wanted,), Scope(None))
        click.echo(render(found, around, layout, one=len(names) == 1, all_namespaces=False) or "No hosts.")
        shown = {host.name for host in found[0].objects}
        return UNREACHABLE if shown & live.silent_hosts().keys() else OK
