"""What goes on the status branch, and how a fresh process reads it back. Pure.

    README.md                              for a person in the browser: applications, hosts, what is wrong
    inventory.yaml                         what is deployed from Git, since when; each host's slice of the pod network
    hosts/<name>.yaml                      the host as a Node
    events.yaml                            what happened lately (`reconciler.status.event_file`)
    objects/<namespace>/<kind>/<name>.yaml status of what Git holds; what controllers made is there whole
    objects/<namespace>/pods/…             Pods of controllers, in groups (`reconciler.status.pod_files`)
    desired/<namespace>/<kind>/<name>.yaml what Git says of what is deployed, but for Secrets
    (`reconciler.state.copies`)

Only meaning is written: no resource versions, no heartbeats. ConfigMaps, Secrets and others without a status
have no file; since when they exist is in the inventory.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec

from differ.documents.compact_yaml import Known, load
from differ.documents.compact_yaml import dump as dump
from objects import codec
from objects.api.apps import ControllerRevision, ReplicaSet
from objects.api.core import Node
from objects.api.meta import KubeObject, ObjectKey, ObjectMeta
from objects.api.pods import Pod
from objects.errors import InvalidInput
from objects.kinds import BY_KIND, kind_class
from objects.own.config import Host
from reconciler.core.health import (
    Health,
    application_health,
    health_of,
    worst,
)
from reconciler.core.named_configuration import why_kept
from reconciler.state.copies import FOLDER, copy_document, copy_path
from reconciler.state.failures import message_of
from reconciler.state.host_status import HostStatus
from reconciler.state.messages import Remembered, Restored
from reconciler.state.store import Changed, Reader, Store
from reconciler.status.overview import HostTable, cell
from reconciler.status.pod_files import POD_FILE, PodFiles, PodReader, group_of, pods_document

INVENTORY_PATH = "inventory.yaml"
README_PATH = "README.md"
KINDS_WITHOUT_FILE = frozenset({"ConfigMap", "Secret", "Namespace", "Cluster", "Event"})
_DEFINED_IN = "definedIn"
"""Marks a file that holds only what Berth says of an object: the rest is in the manifests."""
_IDENTITY = ("name", "namespace", "uid", "generation", "creationTimestamp")
"""Of what Git holds, this much metadata is Berth's word and not a person's."""


def is_in_inventory_only(key: ObjectKey) -> bool:
    """Whether an object from Git has no file on the branch: since when it exists is in the inventory then."""
    return key.kind in KINDS_WITHOUT_FILE


def status_path(key: ObjectKey) -> str | None:
    """Where an object's status lies on the branch; None for kinds without one and for what only this process needs."""
    if key.kind == Node.KIND:
        return f"hosts/{key.name}.yaml"
    if key.kind not in BY_KIND or key.kind in KINDS_WITHOUT_FILE or key.kind == Host.KIND:
        return None
    return f"objects/{key.namespace or '_cluster'}/{key.kind.lower()}/{key.name}.yaml"


def object_document(view: Reader, obj: KubeObject, inventory: Container[ObjectKey]) -> dict[str, Any]:
    """One object's file as a mapping: whole for what has to be restored, identity and status for what Git holds."""
    document = codec.encode(obj)
    metadata = document.get("metadata", {})
    for volatile in ("resourceVersion", "managedFields", "selfLink"):
        metadata.pop(volatile, None)
    if obj.key in inventory and not isinstance(obj, Pod | Node):
        document = {
            "apiVersion": document["apiVersion"],
            "kind": document["kind"],
            _DEFINED_IN: "git",
            "metadata": {name: metadata[name] for name in _IDENTITY if name in metadata},
            "status": document.get("status", {}),
        }
    if not isinstance(obj, ReplicaSet | ControllerRevision):
        health = health_of(view, obj)
        document["health"] = {"status": str(health.status)} | ({"message": health.message} if health.message else {})
    return document


