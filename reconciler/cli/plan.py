"""`berth plan`: what a commit would do, as text, Markdown or JSON."""

from __future__ import annotations

import click

from reconciler.cli.exit_codes import PLAN_HAS_CHANGES
from reconciler.options import Options


@click.command("plan", help="Show what would happen, and change nothing.")
@click.option("--from", "from_revision", metavar="REV", help="Compare with this revision. Default: what is in force.")
@click.option("--to", "to_revision", metavar="REV", help="Plan this revision. Default: the newest of the branch.")
@click.option("-o", "--output", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
@click.option("--exit-code", is_flag=True, help="End with 10 when something would change.")
@click.pass_obj
def command(options: Options, from_revision: str | None, to_revision: str | None, output: str, exit_code: bool) -> int:
    """Looks at every host, tries the revision on a copy with the real controllers, and prints the difference."""
    from differ.markdown import render_markdown
    from differ.text import render_text
    from reconciler.cli.plan_json import render_json
    from reconciler.compose import open_session, utc_now
    from reconciler.planning import as_observed, make_plan

    with open_session(options) as session, session.one_moment():
        target = session.read_revision(to_revision)
        warnings = tuple(map(str, session.commits.warnings))
        base = session.read_base(from_revision)
        with session.observe(as_observed(base, target)) as daemon:
            plan = make_plan(daemon.engine, daemon.observations(), base, target, now=utc_now(), warnings=warnings)
    render = {"text": render_text, "markdown": render_markdown, "json": render_json}[output]
    # Before rendering, which shortens and escapes: the text on its way out is looked at once more.
    click.echo(render(options.words.inside(plan)), nl=False)
    return PLAN_HAS_CHANGES if exit_code and not plan.is_empty else 0
