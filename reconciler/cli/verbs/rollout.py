"""`berth rollout`: how an update goes, what there was before, and back to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from objects import codec, convert, defaults
from objects.api.apps import DaemonSet, Deployment, StatefulSet
from objects.api.meta import KubeObject
from objects.errors import NotFound
from objects.names import POD_TEMPLATE_HASH
from reconciler.cli.common import rollout_changes
from reconciler.cli.common.committing import (
    Intent,
    change_cause,
    commit_in,
    writing_options,
)
from reconciler.cli.common.exit_codes import FAILED, NOT_CONVERGED, OK
from reconciler.cli.common.rollout_progress import progress_of
from reconciler.cli.common.viewing import live_view, namespace_option
from reconciler.cli.common.waiting import DURATION, looks
from reconciler.cli.common.written_objects import Target, find_targets
from reconciler.cli.printing.describe_pods import describe_template
from reconciler.cli.printing.description import render_description
from reconciler.cli.printing.table import NONE, render_table
from reconciler.editing.draft import Draft
from reconciler.editing.history import Revision, find_revision, read_revisions
from reconciler.process.clock import utc_now
from reconciler.process.compose import Session, open_session
from reconciler.process.options import Options
from sources.reading.desired import DesiredReader

ROLLED: tuple[type[KubeObject], ...] = (Deployment, DaemonSet, StatefulSet)
WHAT = "KIND NAME | KIND/NAME"


@click.group("rollout", help="Watch, look back at, undo, pause or restart the update of a workload.")
def command() -> None:
    pass


# --- looking -------------------------------------------------------------------------------------------------------


@command.command("status", help="Say how far an update is, until it is done.")
@click.argument("what", nargs=-1, metavar=WHAT)
@click.option("-w", "--watch/--no-watch", default=True, help="Wait until it is done. Default: yes.")
@click.option("--timeout", type=DURATION, default=0.0, metavar="DURATION", help="Wait at most so long, e.g. 90s.")
@namespace_option
@click.pass_obj
def status(options: Options, what: tuple[str, ...], timeout: float, namespace: str, *, watch: bool) -> int:
    """Exit code 0 when it is rolled out, 1 when it failed, 4 when time ran out."""
    (target,) = _one(what, namespace)
    said = ""
    with live_view(options) as live:
        for is_over in looks(live, timeout_seconds=timeout):
            obj = live.store.find(target.key)
            if obj is None:
                raise NotFound(f'{target.plural} "{target.key.name}" not found in namespace {namespace}')
            progress = progress_of(obj)
            if progress.line != said:
                click.echo(progress.line)
                said = progress.line
            if progress.failure:
                click.echo(f"error: {progress.failure}", err=True)
                return FAILED
            if progress.is_done or not watch:
                return OK
            if is_over:
                click.echo(f"error: timed out after {timeout:g} s; why: berth describe {target.typed}", err=True)
    return NOT_CONVERGED


@command.command("history", help="List earlier revisions: the commits that changed the pod template.")
@click.argument("what", nargs=-1, metavar=WHAT)
@click.option("--revision", type=click.IntRange(min=1), help="Show the pod template of this one.")
@namespace_option
@click.pass_obj
def history(options: Options, what: tuple[str, ...], revision: int | None, namespace: str) -> int:
    targets = find_targets(what, namespace, ROLLED)
    with open_session(options) as session:
        texts = [_history_text(session, target, revision) for target in targets]
    click.echo("\n\n".join(texts))
    return OK


def _history_text(session: Session, target: Target, number: int | None) -> str:
    revisions = revisions_of(session, session.repository.fetch(session.options.branch).sha, target)
    if number is not None:
        return describe_revision(target, find_revision(revisions, number))
    rows = [(str(one.number), one.cause or NONE, one.version.commit.short_sha) for one in revisions]
    return "\n".join([target.typed, *render_table(("REVISION", "CHANGE-CAUSE", "COMMIT"), rows)])


def revisions_of(session: Session, sha: str, target: Target) -> tuple[Revision, ...]:
    """Raises NotFound when the commit does not have the workload."""
    return read_revisions(session.repository, DesiredReader(session.repository), sha, target.key)


def describe_revision(target: Target, revision: Revision) -> str:
    """The pod template as `kubectl rollout history --revision` shows it."""
    manifest = revision.version.manifest
    obj: Any = defaults.default(codec.decode(convert.convert(manifest).manifest, server_fields=False))
    template = obj.spec.template
    labels = {**template.metadata.labels, POD_TEMPLATE_HASH: revision.template_hash}
    lines = render_description([("Pod Template", describe_template(template.spec, labels))])
    commit = revision.version.commit
    return "\n".join(
        [
            f"{target.typed} with revision #{revision.number}",
            f"Change-Cause: {revision.cause}",
            f"Commit: {commit.short_sha} by {commit.author}, {commit.time:%Y-%m-%d %H:%M:%S %Z}",
            *lines,
        ]
    )


# --- writing -------------------------------------------------------------------------------------------------------


@command.command("undo", help="Go back to an earlier pod template (a commit).")
@click.argument("what", nargs=-1, metavar=WHAT)
@click.option("--to-revision", type=click.IntRange(min=0), default=0, help="Default: the one before.")
@namespace_option
@writing_options
@click.pass_obj
def undo(options: Options, what: tuple[str, ...], to_revision: int, namespace: str, intent: Intent) -> int:
    targets = find_targets(what, namespace, ROLLED)
    words = ["rollout", "undo", *(target.typed for target in targets)]
    words += [f"--to-revision={to_revision}"] if to_revision else []
    with open_session(options) as session:

        def edit(draft: Draft) -> list[str]:
            found = [find_revision(revisions_of(session, draft.sha, target), to_revision) for target in targets]
            pairs = zip(targets, found, strict=True)
            return [rollout_changes.undo(draft, target, revision) for target, revision in pairs]

        commit_in(session, intent, edit, cause=change_cause(words, namespace=namespace))
    return OK


@command.command("pause", help="Hold an update where it is (a commit).")
@click.argument("what", nargs=-1, metavar=WHAT)
@namespace_option
@writing_options
@click.pass_obj
def pause(options: Options, what: tuple[str, ...], namespace: str, intent: Intent) -> int:
    targets = find_targets(what, namespace, (Deployment,))
    return _change(options, intent, "pause", targets, namespace, rollout_changes.pause)


@command.command("resume", help="Let a paused update go on (a commit).")
@click.argument("what", nargs=-1, metavar=WHAT)
@namespace_option
@writing_options
@click.pass_obj
def resume(options: Options, what: tuple[str, ...], namespace: str, intent: Intent) -> int:
    targets = find_targets(what, namespace, (Deployment,))
    return _change(options, intent, "resume", targets, namespace, rollout_changes.resume)


@command.command("restart", help="Replace all pods, as an update does (a commit).")
@click.argument("what", nargs=-1, metavar=WHAT)
@namespace_option
@writing_options
@click.pass_obj
def restart(options: Options, what: tuple[str, ...], namespace: str, intent: Intent) -> int:
    targets, now = find_targets(what, namespace, ROLLED), utc_now()

    def change(draft: Draft, target: Target) -> str:
        return rollout_changes.restart(draft, target, now=now)

    return _change(options, intent, "restart", targets, namespace, change)


def _change(
    options: Options,
    intent: Intent,
    verb: str,
    targets: tuple[Target, ...],
    namespace: str,
    change: Callable[[Draft, Target], str],
) -> int:
    words = ["rollout", verb, *(target.typed for target in targets)]
    with open_session(options) as session:
        commit_in(
            session,
            intent,
            lambda draft: [change(draft, target) for target in targets],
            cause=change_cause(words, namespace=namespace),
        )
    return OK


def _one(what: tuple[str, ...], namespace: str) -> tuple[Target, ...]:
    targets = find_targets(what, namespace, ROLLED)
    if len(targets) != 1:
        raise click.UsageError("one workload at a time")
    return targets
