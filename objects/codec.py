"""Manifests to objects and back: strict, with the place of every mistake.

`decode` takes the mapping that a YAML or JSON parser gave, in current API versions (see `objects.convert` for old
ones), and fills in no defaults (see `objects.defaults`). `encode` gives a mapping that `decode` reads back to the same
object, except that secret values are masked unless they are asked for by `reveal`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from objects.api.core import Secret
from objects.api.meta import KubeObject, KubeStruct
from objects.diagnosis import Diagnosis
from objects.errors import InvalidInput
from objects.fields import FieldError, FieldPath
from objects.kinds import kind_class
from objects.names import ANNOTATIONS_WITH_MANIFEST
from objects.secrets import MASK, SecretValue

_Struct = TypeVar("_Struct", bound=KubeStruct)

_SERVER_METADATA = frozenset(
    {
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "managedFields",
    }
)
"""What an API server fills in: files that came from `kubectl get -o yaml` have it, and it means nothing there."""


class DecodeError(InvalidInput):
    """A manifest does not fit its kind. `problems`: everything found, at least one; the first is also the message."""

    reason = "InvalidManifest"

    def __init__(self, problems: tuple[FieldError, ...], *, obj: str = "") -> None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}", obj=obj)
        self.problems = problems

    @property
    def path(self) -> FieldPath:
        return self.problems[0].path

    @property
    def suggestion(self) -> str:
        return self.problems[0].suggestion


# --- reading ------------------------------------------------------------------------------------------------------


def decode(manifest: Mapping[str, Any], *, server_fields: bool = True) -> KubeObject:
    """Read one object. Raises DecodeError with all problems.

    manifest: string keys, lists and scalars as YAML or JSON give them; null means absent, as in Kubernetes.
    server_fields: False drops `status` and what only an API server sets (uid, resourceVersion …), as files of people
    need it; True keeps them, as our own records need it.
    """
    kind = _kind_of(manifest)
    body = {key: value for key, value in manifest.items() if key not in ("apiVersion", "kind")}
    if not server_fields:
        body = _without_server_fields(body)
    name = _name_in(body)
    return decode_struct(body, kind, obj=f"{kind.KIND} {name}" if name else kind.KIND)


def decode_json(text: bytes | str, *, server_fields: bool = True) -> KubeObject:
    """Read one object from JSON. Raises DecodeError."""
    try:
        manifest = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        # The parser's message tells the place only, never the content.
        raise DecodeError((FieldError((), f"is not valid JSON: {error}"),)) from None
    if not isinstance(manifest, dict):
        raise DecodeError((FieldError((), "must be a mapping"),))
    return decode(manifest, server_fields=server_fields)


def decode_struct(value: Any, kind: type[_Struct], *, obj: str = "", path: FieldPath = ()) -> _Struct:
    """Read a part of a manifest (a pod template, a selector) as `kind`. path: where it lies, for messages."""
    if issubclass(kind, Secret) and isinstance(value, dict):
        value = _with_secret_values(value, obj=obj)
    try:
        return msgspec.convert(value, kind, dec_hook=_pass_secret_value)
    except msgspec.ValidationError:
        diagnosis = Diagnosis()
        cleaned = diagnosis.clean(value, kind, path)
    if diagnosis.problems:
        raise DecodeError(tuple(diagnosis.problems), obj=obj)
    try:
        return msgspec.convert(cleaned, kind, dec_hook=_pass_secret_value)
    except msgspec.ValidationError as error:
        # The diagnosis knows less than msgspec of some exotic value: better its words than none.
        raise DecodeError((FieldError(path, str(error)),), obj=obj) from None


def _kind_of(manifest: Mapping[str, Any]) -> type[KubeObject]:
    for field in ("apiVersion", "kind"):
        if not isinstance(manifest.get(field), str) or not manifest[field]:
            problem = "is required" if manifest.get(field) is None else "must be a text"
            raise DecodeError((FieldError((field,), problem),))
    try:
        return kind_class(manifest["apiVersion"], manifest["kind"])
    except InvalidInput as error:
        field = "apiVersion" if "has no apiVersion" in error.message else "kind"
        raise DecodeError((FieldError((field,), error.message, error.hint),)) from None


def _name_in(body: Mapping[str, Any]) -> str:
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def _without_server_fields(body: dict[str, Any]) -> dict[str, Any]:
    body = {key: value for key, value in body.items() if key != "status"}
    metadata = body.get("metadata")
    if isinstance(metadata, dict) and not _SERVER_METADATA.isdisjoint(metadata):
        body["metadata"] = {key: value for key, value in metadata.items() if key not in _SERVER_METADATA}
    return body


def _with_secret_values(body: dict[str, Any], *, obj: str) -> dict[str, Any]:
    """Wrap a Secret's values before anything else sees them. `data` is base64, `stringData` plain text."""
    problems: list[FieldError] = []
    wrapped = dict(body)
    for field in ("data", "stringData"):
        if not isinstance(body.get(field), dict):
            continue
        values = {}
        for key, value in body[field].items():
            try:
                values[key] = _secret_value(value, encoded=field == "data")
            except InvalidInput as error:
                problems.append(FieldError((field, str(key)), error.message, error.hint))
        wrapped[field] = values
    if problems:
        raise DecodeError(tuple(problems), obj=obj)
    return wrapped


