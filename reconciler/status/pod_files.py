"""Pods on the status branch: those of a controller in a few files, each of which says once what they have alike. Pure.

    objects/<namespace>/pods/<kind>.<controller>/<number>.yaml

    apiVersion: berth.dev/v1alpha1
    kind: Pods
    shared:
      metadata: {"namespace": "default", "labels": {"app": "web"}, …}
      spec: …
      status: {"phase": "Running", "containerStatuses": [{"name": "web", "ready": true, …}], …}
    pods:
      web-6d4cf56db6-x2x9z:
        metadata: {"uid": …, "creationTimestamp": …}
        spec: {"nodeName": "host-1"}
        status: …

What a pod says of itself holds, and else what is shared; null takes that back. `health` is there when it is not
Healthy. Of spec and metadata only what all pods of a file have alike is shared, of statuses what most have.

A file stands for itself: what a pod is, is said in no other one. So 50,000 pods are 1,600 files and 50 MB, a change of
one pod writes one file anew, in which its own lines differ, and nothing is lost with a controller that is gone first.
A pod without a controller has a file of its own, whole (`reconciler.status.content`), as earlier versions wrote all.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from objects import codec
from objects.api.meta import KubeObject, ObjectKey, ObjectMeta, controller_of
from objects.api.pods import Pod, PodSpec
from reconciler.core.health import HEALTHY, health_of
from reconciler.state.store import Changed, Reader

POD_FILE: Final = "Pods"
"""Kind of such a file."""
_API_VERSION: Final = "berth.dev/v1alpha1"
PODS_A_FILE: Final = 32
MOST_PODS_A_FILE: Final = 64
FEWEST_PODS_A_FILE: Final = 8
"""On average: before a controller's pods are divided into more or fewer files, which writes all of them anew."""

_SHARED_METADATA: Final = ("namespace", "labels", "annotations", "owner_references", "generate_name", "finalizers")
_SHARED_SPEC: Final = tuple(name for name in PodSpec.__struct_fields__ if name != "node_name")
_FIELD_OF: Final[dict[type, dict[str, str]]] = {
    kind: dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
    for kind in (ObjectMeta, PodSpec)
}
"""Name in a manifest → name here."""
_OWN_METADATA: Final = tuple(
    name
    for name in ObjectMeta.__struct_fields__
    if name not in ("name", "generation", "resource_version", "managed_fields", "self_link")
)
_DIFFERS: Final = object()
_USUAL_OF_POD: Final = ("phase", "qosClass")
_USUAL_OF_CONTAINER: Final = ("image", "imageID", "ready", "started")
_CONTAINERS: Final = ("initContainerStatuses", "containerStatuses")
_Part = TypeVar("_Part", ObjectMeta, PodSpec)


class Group(NamedTuple):
    """The pods of one controller."""

    namespace: str
    kind: str
    name: str


class PodFile(NamedTuple):
    """inside: what it says from now on, sorted; the file goes when that is nothing. touched: of what it said else."""

    group: Group
    path: str
    inside: tuple[ObjectKey, ...]
    touched: tuple[ObjectKey, ...]


class _Members(msgspec.Struct):
    """keys: of the pods that there are. files: how many the branch has for them."""

    keys: dict[ObjectKey, None] = {}
    files: int = 0


