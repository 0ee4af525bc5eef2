"""What the writing verbs have in common: `--dry-run`, `-m`, who commits, and what is said about the commit."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from objects.api.meta import DEFAULT_NAMESPACE
from reconciler.cli.common.exit_codes import OK
from reconciler.editing.writing import CommitWriter, Edit, Written
from reconciler.process.compose import Session, open_session
from reconciler.process.options import Options
from sources.git.local import read_author, read_upstream

Function = TypeVar("Function", bound=Callable[..., Any])


class Intent(NamedTuple):
    """What a person said about the commit itself. message: '' for the command line as the cause."""

    dry_run: bool
    message: str


def writing_options(function: Function) -> Function:
    """`--dry-run` and `-m` as one argument `intent`."""

    @click.option("--dry-run", is_flag=True, help="Show the diff, commit nothing.")
    @click.option("-m", "--message", default="", metavar="TEXT", help="Commit message instead of the command line.")
    @functools.wraps(function)
    def wrapped(*args: Any, dry_run: bool, message: str, **kwargs: Any) -> Any:
        return function(*args, intent=Intent(dry_run, message), **kwargs)

    return wrapped  # type: ignore[return-value]


def change_cause(words: Iterable[str], *, namespace: str = DEFAULT_NAMESPACE) -> str:
    """The command line as it stands in the history: what was asked for, without how this machine reaches things."""
    scope = [] if namespace in ("", DEFAULT_NAMESPACE) else ["-n", namespace]
    return shlex.join(["berth", *words, *scope])


def commit_edit(
    options: Options, intent: Intent, edit: Edit, *, cause: str, trailers: Iterable[tuple[str, str]] = ()
) -> int:
    """Make the commit (or show it), and say what was done. Returns the exit code.

    trailers: what the message says to the reconciler.
    """
    with open_session(options) as session:
        commit_in(session, intent, edit, cause=cause, trailers=trailers)
    return OK


def commit_in(
    session: Session,
    intent: Intent,
    edit: Edit,
    *,
    cause: str,
    trailers: Iterable[tuple[str, str]] = (),
    allow_empty: bool = False,
) -> Written:
    """`commit_edit` within a session that goes on. allow_empty: what counts may be the message alone."""
    options = session.options
    writer = CommitWriter(session.repository, options.branch)
    if intent.dry_run:
        written = writer.preview(edit)
        click.echo(written.diff, nl=False)
        click.echo("\n".join(f"{line} (dry run)" for line in written.lines))
        return written
    folder = _folder_of(session)
    author = read_author(folder or Path.cwd())
    said = "\n".join(f"{name}: {text}" for name, text in trailers)
    message = f"{intent.message or cause}\n\n{said}" if said else intent.message or cause
    written = writer.commit(edit, author=author, message=message, allow_empty=allow_empty)
    click.echo("\n".join(written.lines))
    if not written.commit:
        click.echo("nothing to commit: Git says so already")
        return written
    click.echo(f"commit {written.commit[:10]} on {options.branch}")
    if folder is not None and (remote := read_upstream(folder, options.branch)):
        click.echo(f"it is in {folder}; to deploy it from {remote}: git push", err=True)
    return written


def _folder_of(session: Session) -> Path | None:
    """Where the repository lies, when that is on this machine."""
    url = session.repository.url
    return Path(url.text) if url.transport == "file" else None
