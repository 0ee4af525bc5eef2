"""`berth create configmap` and `berth create secret`: a new manifest from files and literals, as a commit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from objects.api.core import ConfigMap, Secret
from objects.api.meta import DEFAULT_NAMESPACE, KubeObject, ObjectKey
from objects.errors import InvalidInput
from objects.kinds import BY_KIND
from reconciler.cli.common.committing import (
    Intent,
    change_cause,
    commit_edit,
    writing_options,
)
from reconciler.cli.common.naming import typed_name
from reconciler.cli.common.new_entries import configmap_manifest, read_entries, secret_manifest
from reconciler.cli.common.viewing import namespace_option
from reconciler.editing.draft import Draft
from reconciler.process.options import Options
from sources.reading.layout import normal_path

Function = TypeVar("Function", bound=Callable[..., Any])
NOT_ENCRYPTED = "warning: its values are in Git as they are (base64 hides nothing); keep real secrets out of it"


@click.group("create", help="Create a ConfigMap or Secret from files and literals (a commit).")
def command() -> None:
    pass


@command.group("secret", help="Create a Secret (a commit).")
def secret() -> None:
    pass


def _entry_options(function: Function) -> Function:
    for decorator in (
        click.option("--app", default="", help="The Application that it belongs to. Default: the only one."),
        click.option("--from-env-file", "env_files", multiple=True, type=click.Path(path_type=Path), help="A=b lines."),
        click.option("--from-literal", "literals", multiple=True, metavar="KEY=VALUE", help="One entry. Repeatable."),
        click.option("--from-file", "files", multiple=True, metavar="[KEY=]PATH", help="A file or a folder of files."),
    ):
        function = decorator(function)
    return function


@command.command(
    "configmap",
    help="""Create a ConfigMap (a commit).

    \b
    berth create configmap game-config --from-file=game/ --app shop
    berth create configmap flags --from-literal=mode=fast
    """,
)
@click.argument("name")
@_entry_options
@namespace_option
@writing_options
@click.pass_obj
def configmap(
    options: Options,
    name: str,
    files: tuple[str, ...],
    literals: tuple[str, ...],
    env_files: tuple[Path, ...],
    app: str,
    namespace: str,
    intent: Intent,
) -> int:
    entries = read_entries(files, literals, env_files)
    words = ["create", "configmap", name, *(f"--from-file={file}" for file in files)]
    words += [f"--from-literal={literal}" for literal in literals]
    words += [f"--from-env-file={file}" for file in env_files]

    def edit(draft: Draft) -> list[str]:
        return [_add(draft, ConfigMap, name, configmap_manifest(name, entries), namespace, app)]

    return commit_edit(options, intent, edit, cause=change_cause(words, namespace=namespace))


@secret.command(
    "generic",
    help="""Create a Secret from files and literals (a commit).

    \b
    berth create secret generic db-user-pass --from-file=./username.txt --from-file=./password.txt
    """,
)
@click.argument("name")
@_entry_options
@click.option("--type", "kind", default="Opaque", show_default=True, help="The Secret's type.")
@namespace_option
@writing_options
@click.pass_obj
def generic(
    options: Options,
    name: str,
    files: tuple[str, ...],
    literals: tuple[str, ...],
    env_files: tuple[Path, ...],
    app: str,
    kind: str,
    namespace: str,
    intent: Intent,
) -> int:
    entries = read_entries(files, literals, env_files)

    def edit(draft: Draft) -> list[str]:
        return [_add(draft, Secret, name, secret_manifest(name, entries, kind), namespace, app), NOT_ENCRYPTED]

    # Neither literals nor paths: the message is read by everybody.
    return commit_edit(
        options, intent, edit, cause=change_cause(["create", "secret", "generic", name], namespace=namespace)
    )


def _add(draft: Draft, kind: type[KubeObject], name: str, manifest: dict[str, Any], namespace: str, app: str) -> str:
    """Returns what is said. Raises InvalidInput when there is such an object, or no place for it."""
    info = BY_KIND[kind.KIND]
    if ObjectKey(kind.KIND, namespace, name) in draft.state.objects:
        raise InvalidInput(f'{info.plural} "{name}" already exists', hint=f"berth edit {kind.KIND.lower()} {name}")
    application = draft.state.applications.get(_application(draft, app))
    assert application is not None
    if (application.spec.namespace or DEFAULT_NAMESPACE) != namespace:
        manifest = {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}
    folder = normal_path(application.spec.path)
    draft.add(f"{folder}/{name}-{kind.KIND.lower()}.yaml".lstrip("/"), manifest)
    return f"{typed_name(info, name)} created"


def _application(draft: Draft, app: str) -> str:
    """The Application that is meant. Raises InvalidInput naming those that there are."""
    names = sorted(draft.state.applications)
    if app in names:
        return app
    known = f"there are: {', '.join(names)}" if names else "there is none: make a folder apps/NAME"
    if app:
        raise InvalidInput(f"there is no Application {app!r}", hint=known)
    if len(names) != 1:
        raise InvalidInput("which Application does it belong to?", hint=f"--app NAME; {known}")
    return names[0]
