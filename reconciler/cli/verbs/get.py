"""`berth get`: list objects as kubectl does."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from objects.api.core import Event
from objects.errors import InvalidInput, NotFound
from reconciler.cli.common.exit_codes import FAILED
from reconciler.cli.common.listing import (
    Found,
    Layout,
    Scope,
    render,
    select,
    select_there,
)
from reconciler.cli.common.naming import Wanted, parse_wanted
from reconciler.cli.common.viewing import LiveView, live_view, scope_options
from reconciler.cli.printing import jsonpath
from reconciler.cli.printing.table import Surroundings
from reconciler.process.options import Options

COMMIT_SECONDS = 10.0
"""Between two looks at the remote while watching: hosts speak at once, Git is asked."""

HELP = """List objects as kubectl does.

\b
berth get pods                       of namespace default; -n NAME, -A for all
berth get deploy,rs -l app=web       several kinds, by labels
berth get deploy/web po/web-x7k2p    by name
berth get pod web -o yaml            also: wide, json, name, jsonpath={.status.podIP}
berth get hosts                      Docker hosts (nodes: as Kubernetes shows them)
berth get pods -w                    and go on as they change
"""


@click.command("get", help=HELP)
@click.argument("what", nargs=-1, metavar="KIND [NAME...] | KIND/NAME...")
@scope_options
@click.option("-o", "--output", default="", metavar="FORMAT", help="wide, yaml, json, name or jsonpath=TEMPLATE.")
@click.option("-w", "--watch", is_flag=True, help="Go on and print what changes, until Ctrl-C.")
@click.option("--show-labels", is_flag=True, help="Labels as the last column.")
@click.option("--no-headers", is_flag=True, help="Rows alone.")
@click.option("--sort-by", default="", metavar="JSONPATH", help="For example .metadata.creationTimestamp.")
@click.pass_obj
def command(
    options: Options,
    what: tuple[str, ...],
    scope: Scope,
    output: str,
    *,
    watch: bool,
    show_labels: bool,
    no_headers: bool,
    sort_by: str,
) -> int:
    wanted = parse_wanted(what)
    layout = Layout(checked_format(output), show_labels, not no_headers, sort_by, options.words)
    with live_view(options) as live:
        is_empty, missing = _print(live, wanted, scope, layout)
        for problem in missing:
            click.echo(f"error: {problem}", err=True)
        if missing and not watch:
            return FAILED
        if is_empty and not missing:
            click.echo(_nothing(scope), err=True)
        if watch:
            _watch(live, wanted, scope, layout)
    return 0


def checked_format(output: str) -> str:
    """The output format. Raises UsageError before anything is fetched for one that does not exist."""
    if output.startswith("jsonpath="):
        try:
            jsonpath.parse_template(output.removeprefix("jsonpath="))
        except InvalidInput as error:
            raise click.UsageError(str(error)) from error
    elif output not in ("", "wide", "yaml", "json", "name"):
        raise click.UsageError(f"there is no output format {output!r}: wide, yaml, json, name, jsonpath=TEMPLATE")
    return output


def _print(live: LiveView, wanted: Sequence[Wanted], scope: Scope, layout: Layout) -> tuple[bool, tuple[NotFound, ...]]:
    """Returns whether there was nothing to print, and what is said of names that are not there."""
    found = select_there(surroundings_for(live, wanted), wanted, scope, sort_by=layout.sort_by)
    missing = tuple(problem for group in found for problem in group.missing)
    if missing and not any(group.objects for group in found):
        return True, missing
    is_one = len(wanted) == 1 and len(wanted[0].names) == 1
    text = render(found, live.surroundings(), layout, one=is_one, all_namespaces=scope.namespace is None)
    if text:
        click.echo(text, nl=not layout.format.startswith("jsonpath"))
    return not text, missing


def surroundings_for(live: LiveView, wanted: Sequence[Wanted]) -> Surroundings:
    """The store; with events as objects in it when they are asked for."""
    around = live.surroundings()
    if all(item.kind.kind is not Event for item in wanted):
        return around
    store = live.store.copy()
    for event in live.recorded_events():
        store.put(event)
    return Surroundings(store, around.now)


def _nothing(scope: Scope) -> str:
    return "No resources found" + (f" in {scope.namespace} namespace." if scope.namespace else "")


def _watch(live: LiveView, wanted: Sequence[Wanted], scope: Scope, layout: Layout) -> None:
    """Print the rows of what changes, as it changes, until interrupted; a commit that changes something is taken in."""
    everything = tuple(Wanted(item.kind) for item in wanted)
    names = {name for item in wanted for name in item.names}
    layout = layout._replace(headers=False)
    commit_at = time.monotonic() + COMMIT_SECONDS
    while True:
        if time.monotonic() >= commit_at:
            live.take_newest_commit()
            commit_at = time.monotonic() + COMMIT_SECONDS
        changed = {change.key for change in live.daemon.run_once(timeout_seconds=1.0).changed}
        if not changed:
            continue
        found = [
            Found(
                group.kind,
                tuple(obj for obj in group.objects if obj.key in changed and (not names or obj.name in names)),
            )
            for group in select(live.surroundings(), everything, scope)
        ]
        text = render(found, live.surroundings(), layout, one=False, all_namespaces=scope.namespace is None)
        if text:
            click.echo(text)
