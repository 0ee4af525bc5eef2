"""Edits of a person's files: one field changes, and the diff shows nothing else."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import pytest

from objects.api.meta import ObjectKey
from objects.errors import InvalidInput, NotFound
from sources.edit.manifests import Position, find_object, insert_item, remove_field, set_field

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


FLOW = """\
kind: Deployment
metadata: {name: web, labels: {app: web}}   # main
spec:
  selector: {}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec:
      containers:
      - name: app
        image: web:v1   # pinned
        # about ports
        ports: [{containerPort: 80}]   # http
      # all
"""
APP = ("spec", "template", "spec", "containers", 0)
TEMPLATE = ("spec", "template", "metadata")
RESTARTED = (*TEMPLATE, "annotations", "kubectl.kubernetes.io/restartedAt")


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(
    ("edit", "line", "instead"),
    [
        pytest.param(
            lambda text: set_field(text, Position(0), RESTARTED, "2026-01-01T00:00:00Z"),
            "    metadata: {labels: {app: web, tier: front}}",
            "    metadata: {labels: {app: web, tier: front}, "
            'annotations: {kubectl.kubernetes.io/restartedAt: "2026-01-01T00:00:00Z"}}',
            id="mappings-that-lack-on-the-way",
        ),
        pytest.param(
            lambda text: set_field(text, Position(0), ("metadata", "labels", "build"), "007"),
            "metadata: {name: web, labels: {app: web}}   # main",
            'metadata: {name: web, labels: {app: web, build: "007"}}   # main',
            id="a-key-more",
        ),
        pytest.param(
            lambda text: set_field(text, Position(0), ("spec", "selector", "matchLabels"), {"app": "web"}),
            "  selector: {}",
            "  selector: {matchLabels: {app: web}}",
            id="into-nothing",
        ),
        pytest.param(
            lambda text: insert_item(text, Position(0), (*APP, "ports", 0), {"containerPort": 443, "name": "tls"}),
            "        ports: [{containerPort: 80}]   # http",
            "        ports: [{containerPort: 443, name: tls}, {containerPort: 80}]   # http",
            id="an-item-before",
        ),
        pytest.param(
            lambda text: insert_item(text, Position(0), (*APP, "ports", 1), {"containerPort": 443}),
            "        ports: [{containerPort: 80}]   # http",
            "        ports: [{containerPort: 80}, {containerPort: 443}]   # http",
            id="an-item-behind",
        ),
        pytest.param(
            lambda text: remove_field(text, Position(0), (*TEMPLATE, "labels", "app")),
            "    metadata: {labels: {app: web, tier: front}}",
            "    metadata: {labels: {tier: front}}",
            id="the-first-key-goes",
        ),
        pytest.param(
            lambda text: remove_field(text, Position(0), (*TEMPLATE, "labels", "tier")),
            "    metadata: {labels: {app: web, tier: front}}",
            "    metadata: {labels: {app: web}}",
            id="the-last-key-goes",
        ),
        pytest.param(
            lambda text: remove_field(text, Position(0), ("metadata", "labels", "app")),
            "metadata: {name: web, labels: {app: web}}   # main",
            "metadata: {name: web, labels: {}}   # main",
            id="the-only-key-goes",
        ),
        pytest.param(
            lambda text: set_field(text, Position(0), (*APP, "resources", "limits", "cpu"), "1"),
            "        ports: [{containerPort: 80}]   # http",
            "        ports: [{containerPort: 80}]   # http\n"
            '        resources:\n          limits:\n            cpu: "1"',
            id="blocks-that-lack-on-the-way",
        ),
    ],
)
def test_every_style_is_kept(edit: Callable[[str], str], line: str, instead: str, newline: str) -> None:
    text = FLOW.replace("\n", newline)
    assert edit(text) == FLOW.replace(line, instead).replace("\n", newline)


def test_what_goes_through_a_whole_document_keeps_its_line_breaks() -> None:
    text = FLOW.replace("  selector: {}", "  selector:").replace("\n", "\r\n")
    edited = set_field(text, Position(0), ("spec", "selector", "matchLabels"), {"app": "web"})
    assert edited.count("\r\n") == edited.count("\n")