def _secret_value(value: Any, *, encoded: bool) -> SecretValue:
    if value is None:
        return SecretValue(b"")
    if isinstance(value, SecretValue):
        return value
    if not isinstance(value, str):
        raise InvalidInput("must be a text", hint="put it in quotes")
    return SecretValue.from_base64(value) if encoded else SecretValue(value.encode())


def _pass_secret_value(kind: type, value: object) -> object:
    if isinstance(value, kind):
        return value
    raise TypeError(f"no manifest field has the type {kind.__name__}")


# --- writing ------------------------------------------------------------------------------------------------------


def _mask(value: object) -> str:
    if isinstance(value, SecretValue):
        return MASK
    raise TypeError(f"cannot encode {type(value).__name__}")


def _reveal(value: object) -> str:
    if isinstance(value, SecretValue):
        return base64.b64encode(value.reveal()).decode()
    raise TypeError(f"cannot encode {type(value).__name__}")


_MASKING = msgspec.json.Encoder(enc_hook=_mask)
_REVEALING = msgspec.json.Encoder(enc_hook=_reveal)


def encode(obj: KubeObject, *, reveal: bool = False) -> dict[str, Any]:
    """The object as a manifest: `apiVersion` and `kind` first, only what somebody said, times in RFC 3339.

    reveal: secret values as base64 instead of a mask; for what goes to a host or an encrypted store, nothing else.
    """
    body: dict[str, Any] = msgspec.json.decode(_encode_body(obj, reveal=reveal))
    return {"apiVersion": obj.API_VERSION, "kind": obj.KIND, **body}


def encode_json(obj: KubeObject, *, reveal: bool = False) -> bytes:
    """`encode` as JSON without spaces."""
    head = f'{{"apiVersion":"{obj.API_VERSION}","kind":"{obj.KIND}"'.encode()
    body = _encode_body(obj, reveal=reveal)
    return head + (b"}" if body == b"{}" else b"," + body[1:])


def encode_struct(value: KubeStruct) -> dict[str, Any]:
    """A part of an object (a pod template, a status) as it stands in a manifest; secret values masked."""
    encoded: dict[str, Any] = msgspec.json.decode(_MASKING.encode(value))
    return encoded


def _without_manifest_inside(obj: Secret) -> Secret:
    """A Secret whose annotations do not hold its values once more, as tools that apply manifests leave them there."""
    if obj.metadata.annotations.keys().isdisjoint(ANNOTATIONS_WITH_MANIFEST):
        return obj
    annotations = {
        name: MASK if name in ANNOTATIONS_WITH_MANIFEST else text for name, text in obj.metadata.annotations.items()
    }
    return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, annotations=annotations))


def _encode_body(obj: KubeObject, *, reveal: bool) -> bytes:
    if isinstance(obj, Secret) and not reveal:
        obj = _without_manifest_inside(obj)
    if reveal and isinstance(obj, Secret) and obj.string_data:
        # `stringData` is plain text in a manifest, and revealed values are base64: they belong into `data`.
        obj = msgspec.structs.replace(obj, data={**obj.data, **obj.string_data}, string_data={})
    return (_REVEALING if reveal else _MASKING).encode(obj)
