"""`berth hosts`: the machines, as `berth get hosts` shows them, and what each can do for pods (`berth hosts check`)."""

from __future__ import annotations

import click

from objects.kinds import BY_KIND
from reconciler.cli.common.exit_codes import FAILED, OK, UNREACHABLE
from reconciler.cli.common.listing import (
    Layout,
    Scope,
    render,
    render_document,
    select,
)
from reconciler.cli.common.naming import Wanted
from reconciler.cli.common.viewing import live_view
from reconciler.cli.printing.host_check import HostCheck, check_host, checks_document, render_checks
from reconciler.cli.printing.table import Surroundings
from reconciler.cli.verbs.get import checked_format
from reconciler.process.clock import utc_now
from reconciler.process.compose import open_session
from reconciler.process.options import Options
from reconciler.state.host_status import HostStatus

LIST = "list"
HELP = """List hosts with their state and capacity.

\b
berth hosts                 all of them; also: berth hosts alpha beta, -o wide
berth hosts check           what each can and cannot do for pods, and what to do about it
"""
CHECK_HELP = """Say what each host can and cannot do for pods, and what to type where something is missing.

Looks at the hosts itself, changes nothing, and needs no `berth run`. A host that does not answer is named with
the reason.

\b
Exit codes:
  0   all of them can run any pod
  1   some cannot (or do not answer); each is told with its reason
  5   none answers
"""


class HostsGroup(click.Group):
    """`berth hosts NAME...` lists, as it always did: only the names of its commands are no names of hosts."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_command = bool(args) and args[0] in {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, args if is_command else [LIST, *args])


@click.group("hosts", cls=HostsGroup, help=HELP)
def command() -> None:
    pass


@command.command(LIST, help="List hosts with their state and capacity: what `berth hosts` does without a word.")
@click.argument("names", nargs=-1)
@click.option("-o", "--output", default="", metavar="FORMAT", help="wide, yaml, json, name or jsonpath=TEMPLATE.")
@click.pass_obj
def list_hosts(options: Options, names: tuple[str, ...], output: str) -> int:
    """Exit code 5 if one of the hosts does not answer: a health check in one line."""
    wanted = Wanted(BY_KIND["Host"], names)
    layout = Layout(checked_format(output), words=options.words)
    with live_view(options) as live:
        around = live.surroundings()
        found = select(around, (wanted,), Scope(None))
        click.echo(render(found, around, layout, one=len(names) == 1, all_namespaces=False) or "No hosts.")
        shown = {host.name for host in found[0].objects}
        return UNREACHABLE if shown & live.silent_hosts().keys() else OK


@command.command("check", help=CHECK_HELP)
@click.argument("names", nargs=-1)
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), help="For programs.")
@click.pass_obj
def check(options: Options, names: tuple[str, ...], output: str | None) -> int:
    with open_session(options) as session, session.observe() as daemon:
        store = daemon.engine.store
        (found,) = select(Surroundings(store, utc_now()), (Wanted(BY_KIND["Host"], names),), Scope(None))
        checks = [check_host(host.name, store.get(HostStatus, "", host.name)) for host in found.objects]
    if output is not None:
        click.echo(render_document(options.words.inside(checks_document(checks)), output))
    else:
        click.echo(render_checks(checks) if checks else "No hosts.")
    return exit_code_of(checks)


def exit_code_of(checks: list[HostCheck]) -> int:
    """0: all can run any pod, or there are none. 1: some cannot. 5: none answers. Pure."""
    if all(one.can_run_pods for one in checks):
        return OK
    return FAILED if any(one.answers for one in checks) else UNREACHABLE
