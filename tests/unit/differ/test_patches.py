"""Patches of the three forms that `kubectl patch` knows."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from differ.documents.patches import apply_json_patch, apply_merge_patch, apply_strategic_patch
from objects.errors import InvalidInput

POD = """
metadata: {finalizers: [a], labels: {app: web, tier: front}}
spec:
  containers:
  - {name: web, image: "web:1", args: [a, b], env: [{name: A, value: "1"}, {name: B, value: "2"}]}
  - {name: log, image: "log:1"}
  nodeSelector: {disk: ssd}
  tolerations: [{key: x}]
  volumes: [{name: data, emptyDir: {}}]
"""


def strategic(patch: str) -> dict[str, Any]:
    return apply_strategic_patch(yaml.safe_load(POD), yaml.safe_load(patch))


def expected(**spec: Any) -> dict[str, Any]:
    """POD with other fields in its spec."""
    pod: dict[str, Any] = yaml.safe_load(POD)
    return {**pod, "spec": {**pod["spec"], **spec}}


WEB, LOG = yaml.safe_load(POD)["spec"]["containers"]


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        pytest.param(
            "spec: {containers: [{name: web, image: 'web:2'}]}",
            expected(containers=[{**WEB, "image": "web:2"}, LOG]),
            id="one container by name",
        ),
        pytest.param(
            "spec: {containers: [{name: new, image: 'new:1'}]}",
            expected(containers=[WEB, LOG, {"name": "new", "image": "new:1"}]),
            id="a container more",
        ),
        pytest.param(
            "spec: {containers: [{name: log, $patch: delete}]}", expected(containers=[WEB]), id="a container less"
        ),
        pytest.param(
            "spec: {containers: [{name: web, env: [{name: B, value: '3'}]}]}",
            expected(containers=[{**WEB, "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}]}, LOG]),
            id="lists in lists",
        ),
        pytest.param(
            "spec: {containers: [{name: web, args: [c]}]}",
            expected(containers=[{**WEB, "args": ["c"]}, LOG]),
            id="a list of words is replaced",
        ),
        pytest.param("spec: {tolerations: [{key: y}]}", expected(tolerations=[{"key": "y"}]), id="an atomic list"),
        pytest.param("spec: {nodeSelector: null, gone: null}", {
            **expected(), "spec": {key: value for key, value in expected()["spec"].items() if key != "nodeSelector"}
        }, id="null removes"),
        pytest.param(
            "spec: {nodeSelector: {$patch: replace, zone: a}}", expected(nodeSelector={"zone": "a"}), id="replace"
        ),
        pytest.param(
            "spec: {containers: [{$patch: replace}, {name: only, image: 'o:1'}]}",
            expected(containers=[{"name": "only", "image": "o:1"}]),
            id="replace a list",
        ),
        pytest.param(
            "spec: {volumes: [{name: data, $retainKeys: [name, hostPath], hostPath: {path: /a}}]}",
            expected(volumes=[{"name": "data", "hostPath": {"path": "/a"}}]),
            id="retain keys: a union changes its member",
        ),
        pytest.param(
            "metadata: {finalizers: [b]}",
            {**expected(), "metadata": {"finalizers": ["a", "b"], "labels": {"app": "web", "tier": "front"}}},
            id="finalizers are merged",
        ),
        pytest.param(
            "metadata: {$deleteFromPrimitiveList/finalizers: [a]}",
            {**expected(), "metadata": {"finalizers": [], "labels": {"app": "web", "tier": "front"}}},
            id="words taken out",
        ),
        pytest.param(
            "spec: {$setElementOrder/containers: [{name: log}, {name: web}]}",
            expected(containers=[LOG, WEB]),
            id="another order",
        ),
    ],
)  # fmt: skip
def test_strategic_merge(patch: str, result: dict[str, Any]) -> None:
    assert strategic(patch) == result


def test_ports_of_containers_and_of_services_have_different_keys() -> None:
    container = {"ports": [{"containerPort": 80, "name": "a"}]}
    service = {"ports": [{"port": 80, "targetPort": 1}]}
    assert apply_strategic_patch(container, {"ports": [{"containerPort": 80, "name": "b"}]}) == {
        "ports": [{"containerPort": 80, "name": "b"}]
    }
    assert apply_strategic_patch(service, {"ports": [{"port": 81}]}) == {
        "ports": [{"port": 80, "targetPort": 1}, {"port": 81}]
    }


def test_merge_patch_replaces_lists() -> None:
    old = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert apply_merge_patch(old, {"a": {"b": None, "c": [3]}, "e": {"f": None}}) == {"a": {"c": [3]}, "d": 1, "e": {}}


def test_json_patch() -> None:
    old = {"spec": {"replicas": 1, "list": [1, 2]}}
    operations = [
        {"op": "test", "path": "/spec/replicas", "value": 1},
        {"op": "replace", "path": "/spec/replicas", "value": 3},
        {"op": "remove", "path": "/spec/list/0"},
    ]
    assert apply_json_patch(old, operations) == {"spec": {"replicas": 3, "list": [2]}}
    assert old == {"spec": {"replicas": 1, "list": [1, 2]}}


@pytest.mark.parametrize(
    ("apply", "patch", "message"),
    [
        (apply_strategic_patch, "[]", "a patch gives a mapping"),
        (apply_strategic_patch, "{$patch: melt}", "there is no $patch: 'melt' (replace, merge or delete)"),
        (apply_strategic_patch, "{containers: [{image: x}]}", "an item of containers in the patch has no name"),
        (apply_merge_patch, "word", "a patch gives a mapping"),
        (
            apply_json_patch,
            "{}",
            'a JSON patch is a list of operations ([{"op": "replace", "path": …, "value": …}])',
        ),
        (
            apply_json_patch,
            "[{op: add, path: /a/b/c, value: hunter2}]",
            "the patch does not fit: it is malformed, or names a path that is not there",
        ),
        (
            apply_json_patch,
            "[{op: test, path: /b, value: hunter2}]",
            "a test of the patch does not hold: nothing is changed",
        ),
        (
            apply_json_patch,
            "[{op: remove, path: /nothing}]",
            "the patch does not fit: it is malformed, or names a path that is not there",
        ),
    ],
)
def test_patches_that_make_no_sense(apply: Any, patch: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        apply({"b": 1}, yaml.safe_load(patch))
    assert str(caught.value) == message
