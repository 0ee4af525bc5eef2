"""`berth plan`: what a commit would do, as text, Markdown or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.common.exit_codes import PLAN_HAS_CHANGES
from reconciler.process.options import Options

if TYPE_CHECKING:
    from reconciler.state.store import Store


def require_a_host(store: Store) -> None:
    """Raises HostUnreachable when no host answers: a plan would tell of a cluster that nobody has seen."""
    from objects.errors import HostUnreachable
    from objects.own.config import Host
    from reconciler.state.host_status import HostStatus

    silent = {status.name: status for status in store.all_of(HostStatus) if not status.reachable}
    if silent and len(silent) == sum(1 for _ in store.all_of(Host)):
        why = "; ".join(f"{name}: {status.message or status.reason}" for name, status in sorted(silent.items())[:3])
        raise HostUnreachable(f"none of {len(silent)} hosts answers, so nothing can be planned ({why})")


@click.command("plan", help="Show what would happen, and change nothing.")
@click.option(
    "--from",
    "from_revision",
    metavar="REV",
    help="Compare with this branch, tag or commit (HEAD~1 …). Default: what is in force.",
)
@click.option(
    "--to",
    "to_revision",
    metavar="REV",
    help="Plan this one. Default: HEAD, the newest of the branch that Berth follows.",
)
@click.option("-o", "--output", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
@click.option("--exit-code", is_flag=True, help="End with 10 when something would change.")
@click.pass_obj
def command(options: Options, from_revision: str | None, to_revision: str | None, output: str, exit_code: bool) -> int:
    """Looks at every host, tries the revision on a copy with the real controllers, and prints the difference."""
    from differ.documents.markdown import render_markdown
    from differ.documents.text import render_text
    from reconciler.cli.common.plan_json import render_json
    from reconciler.plan.plan import as_observed, make_plan
    from reconciler.process.clock import utc_now
    from reconciler.process.compose import open_session

    with open_session(options) as session, session.fetched_once():
        target = session.read_revision(to_revision)
        warnings = tuple(map(str, session.commits.warnings))
        base = session.read_base(from_revision)
        with session.observe(as_observed(base, target)) as daemon:
            require_a_host(daemon.engine.store)
            plan = make_plan(daemon.engine, daemon.observations(), base, target, now=utc_now(), warnings=warnings)
    render = {"text": render_text, "markdown": render_markdown, "json": render_json}[output]
    # Before rendering, which shortens and escapes: the text on its way out is looked at once more.
    click.echo(render(options.words.inside(plan)), nl=False)
    return PLAN_HAS_CHANGES if exit_code and not plan.is_empty else 0
