"""`berth edit`: an object's manifest in your editor, checked before it is committed."""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

import click

from objects.errors import BerthError, InvalidInput, NotFound, PushRejected
from reconciler.cli.common.committing import (
    Intent,
    change_cause,
    commit_in,
    writing_options,
)
from reconciler.cli.common.exit_codes import FAILED, OK
from reconciler.cli.common.naming import parse_one
from reconciler.cli.common.viewing import namespace_option
from reconciler.cli.common.written_objects import Target, target_of
from reconciler.cli.verbs.patch import check_identity
from reconciler.editing.draft import Draft
from reconciler.editing.writing import CommitWriter
from reconciler.process.compose import Session, open_session
from reconciler.process.options import Options
from sources.edit.manifests import find_object, read_object
from sources.errors import YamlError

EDITOR_VARIABLES = ("BERTH_EDITOR", "KUBE_EDITOR", "VISUAL", "EDITOR")
MAX_ROUNDS = 20
"""For an editor that is a script and never gets it right; a person gives up earlier."""
_MARK = "#! "
"""Begins the lines that we put above what a person edits; they are taken out again."""
_WORDS = f"""\
{_MARK}{{typed}} in {{file}}
{_MARK}Save to commit. Save it unchanged, or empty, to leave everything as it is.
"""

HELP = """Edit an object's manifest in your editor (a commit).

\b
berth edit deploy/web          opens $BERTH_EDITOR, $KUBE_EDITOR, $VISUAL, $EDITOR or vi
"""


@click.command("edit", help=HELP)
@click.argument("what", nargs=-1, metavar="KIND NAME | KIND/NAME")
@namespace_option
@writing_options
@click.pass_obj
def command(options: Options, what: tuple[str, ...], namespace: str, intent: Intent) -> int:
    """Comments included: what is edited is the document as it stands in its file."""
    target = target_of(*parse_one(what), namespace)
    with open_session(options) as session:
        return _Editing(session, target, intent, change_cause(["edit", target.typed], namespace=namespace)).run()


class _Editing:
    """One object's document, until it is right or given up."""

    def __init__(self, session: Session, target: Target, intent: Intent, cause: str) -> None:
        self._session = session
        self._target = target
        self._intent = intent
        self._cause = cause
        draft = CommitWriter(session.repository, session.options.branch).draft()
        draft.object(target.key, target.plural)
        self._original = draft.document(target.key)
        self._file = draft.state.origins[target.key].file
        self._namespace = draft.namespace_of_application(target.key)

    def run(self) -> int:
        """Edit, check, commit; what is wrong is shown above the text and edited again, until nothing moves."""
        content, problem = self._original, ""
        for _ in range(MAX_ROUNDS):
            edited = self._ask(content, problem)
            if not edited.strip() or edited == self._original:
                click.echo("Edit cancelled, no changes made.")
                return OK
            if problem and edited == content:
                break
            content = edited
            try:
                commit_in(self._session, self._intent, functools.partial(self._edit, content), cause=self._cause)
            except YamlError as error:
                problem = f"line {error.line} of the manifest: {error}"
            except InvalidInput as error:
                problem = str(error)
            except PushRejected as error:
                problem = str(error)
                break
            else:
                return OK
        click.echo(f"error: {problem}\nyour version is in {_kept(content)}", err=True)
        return FAILED

    def _edit(self, content: str, draft: Draft) -> list[str]:
        """Put `content` in the place of the document that was shown. Raises PushRejected when that is another now."""
        draft.object(self._target.key, self._target.plural)
        if draft.document(self._target.key) != self._original:
            raise PushRejected(f"{self._target.typed} was changed by somebody else meanwhile")
        before = draft.manifest(self._target.key)
        try:
            position = find_object(content, self._target.key, namespace=self._namespace)
        except NotFound:
            raise InvalidInput(f"the text does not hold {self._target.key} any more") from None
        check_identity(self._target.key, before, read_object(content, position))
        draft.replace_document(self._target.key, content)
        return [f"{self._target.typed} edited"]

    def _ask(self, content: str, problem: str) -> str:
        """What a person makes of `content`. Raises InvalidInput when the editor fails."""
        head = _WORDS.format(typed=self._target.typed, file=self._file)
        head += "".join(f"{_MARK}error: {line}\n" for line in problem.splitlines())
        with tempfile.TemporaryDirectory(prefix="berth-edit-") as folder:
            path = Path(folder) / f"{self._target.key.name}.yaml"
            path.write_text(head + content, encoding="utf-8")
            _run_editor(path)
            try:
                lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            except (OSError, UnicodeDecodeError) as error:
                raise BerthError(f"what the editor left cannot be read: {error}") from error
        return "".join(line for line in lines if not line.startswith(_MARK))


def _run_editor(path: Path) -> None:
    editor = next((value for name in EDITOR_VARIABLES if (value := os.environ.get(name))), "vi")
    try:
        done = subprocess.run([*shlex.split(editor), str(path)], check=False)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"the editor {editor!r} cannot be started", hint="set EDITOR") from error
    if done.returncode != 0:
        raise InvalidInput(f"the editor {editor!r} ended with {done.returncode}: nothing is changed")


def _kept(content: str) -> str:
    """Where a person finds again what they wrote."""
    descriptor, path = tempfile.mkstemp(prefix="berth-edit-", suffix=".yaml")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    return path
