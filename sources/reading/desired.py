"""A commit → what is desired: all objects of the repository, or all that is wrong with it.

All or nothing: with one error there is no desired state, so that whatever was in force stays. Only files that changed
since an earlier reading are parsed again.
"""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from objects.api.meta import KubeObject, ObjectKey
from objects.errors import BerthError, InvalidInput
from objects.own.config import Application, Cluster, Host
from sources.errors import ManifestError, YamlError
from sources.git.repository import Repository
from sources.git.revisions import Commit
from sources.reading import crosscheck, layout
from sources.reading.crosscheck import Origin, Placed
from sources.reading.files import ChangedFiles, CommitFiles, FileSource
from sources.reading.layout import KUSTOMIZE, Folder
from sources.reading.manifests import ManifestWarning, ParsedFile, parse_file
from sources.reading.not_manifests import RENDER_KUSTOMIZE, patches_of
from sources.words import Words
from sources.yaml.loader import DEFAULT_LIMITS, load_documents

MAX_ERRORS = 50
MAX_TOTAL_BYTES = 64 * 2**20
MAX_FILES = 20_000
"""Of one reading, so that no commit can make the reconciler run out of memory."""


class DesiredState(msgspec.Struct, frozen=True, kw_only=True):
    """A complete, valid reading. commit: None for a folder.

    objects: defaulted, by key; Cluster, Hosts and Applications (implied ones too) are among them. origins: where each
    came from, with its Application. tree_hashes: Application → hash of its folder: its revision.
    """

    commit: Commit | None
    objects: Mapping[ObjectKey, KubeObject]
    origins: Mapping[ObjectKey, Origin]
    cluster: Cluster
    hosts: Mapping[str, Host]
    applications: Mapping[str, Application]
    tree_hashes: Mapping[str, str]
    warnings: tuple[ManifestWarning, ...] = ()

    @property
    def application_of(self) -> dict[ObjectKey, str]:
        """Key → name of its Application; '' for what belongs to the repository itself."""
        return {key: origin.application for key, origin in self.origins.items()}


class CommitRefused(InvalidInput):
    """A source does not say what is desired.

    errors: what is wrong, the first `MAX_ERRORS`; at least one. count: how many there are, when there are more.
    """

    reason = "CommitRefused"

    def __init__(self, errors: tuple[ManifestError, ...], *, commit: str = "", count: int = 0) -> None:
        what = f"commit {commit[:10]} is refused" if commit else "the manifests are refused"
        number = max(count, len(errors))
        lines = [f"{what}: {number} error{'s' if number > 1 else ''}", *map(str, errors)]
        if number > len(errors):
            lines.append(f"and {number - len(errors)} more")
        super().__init__("\n  ".join(lines))
        self.errors = errors
        self.commit = commit


class Reading(NamedTuple):
    """What came of reading a source: desired is None exactly when there are errors.

    errors: the first `MAX_ERRORS`; error_count: how many there are.
    found: every object that could be read, also of a source that is refused: only for those who look for what one of
    them was, never for what is desired.
    """

    desired: DesiredState | None
    errors: tuple[ManifestError, ...]
    warnings: tuple[ManifestWarning, ...]
    commit: str = ""
    error_count: int = 0
    found: Mapping[ObjectKey, KubeObject] = MappingProxyType({})

    def require(self) -> DesiredState:
        """The desired state. Raises CommitRefused."""
        if self.desired is None:
            raise CommitRefused(self.errors, commit=self.commit, count=self.error_count)
        return self.desired


class _Key(NamedTuple):
    """What the parsed form of a file depends on. sha: '' for a file on disk, which is parsed each time."""

    sha: str
    namespace: str
    is_json: bool


