"""Which file of a repository belongs to what. Pure: looks at paths only.

    berth.yaml          the Cluster; Applications, Namespaces and whatever else belongs to the whole
    hosts/**            Host objects
    apps/*.yaml         Application objects (and what belongs to the whole), files directly in the folder
    <application path>  one Application's manifests, sub-folders included

Without any Application object each folder in `apps/` is an Application of that name. Hidden files and folders and
files that are no YAML or JSON are passed over, so a README or a script may lie beside the manifests.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import NamedTuple

from objects.config import Application, ApplicationSpec
from objects.meta import ObjectMeta
from sources.revisions import Tree

ROOT_FILES = ("berth.yaml", "berth.yml", "berth.json")
HOSTS_FOLDER = "hosts"
APPS_FOLDER = "apps"
MANIFEST_SUFFIXES = (".yaml", ".yml", ".json")

_RENDERED_BY_OTHERS = {
    "kustomization.yaml": "kustomize",
    "kustomization.yml": "kustomize",
    "Kustomization": "kustomize",
    "Chart.yaml": "Helm",
}


class Folder(NamedTuple):
    """A part of the tree that is read as one. application: '' for what belongs to the whole.

    files: paths of manifests. links, submodules, foreign: what cannot be read, by path; foreign also names the tool.
    """

    application: str
    files: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()
    foreign: tuple[tuple[str, str], ...] = ()


def is_repository(tree: Tree) -> bool:
    """Whether the tree is laid out as above, and not just a folder of manifests."""
    return any(name in tree.entries for name in ROOT_FILES)


def common_folder(tree: Tree) -> Folder:
    """What belongs to the whole repository."""
    paths = [
        path
        for path, entry in tree.entries.items()
        if _is_common(path) or (entry.is_symlink and _stands_for_folder(path))
    ]
    return _folder("", tree, paths)


def application_folder(tree: Tree, application: Application) -> Folder:
    """What one Application consists of."""
    path = normal_path(application.spec.path)
    prefix = f"{path}/" if path else ""
    paths = [name for name in tree.entries if name.startswith(prefix) and not _is_common(name)]
    return _folder(application.name, tree, paths, hidden_after=len(prefix))


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
        and any(path.startswith(f"{folder}/") and path.endswith(MANIFEST_SUFFIXES) for path in tree.entries)
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


def _is_common(path: str) -> bool:
    if path in ROOT_FILES or path.startswith(f"{HOSTS_FOLDER}/"):
        return True
    return path.startswith(f"{APPS_FOLDER}/") and path.count("/") == 1 and path.endswith(MANIFEST_SUFFIXES)


def _stands_for_folder(path: str) -> bool:
    """Whether a link of this path takes the place of a folder of the layout."""
    return path in (HOSTS_FOLDER, APPS_FOLDER) or posixpath.dirname(path) == APPS_FOLDER


def _folder(application: str, tree: Tree, paths: Iterable[str], *, hidden_after: int = 0) -> Folder:
    files: list[str] = []
    links: list[str] = []
    submodules: list[str] = []
    foreign: list[tuple[str, str]] = []
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
        elif name.endswith(MANIFEST_SUFFIXES):
            files.append(path)
    return Folder(application, tuple(files), tuple(links), tuple(submodules), tuple(foreign))


def _overlap(first: str, second: str) -> bool:
    return f"{first}/".startswith(f"{second}/" if second else "") or f"{second}/".startswith(
        f"{first}/" if first else ""
    )