def render_files(store: Store, inventory: Mapping[ObjectKey, str], *, is_ahead: bool = False) -> dict[str, bytes]:
    """Every file that a fresh process reads back, for all objects at once."""
    files = {
        path: dump(object_document(store, obj, inventory))
        for obj in store
        if (path := status_path(obj.key)) is not None and group_of(obj) is None
    }
    pods = PodFiles()
    pods.note(Changed(pod.key, None, pod) for pod in store.all_of(Pod))
    files |= {file.path: dump(pods_document(store, file.inside)) for file in pods.outdated()}
    deployed = (obj for key in sorted(inventory) if (obj := store.find(key)) is not None)
    copies = {path: dump(copy_document(obj)) for obj in deployed if (path := copy_path(obj.key)) is not None}
    return files | copies | {INVENTORY_PATH: dump(inventory_document(store, inventory, is_ahead=is_ahead))}


def inventory_document(
    view: Reader,
    inventory: Mapping[ObjectKey, str],
    protected: Iterable[str] = (),
    kept: Mapping[ObjectKey, str] = MappingProxyType({}),
    orphaned: Iterable[str] = (),
    *,
    is_ahead: bool = False,
) -> dict[str, Any]:
    """What is deployed and which host has which slice: what pruning and addressing of the next process stand on.

    protected: Applications that are not to be pruned, whether Git still knows them or not. kept, orphaned: see
    `Restored`, is_ahead too. Objects without a file of their own have their creation time here, grouped: a commit makes
    many at once.
    """
    commits: dict[str, list[str]] = {}
    for key, commit in sorted(kept.items()):
        commits.setdefault(commit, []).append("/".join(key))
    applications: dict[str, list[str]] = {}
    for key, application in sorted(inventory.items()):
        applications.setdefault(application, []).append("/".join(key))
    created: dict[str, list[str]] = {}
    for key in sorted(inventory):
        obj = view.find(key) if is_in_inventory_only(key) else None
        if obj is not None and obj.metadata.creation_timestamp is not None:
            created.setdefault(msgspec.to_builtins(obj.metadata.creation_timestamp), []).append("/".join(key))
    subnets = {status.name: status.pod_subnet for status in view.all_of(HostStatus) if status.pod_subnet}
    return {
        "applications": applications,
        "protected": sorted(protected),
        "kept": commits,
        "orphaned": sorted(orphaned),
        "created": dict(sorted(created.items())),
        "subnets": subnets,
        **({"ahead": True} if is_ahead else {}),
    }


def render_verdict(healths: Mapping[str, Health]) -> str:
    """What is said of a desired commit in its note: its health, and every application that is not healthy."""
    lines = [str(worst(healths.values()).status), ""]
    lines += [f"{name}: {health.status}: {health.message}" for name, health in healths.items() if health.message]
    return "\n".join(lines).rstrip() + "\n"


def render_readme(
    view: Reader,
    inventory: Mapping[ObjectKey, str],
    *,
    commit: str,
    by: str = "",
    refused: str = "",
    held: str = "",
    unread: Mapping[ObjectKey, str] = MappingProxyType({}),
    named: Mapping[ObjectKey, ObjectKey] = MappingProxyType({}),
    healths: Mapping[str, Health] | None = None,
    hosts: Iterable[str] | None = None,
) -> bytes:
    """The overview. by: who writes it. refused: why the newest commit is not in force. held: why a deletion is held.
    unread: what is kept and nobody can read any more → why. named: what is kept while something names it → what does.

    healths, hosts: of all Applications, and the rows of hosts (`HostTable`), where they are known already.
    """
    if healths is None:
        healths = application_health(view, inventory)
    if hosts is None:
        table = HostTable()
        table.note(Changed(obj.key, None, obj) for kind in (Host, Pod) for obj in view.all_of(kind))
        hosts = table.rows(view)
    lost = "\n".join(f"{key}: {why}" for key, why in unread.items())
    lines = ["# Cluster status", "", f"Desired commit in force: `{commit}`", ""]
    if by:
        lines += [f"Written by `{by}`", ""]
    used = "\n".join(f"{key}: {why_kept(namer)}" for key, namer in named.items())
    said = (
        ("The newest commit is refused", refused),
        ("Deletions are held", held),
        ("Kept, but not known", lost),
        ("Kept while it is used", used),
    )
    for title, text in said:
        if text:
            lines += [f"**{title}**", "", "```", text, "```", ""]
    lines += ["| application | health | |", "|---|---|---|"]
    lines += [f"| {name} | {health.status} | {cell(health.message)} |" for name, health in healths.items() if name]
    lines += ["", "| host | ready | pods | |", "|---|---|---|---|", *hosts]
    return ("\n".join(lines) + "\n").encode()


