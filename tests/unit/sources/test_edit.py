"""Edits of a person's files: one field changes, and the diff shows nothing else."""

from __future__ import annotations

import difflib
from typing import Any

import pytest

from objects.api.meta import ObjectKey
from objects.errors import InvalidInput, NotFound
from sources.edit.manifests import Position, find_object, set_field

TEXT = """\
# my app – ä€😀
apiVersion: apps/v1
kind: Deployment   # the thing
metadata:
    name: web
    namespace: shop
spec:
    replicas: 3     # three
    template:
        spec:
            containers:
                # first
                - name: web
                  image: "web:1"   # pinned
                  args: [a, b]
---
# second
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  mode: 'fast'
  plain: one
  script: |
    a
    b
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: listed
  data:
    key: old
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: other
"""
WEB = ObjectKey("Deployment", "shop", "web")
SETTINGS = ObjectKey("ConfigMap", "default", "settings")
LISTED = ObjectKey("ConfigMap", "default", "listed")


@pytest.mark.parametrize(
    ("key", "position"),
    [
        (WEB, Position(0)),
        (SETTINGS, Position(1)),
        (LISTED, Position(2, ("items", 0))),
        (ObjectKey("ConfigMap", "default", "other"), Position(2, ("items", 1))),
    ],
)
def test_objects_are_found_by_their_key(key: ObjectKey, position: Position) -> None:
    assert find_object(TEXT, key) == position


@pytest.mark.parametrize(
    "key",
    [ObjectKey("Deployment", "default", "web"), ObjectKey("Pod", "shop", "web"), ObjectKey("Deployment", "shop", "")],
)
def test_objects_that_are_not_there(key: ObjectKey) -> None:
    with pytest.raises(NotFound, match="is not in this file"):
        find_object(TEXT, key)


def test_the_namespace_of_the_application_counts() -> None:
    assert find_object(TEXT, ObjectKey("ConfigMap", "shop", "settings"), namespace="shop") == Position(1)


_IMAGE = ("spec", "template", "spec", "containers", 0, "image")


@pytest.mark.parametrize(
    ("key", "path", "value", "removed", "added"),
    [
        pytest.param(
            WEB, ("spec", "replicas"), 5,
            "    replicas: 3     # three", "    replicas: 5     # three", id="number",
        ),
        pytest.param(
            WEB, _IMAGE, "web:2",
            '                  image: "web:1"   # pinned', '                  image: "web:2"   # pinned',
            id="double-quoted",
        ),
        pytest.param(SETTINGS, ("data", "mode"), "slow", "  mode: 'fast'", "  mode: 'slow'", id="single-quoted"),
        pytest.param(SETTINGS, ("data", "mode"), "it's", "  mode: 'fast'", '  mode: "it\'s"', id="quote-in-quotes"),
        pytest.param(SETTINGS, ("data", "plain"), "two", "  plain: one", "  plain: two", id="plain"),
        pytest.param(SETTINGS, ("data", "plain"), "no", "  plain: one", '  plain: "no"', id="like-a-boolean"),
        pytest.param(SETTINGS, ("data", "plain"), "12", "  plain: one", '  plain: "12"', id="like-a-number"),
        pytest.param(SETTINGS, ("data", "plain"), "a: b #c", "  plain: one", '  plain: "a: b #c"', id="needs-quotes"),
        pytest.param(SETTINGS, ("data", "script"), "c\nd\n", "    a\n    b", "    c\n    d", id="block"),
        pytest.param(WEB, ("spec", "paused"), True, "", "    paused: true", id="new-field"),
        pytest.param(
            WEB, ("metadata", "annotations", "a/b"), "yes", "", '    annotations:\n        a/b: "yes"', id="new-mapping"
        ),
        pytest.param(SETTINGS, ("data", "new"), "x", "", "  new: x", id="new-key"),
        pytest.param(
            SETTINGS, ("data",), {"k": "v"},
            "  mode: 'fast'\n  plain: one\n  script: |\n    a\n    b", "  k: v", id="whole"
        ),
        pytest.param(LISTED, ("data", "key"), "new", "    key: old", "    key: new", id="in-a-list"),
    ],
)  # fmt: skip
def test_the_diff_is_what_was_asked_for(
    key: ObjectKey, path: tuple[str | int, ...], value: Any, removed: str, added: str
) -> None:
    changed = set_field(TEXT, find_object(TEXT, key), path, value)
    diff = list(difflib.unified_diff(TEXT.splitlines(), changed.splitlines(), lineterm="", n=0))[2:]
    shown = {sign: "\n".join(line[1:] for line in diff if line.startswith(sign)) for sign in "-+"}
    assert shown == {"-": removed, "+": added}


def test_the_same_value_changes_nothing() -> None:
    assert set_field(TEXT, find_object(TEXT, WEB), ("spec", "replicas"), 3) == TEXT


def test_json_is_edited_in_place() -> None:
    text = '{\n  "kind": "Pod", "metadata": {"name": "x"},\n  "spec": {"priority": 1}\n}\n'
    changed = set_field(text, find_object(text, ObjectKey("Pod", "default", "x")), ("spec", "priority"), 2)
    assert changed == text.replace("1", "2")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("spec", "replicas", "x"), "'x' cannot be set: its parent is not a mapping"),
        (("spec", "template", "spec", "containers", 1, "image"), "there is no list item [1]"),
    ],
)
def test_ways_that_are_blocked(path: tuple[str | int, ...], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        set_field(TEXT, find_object(TEXT, WEB), path, "x")
    assert str(caught.value) == message


def test_a_change_that_would_disturb_something_else_is_refused() -> None:
    text = "kind: ConfigMap\nmetadata: {name: x}\ndata: &d\n  a: one\nmore: *d\n"
    with pytest.raises(InvalidInput) as caught:
        set_field(text, find_object(text, ObjectKey("ConfigMap", "default", "x")), ("data", "a"), "two")
    assert str(caught.value) == "data.a cannot be changed without disturbing the file (edit it by hand)"