class ParsedFiles:
    """Results of parsing by blob id and namespace. Holds what the last two readings used, no more."""

    def __init__(self, words: Words | None = None) -> None:
        """words: what learns the Secrets of each file, also of one that is refused."""
        self._words = words or Words()
        self._older: dict[_Key, ParsedFile] = {}
        self._newer: dict[_Key, ParsedFile] = {}

    def start_reading(self) -> None:
        self._older, self._newer = self._newer, {}

    def parse(self, source: FileSource, path: str, namespace: str) -> ParsedFile:
        """The parsed form of a file of `source`. Raises SourceError when it cannot be read."""
        key = self._key(source, path, namespace)
        parsed = self._kept(key)
        if parsed is None:
            content = source.read(path, limit_bytes=DEFAULT_LIMITS.max_bytes)
            parsed = parse_file(content, is_json=key.is_json, namespace=namespace)
            self._words.learn(found.obj for found in parsed.manifests)
        if key.sha:
            self._newer[key] = parsed
        return parsed

    def prepare(self, source: FileSource, paths: Iterable[str], namespace: str) -> None:
        """Let `source` bring those of `paths` together that will have to be parsed."""
        keys = {path: self._key(source, path, namespace) for path in paths}
        source.prepare([path for path, key in keys.items() if key.sha and self._kept(key) is None])

    def _kept(self, key: _Key) -> ParsedFile | None:
        return (self._newer.get(key) or self._older.get(key)) if key.sha else None

    @staticmethod
    def _key(source: FileSource, path: str, namespace: str) -> _Key:
        return _Key(source.tree.entries[path].sha, namespace, path.lower().endswith(".json"))


