"""The status branch on real remotes: one batched commit, races, and a remote that is away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from objects.errors import InvalidInput, PushRejected
from sources.errors import SourceRefused
from sources.git.branch_writer import (
    BranchWriter,
    Identity,
    PushRefused,
    blob_sha,
)
from sources.git.repository import Repository
from sources.git.status_branch import StatusBranch
from tests.unit.sources.conftest import Remote

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
BRANCH = "refs/heads/berth/status"


@pytest.fixture
def status(repository: Repository) -> StatusBranch:
    return StatusBranch(repository, clock=lambda: NOW)


@pytest.fixture
def other(remote: Remote, tmp_path: Path) -> Iterator[StatusBranch]:
    """A second writer with a clone of its own."""
    with Repository(remote.url, tmp_path / "other") as repository:
        yield StatusBranch(repository)


def test_a_cluster_without_a_past(remote: Remote, status: StatusBranch) -> None:
    assert status.read() == (None, {})
    remote.push({"a": "1"})
    snapshot = status.read()
    assert (snapshot, snapshot.desired_commit, snapshot.health) == ((None, {}), "", "")


def test_one_commit_with_trailers_and_nothing_of_the_desired_branch(remote: Remote, status: StatusBranch) -> None:
    remote.push({"apps/web.yaml": "a: 1\n"})
    sha = status.write(
        {"README.md": b"# ok\n", "objects/shop/pod/web.yaml": b"phase: Running\n"},
        message="Status of abc: Healthy",
        trailers={"Desired-Commit": "abc", "Health": "Healthy"},
    )
    snapshot = status.read()
    assert remote.in_remote("log", "--format=%H|%an|%ae|%cI|%P|%B", BRANCH) == (
        f"{sha}|Berth|berth@localhost|2026-03-04T05:06:07+00:00||Status of abc: Healthy\n\n"
        "Desired-Commit: abc\nHealth: Healthy"
    )
    assert snapshot.files == {"README.md": b"# ok\n", "objects/shop/pod/web.yaml": b"phase: Running\n"}
    assert (snapshot.desired_commit, snapshot.health) == ("abc", "Healthy")


def test_a_branch_of_any_size_is_read(remote: Remote, status: StatusBranch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sources.git.status_branch.FILES_AT_ONCE", 2)
    remote.push({"apps/web.yaml": "a: 1\n"})
    files = {f"objects/shop/pod/web-{number}.yaml": b"n: %d\n" % number for number in range(5)}
    status.write({**files, "again.yaml": b"n: 0\n"}, message="many")
    assert status.read().files == {**files, "again.yaml": b"n: 0\n"}


def test_what_the_branch_says_already_makes_no_commit(remote: Remote, status: StatusBranch) -> None:
    first = status.write({"a": b"1", "b": b"2"}, message="one")
    assert status.write({"a": b"1"}, ["gone"], message="two") is None
    assert remote.in_remote("rev-parse", BRANCH) == first


def test_the_clone_does_not_grow_a_file_for_each_object(repository: Repository, status: StatusBranch) -> None:
    for step in range(80):
        files = b"".join(b"M 100644 inline %d\ndata 5\n%05d\n" % (number, step * 100 + number) for number in range(90))
        head = b"feature done\ncommit refs/berth/%d\ncommitter A <a> 1 +0000\ndata 0\n" % step
        repository.fast_import(head + files + b"done\n")
    before = len(list((repository.git_dir / "objects").glob("??/*")))
    status.write({"a": b"1"}, message="one")
    after = len(list((repository.git_dir / "objects").glob("??/*")))
    assert (before > 7000, after < 100) == (True, True)


def test_deletions(remote: Remote, status: StatusBranch) -> None:
    status.write({"a": b"1", "x/b": b"2", "x/c": b"3"}, message="one")
    status.write({}, ["x/b"], message="two")
    status.write({"x/b": b"4"}, ["a", "x/c"], message="three")
    assert status.read().files == {"x/b": b"4"}


def test_writers_that_race_lose_nothing(remote: Remote, status: StatusBranch, other: StatusBranch) -> None:
    status.write({"a": b"1", "shared": b"1"}, message="one")
    other.write({"b": b"2"}, message="two")
    status.write({"c": b"3"}, message="three")
    other.write({"shared": b"4"}, ["a"], message="four")
    assert status.read().files == {"b": b"2", "c": b"3", "shared": b"4"}
    assert remote.in_remote("log", "--format=%s", BRANCH).split() == ["four", "three", "two", "one"]


def test_a_storm_of_writers(remote: Remote, status: StatusBranch, other: StatusBranch) -> None:
    def write(writer: StatusBranch, name: str) -> None:
        for number in range(5):
            writer.write({f"{name}/{number}": b"x"}, message=name)

    threads = [threading.Thread(target=write, args=pair) for pair in ((status, "a"), (other, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(status.read().files) == [f"{name}/{number}" for name in "ab" for number in range(5)]


def test_what_could_not_be_pushed_goes_with_the_next_write(remote: Remote, status: StatusBranch) -> None:
    status.write({"old": b"0"}, message="one")
    away = remote.path.rename(remote.path.with_name("away.git"))
    with pytest.raises(SourceRefused):
        status.write({"a": b"1"}, ["old"], message="two")
    with pytest.raises(SourceRefused):
        status.write({"a": b"2", "b": b"2"}, message="three")
    away.rename(remote.path)
    status.write({"c": b"3"}, message="four")
    assert status.read().files == {"a": b"2", "b": b"2", "c": b"3"}


def test_a_branch_that_somebody_deleted_or_rewrote(remote: Remote, status: StatusBranch) -> None:
    status.write({"a": b"1"}, message="one")
    remote.in_remote("update-ref", "-d", BRANCH)
    status.write({"b": b"2"}, message="two")
    assert status.read().files == {"a": b"1", "b": b"2"}
    remote.push({"theirs": "x"})
    remote.git("push", "--quiet", "--force", "origin", f"HEAD:{BRANCH}")
    status.write({"c": b"3"}, message="three")
    assert status.read().files == {"theirs": b"x", "c": b"3"}


def test_a_deleted_branch_is_read_as_gone(remote: Remote, status: StatusBranch) -> None:
    status.write({"a": b"1"}, message="one")
    remote.in_remote("update-ref", "-d", BRANCH)
    assert status.read() == (None, {})


def test_a_push_that_is_not_allowed(remote: Remote, status: StatusBranch) -> None:
    hook = remote.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(PushRefused) as caught:
        status.write({"a": b"1"}, message="one")
    assert str(caught.value) == (
        f"{remote.url} does not accept a push to {BRANCH}: [remote rejected] (pre-receive hook declined) "
        "(allow this key to push to it)"
    )


def test_a_remote_that_lost_objects_is_said(remote: Remote, status: StatusBranch) -> None:
    """As after a `git gc --prune=now` there in the moment of a push."""
    status.write({"a": b"1"}, message="one")
    remote.in_remote("gc", "--quiet", "--prune=now")
    for pack in (remote.path / "objects" / "pack").iterdir():
        pack.unlink()
    with pytest.raises(PushRefused, match=r"missing necessary objects\) \(.* lacks objects of its own .*git fsck"):
        status.write({"b": b"2"}, message="two")


def test_notes_on_commits(
    remote: Remote, repository: Repository, status: StatusBranch, other: StatusBranch, tmp_path: Path
) -> None:
    first = remote.push({"a": "1"})
    second = remote.push({"a": "2"})
    with pytest.raises(InvalidInput, match="'--x' is not a commit id"):
        status.note("--x", "no")
    repository.fetch("main")
    with Repository(remote.url, tmp_path / "other") as same_clone:
        same_clone.fetch("main")
    status.note(first, "good\n")
    other.note(second, "bad\n")
    status.note(first, "better\n")
    shown = [remote.in_remote("notes", "--ref=berth", "show", sha) for sha in (first, second)]
    assert shown == ["better", "bad"]


@pytest.mark.parametrize(
    "path", ["../x", "a/../b", "/a", "a//b", "-x", "a\nb", ".git/config", "a/.GIT/x", "a/", "", "a\\b", "a\0b"]
)
def test_paths_that_are_refused(status: StatusBranch, path: str) -> None:
    with pytest.raises(InvalidInput, match="is not a path that can be committed"):
        status.write({path: b"x"}, message="one")


@pytest.mark.parametrize(
    "path", ["team (ro).yaml", "größe/a b.yaml", "系統:admin.yaml", 'say "hi"', ".hidden/x", "a'b$(c)"]
)
def test_a_path_in_any_script_is_written_replaced_and_deleted(remote: Remote, status: StatusBranch, path: str) -> None:
    for content in (b"1", b"2"):
        status.write({path: content, "other": b"x"}, message="one")
        assert status.read().files[path] == content
    assert status.write({path: b"2"}, message="again") is None
    status.write({}, [path], message="gone")
    assert list(status.read().files) == ["other"]


@pytest.mark.parametrize("name", ["berth", "berth/status/old"])
def test_a_branch_in_the_place_of_ours_is_told(remote: Remote, status: StatusBranch, name: str) -> None:
    remote.push({"a": "1"}, branch=name)
    with pytest.raises(PushRefused, match=f"cannot have a branch 'berth/status' beside '{name}'") as caught:
        status.write({"x": b"1"}, message="one")
    assert "rename" in str(caught.value)


def test_packing_that_takes_too_long_fails_no_write(
    remote: Remote, status: StatusBranch, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sources.git.repository._TIDY_SECONDS", 0.0)
    assert status.write({"x": b"1"}, message="one") == remote.in_remote("rev-parse", BRANCH)


def test_a_note_that_is_there_is_not_pushed_again(remote: Remote, repository: Repository, status: StatusBranch) -> None:
    first, second = remote.push({"a": "1"}), remote.push({"a": "2"})
    repository.fetch("main")
    for _ in range(2):
        status.note(first, "Refused\n")
        status.note(second, "Healthy\n")
    assert remote.in_remote("rev-list", "--count", "refs/notes/berth") == "2"


def test_a_file_that_changed_meanwhile_is_not_overwritten(remote: Remote, repository: Repository) -> None:
    remote.push({"a": "1", "b": "1"})
    writer = BranchWriter(repository, "refs/heads/main", identity=Identity("Ada <x>", "ada@example.com"))
    repository.fetch("main")
    seen = blob_sha(b"1")
    remote.push({"a": "theirs"})
    with pytest.raises(PushRejected) as caught:
        writer.write({"a": b"ours"}, "one", expected={"a": seen})
    assert str(caught.value) == "a was changed by somebody else meanwhile (look at it and try again)"
    writer.write({"b": b"ours"}, "two", expected={"b": seen})
    assert remote.in_remote("log", "-1", "--format=%an %s", "main") == "Ada x two"
    assert remote.in_remote("show", "main:a") == "theirs"


def _history(remote: Remote, branch: str = BRANCH) -> list[str]:
    return remote.in_remote("log", "--format=%s", branch).split()


def test_a_long_history_gives_way_to_a_fresh_root(remote: Remote, repository: Repository) -> None:
    remote.push({"apps/web.yaml": "a: 1\n"})
    status = StatusBranch(repository, history_limit=4)
    for step in range(11):
        status.write({"count": b"%d" % step, f"objects/{step}": b"x"}, message=f"s{step}", trailers={"Health": "ok"})
    assert _history(remote) == ["s10", "s9", "s8"]
    assert _history(remote, BRANCH + "-previous") == ["s7", "s6", "s5", "s4"]
    snapshot = status.read()
    assert snapshot.files == {"count": b"10"} | {f"objects/{step}": b"x" for step in range(11)}
    assert snapshot.health == "ok"


def test_a_fresh_root_loses_nothing_of_a_faster_writer(
    remote: Remote, repository: Repository, other: StatusBranch
) -> None:
    status = StatusBranch(repository, history_limit=3)
    for step in range(3):
        status.write({f"ours/{step}": b"x"}, message=f"s{step}")
    other.read()
    other.write({"theirs": b"x"}, message="faster")
    status.write({"ours/3": b"x"}, message="s3")
    assert _history(remote) == ["s3", "faster", "s2", "s1", "s0"]
    status.write({"ours/4": b"x"}, message="s4")
    assert _history(remote) == ["s4"]
    assert sorted(other.read().files) == ["ours/0", "ours/1", "ours/2", "ours/3", "ours/4", "theirs"]
    other.write({"theirs": b"y"}, message="after")
    assert _history(remote) == ["after", "s4"]


def test_where_force_is_forbidden_the_history_goes_on(remote: Remote, repository: Repository) -> None:
    remote.in_remote("config", "receive.denyNonFastForwards", "true")
    status = StatusBranch(repository, history_limit=3)
    for step in range(7):
        status.write({"count": b"%d" % step}, message=f"s{step}")
    assert _history(remote) == [f"s{step}" for step in reversed(range(7))]
