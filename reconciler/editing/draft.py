"""A commit that is being made: the repository as one commit has it, with the files that are to change.

A verb edits objects here by their key, wherever their file lies; what comes of it is checked, shown or committed by
`reconciler.editing.writing`. Nothing is written anywhere by a Draft.
"""

from __future__ import annotations

import difflib
import posixpath
from typing import Any

from objects.api.meta import DEFAULT_NAMESPACE, KubeObject, ObjectKey
from objects.errors import InvalidInput, NotFound
from sources.edit.manifests import Position, find_object, read_object
from sources.edit.whole_objects import (
    document_text,
    new_file,
    remove_object,
    replace_document,
    replace_object,
)
from sources.git.repository import Repository
from sources.reading.desired import DesiredState
from sources.reading.layout import normal_path
from sources.reading.secret_mask import mask_secrets

_BOM = b"\xef\xbb\xbf"
_KEEP_FOLDER = ".gitkeep"


class Draft:
    """state: what the commit `sha` says. Changes are kept here until somebody writes them."""

    def __init__(self, repository: Repository, sha: str, state: DesiredState) -> None:
        self.sha = sha
        self.state = state
        self._repository = repository
        self._tree = repository.read_tree(sha)
        self._texts: dict[str, str | None] = {}

    # --- files -----------------------------------------------------------------------------------------------------

    def read(self, path: str) -> str | None:
        """A file with the changes made so far; None when there is none. Raises SourceError."""
        if path in self._texts:
            return self._texts[path]
        content = self._original(path)
        return None if content is None else content.decode("utf-8-sig")

    def write(self, path: str, text: str | None) -> None:
        """Give a file another content; None deletes it."""
        self._texts[path] = text

    @property
    def changes(self) -> dict[str, bytes | None]:
        """Path → new content, None for a file that goes; only files that differ from the commit's."""
        changes: dict[str, bytes | None] = {}
        for path, text in self._texts.items():
            old = self._original(path)
            mark = _BOM if old is not None and old.startswith(_BOM) else b""
            new = None if text is None else mark + text.encode()
            if new != old:
                changes[path] = new
        return changes

    @property
    def expected(self) -> dict[str, str]:
        """Path → blob id that each changed file has in the commit, '' for none: what the push builds on."""
        entries = self._tree.entries
        return {path: entries[path].sha if path in entries else "" for path in self.changes}

    def diff(self) -> str:
        """The changes as `git diff` shows them, values of Secrets masked."""
        parts: list[str] = []
        for path, content in sorted(self.changes.items()):
            old, new = (self._original(path) or b"").decode("utf-8-sig"), (content or b"").decode("utf-8-sig")
            names = (
                "/dev/null" if path not in self._tree.entries else f"a/{path}",
                f"b/{path}" if new else "/dev/null",
            )
            before, after = mask_secrets(old), mask_secrets(new, old)
            parts += difflib.unified_diff(
                before.splitlines(keepends=True), after.splitlines(keepends=True), *names, n=3
            )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in parts)

    def _original(self, path: str) -> bytes | None:
        entry = self._tree.entries.get(path)
        return None if entry is None else self._repository.read_blob(entry.sha)

    # --- objects ---------------------------------------------------------------------------------------------------

    def object(self, key: ObjectKey, plural: str) -> KubeObject:
        """The object as the commit says it, defaulted. Raises NotFound in kubectl's words."""
        found = self.state.objects.get(key)
        if found is None:
            where = f" in namespace {key.namespace}" if key.namespace else ""
            raise NotFound(
                f'{plural} "{key.name}" not found in Git{where}',
                hint="what controllers make is not in Git: change what it comes from",
            )
        return found

    def manifest(self, key: ObjectKey) -> dict[str, Any]:
        """The manifest as it is written, with the changes made so far. Raises NotFound."""
        _, text, position = self._place(key)
        return read_object(text, position)

    def replace(self, key: ObjectKey, manifest: dict[str, Any]) -> None:
        """Let the object say `manifest`, with the fewest edits of its file. Raises NotFound, InvalidInput."""
        path, text, position = self._place(key)
        self.write(path, replace_object(text, position, manifest))

    def delete(self, key: ObjectKey) -> None:
        """Take the object out of its file; the file goes with its last object. Raises NotFound."""
        path, text, position = self._place(key)
        rest = remove_object(text, position)
        self.write(path, rest or None)
        folder = posixpath.dirname(path)
        if not rest and folder in self._declared_folders():
            self._keep_folder(folder)

    def document(self, key: ObjectKey) -> str:
        """The document that holds the object, as it is written. Raises NotFound."""
        _, text, position = self._place(key)
        return document_text(text, position.document)

    def replace_document(self, key: ObjectKey, content: str) -> None:
        """Put another text in the place of that document. Raises NotFound."""
        path, text, position = self._place(key)
        self.write(path, replace_document(text, position.document, content))

    def add(self, path: str, manifest: dict[str, Any]) -> None:
        """A new file with one object. Raises InvalidInput when there is a file of this name already."""
        if self.read(path) is not None:
            raise InvalidInput(f"{path} is there already", hint="berth edit changes it")
        self.write(path, new_file(manifest))

    def folder_of(self, key: ObjectKey) -> str:
        """The folder of the object's file. Raises NotFound."""
        return posixpath.dirname(self._place(key)[0])

    def namespace_of_application(self, key: ObjectKey) -> str:
        """The namespace of manifests beside this object that name none."""
        origin = self.state.origins.get(key)
        application = self.state.applications.get(origin.application) if origin else None
        return (application.spec.namespace if application else "") or DEFAULT_NAMESPACE

    def _place(self, key: ObjectKey) -> tuple[str, str, Position]:
        """File, its text and the position in it. Raises NotFound."""
        origin = self.state.origins.get(key)
        text = None if origin is None else self.read(origin.file)
        if origin is None or text is None:
            raise NotFound(f"{key} has no manifest in Git", hint="write one to change it")
        return origin.file, text, find_object(text, key, namespace=self.namespace_of_application(key))

    def _declared_folders(self) -> set[str]:
        """Folders that an Application object names; one that only follows from its folder goes with it."""
        folders = {
            normal_path(app.spec.path): self.state.origins[app.key].file for app in self.state.applications.values()
        }
        return {folder for folder, file in folders.items() if file != folder}

    def _keep_folder(self, folder: str) -> None:
        """Git knows no empty folders, and an Application whose folder is gone is a mistake that refuses the commit."""
        prefix = f"{folder}/"
        left = [
            path
            for path in {*self._tree.entries, *self._texts}
            if path.startswith(prefix) and self._texts.get(path, "") is not None
        ]
        if not left:
            self.write(f"{prefix}{_KEEP_FOLDER}", "")
