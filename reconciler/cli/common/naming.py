"""What a person means by `po`, `deploy/web`, `svc,cm` or `deployments.apps`: kinds and names from the command line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import click

from objects.kinds import KINDS, KindInfo

ALL: Final = (
    "pods",
    "services",
    "daemonsets",
    "deployments",
    "replicasets",
    "statefulsets",
    "horizontalpodautoscalers",
    "cronjobs",
    "jobs",
)
"""What kubectl means by `all`: what runs, not what configures it."""


class Wanted(NamedTuple):
    """One kind and the names that were asked for; no names mean all of them."""

    kind: KindInfo
    names: tuple[str, ...] = ()


def group_of(info: KindInfo) -> str:
    """The API group, '' for core/v1."""
    return info.kind.API_VERSION.rpartition("/")[0]


def typed_name(info: KindInfo, name: str) -> str:
    """As kubectl names an object of one kind among others: `pod/web-x7k2p`, `deployment.apps/web`."""
    group = group_of(info)
    return f"{info.kind.KIND.lower()}{f'.{group}' if group else ''}/{name}"


def find_kind(word: str) -> KindInfo:
    """The kind that `word` names: singular, plural or short, in any case, alone or with its group. Or UsageError."""
    first, _, rest = word.lower().partition(".")
    for info in KINDS:
        group, version = group_of(info), info.kind.API_VERSION.rpartition("/")[2]
        if first in (info.kind.KIND.lower(), info.plural, *info.short_names) and rest in (
            "",
            group,
            f"{version}.{group}",
            *((version,) if not group else ()),
        ):
            return info
    known = [name for info in KINDS for name in (info.kind.KIND.lower(), info.plural)]
    near = difflib.get_close_matches(first, known, n=1)
    raise click.UsageError(f"there is no kind {word!r}" + (f", did you mean {near[0]!r}?" if near else ""))


def find_kinds(word: str) -> list[KindInfo]:
    """Kinds with commas between; `all` stands for several."""
    words = [part for given in word.split(",") if given for part in (ALL if given == "all" else (given,))]
    return list(dict.fromkeys(find_kind(part) for part in words))


def parse_wanted(arguments: Sequence[str]) -> tuple[Wanted, ...]:
    """`KIND[,KIND…] [NAME…]` or `KIND/NAME…`, as kubectl takes them. Raises UsageError.

    po                   -> all pods
    po web-1 web-2       -> two pods
    deploy/web po/web-1  -> one of each
    po,svc               -> all of both
    """
    if not arguments:
        raise click.UsageError("which kind? For example: pods, deployments, hosts, all")
    if any("/" in argument for argument in arguments):
        return _merge(_parse_pair(argument) for argument in arguments)
    kinds = find_kinds(arguments[0])
    names = tuple(dict.fromkeys(arguments[1:]))
    return tuple(Wanted(kind, names) for kind in kinds)


def parse_one(arguments: Sequence[str], *, default_kind: str = "") -> tuple[KindInfo, str]:
    """Exactly one object: `KIND NAME`, `KIND/NAME`, or `NAME` where `default_kind` is given. Raises UsageError."""
    match arguments:
        case [single] if "/" in single:
            wanted = _parse_pair(single)
            return wanted.kind, wanted.names[0]
        case [single] if default_kind:
            return find_kind(default_kind), single
        case [kind, name] if "/" not in kind + name:
            return find_kind(kind), name
    raise click.UsageError(f"one object, please: {'NAME or ' if default_kind else 'KIND NAME or '}KIND/NAME")


def _parse_pair(argument: str) -> Wanted:
    kind, _, name = argument.partition("/")
    if not kind or not name or "/" in name:
        raise click.UsageError(f"{argument!r}: all arguments are KIND/NAME, or none is")
    return Wanted(find_kind(kind), (name,))


def _merge(wanted: Iterable[Wanted]) -> tuple[Wanted, ...]:
    names: dict[KindInfo, list[str]] = {}
    for item in wanted:
        names.setdefault(item.kind, []).extend(item.names)
    return tuple(Wanted(kind, tuple(dict.fromkeys(found))) for kind, found in names.items())
