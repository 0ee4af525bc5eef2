"""Object diffs: lists by merge key, RFC 6902 that really applies, nothing volatile."""

import jsonpatch
import pytest

from differ.documents.objects import (
    FieldChange,
    align,
    comparable,
    diff_documents,
    json_patch,
)

WEB = {"name": "web", "image": "web:v1", "ports": [{"containerPort": 80, "protocol": "TCP"}]}
LOG = {"name": "log", "image": "log:v1"}


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        pytest.param({"a": 1}, {"a": 1}, [], id="equal"),
        pytest.param({"a": 1}, {"a": 2}, [("a", 1, 2)], id="a scalar is replaced"),
        pytest.param({}, {"a": {"b": 1}}, [("a", None, {"b": 1})], id="a subtree is added whole"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}, [("a.b", 1, None)], id="a field is removed"),
        pytest.param(
            {"containers": [WEB]},
            {"containers": [LOG, WEB]},
            [("containers[log]", None, LOG)],
            id="a container in front is one addition",
        ),
        pytest.param(
            {"containers": [WEB, LOG]},
            {"containers": [LOG, {**WEB, "image": "web:v2"}]},
            [("containers[web].image", "web:v1", "web:v2")],
            id="order of containers means nothing",
        ),
        pytest.param(
            {"ports": [{"containerPort": 80, "protocol": "TCP"}]},
            {"ports": [{"containerPort": 80, "protocol": "TCP", "name": "http"}]},
            [("ports[80/TCP].name", None, "http")],
            id="ports by number and protocol",
        ),
        pytest.param({"args": ["a", "b"]}, {"args": ["a", "c"]}, [("args[1]", "b", "c")], id="plain lists by position"),
        pytest.param(
            {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
            {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "3"}]},
            [("env[1].value", "2", "3")],
            id="elements that cannot be told apart are compared by position",
        ),
        pytest.param(
            {"labels": {"app.kubernetes.io/name": "x"}},
            {"labels": {"app.kubernetes.io/name": "y"}},
            [("labels['app.kubernetes.io/name']", "x", "y")],
            id="keys with dots are quoted",
        ),
    ],
)
def test_diff_documents(old, new, changes):
    assert diff_documents(old, new) == tuple(FieldChange(path=p, old=o, new=n) for p, o, n in changes)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param({"spec": {"containers": [WEB]}}, {"spec": {"containers": [LOG, WEB]}}, id="added in front"),
        pytest.param({"spec": {"containers": [WEB, LOG]}}, {"spec": {"containers": [LOG]}}, id="removed"),
        pytest.param({"spec": {"args": [1, 2]}}, {"spec": {"args": [2]}}, id="plain list"),
    ],
)
def test_json_patch_makes_the_new_document(old, new):
    assert jsonpatch.apply_patch(old, json_patch(old, new)) == align(old, new)


def test_json_patch_of_a_container_put_in_front_is_one_addition():
    assert json_patch({"containers": [WEB]}, {"containers": [LOG, WEB]}) == [
        {"op": "add", "path": "/containers/1", "value": LOG}
    ]


def test_comparable_drops_what_a_server_counts():
    document = {"kind": "Pod", "metadata": {"name": "a", "uid": "1", "generation": 3}, "status": {"phase": "Running"}}
    assert comparable(document) == {"kind": "Pod", "metadata": {"name": "a"}}
