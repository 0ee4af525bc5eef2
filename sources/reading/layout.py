"""Which file of a repository belongs to what. Pure: looks at paths only.

    berth.yaml          the Cluster; Applications, Namespaces and whatever else belongs to the whole
    hosts/**            Host objects
    apps/*.yaml         Application objects (and what belongs to the whole), files directly in the folder
    <application path>  one Application's manifests, sub-folders included

Without any Application object each folder in `apps/` is an Application of that name. Hidden files and folders and
files that are no YAML or JSON are passed over, so a README or a script may lie beside the manifests. What may hold
manifests and cannot be read (a submodule, a link) is never passed over: nothing would be desired there.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from objects.api.meta import ObjectMeta
from objects.own.config import Application, ApplicationSpec
from sources.git.revisions import Tree

ROOT_FILES = ("berth.yaml", "berth.yml", "berth.json")
HOSTS_FOLDER = "hosts"
APPS_FOLDER = "apps"
MANIFEST_SUFFIXES = (".yaml", ".yml", ".json")
"""In any case of letters: a file that was renamed to `.YAML` still says what is desired."""
_UNSEEN_END = re.compile(r"\.(ya?ml|json)(\s|\\[a-z0-9]+)+$", re.IGNORECASE)
"""A manifest's suffix and after it blanks, or control characters as they are shown."""
_MAX_LINKS = 10

KUSTOMIZE = "kustomize"
_RENDERED_BY_OTHERS = {
    "kustomization.yaml": KUSTOMIZE,
    "kustomization.yml": KUSTOMIZE,
    "Kustomization": KUSTOMIZE,
    "Chart.yaml": "Helm",
}


class Folder(NamedTuple):
    """A part of the tree that is read as one. application: '' for what belongs to the whole.

    files: paths of manifests. links, submodules, foreign: what cannot be read, by path; foreign also names the tool.
    misnamed: files whose suffix cannot be seen to be none of a manifest.
    """

    application: str
    files: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()
    foreign: tuple[tuple[str, str], ...] = ()
    misnamed: tuple[str, ...] = ()


def is_manifest(path: str) -> bool:
    """Whether a file of this name is read."""
    return path.lower().endswith(MANIFEST_SUFFIXES)


def is_repository(tree: Tree) -> bool:
    """Whether the tree is laid out as above, and not just a folder of manifests."""
    return any(_is_root_file(path) for path in tree.entries)


def common_folder(tree: Tree) -> Folder:
    """What belongs to the whole repository."""
    paths = [
        path
        for path, entry in tree.entries.items()
        if _is_common(path) or ((entry.is_symlink or entry.is_submodule) and _stands_for_folder(path))
    ]
    return _folder("", tree, paths)


def application_folder(tree: Tree, application: Application) -> Folder:
    """What one Application consists of."""
    path = normal_path(application.spec.path)
    prefix = f"{path}/" if path else ""
    paths = [name for name in tree.entries if name.startswith(prefix) and not _is_common(name)]
    return _folder(application.name, tree, paths, hidden_after=len(prefix))


def files_for_folders(tree: Tree) -> tuple[str, ...]:
    """Folders of the layout in whose place there is a file."""
    entries = ((name, tree.entries.get(name)) for name in (HOSTS_FOLDER, APPS_FOLDER))
    return tuple(name for name, entry in entries if entry and not entry.is_symlink and not entry.is_submodule)


def plain_folder(tree: Tree) -> Folder:
    """All manifests of a tree that has no layout."""
    return _folder("", tree, tree.entries)


def implied_applications(tree: Tree) -> tuple[Application, ...]:
    """One Application for each folder in `apps/`, for repositories that declare none."""
    names = sorted(
        path.removeprefix(f"{APPS_FOLDER}/")
        for path in tree.folders
        if path.count("/") == 1 and path.startswith(f"{APPS_FOLDER}/") and not path.startswith(f"{APPS_FOLDER}/.")
    )
    return tuple(
        Application(metadata=ObjectMeta(name=name), spec=ApplicationSpec(path=f"{APPS_FOLDER}/{name}"))
        for name in names
    )


def unclaimed_folders(tree: Tree, applications: Iterable[Application]) -> tuple[str, ...]:
    """Folders in `apps/` that hold manifests and belong to no Application."""
    claimed = [normal_path(application.spec.path) for application in applications]
    folders = (application.spec.path for application in implied_applications(tree))
    return tuple(
        folder
        for folder in folders
        if not any(_overlap(folder, path) for path in claimed)
        and any(path.startswith(f"{folder}/") and is_manifest(path) for path in tree.entries)
    )