class PodFiles:
    """Which file says what of which pod, and what changed since that was written. Owned by the engine's thread."""

    def __init__(self) -> None:
        self._groups: dict[Group, _Members] = {}
        self._changed: dict[Group, dict[ObjectKey, None]] = {}

    def note(self, changed: Iterable[Changed]) -> bool:
        """Take note of what was written; whether it concerns a file."""
        is_news = False
        for one in changed:
            if one.key.kind != Pod.KIND:
                continue
            before, after = group_of(one.old), group_of(one.new)
            if before is not None and before != after and before in self._groups:
                self._groups[before].keys.pop(one.key, None)
            if after is not None:
                self._groups.setdefault(after, _Members()).keys[one.key] = None
            for group in {before, after} - {None}:
                assert group is not None
                self._changed.setdefault(group, {})[one.key] = None
                is_news = True
        return is_news

    def outdated(self) -> Iterator[PodFile]:
        """The files to be written anew; the same again until `settle` says that they are."""
        for group, changed in self._changed.items():
            members = self._groups.get(group) or _Members()
            files = files_for(len(members.keys), before=members.files)
            inside: dict[int, list[ObjectKey]] = {}
            for key in sorted(members.keys):
                inside.setdefault(_number(key, files), []).append(key)
            touched: dict[int, list[ObjectKey]] = {}
            for key in changed:
                touched.setdefault(_number(key, files), []).append(key)
            is_divided_anew = files != members.files
            for number in range(max(files, members.files)) if is_divided_anew else sorted(touched):
                here = inside.get(number, ())
                yield PodFile(group, path_of(group, number), tuple(here), tuple(touched.get(number, ())))

    def settle(self, failed: Collection[Group] = ()) -> None:
        """All that is outdated is handed over; not that of `failed`, which stays outdated."""
        for group in self._changed.keys() - failed:
            members = self._groups.get(group)
            if members is not None and members.keys:
                members.files = files_for(len(members.keys), before=members.files)
            else:
                self._groups.pop(group, None)
            del self._changed[group]


def group_of(obj: KubeObject | None) -> Group | None:
    """Whose files tell of a pod; None for what has a file of its own."""
    owner = controller_of(obj) if isinstance(obj, Pod) else None
    return None if obj is None or owner is None else Group(obj.namespace, owner.kind, owner.name)


def path_of(group: Group, number: int) -> str:
    return f"objects/{group.namespace}/pods/{group.kind.lower()}.{group.name}/{number}.yaml"


def is_pod_path(path: str) -> bool:
    """Whether a file of the branch tells of pods, in the form of this version or of an earlier one."""
    parts = path.split("/")
    return parts[0] == "objects" and len(parts) > 3 and parts[2] in ("pods", Pod.KIND.lower())


def files_for(pods: int, *, before: int) -> int:
    """How many files tell of so many pods of a controller. before: how many there are.

    pods  before ->  files
       3       0         1
     500       0        16   31 a file
     600      16        16   not divided anew for a few more
    1200      16        64
      90      16         4   6 a file is too few
    """
    if before and pods <= MOST_PODS_A_FILE * before and (before == 1 or pods >= FEWEST_PODS_A_FILE * before):
        return before
    files = 1
    while pods > PODS_A_FILE * files:
        files *= 2
    return files if pods else 0


def _number(key: ObjectKey, files: int) -> int:
    """Which of `files` (a power of two) tells of a pod."""
    return zlib.crc32(key.name.encode()) % files if files else 0


# --- documents ----------------------------------------------------------------------------------------------------


def pods_document(view: Reader, keys: Iterable[ObjectKey]) -> dict[str, Any]:
    """The file about these pods of one controller, of which at least one is there."""
    pods = [pod for key in keys if isinstance(pod := view.find(key), Pod)]
    common = {name: value for name in _SHARED_METADATA if (value := _common(pods, name, "metadata")) is not _DIFFERS}
    common_spec = {name: value for name in _SHARED_SPEC if (value := _common(pods, name, "spec")) is not _DIFFERS}
    shared = codec.encode(Pod(metadata=ObjectMeta(**common), spec=PodSpec(**common_spec)))
    own_metadata = [name for name in _OWN_METADATA if name not in common]
    own_spec = [name for name in PodSpec.__struct_fields__ if name not in common_spec]
    said: dict[str, dict[str, Any]] = {}
    for pod in pods:
        metadata = ObjectMeta(**{name: getattr(pod.metadata, name) for name in own_metadata})
        spec = PodSpec(**{name: getattr(pod.spec, name) for name in own_spec})
        document = codec.encode(Pod(metadata=metadata, spec=spec, status=pod.status))
        health = health_of(view, pod)
        if health != HEALTHY:
            document["health"] = {"status": str(health.status), "message": health.message}
        said[pod.name] = {name: part for name, part in document.items() if name not in ("apiVersion", "kind")}
    usual = _without_usual([said[pod.name].setdefault("status", {}) for pod in pods])
    parts: dict[str, Any] = {name: shared[name] for name in ("metadata", "spec") if name in shared}
    parts["status"] = usual
    return {"apiVersion": _API_VERSION, "kind": POD_FILE, "shared": parts, "pods": said}


