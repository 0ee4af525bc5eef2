"""`berth delete`: objects taken out of Git, as a commit; what runs goes when the reconciler sees it.

A claim that a StatefulSet made is not in Git: it gives up its volume by a word in the commit's message.
"""

from __future__ import annotations

from collections.abc import Mapping

import click

from objects.api.meta import ObjectKey
from objects.api.storage import PersistentVolumeClaim
from policies.prune import GIVE_UP_TRAILER, ORPHAN_TRAILER
from reconciler.cli.common.committing import (
    Intent,
    change_cause,
    commit_in,
    writing_options,
)
from reconciler.cli.common.exit_codes import OK
from reconciler.cli.common.viewing import namespace_option
from reconciler.cli.common.written_objects import Target, find_targets
from reconciler.editing.draft import Draft
from reconciler.process.compose import Session, open_session
from reconciler.process.options import Options

_CLAIM = PersistentVolumeClaim.KIND

HELP = """Delete objects: their manifests go from Git (a commit).

\b
berth delete deploy/web svc/web
berth delete configmap game-config -n shop --dry-run
berth delete sts/db --cascade=orphan     its pods run on, without an owner
berth delete pvc data-db-1               a fresh volume for a StatefulSet's claim, when no pod uses it
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
    words = ["delete", *(target.typed for target in targets)]
    trailers = []
    if cascade == "orphan":
        words.append("--cascade=orphan")
        trailers = [(ORPHAN_TRAILER, "/".join(target.key)) for target in targets]
    with open_session(options) as session:
        volumes = _volumes_of_claims(session) if any(target.key.kind == _CLAIM for target in targets) else {}

        def edit(draft: Draft) -> list[str]:
            there = {*draft.state.objects, *volumes}
            chosen = [target for target in targets if not ignore_not_found or target.key in there]
            return [_delete(draft, target, volumes) for target in chosen]

        named = [volumes[target.key] for target in targets if target.key in volumes]
        trailers += [(GIVE_UP_TRAILER, volume) for volume in named]
        cause = change_cause(words, namespace=namespace)
        commit_in(session, intent, edit, cause=cause, trailers=trailers, allow_empty=bool(named))
    return OK


def _volumes_of_claims(session: Session) -> dict[ObjectKey, str]:
    """Of claims that controllers made: the PersistentVolumes that they have, as the status branch says."""
    restored = session.read_restored(session.newest_or_in_force())
    claims = (obj for obj in restored.objects if isinstance(obj, PersistentVolumeClaim))
    return {claim.key: claim.spec.volume_name for claim in claims if claim.spec.volume_name}


def _delete(draft: Draft, target: Target, volumes: Mapping[ObjectKey, str]) -> str:
    kind, _, name = target.typed.partition("/")
    if target.key in volumes:
        return f'{kind} "{name}" gives up its volume {volumes[target.key]} when no pod uses it; the data stays'
    draft.object(target.key, target.plural)
    draft.delete(target.key)
    return f'{kind} "{name}" deleted'
