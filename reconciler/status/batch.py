"""What one status commit says: from the last publication that was told of, and the newest, to documents. Pure.

Only what differs between the two is made anew: a file's object, a group of pods, a row of the overview. An object whose
file cannot be made hides no other: it stays outdated and is tried again.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from typing import Any

import msgspec

from objects.api.meta import ObjectKey
from objects.api.pods import Pod
from objects.own.config import Application
from reconciler.core.health import HealthStatus, application_health, summarised, worst
from reconciler.core.isolation import Task
from reconciler.core.write_ahead import place_of
from reconciler.publishing.publication import Publication
from reconciler.state.copies import FOLDER as COPIES
from reconciler.state.copies import copy_document, copy_path, unread_objects
from reconciler.state.drift import drift_of
from reconciler.state.snapshot import Snapshot
from reconciler.state.store import Changed
from reconciler.status import content as status
from reconciler.status.event_file import EVENTS_PATH, events_document
from reconciler.status.overview import DriftedPods, HostTable, InventoryInputs
from reconciler.status.pod_files import Group, PodFiles, group_of, is_pod_path, pods_document

FILE = "status file"
POD_FILE = "status file of pods"
"""Parts under which what raises is held (`reconciler.core.isolation`)."""

Documents = dict[str, dict[str, Any] | None]


class Refusal(msgspec.Struct, frozen=True):
    """Why the newest commit is not in force. commit: its id, '' when the remote could not even be asked."""

    commit: str
    text: str


class Batch(msgspec.Struct, frozen=True):
    """One commit to be. documents: path → mapping to be written as YAML, None when its object is gone; keys: theirs.

    places: of these objects, what the branch will say that must be recorded (`reconciler.core.write_ahead`). replaced:
    objects of which it will say something else than before; None for all. verdicts: desired commit → what is to be said
    of it in a Git note. pod_paths: of a process's first batch, all files that tell of pods from now on: others are of
    earlier processes, or in the form of an earlier version. failed: what could not be made → why. mended: what failed
    before and does not any more.
    """

    documents: Documents
    places: dict[ObjectKey, str]
    replaced: frozenset[ObjectKey] | None
    keys: frozenset[ObjectKey]
    readme: bytes
    commit: str
    health: str
    verdicts: dict[str, str]
    pod_paths: frozenset[str] | None
    failed: Mapping[Task, Exception] = {}
    mended: frozenset[Task] = frozenset()


class BatchMaker:
    """Remembers what was made. Owned by one thread; when `make` raises, the next call makes the same again."""

    def __init__(self) -> None:
        self._seen = Snapshot()
        self._changed: dict[str, ObjectKey] = {}
        self._copied: dict[str, ObjectKey] = {}
        self._placed: dict[ObjectKey, None] = {}
        self._pods = PodFiles()
        self._hosts = HostTable()
        self._drifted = DriftedPods()
        self._inventory = InventoryInputs(status.KINDS_WITHOUT_FILE)
        self._events: object = None
        self._unrendered: dict[str, ObjectKey] = {}
        self._failed_groups: frozenset[Group] = frozenset()
        self._has_told_all = False

    @property
    def failing(self) -> frozenset[Task]:
        """What could not be made, to be tried again."""
        return _tasks(self._unrendered, self._failed_groups)

    def make(
        self,
        publication: Publication,
        *,
        commit: str,
        by: str,
        refusal: Refusal | None = None,
        waiting: Container[Task] = (),
        gone: Iterable[Changed] = (),
    ) -> Batch:
        """What there is to write.

        commit: in force. by: who writes. waiting: of `failing`, what is not to be tried yet. gone: removed before the
        first publication that this is given, so that none of them shows it.
        """
        snapshot = publication.snapshot
        changed = snapshot.changes_since(self._seen)
        for part in (self._hosts, self._drifted, self._inventory):
            part.note(changed)
        if not self._has_told_all:
            # It may have come from the branch and gone in one step, or not have come at all.
            missed = (Changed(key, None, None) for key in publication.restored if key not in publication.inventory)
            self._take([one for one in (*missed, *gone) if snapshot.find(one.key) is None])
        self._take(changed)
        self._seen = snapshot
        healths = application_health(snapshot, publication.inventory)
        documents: Documents = {}
        failed: dict[Task, Exception] = {}
        written: list[ObjectKey] = []
        unrendered, failed_groups = dict(self._unrendered), self._failed_groups
        if publication.is_started:
            # Before the start the objects are incomplete: only the overview (a refused commit) may be written.
            drift = drift_of(snapshot, self._drifted.pods(snapshot), publication.inventory)
            applications = snapshot.all_of(Application)
            for application in summarised(applications, healths, drift, commit=commit):
                documents[_path_of(application.key)] = status.object_document(
                    snapshot, application, publication.inventory
                )
                written.append(application.key)
            unrendered = self._render(publication, documents, failed, waiting)
            written += (key for path, key in self._changed.items() if path in documents)
            failed_groups, told = self._render_pods(snapshot, documents, failed, waiting)
            written += told
            if self._inventory.has_changed(publication):
                documents[status.INVENTORY_PATH] = status.inventory_document(
                    snapshot,
                    publication.inventory,
                    publication.protected,
                    publication.kept,
                    publication.alone,
                    is_ahead=publication.is_ahead,
                )
            if publication.events and publication.events is not self._events:
                # Not after a restart without a change: the events of the earlier process stay, and no commit is made.
                documents[EVENTS_PATH] = events_document(publication.events)
        refused = refusal.text if refusal else ""
        readme = status.render_readme(
            snapshot,
            publication.inventory,
            commit=commit,
            by=by,
            refused=refused,
            held=publication.held,
            named=publication.named,
            unread=unread_objects(snapshot, publication.inventory),
            healths=healths,
            hosts=self._hosts.rows(snapshot),
        )
        total = worst(healths.values()).status
        verdicts = {refusal.commit: f"Refused\n\n{refused}"} if refusal and refusal.commit else {}
        if publication.is_started and total is not HealthStatus.PROGRESSING:
            verdicts[commit] = status.render_verdict(healths)
        keys = frozenset(written)
        batch = Batch(
            documents=documents,
            places={key: place for key in keys & self._placed.keys() if (place := place_of(snapshot.find(key)))},
            replaced=frozenset(keys & self._placed.keys()) if self._has_told_all else None,
            keys=keys,
            readme=readme,
            commit=commit,
            health=str(total),
            verdicts=verdicts,
            pod_paths=self._pod_paths(snapshot, documents) if publication.is_started and not failed_groups else None,
            failed=failed,
            mended=self.failing - _tasks(unrendered, failed_groups),
        )
        if publication.is_started:
            self._settle(publication, keys, unrendered, failed_groups)
        return batch

    def _take(self, changed: Collection[Changed]) -> None:
        """Which files have to do with what changed."""
        for one in changed:
            if (path := _own_path(one)) is not None and one.key.kind != Application.KIND:
                self._changed[path] = one.key
            elif one.key.kind == Application.KIND and one.new is None:
                self._changed[_path_of(one.key)] = one.key
            if (path := copy_path(one.key)) is not None:
                self._copied[path] = one.key
            if place_of(one.old) or place_of(one.new):
                self._placed[one.key] = None
        self._pods.note(changed)

    def _render(
        self,
        publication: Publication,
        documents: Documents,
        failed: dict[Task, Exception],
        waiting: Container[Task],
    ) -> dict[str, ObjectKey]:
        """Files of one object each, and copies. Returns those that cannot be made: path → key."""
        snapshot, inventory = publication.snapshot, publication.inventory
        due = {path: key for path, key in self._unrendered.items() if (FILE, key) not in waiting}
        copied = {path: key for path, key in self._copied.items() if key in inventory or snapshot.find(key) is None}
        unrendered = {path: key for path, key in self._unrendered.items() if path not in due}
        for path, key in {**due, **self._changed, **copied}.items():
            obj = snapshot.find(key)
            try:
                if obj is None or (group_of(obj) is not None and not path.startswith(COPIES)):
                    documents[path] = None
                elif path.startswith(COPIES):
                    documents[path] = copy_document(obj)
                else:
                    documents[path] = status.object_document(snapshot, obj, inventory)
            except Exception as error:  # noqa: BLE001 - one object's bug must not hide the others; it is said as an event
                unrendered[path] = key
                failed[FILE, key] = error
            else:
                unrendered.pop(path, None)
        return unrendered

    def _render_pods(
        self, snapshot: Snapshot, documents: Documents, failed: dict[Task, Exception], waiting: Container[Task]
    ) -> tuple[frozenset[Group], list[ObjectKey]]:
        """The files about pods of controllers. Returns the groups that cannot be made, and the pods that were told."""
        told: list[ObjectKey] = []
        groups: set[Group] = set()
        for file in self._pods.outdated():
            task = POD_FILE, _key_of(file.group)
            if file.group in self._failed_groups and task in waiting:
                groups.add(file.group)
                continue
            try:
                documents[file.path] = pods_document(snapshot, file.inside) if file.inside else None
            except Exception as error:  # noqa: BLE001 - see `_render`
                groups.add(file.group)
                failed[task] = error
            else:
                told += (*file.inside, *file.touched)
        return frozenset(groups), told

    def _pod_paths(self, snapshot: Snapshot, documents: Documents) -> frozenset[str] | None:
        if self._has_told_all:
            return None
        alone = (pod.key for pod in snapshot.all_of(Pod) if group_of(pod) is None)
        grouped = {path for path, document in documents.items() if is_pod_path(path) and document is not None}
        return frozenset(grouped | {_path_of(key) for key in alone})

    def _settle(
        self,
        publication: Publication,
        keys: frozenset[ObjectKey],
        unrendered: dict[str, ObjectKey],
        failed_groups: frozenset[Group],
    ) -> None:
        """All of it counts as handed over, now that nothing can raise any more."""
        self._has_told_all = True
        self._changed, self._copied = {}, {}
        self._placed = {key: None for key in self._placed if key not in keys}
        self._pods.settle(failed_groups)
        self._inventory.settle(publication)
        self._events = publication.events
        self._unrendered, self._failed_groups = unrendered, failed_groups


def _tasks(unrendered: Mapping[str, ObjectKey], groups: Iterable[Group]) -> frozenset[Task]:
    return frozenset((*((FILE, key) for key in unrendered.values()), *((POD_FILE, _key_of(group)) for group in groups)))


def _own_path(changed: Changed) -> str | None:
    """The file that is about this object alone, or was until it changed."""
    is_known = changed.old is not None or changed.new is not None
    is_alone = not is_known or any(obj is not None and group_of(obj) is None for obj in (changed.old, changed.new))
    return status.status_path(changed.key) if is_alone else None


def _path_of(key: ObjectKey) -> str:
    path = status.status_path(key)
    assert path is not None, key
    return path


def _key_of(group: Group) -> ObjectKey:
    """The controller whose pods they are."""
    return ObjectKey(group.kind, group.namespace, group.name)
