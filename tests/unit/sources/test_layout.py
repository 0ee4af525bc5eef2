"""Which file belongs to what: paths only."""

from __future__ import annotations

import pytest

from objects.api.meta import ObjectMeta
from objects.own.config import Application, ApplicationSpec
from sources.git.revisions import (
    MODE_FILE,
    MODE_SUBMODULE,
    MODE_SYMLINK,
    Tree,
    TreeEntry,
)
from sources.reading import layout
from sources.reading.layout import Folder


def tree(*files: str, links: tuple[str, ...] = (), submodules: tuple[str, ...] = ()) -> Tree:
    modes = {
        **dict.fromkeys(files, MODE_FILE),
        **dict.fromkeys(links, MODE_SYMLINK),
        **dict.fromkeys(submodules, MODE_SUBMODULE),
    }
    folders = {"/".join(path.split("/")[:count]): "f" for path in modes for count in range(1, path.count("/") + 1)}
    return Tree("root", {path: TreeEntry(mode, "b", 1) for path, mode in modes.items()}, folders)


def app(name: str, path: str) -> Application:
    return Application(metadata=ObjectMeta(name=name), spec=ApplicationSpec(path=path))


REPOSITORY = tree(
    "berth.yaml",
    "README.md",
    "other.yaml",
    "hosts/a.yaml",
    "hosts/rack1/b.yml",
    "hosts/README.md",
    "apps/all.yaml",
    "apps/README.md",
    "apps/web/web.yaml",
    "apps/web/sub/cm.json",
    "apps/web/notes.txt",
    "apps/web/.hidden.yaml",
    "apps/web/.git/x.yaml",
    "apps/db/db.yaml",
    "apps/.drafts/x.yaml",
)


def test_what_belongs_to_the_whole() -> None:
    assert layout.common_folder(REPOSITORY) == Folder(
        "", ("berth.yaml", "hosts/a.yaml", "hosts/rack1/b.yml", "apps/all.yaml")
    )


@pytest.mark.parametrize(
    ("path", "files"),
    [
        ("apps/web", ("apps/web/web.yaml", "apps/web/sub/cm.json")),
        ("./apps/web/", ("apps/web/web.yaml", "apps/web/sub/cm.json")),
        ("apps/web/sub", ("apps/web/sub/cm.json",)),
        ("apps/we", ()),
        (".", ("other.yaml", "apps/web/web.yaml", "apps/web/sub/cm.json", "apps/db/db.yaml")),
        ("apps/.drafts", ("apps/.drafts/x.yaml",)),
    ],
)
def test_what_belongs_to_an_application(path: str, files: tuple[str, ...]) -> None:
    assert layout.application_folder(REPOSITORY, app("x", path)) == Folder("x", files)


def test_what_cannot_be_read() -> None:
    found = layout.application_folder(
        tree(
            "apps/web/a.yaml",
            "apps/web/kustomization.yaml",
            "apps/web/chart/Chart.yaml",
            links=("apps/web/link.yaml", "apps/web/README"),
            submodules=("apps/web/vendor",),
        ),
        app("web", "apps/web"),
    )
    assert found == Folder(
        "web",
        files=("apps/web/a.yaml",),
        links=("apps/web/link.yaml", "apps/web/README"),
        submodules=("apps/web/vendor",),
        foreign=(("apps/web/kustomization.yaml", "kustomize"), ("apps/web/chart/Chart.yaml", "Helm")),
    )


def test_links_that_take_the_place_of_folders_belong_to_the_whole() -> None:
    found = layout.common_folder(tree("berth.yaml", links=("hosts", "apps/web", "apps/web2/x", "docs")))
    assert found == Folder("", ("berth.yaml",), links=("hosts", "apps/web"))


def test_each_folder_is_an_application_when_none_is_declared() -> None:
    assert layout.implied_applications(REPOSITORY) == (app("db", "apps/db"), app("web", "apps/web"))


@pytest.mark.parametrize(
    ("paths", "unclaimed"),
    [
        (("apps/web", "apps/db"), ()),
        (("apps/web",), ("apps/db",)),
        (("apps",), ()),
        (("apps/web/sub", "apps/db"), ()),
        ((".",), ()),
    ],
)
def test_folders_that_belong_to_nobody(paths: tuple[str, ...], unclaimed: tuple[str, ...]) -> None:
    assert layout.unclaimed_folders(REPOSITORY, [app(path, path) for path in paths]) == unclaimed


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ("apps/a", "apps/b", False),
        ("apps/a", "apps/ab", False),
        ("apps/a", "apps/a/b", True),
        ("apps/a/b", "apps/a", True),
        ("apps/a", "./apps/a/", True),
        (".", "apps/a", True),
    ],
)
def test_overlaps(first: str, second: str, overlap: bool) -> None:
    applications = [app("one", first), app("two", second)]
    assert layout.overlapping(applications) == ((tuple(applications),) if overlap else ())


@pytest.mark.parametrize(
    ("link", "target", "is_outside"),
    [
        ("apps/web/x", "y", False),
        ("apps/web/x", "../db/y", False),
        ("apps/web/x", "../../y", False),
        ("apps/web/x", "../../../y", True),
        ("x", "..", True),
        ("apps/x", "a/../../../b", True),
        ("apps/x", "/etc/passwd", True),
        ("apps/x", "..hidden", False),
    ],
)
def test_links_out_of_the_tree(link: str, target: str, is_outside: bool) -> None:
    assert layout.points_outside(link, target) is is_outside
