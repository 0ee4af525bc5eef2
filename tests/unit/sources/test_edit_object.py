"""Whole objects in a person's file: what stays the same keeps its lines, comments and order."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from objects.api.meta import ObjectKey
from objects.errors import InvalidInput
from sources.edit.manifests import (
    Position,
    find_object,
    insert_item,
    read_object,
    remove_field,
    set_field,
)
from sources.edit.whole_objects import (
    document_text,
    new_file,
    remove_object,
    replace_document,
    replace_object,
)

WEB = """\
# The shop's front end.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}     # one line
spec:
  replicas: 3            # see the capacity page

  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        # the server
        - name: web
          image: "web:1"     # pinned
          env:
            - name: A
              value: "1"
            - name: B
              value: "2"
        # what reads its log
        - name: log
          image: 'log:1'
      volumes:
        - name: logs
          emptyDir: {}
"""
AT = Position(0)


def diff(old: str, new: str) -> list[str]:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def changed(change: Callable[[dict[str, Any]], Any]) -> list[str]:
    """The diff of WEB after `change` was made to its manifest."""
    wanted = yaml.safe_load(WEB)
    change(wanted)
    text = replace_object(WEB, AT, wanted)
    assert yaml.safe_load(text) == wanted
    return diff(WEB, text)


def containers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = manifest["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        pytest.param(lambda m: None, [], id="nothing"),
        pytest.param(
            lambda m: m["spec"].update(replicas=5),
            ["-  replicas: 3            # see the capacity page", "+  replicas: 5            # see the capacity page"],
            id="a number",
        ),
        pytest.param(lambda m: m["spec"].update(paused=True), ["+  paused: true"], id="a new field"),
        pytest.param(
            lambda m: m["metadata"].update(annotations={"example.com/a": "on"}),
            ["+  annotations:", '+    example.com/a: "on"'],
            id="a new mapping",
        ),
        pytest.param(
            lambda m: m["spec"].pop("replicas"),
            ["-  replicas: 3            # see the capacity page"],
            id="a field less",
        ),
        pytest.param(
            lambda m: containers(m)[0]["env"].pop(0),
            ["-            - name: A", '-              value: "1"'],
            id="an item less",
        ),
        pytest.param(
            lambda m: containers(m)[0]["env"].append({"name": "C", "value": "3"}),
            ["+            - name: C", '+              value: "3"'],
            id="an item more",
        ),
        pytest.param(
            lambda m: containers(m).insert(1, {"name": "new", "image": "new:1", "args": ["-v"]}),
            ["+        - name: new", "+          image: new:1", "+          args:", "+            - -v"],
            id="a container between",
        ),
        pytest.param(
            lambda m: m["spec"]["template"]["spec"].pop("volumes"),
            ["-      volumes:", "-        - name: logs", "-          emptyDir: {}"],
            id="the last entry",
        ),
        pytest.param(
            lambda m: (containers(m)[1].update(image="log:2"), containers(m)[0].update(image="web:2")),
            [
                '-          image: "web:1"     # pinned',
                '+          image: "web:2"     # pinned',
                "-          image: 'log:1'",
                "+          image: 'log:2'",
            ],
            id="two images",
        ),
    ],
)
def test_the_diff_is_the_change(change: Callable[[dict[str, Any]], Any], lines: list[str]) -> None:
    assert changed(change) == lines


def test_items_in_another_order_are_written_anew_and_read_right() -> None:
    wanted = yaml.safe_load(WEB)
    containers(wanted).reverse()
    text = replace_object(WEB, AT, wanted)
    assert yaml.safe_load(text) == wanted
    assert "# see the capacity page" in text


def test_windows_line_ends_stay() -> None:
    text = set_field(WEB.replace("\n", "\r\n"), AT, ("spec", "paused"), True)
    assert text == WEB.replace("capacity page\n", "capacity page\n  paused: true\n").replace("\n", "\r\n")


def test_a_file_without_a_last_line_break() -> None:
    text = "kind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: b"
    assert set_field(text, AT, ("data", "c"), "d") == text + "\n  c: d\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param(
            '{\n    "a": {\n        "b": 1\n    }\n}\n', '{\n    "a": {\n        "b": 1,\n        "c": 2\n    }\n}\n'
        ),
        pytest.param('{"a": {"b": 1}}', '{"a": {"b": 1, "c": 2}}'),
        pytest.param("{a: {b: 1}}\n", "{a: {b: 1, c: 2}}\n"),
    ],
    ids=["indented JSON", "JSON in one line", "flow YAML"],
)
def test_files_in_braces(text: str, wanted: str) -> None:
    assert set_field(text, AT, ("a", "c"), 2) == wanted


@pytest.mark.parametrize(
    ("action", "message"),
    [
        pytest.param(
            lambda: remove_field(WEB, AT, ("spec", "nothing")), "there is no spec.nothing", id="no such field"
        ),
        pytest.param(
            lambda: insert_item(WEB, AT, ("spec", "replicas", 0), 1),
            "there is no place spec.replicas[0] in a list",
            id="no list",
        ),
    ],
)
def test_what_cannot_be_edited(action: Callable[[], str], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        action()
    assert str(caught.value) == message


# --- documents -----------------------------------------------------------------------------------------------------

THREE = """\
# first
kind: ConfigMap
metadata: {name: a}
---
# second
kind: ConfigMap
metadata: {name: b}
---
kind: List
items:
- kind: ConfigMap
  metadata: {name: c}
- kind: ConfigMap
  metadata: {name: d}
"""
PARTS = THREE.split("---\n")


@pytest.mark.parametrize(
    ("names", "rest"),
    [
        pytest.param("a", "---\n".join(PARTS[1:]), id="first document"),
        pytest.param("b", "---\n".join([PARTS[0], PARTS[2]]), id="middle document"),
        pytest.param("c", THREE.replace("- kind: ConfigMap\n  metadata: {name: c}\n", ""), id="item of a list"),
        pytest.param("cd", "---\n".join(PARTS[:2]), id="all items of a list"),
        pytest.param("abcd", "", id="everything"),
    ],
)
def test_objects_are_taken_out(names: str, rest: str) -> None:
    text = THREE
    for name in names:
        text = remove_object(text, find_object(text, ObjectKey("ConfigMap", "", name)))
    assert text == rest


def test_a_document_as_it_is_written_and_back() -> None:
    assert document_text(THREE, 1) == PARTS[1]
    assert replace_document(THREE, 1, document_text(THREE, 1)) == THREE
    assert replace_document(THREE, 1, "kind: X") == "---\n".join([PARTS[0], "kind: X\n", PARTS[2]])


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_document_can_be_put_back(number: int) -> None:
    assert replace_document(THREE, number, document_text(THREE, number)) == THREE


def test_old_kinds_and_typed_lists_are_found() -> None:
    text = (
        "apiVersion: apps/v1alpha1\nkind: PetSet\nmetadata: {name: db}\n"
        "spec: {template: {metadata: {labels: {a: b}}}}\n"
        "---\napiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: p}\n"
    )
    assert find_object(text, ObjectKey("StatefulSet", "default", "db")) == Position(0)
    assert find_object(text, ObjectKey("Pod", "default", "p")) == Position(1, ("items", 0))


def test_a_new_file_reads_as_its_manifest() -> None:
    manifest = {
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": {"b": "x\n\ty\n", "c": "yes", "d": " e\n", "f": "12", "g": "\n"},
    }
    text = new_file(manifest)
    assert read_object(text, AT) == manifest
    assert "  b: |\n    x\n    \ty\n" in text
