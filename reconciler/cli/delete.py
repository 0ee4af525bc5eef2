"""`berth delete`: objects taken out of Git, as a commit; what runs goes when the reconciler sees it."""

from __future__ import annotations

import click

from policies.prune import ORPHAN_TRAILER
from reconciler.cli.committing import Intent, change_cause, commit_edit, writing_options
from reconciler.cli.looking import namespace_option
from reconciler.cli.written_objects import Target, find_targets
from reconciler.draft import Draft
from reconciler.options import Options

HELP = """Delete objects: their manifests go from Git (a commit).

\b
berth delete deploy/web svc/web
berth delete configmap game-config -n shop --dry-run
berth delete sts/db --cascade=orphan     its pods run on, without an owner
"""


@click.command("delete", help=HELP)
@click.argument("what", nargs=-1, metavar="KIND NAME... | KIND/NAME...")
@click.option("--ignore-not-found", is_flag=True, help="What is not there is no error.")
@click.option(
    "--cascade",
    type=click.Choice(["background", "orphan"]),
    default="background",
    show_default=True,
    help="Whether what an object made goes too, or lives on.",
)
@namespace_option
@writing_options
@click.pass_obj
def command(
    options: Options, what: tuple[str, ...], namespace: str, intent: Intent, *, ignore_not_found: bool, cascade: str
) -> int:
    targets = find_targets(what, namespace)

    def edit(draft: Draft) -> list[str]:
        chosen = [target for target in targets if not ignore_not_found or target.key in draft.state.objects]
        return [_delete(draft, target) for target in chosen]

    words = ["delete", *(target.typed for target in targets)]
    trailers = []
    if cascade == "orphan":
        words.append("--cascade=orphan")
        trailers = [(ORPHAN_TRAILER, "/".join(target.key)) for target in targets]
    return commit_edit(options, intent, edit, cause=change_cause(words, namespace=namespace), trailers=trailers)


def _delete(draft: Draft, target: Target) -> str:
    draft.object(target.key, target.plural)
    draft.delete(target.key)
    kind, _, name = target.typed.partition("/")
    return f'{kind} "{name}" deleted'