def _without_usual(statuses: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Take out of statuses what most of them say, and return that. What is said less than usual is null there.

    Not what all of them say: then a pod that is not ready would change the lines of all others.
    """
    usual: dict[str, Any] = _take_usual(statuses, _USUAL_OF_POD)
    for field in _CONTAINERS:
        by_name: dict[str, list[dict[str, Any]]] = {}
        for status in statuses:
            for container in status.get(field, ()):
                by_name.setdefault(container["name"], []).append(container)
        if by_name:
            usual[field] = [{"name": name, **_take_usual(same, _USUAL_OF_CONTAINER)} for name, same in by_name.items()]
    for status in statuses:
        if "podIP" in status:
            addresses = status.pop("podIPs", None)
            if addresses != [{"ip": status["podIP"]}]:
                status["podIPs"] = addresses
    return usual


def _take_usual(items: Sequence[dict[str, Any]], fields: Sequence[str]) -> dict[str, Any]:
    usual: dict[str, Any] = {}
    for field in fields:
        counts: dict[Any, int] = {}
        for item in items:
            value = item.get(field)
            counts[value] = counts.get(value, 0) + 1
        value = max(counts, key=lambda one: counts[one])
        if value is None or counts[value] * 2 <= len(items):
            continue
        usual[field] = value
        for item in items:
            if item.get(field) == value:
                del item[field]
            else:
                item.setdefault(field, None)
    return usual


def _with_usual(status: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """A status as it was before `_without_usual`."""
    whole = {**usual, **status}
    for field in _CONTAINERS:
        if field in status:
            by_name = {container["name"]: container for container in usual[field]}
            whole[field] = [_said({**by_name[one["name"]], **one}) for one in status[field]]
        else:
            whole.pop(field, None)
    if "podIP" in whole and "podIPs" not in whole:
        whole["podIPs"] = [{"ip": whole["podIP"]}]
    return _said(whole)


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _common(pods: Sequence[Pod], name: str, part: str) -> Any:
    """What all pods say in a field of their metadata or spec."""
    first = getattr(getattr(pods[0], part), name)
    for pod in pods:
        value = getattr(getattr(pod, part), name)
        if value is not first and value != first:
            return _DIFFERS
    return first


class PodReader:
    """Reads such files. What is alike in several of them is there once."""

    def __init__(self) -> None:
        self._shared: dict[bytes, Pod] = {}

    def read(self, document: Mapping[str, Any]) -> list[Pod]:
        """All pods of a file. Raises InvalidInput or others for one that does not decode."""
        text = msgspec.json.encode(document["shared"])
        shared = self._shared.get(text)
        if shared is None:
            shared = self._shared[text] = codec.decode_struct(document["shared"], Pod)
        usual = document["shared"].get("status") or {}
        return [_whole(shared, usual, name, said) for name, said in document["pods"].items()]


def _whole(shared: Pod, usual: Mapping[str, Any], name: str, said: Mapping[str, Any]) -> Pod:
    body = {part: value for part, value in said.items() if part != "health"}
    own = codec.decode_struct({**body, "status": _with_usual(body.get("status") or {}, usual)}, Pod)
    metadata = _said_over(shared.metadata, own.metadata, said.get("metadata") or {})
    return msgspec.structs.replace(
        own,
        metadata=msgspec.structs.replace(metadata, name=name),
        spec=_said_over(shared.spec, own.spec, said.get("spec") or {}),
    )


def _said_over(shared: _Part, own: _Part, said: Mapping[str, Any]) -> _Part:
    """`shared` with those fields of `own` that are said."""
    fields = _FIELD_OF[type(own)]
    return msgspec.structs.replace(shared, **{fields[name]: getattr(own, fields[name]) for name in said})