class DesiredReader:
    """Reads commits of one repository. Keeps parsed files between readings; not thread-safe."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._parsed = ParsedFiles(repository.words)

    def read(self, sha: str, *, before: Mapping[ObjectKey, KubeObject] = MappingProxyType({})) -> Reading:
        """The desired state of a commit that the clone has. Raises SourceError when it cannot be read completely.

        before: what is in force; a commit that changes what cannot be changed on what runs is refused.
        """
        commit = self._repository.read_commit(sha)
        return read_repository(CommitFiles(self._repository, commit), self._parsed, commit=commit, before=before)

    def read_changed(
        self, sha: str, changes: Mapping[str, bytes | None], *, before: Mapping[ObjectKey, KubeObject]
    ) -> Reading:
        """What a commit on top of `sha` would say that writes (or deletes: None) these files. See `read`."""
        source = CommitFiles(self._repository, self._repository.read_commit(sha))
        return read_repository(ChangedFiles(source, changes), self._parsed, before=before)


def read_repository(
    source: FileSource,
    parsed: ParsedFiles,
    *,
    commit: Commit | None = None,
    before: Mapping[ObjectKey, KubeObject] = MappingProxyType({}),
) -> Reading:
    """Read a source that is laid out as `sources.reading.layout` says. Raises SourceError when it cannot be read."""
    collected = _Collector(source, parsed)
    if not layout.is_repository(source.tree):
        collected.refuse(layout.ROOT_FILES[0], "is missing at the root of the repository", hint="berth init writes one")
        return collected.reading(commit)
    for path in layout.files_for_folders(source.tree):
        collected.refuse(path, "is a file, and has to be a folder", hint="remove it when there is to be none")
    collected.read_folder(layout.common_folder(source.tree), namespace="")
    declared = [placed.obj for placed in collected.objects if isinstance(placed.obj, Application)]
    if not declared and not collected.errors:
        implied = layout.implied_applications(source.tree)
        collected.objects += [Placed(app, Origin(app.spec.path, 1, 0)) for app in implied]
    for placed in list(collected.objects):
        if isinstance(placed.obj, Application):
            collected.read_application(placed.obj, placed.origin)
    for folder in layout.unclaimed_folders(source.tree, declared) if declared else ():
        collected.warnings.append(ManifestWarning(folder, 0, (), "belongs to no Application: it is not deployed"))
    collected.check_whole(before)
    return collected.reading(commit)


def read_plain(source: FileSource, parsed: ParsedFiles) -> Reading:
    """Read a bare collection of manifests, without Cluster, Hosts and Applications. Raises SourceError."""
    collected = _Collector(source, parsed)
    collected.read_folder(layout.plain_folder(source.tree), namespace="")
    collected.errors += crosscheck.find_duplicates(collected.objects)
    return collected.reading(None)


class _Collector:
    """Objects and problems of one reading, in the order of the files."""

    def __init__(self, source: FileSource, parsed: ParsedFiles) -> None:
        self._source = source
        self._parsed = parsed
        self._bytes = 0
        self._files = 0
        self._left_out = 0
        """Errors of files that had too many."""
        self._tree_hashes: dict[str, str] = {}
        self.objects: list[Placed] = []
        self.errors: list[ManifestError] = []
        self.warnings: list[ManifestWarning] = []
        parsed.start_reading()

    def refuse(self, file: str, message: str, *, line: int = 0, hint: str = "", obj: str = "") -> None:
        self.errors.append(ManifestError(message, file=file, line=line, hint=hint, obj=obj))

    def read_application(self, application: Application, origin: Origin) -> None:
        """All manifests of an Application, and its revision."""
        tree, path = self._source.tree, layout.normal_path(application.spec.path)
        if path and path not in tree.folders:
            self._refuse_path(application, origin, path)
            return
        self._tree_hashes[application.name] = tree.folders[path] if path else tree.sha
        folder = layout.application_folder(tree, application)
        if not folder.files and not folder.links and not folder.submodules and not folder.foreign:
            text = f"its folder '{path}' holds no manifest"
            self.warnings.append(ManifestWarning(origin.file, origin.line, (), text, f"Application {application.name}"))
        self.read_folder(folder, namespace=application.spec.namespace)

    def _refuse_path(self, application: Application, origin: Origin, path: str) -> None:
        tree = self._source.tree
        entries = ((name, tree.entries[name]) for name in _prefixes(path) if name in tree.entries)
        name, entry = next(entries, ("", None))
        if entry is not None and entry.is_symlink:
            message, hint = f"its path '{path}' leads through the symbolic link {name}", "links are not followed"
        elif entry is not None and entry.is_submodule:
            message, hint = f"its path '{path}' leads into the submodule {name}", _SUBMODULE_HINT
        else:
            close = difflib.get_close_matches(path, tree.folders, n=1)
            message, hint = f"its path '{path}' does not exist", f"did you mean '{close[0]}'?" if close else ""
        self.refuse(origin.file, message, line=origin.line, hint=hint, obj=f"Application {application.name}")

    def read_folder(self, folder: Folder, *, namespace: str) -> None:
        """All files of a folder; what cannot be read is an error with its path."""
        for path in folder.links:
            self._refuse_link(path)
        for path, tool in folder.foreign:
            self.refuse(path, f"{tool} is not rendered yet", hint="commit the rendered manifests")
        for path in folder.submodules:
            self.refuse(path, "is a submodule, whose content is not read", hint=_SUBMODULE_HINT)
        for path in folder.misnamed:
            self.refuse(path, "characters that cannot be seen stand after its suffix", hint="rename it")
        # What lies beside is the tool's input: what would be wrong with it as a manifest says nothing.
        rendered = tuple(posixpath.join(posixpath.dirname(path), "") for path, _ in folder.foreign)
        patches = self._patches(folder)
        for path, kustomization in patches.items():
            self.refuse(path, f"is a patch of {kustomization}, no manifest", hint=RENDER_KUSTOMIZE)
        files = self._within_limits(
            path for path in folder.files if not path.startswith(rendered) and path not in patches
        )
        self._parsed.prepare(self._source, files, namespace)
        for path in files:
            self._read_file(path, folder.application, namespace)

    def _patches(self, folder: Folder) -> dict[str, str]:
        """Files that do not lie beside the kustomization.yaml which names them as patches: path → that file's."""
        found: dict[str, str] = {}
        files = frozenset(folder.files)
        for path, tool in folder.foreign:
            if tool != KUSTOMIZE:
                continue
            own = posixpath.dirname(path)
            try:
                documents = load_documents(self._source.read(path, limit_bytes=DEFAULT_LIMITS.max_bytes))
            except InvalidInput:
                continue
            for written in (name for document in documents for name in patches_of(document.value)):
                patch = posixpath.normpath(posixpath.join(own, written))
                if patch in files and not patch.startswith(posixpath.join(own, "")):
                    found.setdefault(patch, path)
        return found

    def _refuse_link(self, path: str) -> None:
        target = self._source.read_link(path)
        resolved = layout.resolve_link(self._source.tree, path, self._source.read_link)
        if not layout.may_hold_manifests(self._source.tree, path, resolved):
            return
        if layout.points_outside(path, target):
            self.refuse(path, "is a symbolic link out of the repository", hint="put the file itself there")
        else:
            self.refuse(path, f"is a symbolic link to '{target}', which is not followed", hint="copy what it points to")

    def _within_limits(self, paths: Iterable[str]) -> list[str]:
        """Those of `paths` that may be read; what is too large is an error, by what the tree says of it."""
        allowed = []
        for path in paths:
            size = self._source.tree.entries[path].size_bytes
            if size > DEFAULT_LIMITS.max_bytes:
                self.refuse(path, f"the file is larger than {DEFAULT_LIMITS.max_bytes // 2**20} MiB")
                continue
            self._bytes += size
            self._files += 1
            if self._bytes > MAX_TOTAL_BYTES or self._files > MAX_FILES:
                self.refuse(path, f"the manifests exceed {MAX_TOTAL_BYTES // 2**20} MiB or {MAX_FILES} files in all")
                break
            allowed.append(path)
        return allowed

    def _read_file(self, path: str, application: str, namespace: str) -> None:
        try:
            parsed = self._parsed.parse(self._source, path, namespace)
        except YamlError as error:
            self.refuse(path, error.message, line=error.line, hint=error.hint)
            return
        except BerthError:
            raise
        except Exception as error:  # noqa: BLE001 - one file must not hide what is wrong with the others
            # The error's text may quote a Secret.
            message = f"cannot be read: {type(error).__name__}"
            self.refuse(path, message, hint="this is a bug of Berth; please report it")
            return
        self.errors += [problem.as_error(path) for problem in parsed.errors]
        self._left_out += parsed.error_count - len(parsed.errors)
        self.warnings += [problem.as_warning(path) for problem in parsed.warnings]
        self.objects += [
            Placed(found.obj, Origin(path, found.line, found.document, application)) for found in parsed.manifests
        ]

    def check_whole(self, before: Mapping[ObjectKey, KubeObject]) -> None:
        """Checks between objects. Those that a file's error would only repeat wait until it is gone."""
        is_complete = not self.errors
        # Files that two Applications read would all be duplicates.
        self.errors += crosscheck.find_overlaps(self.objects) or crosscheck.find_duplicates(self.objects)
        self.errors += crosscheck.find_misplaced(self.objects)
        if is_complete:
            self.errors += crosscheck.find_cluster_errors(self.objects)
            self.errors += crosscheck.find_missing_namespaces(self.objects)
            self.errors += crosscheck.find_missing_priority_classes(self.objects)
            self.errors += crosscheck.find_second_defaults(self.objects)
            self.errors += crosscheck.find_host_errors(self.objects)
            self.errors += crosscheck.find_forbidden_updates(before, self.objects)
            self.warnings += crosscheck.find_unknown_hosts(self.objects)
            self.warnings += crosscheck.find_unmeasurable(self.objects)

    def reading(self, commit: Commit | None) -> Reading:
        """The result: the desired state, or at most `MAX_ERRORS` errors."""
        sha = commit.sha if commit else ""
        objects = {obj.key: obj for obj, _ in self.objects}
        if self.errors:
            count = len(self.errors) + self._left_out
            return Reading(None, tuple(self.errors[:MAX_ERRORS]), tuple(self.warnings), sha, count, objects)
        desired = DesiredState(
            commit=commit,
            objects=MappingProxyType(objects),
            origins=MappingProxyType({obj.key: origin for obj, origin in self.objects}),
            cluster=next((obj for obj in objects.values() if isinstance(obj, Cluster)), Cluster()),
            hosts={obj.name: obj for obj in objects.values() if isinstance(obj, Host)},
            applications={obj.name: obj for obj in objects.values() if isinstance(obj, Application)},
            tree_hashes=self._tree_hashes,
            warnings=tuple(self.warnings),
        )
        return Reading(desired, (), desired.warnings, sha, found=desired.objects)


_SUBMODULE_HINT = "put its files themselves there, or move it out of what is read"


def _prefixes(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]
