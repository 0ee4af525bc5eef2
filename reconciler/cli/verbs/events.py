"""`berth events`: what happened, newest last. The reconciler writes it to the status branch, so everybody can look."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import click

from objects.api.core import Event
from objects.api.meta import ObjectKey
from objects.kinds import BY_KIND
from reconciler.cli.common.listing import Found, Layout, render
from reconciler.cli.common.naming import parse_one
from reconciler.cli.common.viewing import LiveView, live_view
from reconciler.cli.verbs.get import checked_format
from reconciler.process.options import Options
from reconciler.status.event_file import subject_of

WATCH_SECONDS = 5.0


@click.command("events", help="Show what happened, newest last.")
@click.option("--for", "subject", metavar="KIND/NAME", default="", help="Of one object only.")
@click.option("-n", "--namespace", default="", envvar="BERTH_NAMESPACE", help="Of one namespace only. Default: all.")
@click.option("--types", default="", metavar="Normal,Warning", help="Of these types only.")
@click.option("-o", "--output", default="", metavar="FORMAT", help="wide, yaml, json, name or jsonpath=TEMPLATE.")
@click.option("-w", "--watch", is_flag=True, help="Go on with new ones, until Ctrl-C.")
@click.pass_obj
def command(options: Options, subject: str, namespace: str, types: str, output: str, *, watch: bool) -> int:
    layout = Layout(checked_format(output), words=options.words)
    wanted_types = frozenset(filter(None, types.split(",")))
    key = _key(subject, namespace)
    with live_view(options) as live:
        seen: set[tuple[ObjectKey, int]] = set()
        while True:
            events = tuple(_chosen(live.recorded_events(), key, namespace, wanted_types))
            fresh = tuple(event for event in events if (event.key, event.count) not in seen)
            _print(live, fresh, layout)
            if not watch:
                return 0
            seen.update((event.key, event.count) for event in events)
            layout = layout._replace(headers=False)
            _let_pass(live, WATCH_SECONDS)


def _key(subject: str, namespace: str) -> ObjectKey | None:
    if not subject:
        return None
    info, name = parse_one((subject,))
    return ObjectKey(info.kind.KIND, (namespace or "default") if info.kind.NAMESPACED else "", name)


def _chosen(events: Iterable[Event], key: ObjectKey | None, namespace: str, types: frozenset[str]) -> Iterator[Event]:
    for event in events:
        is_about = key is None or subject_of(event) == key
        if is_about and (not namespace or event.namespace == namespace) and (not types or event.type in types):
            yield event


def _print(live: LiveView, events: Sequence[Event], layout: Layout) -> None:
    found = Found(BY_KIND[Event.KIND], tuple(events))
    text = render((found,), live.surroundings(), layout, one=False, all_namespaces=True)
    if text:
        click.echo(text)
    elif layout.headers:
        click.echo("No events.", err=True)


def _let_pass(live: LiveView, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        live.daemon.run_once(timeout_seconds=left)