def restore(
    files: Iterable[tuple[str, bytes]], *, unseal: Callable[[dict[str, Any]], dict[str, Any]] = dict
) -> Restored:
    """The status branch as a message to a fresh engine. Files that are not ours are passed over.

    unseal: puts secret values back into a document, where the writer put masks. Raises InvalidInput for one of our
    files that does not decode: a half-read memory is worse than none.
    """
    objects: list[KubeObject] = []
    remembered: dict[ObjectKey, Remembered] = {}
    inventory: dict[ObjectKey, str] = {}
    protected: frozenset[str] = frozenset()
    kept: dict[ObjectKey, str] = {}
    subnets: dict[str, str] = {}
    orphaned: frozenset[str] = frozenset()
    copies: dict[str, bytes] = {}
    is_ahead = False
    pods = PodReader()
    known: Known = {}
    for path, content in files:
        with _said_of(path):
            if path == INVENTORY_PATH:
                document = unseal(load(content) or {})
                subnets = dict(document.get("subnets") or {})
                is_ahead = bool(document.get("ahead"))
                protected = frozenset(document.get("protected") or ())
                orphaned = frozenset(document.get("orphaned") or ())
                for application, keys in (document.get("applications") or {}).items():
                    inventory.update({ObjectKey(*key.split("/", 2)): application for key in keys})
                for commit, keys in (document.get("kept") or {}).items():
                    kept.update({ObjectKey(*key.split("/", 2)): commit for key in keys})
                for time, keys in (document.get("created") or {}).items():
                    since = Remembered(msgspec.convert(time, datetime), None)
                    remembered.update({ObjectKey(*key.split("/", 2)): since for key in keys})
            elif path.startswith(FOLDER):
                copies[path] = content
            elif path.startswith(("objects/", "hosts/")):
                document = unseal(load(content, known))
                document.pop("health", None)
                if document["kind"] == POD_FILE:
                    objects += pods.read(document)
                elif document.pop(_DEFINED_IN, None) is None:
                    objects.append(_restored_form(codec.decode(document)))
                else:
                    key, memory = _remembered(document)
                    remembered[key] = memory
    remembered |= {
        ObjectKey(Host.KIND, "", node.name): Remembered(node.metadata.creation_timestamp, None)
        for node in objects
        if isinstance(node, Node)
    }
    return Restored(
        objects=tuple(objects),
        remembered=remembered,
        inventory=inventory,
        protected=protected,
        kept=kept,
        subnets=subnets,
        orphaned=orphaned,
        copies=copies,
        is_ahead=is_ahead,
    )


@contextmanager
def _said_of(path: str) -> Iterator[None]:
    """Whatever is wrong with a file is one error that names it."""
    try:
        yield
    except Exception as error:
        why = " ".join(message_of(error).split())
        raise InvalidInput(
            f"{path} on the status branch cannot be read: {why}", hint="revert the commit there that broke it"
        ) from error


def _remembered(document: dict[str, Any]) -> tuple[ObjectKey, Remembered]:
    """Status and age of something that Git holds."""
    fields = {
        field.name: field.type for field in msgspec.structs.fields(kind_class(document["apiVersion"], document["kind"]))
    }
    metadata = codec.decode_struct(document["metadata"], ObjectMeta)
    status = codec.decode_struct(document["status"], fields["status"]) if "status" in fields else None
    return ObjectKey(document["kind"], metadata.namespace, metadata.name), Remembered(
        metadata.creation_timestamp, status
    )


def _restored_form(obj: KubeObject) -> KubeObject:
    metadata = msgspec.structs.replace(obj.metadata, resource_version="", generation=0)
    return msgspec.structs.replace(obj, metadata=metadata)
