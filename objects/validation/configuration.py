"""ConfigMaps and Secrets. What a secret holds is looked at, never shown."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode

from objects.api.core import ConfigMap, Secret
from objects.secrets import SecretValue
from objects.syntax import config_key_problem
from objects.validation.found import Found

_MAX_BYTES = 1024 * 1024


def check_config_map(found: Found, obj: ConfigMap) -> None:
    size = 0
    for key, value in obj.data.items():
        found.text(("data", key), key, config_key_problem)
        size += len(value.encode())
    for key, value in obj.binary_data.items():
        found.text(("binaryData", key), key, config_key_problem)
        if key in obj.data:
            found.add(("binaryData", key), "is in data too: a key can only have one value")
        try:
            size += len(b64decode("".join(value.split()), validate=True))
        except (binascii.Error, ValueError):
            found.add(("binaryData", key), "is not valid base64", "put plain text into data")
    _check_size(found, size)


def _check_size(found: Found, size: int) -> None:
    if size > _MAX_BYTES:
        found.add((), f"holds {size} bytes, more than the {_MAX_BYTES} that are allowed")


def check_secret(found: Found, obj: Secret) -> None:
    for key in obj.data:
        found.text(("data", key), key, config_key_problem)
    for key in obj.string_data:
        found.text(("stringData", key), key, config_key_problem)
    values = {**obj.data, **obj.string_data}
    _check_size(found, sum(len(value.reveal()) for value in values.values()))
    match obj.type:
        case "kubernetes.io/dockerconfigjson":
            _check_json(found, ".dockerconfigjson", values, needs_auths=True)
        case "kubernetes.io/dockercfg":
            _check_json(found, ".dockercfg", values, needs_auths=False)
        case "kubernetes.io/basic-auth":
            if not values.keys() & {"username", "password"}:
                found.add(("data",), "needs username or password with type kubernetes.io/basic-auth")
        case "kubernetes.io/ssh-auth":
            _require_keys(found, obj.type, values, "ssh-privatekey")
            if "ssh-privatekey" in values and not values["ssh-privatekey"].reveal():
                found.add(("data", "ssh-privatekey"), "must not be empty")
        case "kubernetes.io/tls":
            _require_keys(found, obj.type, values, "tls.crt", "tls.key")
        case "kubernetes.io/service-account-token":
            if not obj.annotations.get("kubernetes.io/service-account.name"):
                place = ("metadata", "annotations", "kubernetes.io/service-account.name")
                found.add(place, f"is required with type {obj.type}")


def _require_keys(found: Found, kind: str, values: dict[str, SecretValue], *keys: str) -> None:
    for key in keys:
        if key not in values:
            found.add(("data", key), f"is required with type {kind}")


def _check_json(found: Found, key: str, values: dict[str, SecretValue], *, needs_auths: bool) -> None:
    if key not in values:
        found.add(("data", key), "is required with this type")
        return
    try:
        content = json.loads(values[key].reveal())
    except ValueError:
        # Raised without its text: json's errors quote nothing, but UnicodeDecodeError holds the bytes.
        content = None
    if not isinstance(content, dict):
        found.add(("data", key), "must be a JSON object")
    elif needs_auths and not isinstance(content.get("auths") or {}, dict):
        found.add(("data", key), "must have a mapping under auths")