def overlapping(applications: Iterable[Application]) -> tuple[tuple[Application, Application], ...]:
    """Pairs of Applications of which one's folder holds the other's: each file has one owner."""
    known = list(applications)
    return tuple(
        (first, second)
        for index, first in enumerate(known)
        for second in known[index + 1 :]
        if _overlap(normal_path(first.spec.path), normal_path(second.spec.path))
    )


def normal_path(path: str) -> str:
    """`./apps/web/` → `apps/web`, `.` → ''."""
    normal = posixpath.normpath(path).strip("/")
    return "" if normal == "." else normal


def points_outside(link: str, target: str) -> bool:
    """Whether a symbolic link of the tree leaves it. link: its path; target: what it points to, as written."""
    if target.startswith("/"):
        return True
    return posixpath.normpath(posixpath.join(posixpath.dirname(link), target)).split("/")[0] == ".."


def resolve_link(tree: Tree, link: str, read_link: Callable[[str], str]) -> str | None:
    """The path of what a link of the tree leads to in the end; None when that is not in the tree.

    read_link: path of a link → what it points to, as written.
    """
    path = link
    for _ in range(_MAX_LINKS):
        parts = path.split("/")
        prefixes = ("/".join(parts[: count + 1]) for count in range(len(parts)))
        through = next((prefix for prefix in prefixes if (e := tree.entries.get(prefix)) and e.is_symlink), None)
        if through is None:
            return path if path in tree.entries or path in tree.folders or not path else None
        target = read_link(through)
        if points_outside(through, target):
            return None
        rest = path[len(through) :].lstrip("/")
        path = normal_path(posixpath.join(posixpath.dirname(through), target, rest))
    return None


def may_hold_manifests(tree: Tree, link: str, target: str | None) -> bool:
    """Whether passing over a link would pass over manifests. target: see `resolve_link`.

    A README or LICENSE that lies elsewhere in the repository does not. Of a target that cannot be looked at only the
    link's own name tells: with a suffix it is a file.
    """
    name = posixpath.basename(link)
    if is_manifest(name) or name in _RENDERED_BY_OTHERS:
        return True
    if target is None:
        return not posixpath.splitext(name)[1]
    if target in tree.entries:
        return tree.entries[target].is_submodule
    prefix = f"{target}/" if target else ""
    below = (path for path in tree.entries if path.startswith(prefix))
    return _stands_for_folder(link) or any(is_manifest(path) or tree.entries[path].is_submodule for path in below)


def _is_root_file(path: str) -> bool:
    return path.lower() in ROOT_FILES


def _is_common(path: str) -> bool:
    if _is_root_file(path) or path.startswith(f"{HOSTS_FOLDER}/"):
        return True
    return path.startswith(f"{APPS_FOLDER}/") and path.count("/") == 1 and is_manifest(path)


def _stands_for_folder(path: str) -> bool:
    """Whether a link or submodule of this path takes the place of a folder of the layout."""
    return path in (HOSTS_FOLDER, APPS_FOLDER) or posixpath.dirname(path) == APPS_FOLDER


def _folder(application: str, tree: Tree, paths: Iterable[str], *, hidden_after: int = 0) -> Folder:
    files: list[str] = []
    links: list[str] = []
    submodules: list[str] = []
    foreign: list[tuple[str, str]] = []
    misnamed: list[str] = []
    for path in paths:
        if path[hidden_after:].startswith(".") or "/." in path[hidden_after:]:
            continue
        name, entry = posixpath.basename(path), tree.entries[path]
        if entry.is_symlink:
            links.append(path)
        elif entry.is_submodule:
            submodules.append(path)
        elif name in _RENDERED_BY_OTHERS:
            foreign.append((path, _RENDERED_BY_OTHERS[name]))
        elif is_manifest(name):
            files.append(path)
        elif _UNSEEN_END.search(name):
            misnamed.append(path)
    return Folder(application, tuple(files), tuple(links), tuple(submodules), tuple(foreign), tuple(misnamed))


def _overlap(first: str, second: str) -> bool:
    return f"{first}/".startswith(f"{second}/" if second else "") or f"{second}/".startswith(
        f"{first}/" if first else ""
    )
