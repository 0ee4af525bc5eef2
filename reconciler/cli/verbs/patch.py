"""`berth patch`: a few fields of an object's manifest, as a commit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from differ.documents.patches import apply_json_patch, apply_merge_patch, apply_strategic_patch
from objects.api.core import Secret
from objects.api.meta import ObjectKey
from objects.errors import InvalidInput
from reconciler.cli.common.committing import (
    Intent,
    change_cause,
    commit_edit,
    writing_options,
)
from reconciler.cli.common.naming import parse_one
from reconciler.cli.common.viewing import namespace_option
from reconciler.cli.common.written_objects import target_of
from reconciler.editing.draft import Draft
from reconciler.process.options import Options
from sources.errors import YamlError
from sources.yaml.loader import load_documents

APPLY = {"strategic": apply_strategic_patch, "merge": apply_merge_patch, "json": apply_json_patch}
_SHOWN_CHARACTERS = 200

HELP = """Change fields of an object's manifest (a commit).

\b
berth patch sts cassandra -p '{"spec":{"replicas":10}}'
berth patch deploy/web --type=merge -p 'spec: {paused: true}'
berth patch deploy/web --type=json -p '[{"op": "remove", "path": "/spec/paused"}]'
"""


@click.command("patch", help=HELP)
@click.argument("what", nargs=-1, metavar="KIND NAME | KIND/NAME")
@click.option("-p", "--patch", "text", default="", metavar="PATCH", help="The patch, as JSON or YAML.")
@click.option("--patch-file", type=click.Path(dir_okay=False, path_type=Path), help="A file that holds it.")
@click.option("--type", "kind", type=click.Choice(list(APPLY)), default="strategic", show_default=True)
@namespace_option
@writing_options
@click.pass_obj
def command(
    options: Options,
    what: tuple[str, ...],
    text: str,
    patch_file: Path | None,
    kind: str,
    namespace: str,
    intent: Intent,
) -> int:
    target = target_of(*parse_one(what), namespace)
    text = _given(text, patch_file)
    patch = parse_patch(text)

    def edit(draft: Draft) -> list[str]:
        draft.object(target.key, target.plural)
        before = draft.manifest(target.key)
        after = APPLY[kind](before, patch)
        check_identity(target.key, before, after)
        draft.replace(target.key, after)
        return [f"{target.typed} patched" + (" (no change)" if after == before else "")]

    words = ["patch", target.typed, *([f"--type={kind}"] if kind != "strategic" else [])]
    if target.key.kind != Secret.KIND and len(text) <= _SHOWN_CHARACTERS:
        words += ["-p", " ".join(text.split())]
    return commit_edit(options, intent, edit, cause=change_cause(words, namespace=namespace))


def _given(text: str, patch_file: Path | None) -> str:
    if bool(text) == (patch_file is not None):
        raise click.UsageError("one patch, please: by -p or --patch-file")
    if patch_file is None:
        return text
    try:
        return patch_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{patch_file} cannot be read as text") from error


def parse_patch(text: str) -> Any:
    """One document of JSON or YAML. Raises UsageError with the place, never with the content."""
    try:
        documents = load_documents(text.encode())
    except YamlError as error:
        raise click.UsageError(f"the patch is wrong: line {error.line}: {error.message}") from error
    if len(documents) != 1 or documents[0].value is None:
        raise click.UsageError("the patch is empty, or more than one")
    return documents[0].value


def check_identity(key: ObjectKey, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Another name is another object: what runs would be deleted and made anew. Raises InvalidInput."""
    for field in ("apiVersion", "kind"):
        if before.get(field) != after.get(field):
            raise InvalidInput(f"{field} of {key} must not change")
    old, new = before.get("metadata") or {}, after.get("metadata") or {}
    for field in ("name", "namespace"):
        if not isinstance(new, dict) or old.get(field) != new.get(field):
            raise InvalidInput(f"metadata.{field} of {key} must not change", hint="make a new object, delete this one")
