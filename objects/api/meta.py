"""What all objects share: the struct base, metadata, owner references, label selectors, conditions, keys.

Structs are frozen, strict (unknown fields are errors) and omit defaults when encoded, so that `decode(encode(x)) == x`
and an encoded object shows only what somebody said. Dictionaries inside are never changed in place.
Times are aware UTC `datetime`s, as RFC 3339 in JSON.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, NamedTuple, TypeAlias, dataclass_transform

import msgspec

IntOrString: TypeAlias = int | str
Time: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""An aware time; RFC 3339 in a manifest. Without a zone it is refused, since nobody could say when it was."""
QuantityLike: TypeAlias = str | int | float
"""A resource quantity as people write it (`250m`, `1.5Gi`, `2`): see `objects.values.quantity`."""
ResourceList: TypeAlias = dict[str, QuantityLike]

DEFAULT_NAMESPACE = "default"
EPOCH = datetime.fromtimestamp(0, UTC)
"""Older than everything: the age of what says none."""


# msgspec hands `frozen` down to subclasses at run time; type checkers must be told so.
@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class KubeStruct(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """Base of every struct that appears in a manifest."""


class ObjectKey(NamedTuple):
    """Identity of an object: never the file it came from. Cluster-scoped kinds have namespace ''."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class OwnerReference(KubeStruct):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(KubeStruct):
    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    deletion_grace_period_seconds: int | None = None
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()
    self_link: str = ""
    managed_fields: tuple[dict[str, Any], ...] = ()


class LabelSelectorRequirement(KubeStruct):
    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(KubeStruct):
    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class Condition(KubeStruct):
    """A condition in `status`: `type` is a claim, `status` is True, False or Unknown."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: Time | None = None
    last_update_time: Time | None = None
    last_probe_time: Time | None = None
    last_heartbeat_time: Time | None = None
    observed_generation: int = 0


class LocalObjectReference(KubeStruct):
    name: str = ""


class ObjectReference(KubeStruct):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    resource_version: str = ""
    field_path: str = ""


class TypedLocalObjectReference(KubeStruct):
    api_group: str = ""
    kind: str = ""
    name: str = ""


class TypedObjectReference(KubeStruct):
    api_group: str | None = None
    kind: str = ""
    name: str = ""
    namespace: str | None = None


class SecretReference(KubeStruct):
    name: str = ""
    namespace: str = ""


class KubeObject(KubeStruct):
    """Base of every top-level object. Subclasses set API_VERSION, KIND and NAMESPACED.

    `apiVersion` and `kind` are not fields: `objects.codec` checks them when reading and adds them when writing.
    """

    API_VERSION: ClassVar[str] = ""
    KIND: ClassVar[str] = ""
    NAMESPACED: ClassVar[bool] = True

    metadata: ObjectMeta = ObjectMeta()

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.KIND, self.metadata.namespace if self.NAMESPACED else "", self.metadata.name)

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def labels(self) -> dict[str, str]:
        return self.metadata.labels

    @property
    def annotations(self) -> dict[str, str]:
        return self.metadata.annotations

    @property
    def is_terminating(self) -> bool:
        return self.metadata.deletion_timestamp is not None


def controller_of(obj: KubeObject) -> OwnerReference | None:
    """The owner that manages `obj` (the reference with `controller: true`), if any."""
    for ref in obj.metadata.owner_references:
        if ref.controller:
            return ref
    return None


def owned_by(obj: KubeObject, owner: KubeObject) -> bool:
    """Whether `owner` is the controller of `obj` (same uid: a recreated owner of the same name does not count)."""
    ref = controller_of(obj)
    return ref is not None and ref.uid == owner.metadata.uid


def controller_reference(owner: KubeObject) -> OwnerReference:
    """The reference that makes `owner` the controller of an object."""
    return OwnerReference(
        api_version=owner.API_VERSION,
        kind=owner.KIND,
        name=owner.name,
        uid=owner.uid,
        controller=True,
        block_owner_deletion=True,
    )
