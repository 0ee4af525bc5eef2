"""What lives on though Git has dropped it is read from the commit that had it last: a fresh process needs it whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from objects.api.core import ConfigMap
from objects.api.meta import ObjectKey
from reconciler.desired.commits import CommitReader, HostUnread, require_hosts
from reconciler.state.copies import copy_document, copy_path
from reconciler.state.messages import Restored
from reconciler.status.content import dump
from sources.git.repository import Repository
from sources.reading.desired import CommitRefused
from tests.unit.cli.gitops import FILES
from tests.unit.reconciler import test_commits
from tests.unit.sources.conftest import Remote

SETTINGS = ObjectKey("ConfigMap", "default", "settings")
OTHER = ObjectKey("ConfigMap", "default", "other")
GONE = "0" * 40
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


def test_its_copy_on_the_status_branch_needs_no_commit(reader: CommitReader, remote: Remote) -> None:
    first = reader.read_newest()
    (settings,) = (obj for obj in first.objects if obj.key == SETTINGS)
    remote.push({"apps/web/web.yaml": config_map("x").replace("settings", "other")})
    copies = {str(copy_path(SETTINGS)): dump(copy_document(settings))}
    restored = Restored(inventory={SETTINGS: "web"}, kept={SETTINGS: GONE}, commit=GONE, copies=copies)
    whole = reader.with_kept_objects(restored, reader.read_newest())
    assert (whole.objects, whole.unread) == ((settings,), {})


@pytest.mark.parametrize("commit", [GONE, ""], ids=["rewritten history", "no commit known"])
def test_what_nobody_has_any_more_is_named(reader: CommitReader, commit: str) -> None:
    desired = reader.read_newest()
    restored = Restored(inventory={OTHER: "web"}, kept={OTHER: commit}, commit=desired.commit)
    whole = reader.with_kept_objects(restored, desired)
    assert (whole.objects, list(whole.unread)) == ((), [OTHER])
    assert "is not in the repository any more; bring it back into Git" in whole.unread[OTHER]


def test_a_commit_that_would_be_refused_today_still_says_what_it_can(reader: CommitReader, remote: Remote) -> None:
    """A newer Berth checks more strictly than the one that took the commit."""
    wrong = config_map("x").replace("settings", "other").replace("data", "dta")
    refused = remote.push({"apps/web/wrong.yaml": wrong})
    remote.push({"apps/web/web.yaml": config_map("x").replace("settings", "third"), "apps/web/wrong.yaml": "# none"})
    kept = {SETTINGS: refused, OTHER: refused}
    restored = Restored(inventory=dict.fromkeys(kept, "web"), kept=kept, commit=refused)
    whole = reader.with_kept_objects(restored, reader.read_newest())
    assert (modes(whole), list(whole.unread)) == (["first"], [OTHER])
    assert "is refused (apps/web/wrong.yaml:" in whole.unread[OTHER]


def test_a_host_that_is_kept_and_unread_stops_everything(reader: CommitReader) -> None:
    desired = reader.read_newest()
    many = {ObjectKey("Host", "", f"gone-{number}"): "" for number in range(9)}
    restored = reader.with_kept_objects(Restored(inventory={**many, SETTINGS: "web"}, commit=GONE), desired)
    with pytest.raises(HostUnread, match=r"Host gone-0, Host gone-1.*which may not be deleted.*Berth-Confirm-Delete"):
        require_hosts(restored, desired)
    require_hosts(restored, msgspec.structs.replace(desired, confirmations=("all",)))


def test_what_is_in_force_is_known_by_its_copies_when_its_commit_is_gone(remote: Remote, tmp_path: Path) -> None:
    """What cannot be changed on what runs cannot be changed by a rewritten history either."""
    web = {"berth.yaml": test_commits.BERTH, "apps/shop/web.yaml": test_commits.WEB % (1, "web", "web")}
    remote.push(web)
    with Repository(remote.url, tmp_path / "one") as repository:
        before = CommitReader(repository, "main").read_newest()
    copies = {path: dump(copy_document(obj)) for obj in before.objects if (path := copy_path(obj.key)) is not None}
    remote.push({"apps/shop/web.yaml": test_commits.WEB % (1, "other", "other")})
    with Repository(remote.url, tmp_path / "two") as repository:
        fresh = CommitReader(repository, "main")
        fresh.start_from(GONE, copies)
        with pytest.raises(CommitRefused, match=r"spec\.selector"):
            fresh.read()
