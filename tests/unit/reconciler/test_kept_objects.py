"""What lives on though Git has dropped it is read from the commit that had it last: a fresh process needs it whole."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from objects.core import ConfigMap
from objects.meta import ObjectKey
from reconciler.commits import CommitReader
from reconciler.messages import Restored
from sources.repository import Repository
from tests.unit.cli.gitops import FILES
from tests.unit.sources.conftest import Remote

SETTINGS = ObjectKey("ConfigMap", "default", "settings")
OTHER = ObjectKey("ConfigMap", "default", "other")
APP = "apiVersion: berth.dev/v1alpha1\nkind: Application\nmetadata: {name: web}\nspec: {path: apps/web, suspend: %s}\n"


def config_map(mode: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{mode: {mode}}}\n"


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    made = Remote(tmp_path / "git")
    made.push({**FILES, "apps/web/web.yaml": config_map("first")})
    return made


@pytest.fixture
def reader(remote: Remote, tmp_path: Path) -> Iterator[CommitReader]:
    with Repository(remote.url, tmp_path / "cache") as repository:
        yield CommitReader(repository, "main")


def modes(restored: Restored) -> list[str]:
    return [obj.data["mode"] for obj in restored.objects if isinstance(obj, ConfigMap)]


def test_what_git_has_is_not_read_twice(reader: CommitReader) -> None:
    desired = reader.read_newest()
    restored = Restored(inventory={SETTINGS: "web"}, commit=desired.commit)
    assert reader.with_kept_objects(restored, desired) == restored


def test_dropped_while_nobody_looked_comes_from_the_commit_in_force(reader: CommitReader, remote: Remote) -> None:
    before = reader.read_newest()
    remote.push({"apps/web/web.yaml": config_map("x").replace("settings", "other")})
    restored = Restored(inventory={SETTINGS: "web", OTHER: "web"}, commit=before.commit)
    assert modes(reader.with_kept_objects(restored, reader.read_newest())) == ["first"]


def test_kept_for_long_comes_from_the_commit_that_had_it_last(reader: CommitReader, remote: Remote) -> None:
    first = reader.read_newest()
    remote.push({"apps/web/web.yaml": config_map("x").replace("settings", "other")})
    newest = reader.read_newest()
    restored = Restored(inventory={SETTINGS: "web"}, kept={SETTINGS: first.commit}, commit=newest.commit)
    assert modes(reader.with_kept_objects(restored, newest)) == ["first"]


def test_suspended_comes_as_it_was_before(reader: CommitReader, remote: Remote) -> None:
    first = reader.read_newest()
    remote.push({"apps/web.yaml": APP % "true", "apps/web/web.yaml": config_map("second")})
    newest = reader.read_newest()
    restored = Restored(inventory={SETTINGS: "web"}, kept={SETTINGS: first.commit}, commit=newest.commit)
    assert modes(reader.with_kept_objects(restored, newest)) == ["first"]


def test_a_commit_that_is_lost_is_said(reader: CommitReader, remote: Remote, caplog: pytest.LogCaptureFixture) -> None:
    desired = reader.read_newest()
    restored = Restored(inventory={OTHER: "web"}, kept={OTHER: "0" * 40}, commit=desired.commit)
    with caplog.at_level(logging.WARNING):
        assert reader.with_kept_objects(restored, desired) == restored
    (said,) = (record.message for record in caplog.records)
    assert said.startswith("1 objects that are kept are not known any more")
