"""Copies of what is deployed from Git, as they lie on the status branch, and stand-ins for what nobody has any more.

What is kept (`prune: false`, held by the deletion budget, suspended) lives on though the commit in force does not say
what it is. The commit that said it may be gone (a rewritten history, an empty cache) or be refused by a newer Berth: a
fresh process reads the copy. Values of Secrets are never copied: they come from a commit, or nobody knows them. Pure.

An object that is deployed and of which nobody can say what it is, is *unread*. A stand-in for the object is in the
store, so that what the object made is not taken for garbage, and no controller acts for it. A ConfigMap or Secret
stands in for itself, marked: pods that use it run on, and none is started with less than it should have.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

import msgspec
import yaml

from differ.documents.compact_yaml import load
from objects import codec
from objects.api.batch import CronJob, Job
from objects.api.core import ConfigMap, Secret
from objects.api.meta import (
    KubeObject,
    ObjectKey,
    ObjectMeta,
    OwnerReference,
)
from objects.api.pods import Pod
from objects.errors import InvalidInput
from objects.kinds import BY_KIND
from objects.names import ANNOTATION_UNREAD, stable_uid
from objects.secrets import MASK
from reconciler.state.desired import CONTROLLER_ANNOTATIONS
from reconciler.state.store import Reader

Unseal = Callable[[dict[str, Any]], dict[str, Any]]

FOLDER = "desired/"
"""On the status branch."""

_WITHOUT_COPY = frozenset({Secret.KIND, Pod.KIND})
"""Values of Secrets go nowhere; bare Pods are whole in their status, and on their hosts."""
_ANNOTATIONS_OF_OTHERS = CONTROLLER_ANNOTATIONS | {"kubectl.kubernetes.io/last-applied-configuration"}
_MAKERS = {"ReplicaSet": "Deployment", Job.KIND: CronJob.KIND}
"""Kind of what a controller made → kind of what it was made for; its name begins with the maker's."""


class UnreadObject(KubeObject):
    """Stands for an object from Git of which nobody knows what it is. Internal. why: for people.

    It has the uid of the object, so that references of dependents lead to it.
    """

    API_VERSION: ClassVar[str] = "berth.dev/v1alpha1"
    KIND: ClassVar[str] = "UnreadObject"

    why: str = ""


def copy_path(key: ObjectKey) -> str | None:
    """Where an object's copy lies on the status branch; None for kinds that have none."""
    if key.kind in _WITHOUT_COPY or key.kind not in BY_KIND:
        return None
    return f"{FOLDER}{key.namespace or '_cluster'}/{key.kind.lower()}/{key.name}.yaml"


def copy_document(obj: KubeObject) -> dict[str, Any]:
    """What Git says of an object, as a mapping: without status, identity and what controllers noted on it."""
    annotations = {name: text for name, text in obj.annotations.items() if name not in _ANNOTATIONS_OF_OTHERS}
    metadata = ObjectMeta(
        name=obj.name,
        namespace=obj.namespace,
        labels=obj.labels,
        annotations=annotations,
        finalizers=obj.metadata.finalizers,
    )
    document = codec.encode(msgspec.structs.replace(obj, metadata=metadata))
    document.pop("status", None)
    return document


def read_copy(copies: Mapping[str, bytes], key: ObjectKey, unseal: Unseal = dict) -> KubeObject | None:
    """The copy of an object; None when there is none, or none that can be relied on.

    copies: by path. unseal: puts secret values back that other objects held too. A copy that does not decode, or in
    which something is masked still, says not what the object is.
    """
    content = copies.get(copy_path(key) or "")
    obj = _decoded(content, unseal) if content is not None else None
    return obj if obj is not None and obj.key == key else None


def read_copies(files: Mapping[str, bytes], unseal: Unseal = dict) -> dict[ObjectKey, KubeObject]:
    """All copies on a status branch that can be relied on. files: of the branch, by path. unseal: as in `read_copy`."""
    found: dict[ObjectKey, KubeObject] = {}
    for path, content in files.items():
        obj = _decoded(content, unseal) if path.startswith(FOLDER) else None
        if obj is not None and copy_path(obj.key) == path:
            found[obj.key] = obj
    return found


def _decoded(content: bytes, unseal: Unseal) -> KubeObject | None:
    try:
        document = unseal(load(content))
        return None if MASK in str(document) else codec.decode(document)
    except (InvalidInput, yaml.YAMLError, AttributeError, TypeError, ValueError):
        return None


def stand_in_key(key: ObjectKey) -> ObjectKey:
    """Where the stand-in of an unread object is in the store."""
    if key.kind in (ConfigMap.KIND, Secret.KIND):
        return key
    return ObjectKey(UnreadObject.KIND, key.namespace, f"{key.kind}:{key.name}")


def stand_in(key: ObjectKey, why: str) -> KubeObject:
    """What is put into the store in the place of an unread object."""
    place = stand_in_key(key)
    metadata = ObjectMeta(name=place.name, namespace=place.namespace, uid=stable_uid(key))
    if place != key:
        return UnreadObject(metadata=metadata, why=why)
    marked = msgspec.structs.replace(metadata, annotations={ANNOTATION_UNREAD: why})
    return ConfigMap(metadata=marked) if key.kind == ConfigMap.KIND else Secret(metadata=marked)


def find_stand_in(view: Reader, key: ObjectKey) -> KubeObject | None:
    """The stand-in of an object, None when it is known or not deployed."""
    found = view.find(stand_in_key(key))
    return found if isinstance(found, UnreadObject) or (found and ANNOTATION_UNREAD in found.annotations) else None


def unread_objects(view: Reader, inventory: Collection[ObjectKey]) -> dict[ObjectKey, str]:
    """What is deployed and nobody knows what it is → why, sorted."""
    elsewhere = {one.key for one in view.all_of(UnreadObject)}
    in_place = (ConfigMap.KIND, Secret.KIND)
    may_be = [key for key in inventory if key.kind in in_place or (elsewhere and stand_in_key(key) in elsewhere)]
    found = {key: one for key in sorted(may_be) if (one := find_stand_in(view, key)) is not None}
    return {
        key: one.why if isinstance(one, UnreadObject) else one.annotations[ANNOTATION_UNREAD]
        for key, one in found.items()
    }


def unread_maker(view: Reader, namespace: str, owner: OwnerReference) -> UnreadObject | None:
    """The stand-in of an owner; also of what made an owner that is gone itself.

    A ReplicaSet of which the status branch did not tell is rebuilt for its Deployment; when that is unread, nobody can
    say whether the ReplicaSet's pods are wanted.
    """
    for place in {namespace, ""}:
        found = view.find(stand_in_key(ObjectKey(owner.kind, place, owner.name)))
        if isinstance(found, UnreadObject) and found.uid == owner.uid:
            return found
    kind = _MAKERS.get(owner.kind)
    if kind is None:
        return None
    maker = view.find(stand_in_key(ObjectKey(kind, namespace, owner.name.rpartition("-")[0])))
    return maker if isinstance(maker, UnreadObject) else None
