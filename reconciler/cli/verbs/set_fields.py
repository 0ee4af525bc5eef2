"""`berth set image` and `berth set env`: containers of a workload's template changed, as a commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import click

from objects.api.apps import (
    DaemonSet,
    Deployment,
    ReplicaSet,
    ReplicationController,
    StatefulSet,
)
from objects.api.batch import CronJob, Job
from objects.api.pods import Pod
from objects.errors import InvalidInput, NotFound
from reconciler.cli.common.committing import (
    Intent,
    change_cause,
    commit_edit,
    writing_options,
)
from reconciler.cli.common.viewing import namespace_option
from reconciler.cli.common.written_objects import (
    TEMPLATE_PATHS,
    Target,
    find_targets,
    value_at,
    with_value,
)
from reconciler.editing.draft import Draft
from reconciler.process.options import Options

WORKLOADS = (Deployment, DaemonSet, StatefulSet, ReplicaSet, ReplicationController, CronJob, Job, Pod)
_LISTS = ("initContainers", "containers")

ContainerChange = Callable[[dict[str, Any]], dict[str, Any]]


@click.group("set", help="Set the image or the environment of containers (a commit).")
def command() -> None:
    pass


@command.command(
    "image",
    help="""Set the image of containers (a commit).

    \b
    berth set image deploy/web nginx=nginx:1.28
    berth set image ds agent '*=agent:2'          all its containers
    """,
)
@click.argument("what", nargs=-1, metavar="KIND/NAME CONTAINER=IMAGE...")
@namespace_option
@writing_options
@click.pass_obj
def image(options: Options, what: tuple[str, ...], namespace: str, intent: Intent) -> int:
    names, pairs = split_arguments(what)
    images = dict(_pair(text) for text in pairs)
    if not images:
        raise click.UsageError("which image? For example: nginx=nginx:1.28")
    targets = find_targets(names, namespace, WORKLOADS)

    def edit(draft: Draft) -> list[str]:
        return [f"{target.typed} image {_set_images(draft, target, images)}" for target in targets]

    cause = change_cause(["set", "image", *(target.typed for target in targets), *pairs], namespace=namespace)
    return commit_edit(options, intent, edit, cause=cause)


@command.command(
    "env",
    help="""Set or remove variables of containers (a commit).

    \b
    berth set env deploy/web LOG=debug OLD-
    berth set env deploy/web -c server LOG=debug
    """,
)
@click.argument("what", nargs=-1, metavar="KIND/NAME NAME=VALUE... NAME-...")
@click.option("-c", "--containers", default="*", help="Which container; all of them by default.")
@namespace_option
@writing_options
@click.pass_obj
def env(options: Options, what: tuple[str, ...], containers: str, namespace: str, intent: Intent) -> int:
    names, words = split_arguments(what, is_pair=lambda text: "=" in text or text.endswith("-"))
    variables = Variables.parse(words)
    targets = find_targets(names, namespace, WORKLOADS)

    def edit(draft: Draft) -> list[str]:
        for target in targets:
            change_containers(draft, target, {containers: variables.applied_to})
        return [f"{target.typed} env updated" for target in targets]

    cause = change_cause(["set", "env", *(target.typed for target in targets), *words], namespace=namespace)
    return commit_edit(options, intent, edit, cause=cause)


def split_arguments(
    arguments: Iterable[str], *, is_pair: Callable[[str], bool] = lambda text: "=" in text
) -> tuple[list[str], list[str]]:
    """Objects first, then what is set; as kubectl takes them."""
    names = [text for text in arguments if not is_pair(text)]
    return names, [text for text in arguments if is_pair(text)]


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name or not value:
        raise click.UsageError(f"{text!r} is not CONTAINER=IMAGE")
    return name, value


def _set_images(draft: Draft, target: Target, images: Mapping[str, str]) -> str:
    def setting(image: str) -> ContainerChange:
        return lambda container: {**container, "image": image}

    changed = change_containers(draft, target, {name: setting(image) for name, image in images.items()})
    return "updated" if changed else "unchanged"


def change_containers(draft: Draft, target: Target, changes: Mapping[str, ContainerChange]) -> bool:
    """Apply a change to each named container of a workload, `*` to all. Returns whether anything is different now.

    Raises NotFound for the workload or a container that it does not have.
    """
    draft.object(target.key, target.plural)
    manifest = draft.manifest(target.key)
    spec_path = (*TEMPLATE_PATHS[target.key.kind], "spec")
    spec = value_at(manifest, spec_path) or {}
    present = {item.get("name") for field in _LISTS for item in spec.get(field) or ()}
    for name in changes:
        if name != "*" and name not in present:
            known = ", ".join(sorted(filter(None, present)))
            raise NotFound(f'unable to find container named "{name}" in {target.typed}', hint=f"it has {known}")
    changed = dict(spec)
    for field in _LISTS:
        if spec.get(field):
            changed[field] = [_changed(item, changes) for item in spec[field]]
    if changed == spec:
        return False
    draft.replace(target.key, with_value(manifest, spec_path, changed))
    return True


def _changed(container: dict[str, Any], changes: Mapping[str, ContainerChange]) -> dict[str, Any]:
    change = changes.get(container.get("name", "")) or changes.get("*")
    return change(container) if change else container


class Variables(NamedTuple):
    """set: name → value. remove: names."""

    set: dict[str, str]
    remove: frozenset[str]

    @classmethod
    def parse(cls, words: Iterable[str]) -> Variables:
        """`A=1` and `B-`. Raises UsageError."""
        values = dict(word.split("=", 1) for word in words if "=" in word)
        gone = frozenset(word[:-1] for word in words if "=" not in word)
        if not values and not gone:
            raise click.UsageError("which variable? For example: LOG=debug, or LOG- to remove it")
        if not all((*values, *gone)):
            raise click.UsageError("a variable has no name")
        return cls(values, gone)

    def applied_to(self, container: dict[str, Any]) -> dict[str, Any]:
        """The container with these variables; those that were there keep their place. Raises InvalidInput."""
        before = container.get("env") or []
        if not isinstance(before, list):
            raise InvalidInput("env of a container is not a list")
        names = [item.get("name") for item in before]
        env = [
            {"name": item.get("name"), "value": self.set[item["name"]]} if item.get("name") in self.set else item
            for item in before
            if item.get("name") not in self.remove
        ]
        env += [{"name": name, "value": value} for name, value in self.set.items() if name not in names]
        rest = {field: value for field, value in container.items() if field != "env"}
        return {**container, "env": env} if env else rest
