"""`berth cordon`: a host takes no new pods, as a commit on its Host."""

from __future__ import annotations

import click

from reconciler.cli.common.committing import (
    Intent,
    change_cause,
    commit_edit,
    writing_options,
)
from reconciler.cli.common.host_marks import cordon, host_targets
from reconciler.editing.draft import Draft
from reconciler.process.options import Options


@click.command("cordon", help="Let a host take no new pods (a commit on its Host).")
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@writing_options
@click.pass_obj
def command(options: Options, hosts: tuple[str, ...], intent: Intent) -> int:
    targets = host_targets(hosts)

    def edit(draft: Draft) -> list[str]:
        return [cordon(draft, target) for target in targets]

    words = ["cordon", *(target.key.name for target in targets)]
    return commit_edit(options, intent, edit, cause=change_cause(words))
