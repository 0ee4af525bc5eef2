"""`berth uncordon`: a host takes pods again, as a commit on its Host; ends a drain, too."""

from __future__ import annotations

import click

from reconciler.cli.common.committing import (
    Intent,
    change_cause,
    commit_edit,
    writing_options,
)
from reconciler.cli.common.host_marks import host_targets, uncordon
from reconciler.editing.draft import Draft
from reconciler.process.options import Options


@click.command("uncordon", help="Let a host take pods again (a commit on its Host).")
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@writing_options
@click.pass_obj
def command(options: Options, hosts: tuple[str, ...], intent: Intent) -> int:
    targets = host_targets(hosts)

    def edit(draft: Draft) -> list[str]:
        return [uncordon(draft, target) for target in targets]

    words = ["uncordon", *(target.key.name for target in targets)]
    return commit_edit(options, intent, edit, cause=change_cause(words))
