"""Decoding: strict, precise, secret-safe; encoding: reads back to the same object."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from objects.api.core import ConfigMap, Secret
from objects.codec import DecodeError, decode, decode_json, encode, encode_json
from objects.fields import FieldError
from objects.secrets import MASK, SecretValue

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}, "creationTimestamp": "2026-01-31T12:00:00Z"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "web",
                        "image": "nginx:1",
                        "ports": [{"containerPort": 80}],
                        "resources": {"requests": {"cpu": "100m"}},
                        "volumeMounts": [{"name": "x", "mountPath": "/x"}],
                    }
                ],
                "volumes": [{"name": "x", "emptyDir": {}}],
            },
        },
    },
}


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    manifest = copy.deepcopy(DEPLOYMENT)
    place: Any = manifest
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return manifest


CONTAINER = ("spec", "template", "spec", "containers", 0)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        pytest.param(
            (*CONTAINER, "imge"),
            "nginx",
            "spec.template.spec.containers[0].imge: unknown field (did you mean 'image'?)",
            id="misspelt-field",
        ),
        pytest.param(
            (*CONTAINER, "workingdir"),
            "/",
            "spec.template.spec.containers[0].workingdir: unknown field (did you mean 'workingDir'?)",
            id="wrong-case",
        ),
        pytest.param(
            (*CONTAINER, "volumes"),
            [],
            "spec.template.spec.containers[0].volumes: unknown field here (it belongs into spec.template.spec)",
            id="wrong-level",
        ),
        pytest.param(
            ("spec", "replicas"),
            "3",
            "spec.replicas: must be a whole number, not a text (remove the quotes)",
            id="quoted-number",
        ),
        pytest.param(("spec", "replicas"), 1.5, "spec.replicas: must be a whole number, not a number", id="fraction"),
        pytest.param(("spec", "replicas"), True, "spec.replicas: must be a whole number, not true or false", id="bool"),
        pytest.param(
            ("spec", "paused"), "true", "spec.paused: must be true or false, not a text (remove the quotes)", id="text"
        ),
        pytest.param(
            ("metadata", "labels", "example.com/port"),
            80,
            "metadata.labels['example.com/port']: must be a text, not a whole number (put it in quotes)",
            id="label-number",
        ),
        pytest.param(
            (*CONTAINER, "ports"),
            {"containerPort": 80},
            "spec.template.spec.containers[0].ports: must be a list, not a mapping",
            id="mapping-for-list",
        ),
        pytest.param(
            (*CONTAINER, "ports"),
            [{"name": "http"}],
            "spec.template.spec.containers[0].ports[0].containerPort: is required",
            id="missing",
        ),
        pytest.param(
            (*CONTAINER, "ports"),
            [None],
            "spec.template.spec.containers[0].ports[0]: must be a mapping, not empty",
            id="null-in-list",
        ),
        pytest.param(
            (*CONTAINER, "resources", "requests", "cpu"),
            ["1"],
            "spec.template.spec.containers[0].resources.requests.cpu: must be a quantity such as 500m or 1Gi,"
            " not a list",
            id="quantity",
        ),
        pytest.param(
            ("metadata", "labels", 1),
            "a",
            "metadata.labels['1']: its key must be a text (put the key in quotes)",
            id="key",
        ),
        pytest.param(
            ("metadata", "creationTimestamp"),
            "2026-01-31T12:00:00",
            "metadata.creationTimestamp: must be a time such as 2026-01-31T12:00:00Z",
            id="time-without-zone",
        ),
        pytest.param(
            ("kind",),
            "Deploymnt",
            "kind: kind 'Deploymnt' (apps/v1) is not known to Berth (did you mean Deployment?)",
            id="kind",
        ),
        pytest.param(
            ("kind",), "ConfigMap", "apiVersion: ConfigMap has no apiVersion 'apps/v1' (write v1)", id="version"
        ),
        pytest.param(("kind",), None, "kind: is required", id="no-kind"),
        pytest.param(("spec",), "x", "spec: must be a mapping, not a text", id="text-for-mapping"),
    ],
)
def test_a_mistake_is_named_with_its_place(path: tuple[str | int, ...], value: Any, expected: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(changed(path, value))
    assert [str(problem) for problem in caught.value.problems] == [expected]


def test_all_mistakes_are_found_at_once() -> None:
    manifest = changed((*CONTAINER, "imge"), "x")
    manifest["spec"]["replica"] = 2
    manifest["metadata"]["nam"] = "web"
    with pytest.raises(DecodeError) as caught:
        decode(manifest)
    assert caught.value.problems == (
        FieldError(("metadata", "nam"), "unknown field", "did you mean 'name'?"),
        FieldError((*CONTAINER, "imge"), "unknown field", "did you mean 'image'?"),
        FieldError(("spec", "replica"), "unknown field", "did you mean 'replicas'?"),
    )
    assert str(caught.value) == "Deployment web: metadata.nam: unknown field (did you mean 'name'?) (and 2 more)"


def test_what_was_encoded_decodes_to_the_same_object() -> None:
    obj = decode(DEPLOYMENT)
    assert encode(obj) == DEPLOYMENT
    assert decode(encode(obj)) == obj
    assert decode_json(encode_json(obj)) == obj
    assert list(encode(obj))[:2] == ["apiVersion", "kind"]


def test_an_empty_object_encodes_to_valid_json() -> None:
    assert encode_json(ConfigMap()) == b'{"apiVersion":"v1","kind":"ConfigMap"}'


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(("metadata", "labels"), id="map"),
        pytest.param((*CONTAINER, "ports"), id="list"),
        pytest.param((*CONTAINER, "imagePullPolicy"), id="text"),
        pytest.param((*CONTAINER, "livenessProbe"), id="struct"),
        pytest.param(("spec", "strategy"), id="struct-with-default"),
    ],
)
def test_null_means_absent(path: tuple[str | int, ...]) -> None:
    absent = changed(path, None)
    place: Any = absent
    for part in path[:-1]:
        place = place[part]
    del place[path[-1]]
    assert decode(changed(path, None)) == decode(absent)


def test_null_as_a_value_of_a_text_map_is_the_empty_text() -> None:
    config = decode({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": None, "b": "x"}})
    assert config == ConfigMap(data={"a": "", "b": "x"})


def test_what_a_server_fills_in_is_dropped_from_files() -> None:
    manifest = changed(("metadata", "managedFields"), [{"manager": "kubectl", "fieldsV1": {"f:x": {}}}])
    manifest["metadata"] |= {"uid": "1", "resourceVersion": "7", "selfLink": "/x", "generation": 4}
    manifest["status"] = {"replicas": 3, "someNewerField": 1}
    plain = changed(("metadata",), {"name": "web", "labels": {"app": "web"}})
    assert decode(manifest, server_fields=False) == decode(plain)
    with pytest.raises(DecodeError, match=r"status\.someNewerField"):
        decode(manifest)


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}}


def test_secret_values_are_read_and_masked() -> None:
    secret = decode({**SECRET, "data": {"a": "aHVu dGVy\n", "empty": ""}, "stringData": {"b": "plain"}})
    assert secret.metadata.name == "db"
    assert isinstance(secret, Secret)
    assert secret.data == {"a": SecretValue(b"hunter"), "empty": SecretValue(b"")}
    assert secret.string_data == {"b": SecretValue(b"plain")}
    assert encode(secret)["data"] == {"a": MASK, "empty": MASK}
    assert encode(secret, reveal=True)["data"] == {"a": "aHVudGVy", "empty": "", "b": "cGxhaW4="}


@pytest.mark.parametrize(
    ("body", "places"),
    [
        pytest.param({"data": {"key": "hunter2!"}}, ["data.key"], id="not-base64"),
        pytest.param({"data": {"key": 8271934}}, ["data.key"], id="number"),
        pytest.param({"stringData": {"key": 8271934}}, ["stringData.key"], id="number-in-string-data"),
        pytest.param({"data": "hunter2!"}, ["data"], id="text-for-mapping"),
        pytest.param({"data": {"key": ["hunter2!"]}}, ["data.key"], id="list"),
        pytest.param({"type": ["hunter2!"], "dta": {"key": "hunter2!"}}, ["type", "dta"], id="elsewhere"),
    ],
)
def test_an_error_never_shows_a_secret(body: dict[str, Any], places: list[str]) -> None:
    with pytest.raises(DecodeError) as caught:
        decode({**SECRET, **body})
    shown = f"{caught.value!r} {caught.value} {caught.value.problems} {caught.value.__cause__}"
    assert "hunter2" not in shown
    assert "8271934" not in shown
    assert [".".join(str(part) for part in problem.path) for problem in caught.value.problems] == places


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{", "is not valid JSON", id="syntax"),
        pytest.param("[]", "must be a mapping", id="list"),
    ],
)
def test_json_that_is_no_manifest(text: str, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        decode_json(text)
