"""Tables that say of each field whether Berth acts on it, and the walk that finds what a manifest uses of them.

A rule names a field by its path as written in a manifest (`containers[].livenessProbe`) and covers all below it, unless
a longer path says otherwise. Rules are data: the notices of `berth validate`, the table of features in the
documentation and the test that no field is forgotten all read the same ones.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from objects.fields import FieldPath


class Level(enum.Enum):
    """What Berth does with a field."""

    HONOURED = "honoured"
    """It has the effect that Kubernetes documents."""
    WARNED = "warned"
    """It is accepted and kept, without effect so far."""
    REFUSED = "refused"
    """A manifest that uses it is not deployed: without its effect the result would be wrong or unsafe."""


class FieldNotice(NamedTuple):
    """Something that a manifest uses and that has not the effect its author expects."""

    path: FieldPath
    level: Level
    message: str


class Rule(NamedTuple):
    """level and reason for a field. unless: values without a notice, as the defaults. when: only then a notice."""

    path: str
    level: Level
    reason: str = ""
    unless: tuple[object, ...] = ()
    when: Callable[[Any], bool] | None = None


def honoured(*paths: str) -> tuple[Rule, ...]:
    """Rules for fields that have their effect."""
    return tuple(Rule(path, Level.HONOURED) for path in paths)


def warned(
    path: str, reason: str, *, unless: tuple[object, ...] = (), when: Callable[[Any], bool] | None = None
) -> tuple[Rule, ...]:
    """A rule for a field that is accepted without effect. reason: what is missing, or what happens instead."""
    return (Rule(path, Level.WARNED, reason, unless, when),)


def refused(
    path: str, reason: str, *, unless: tuple[object, ...] = (), when: Callable[[Any], bool] | None = None
) -> tuple[Rule, ...]:
    """A rule for a field that must not be used."""
    return (Rule(path, Level.REFUSED, reason, unless, when),)


def is_false(value: object) -> bool:
    """For fields whose `false` is the unusual wish."""
    return value is False


def below(prefix: str, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The same rules under a longer path."""
    return tuple(rule._replace(path=f"{prefix}.{rule.path}") for rule in rules)


# --- the walk -----------------------------------------------------------------------------------------------------


class _Node:
    """A place in the tree of paths: its rules, and what lies below."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.children: dict[str, _Node] = {}


class Table:
    """The rules of one struct and what lies below it. Immutable once made."""

    def __init__(self, *groups: Iterable[Rule]) -> None:
        self.rules: tuple[Rule, ...] = tuple(rule for group in groups for rule in group)
        self._root = _Node()
        for rule in self.rules:
            if rule.level is Level.HONOURED:
                continue
            node = self._root
            for step in _steps(rule.path):
                node = node.children.setdefault(step, _Node())
            node.rules.append(rule)

    def notices(self, struct: msgspec.Struct, path: FieldPath = ()) -> list[FieldNotice]:
        """What `struct` uses and does not get. path: where it lies."""
        found: list[FieldNotice] = []
        _walk(struct, self._root, path, found)
        return found


def _steps(path: str) -> list[str]:
    return path.replace("[]", ".[]").split(".")


def _walk(value: Any, node: _Node, path: FieldPath, found: list[FieldNotice]) -> None:
    attributes = _attributes(value.__class__)
    for step, child in node.children.items():
        field = getattr(value, attributes[step])
        found += [FieldNotice((*path, step), rule.level, rule.reason) for rule in child.rules if _applies(rule, field)]
        if not child.children or not field:
            continue
        items = child.children.get("[]")
        if items is None:
            _walk(field, child, (*path, step), found)
        else:
            for index, item in enumerate(field):
                _walk(item, items, (*path, step, index), found)


def _applies(rule: Rule, value: Any) -> bool:
    if rule.when is not None:
        return rule.when(value)
    # An empty struct is a word, an empty list is none.
    return (bool(value) or isinstance(value, msgspec.Struct)) and value not in rule.unless


@functools.cache
def _attributes(struct: type[msgspec.Struct]) -> Mapping[str, str]:
    return dict(zip(struct.__struct_encode_fields__, struct.__struct_fields__, strict=True))


# --- completeness -------------------------------------------------------------------------------------------------


def covering_rule(rules: Iterable[Rule], path: str) -> Rule | None:
    """The rule with the longest path that is `path` or begins it."""
    best: Rule | None = None
    for rule in rules:
        covers = path == rule.path or path.startswith((f"{rule.path}.", f"{rule.path}[]"))
        if covers and (best is None or len(rule.path) > len(best.path)):
            best = rule
    return best
