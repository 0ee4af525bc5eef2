"""`berth describe`: one object, or all of a kind, with conditions, events and what they wait for."""

from __future__ import annotations

import click

from objects.api.meta import KubeObject
from reconciler.cli.common.listing import Scope, select
from reconciler.cli.common.naming import parse_wanted
from reconciler.cli.common.viewing import LiveView, live_view, scope_options
from reconciler.cli.printing.describe import describe
from reconciler.controllers.base import Hold
from reconciler.process.options import Options
from reconciler.status.event_file import subject_of

HELP = """Show one object with its conditions, events and what it waits for.

\b
berth describe pod web-x7k2p
berth describe deploy/web -n shop
berth describe host alpha
berth describe pods -l app=web
"""


@click.command("describe", help=HELP)
@click.argument("what", nargs=-1, metavar="KIND [NAME...] | KIND/NAME...")
@scope_options
@click.pass_obj
def command(options: Options, what: tuple[str, ...], scope: Scope) -> int:
    wanted = parse_wanted(what)
    with live_view(options) as live:
        objects = [obj for group in select(live.surroundings(), wanted, scope) for obj in group.objects]
        if not objects:
            click.echo("No resources found.", err=True)
        events = live.recorded_events()
        texts = []
        for obj in objects:
            about = [event for event in events if subject_of(event) == obj.key]
            lines = describe(obj, live.surroundings(), holds=_holds(live, obj), events=about)
            texts.append("\n".join(lines))
        if texts:
            click.echo("\n\n\n".join(texts))
    return 0


def _holds(live: LiveView, obj: KubeObject) -> list[Hold]:
    return [hold for (_, key), hold in live.engine.holds.items() if key == obj.key]
