"""A repository against real remotes: what is read, and what is said when it cannot be."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from objects.errors import InvalidInput, RevisionNotFound, SourceError, SourceUnreachable
from sources.errors import BranchVanished, CacheBroken, EmptyRepository, SourceRefused
from sources.git.branch_writer import BranchWriter
from sources.git.process import GitProcess
from sources.git.repository import Repository
from sources.git.revisions import Commit, Tree, TreeEntry
from tests.unit.sources.conftest import Remote


def test_a_commit_its_tree_and_its_blobs(remote: Remote, repository: Repository) -> None:
    sha = remote.push({"apps/web/a.yaml": "a: 1\n", "README.md": "hi\n"}, message="One\n\nBody\n\nBerth-X: y")
    commit = repository.fetch("main")
    tree = repository.read_tree(sha)
    assert commit == Commit(
        sha=sha,
        tree_sha=remote.git("rev-parse", "HEAD^{tree}"),
        author="Ada",
        author_email="ada@example.com",
        time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        message="One\n\nBody\n\nBerth-X: y\n",
        trailers=(("Berth-X", "y"),),
    )
    assert (commit.subject, commit.trailer("berth-x")) == ("One", ("y",))
    assert tree == Tree(
        commit.tree_sha,
        {
            "README.md": TreeEntry(0o100644, remote.git("rev-parse", "HEAD:README.md"), 3),
            "apps/web/a.yaml": TreeEntry(0o100644, remote.git("rev-parse", "HEAD:apps/web/a.yaml"), 5),
        },
        {"apps": remote.git("rev-parse", "HEAD:apps"), "apps/web": remote.git("rev-parse", "HEAD:apps/web")},
    )
    assert repository.read_blob(tree.entries["apps/web/a.yaml"].sha) == b"a: 1\n"


def test_a_tree_read_from_the_one_before_is_the_same_as_listed(
    remote: Remote, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever changes: files come, go, become folders, programs, links; names that nobody can write."""
    remote.push({"b/x/1": "1", "b/x/2": "2", "b.c": "3", "z": "4"})
    repository.fetch("main")
    repository.read_tree(remote.git("rev-parse", "HEAD"))
    listed: list[Commit] = []
    real = Repository._list_tree
    monkeypatch.setattr(Repository, "_list_tree", lambda self, commit: listed.append(commit) or real(self, commit))

    def changed(name: str) -> bool:
        """Whether the next tree is the one that a fresh clone lists, and was not listed here."""
        sha = remote.push(message=name)
        repository.fetch("main")
        listed.clear()
        mine, followed = repository.read_tree(sha), not listed
        with Repository(remote.url, tmp_path / name.replace(" ", "-")) as fresh:
            fresh.fetch("main")
            whole = fresh.read_tree(sha)
        assert (mine, [*mine.entries], [*mine.folders]) == (whole, [*whole.entries], [*whole.folders])
        return followed

    remote.write({"b/x/1": "other", "a": "new", "b/y/é": "new"})
    assert changed("some files")
    (remote.work / "b/x/2").unlink()
    (remote.work / "z").unlink()
    remote.write({"z/deep/er": "5"})
    assert changed("a file becomes a folder")
    shutil.rmtree(remote.work / "z")
    shutil.rmtree(remote.work / "b")
    remote.write({"b": "6"})
    assert changed("folders become a file and nothing")
    (remote.work / "b.c").chmod(0o755)
    (remote.work / "link").symlink_to("b")
    assert changed("a program and a link")
    assert changed("nothing")
    remote.write({"tab\there": "7"})
    assert not changed("a name that cannot be shown")
    remote.write({f"many/{number}": str(number) for number in range(300)})
    assert not changed("more than is worth following")


def test_many_blobs_at_once(remote: Remote, repository: Repository) -> None:
    contents = {"a": b"", "b": b"one\n\n", "c": bytes(range(256)) * 500, "d": b"f" * 40 + b" blob 3\nxyz\n"}
    sha = remote.push(contents)
    repository.fetch("main")
    entries = repository.read_tree(sha).entries
    blobs = repository.read_blobs([entry.sha for entry in entries.values()])
    assert {path: blobs[entry.sha] for path, entry in entries.items()} == contents
    assert repository.read_blobs([]) == {}
    for missing in ("0" * 40, repository.read_tree(sha).sha):
        with pytest.raises(CacheBroken, match=f"object {missing[:10]} cannot be read"):
            repository.read_blobs([entries["a"].sha, missing])


def test_a_folders_hash_changes_only_with_what_is_in_it(remote: Remote, repository: Repository) -> None:
    first = remote.push({"apps/web/a.yaml": "a: 1\n"})
    second = remote.push({"README.md": "hi\n"})
    third = remote.push({"apps/web/a.yaml": "a: 2\n"})
    repository.fetch("main")
    hashes = [repository.tree_hash(sha, "apps/web") for sha in (first, second, third)]
    assert (hashes[0] == hashes[1], hashes[1] == hashes[2]) == (True, False)
    with pytest.raises(RevisionNotFound) as caught:
        repository.tree_hash(first, "apps/wbe")
    assert str(caught.value) == f"commit {first[:10]} has no folder 'apps/wbe'"


def test_the_poll_sees_a_push_and_the_next_fetch_brings_it(remote: Remote, repository: Repository) -> None:
    first = remote.push({"a": "1"})
    assert (repository.ls_remote("main"), repository.fetch("main").sha) == (first, first)
    second = remote.push({"a": "2"})
    assert (repository.ls_remote("main"), repository.fetch("main").sha) == (second, second)


def test_a_branch_beside_is_brought_along_if_it_is_there(remote: Remote, repository: Repository) -> None:
    first = remote.push({"a": "1"})
    assert repository.fetch("main", optional="berth/status").sha == first
    second = remote.push({"a": "2"}, branch="berth/status")
    assert repository.fetch("main", optional="berth/status").sha == first
    assert repository.resolve("berth/status") == second


def test_revisions_log_and_ancestry(remote: Remote, repository: Repository) -> None:
    first = remote.push({"web": "1"}, message="first")
    second = remote.push({"db": "1"}, message="second\n\nBerth-Confirm-Delete: 3")
    third = remote.push({"web": "2"}, message="third\n\nX: 1")
    repository.fetch("main")
    assert [repository.resolve(text) for text in ("main", "main~1", "main^^", first[:8], f"{third[:10]}~2")] == [
        third,
        second,
        first,
        first,
        first,
    ]
    assert [commit.subject for commit in repository.log("web", revision=third)] == ["third", "first"]
    assert (repository.is_ancestor(first, third), repository.is_ancestor(third, first)) == (True, False)
    assert repository.trailers(first, third) == (("X", "1"), ("Berth-Confirm-Delete", "3"))
    assert repository.trailers("", third) == (("X", "1"),)
    assert repository.trailers("0" * 40, third) == (("X", "1"),)
    with pytest.raises(RevisionNotFound, match="revision 'other' is not in"):
        repository.resolve("other")


def test_revisions_are_fetched(remote: Remote, repository: Repository) -> None:
    """Branches, tags and what lies before them, of a remote from which nothing was fetched yet but `main`."""
    first = remote.push({"a": "1"})
    remote.git("tag", "v1")
    second = remote.push({"a": "2"})
    remote.git("tag", "--annotate", "--message", "the second", "v2")
    third = remote.push({"a": "3"})
    remote.git("push", "--quiet", "origin", "v1", "v2", "main:side")
    repository.fetch("main")
    wanted = {"HEAD": third, "HEAD~1": second, "v1": first, "v2": second, "v2~1": first, "side~2": first}
    wanted[first[:9]] = first
    found = {revision: repository.fetch_revision(revision, head="main") for revision in wanted}
    assert found == wanted
    with pytest.raises(RevisionNotFound, match="has no branch 'nosuch'") as refused:
        repository.fetch_revision("nosuch~1", head="main")
    assert "it has main, side" in refused.value.hint


def test_a_force_push_is_followed_and_seen(remote: Remote, repository: Repository) -> None:
    old = remote.push({"a": "1"})
    repository.fetch("main")
    remote.git("commit", "--quiet", "--amend", "-m", "rewritten")
    remote.git("push", "--quiet", "--force", "origin", "HEAD:refs/heads/main")
    new = repository.fetch("main").sha
    assert new == remote.git("rev-parse", "HEAD")
    assert (repository.is_ancestor(old, new), repository.is_ancestor("0" * 40, new)) == (False, False)


def test_an_empty_repository_is_not_an_empty_wish(remote: Remote, repository: Repository) -> None:
    for ask in (repository.fetch, repository.ls_remote):
        with pytest.raises(EmptyRepository) as caught:
            ask("main")
        assert str(caught.value) == f"{remote.url} has no commit yet (push the branch 'main')"


def test_a_branch_that_never_was_and_one_that_is_gone(remote: Remote, repository: Repository) -> None:
    remote.push({"a": "1"})
    remote.push({"a": "2"}, branch="live")
    for ask in (repository.fetch, repository.ls_remote):
        with pytest.raises(RevisionNotFound) as caught:
            ask("prod")
        assert (type(caught.value), str(caught.value)) == (
            RevisionNotFound,
            f"{remote.url} has no branch 'prod' (it has live, main)",
        )
    repository.fetch("live")
    remote.in_remote("update-ref", "-d", "refs/heads/live")
    for ask in (repository.fetch, repository.ls_remote):
        with pytest.raises(BranchVanished) as gone:
            ask("live")
        assert str(gone.value) == f"branch 'live' is gone from {remote.url} (it has main)"


def test_a_remote_that_is_gone_and_comes_back(remote: Remote, repository: Repository) -> None:
    sha = remote.push({"a": "1"})
    repository.fetch("main")
    away = remote.path.rename(remote.path.with_name("away.git"))
    for ask in (repository.fetch, repository.ls_remote):
        with pytest.raises(SourceRefused) as caught:
            ask("main")
        assert str(caught.value) == f"there is no repository {remote.url}, or we may not read it"
    assert repository.read_tree(sha).entries["a"].size_bytes == 1
    away.rename(remote.path)
    assert repository.fetch("main").sha == sha


def test_a_clone_that_was_damaged_is_made_again(remote: Remote, repository: Repository) -> None:
    sha = remote.push({"a": "1"})
    repository.fetch("main")
    blob = repository.read_tree(sha).entries["a"].sha
    repository.close()
    for path in (repository.git_dir / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(b"")
    with pytest.raises(CacheBroken):
        repository.read_blob(blob)
    assert repository.fetch("main").sha == sha
    assert repository.read_blob(blob) == b"1"


@pytest.mark.parametrize("name", ["refs/remotes/origin/main.lock", "packed-refs.lock", "HEAD.lock", "config.lock"])
def test_locks_that_a_killed_git_left_are_no_obstacle(remote: Remote, repository: Repository, name: str) -> None:
    remote.push({"a": "1"})
    repository.fetch("main")
    (repository.git_dir / name).write_text("")
    second = remote.push({"a": "2"})
    assert repository.fetch("main").sha == second


def test_no_hook_runs_and_no_surrounding_git_variable_counts(
    remote: Remote, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "objects"))
    first = remote.push({"a": "1"})
    repository.fetch("main")
    hooks = repository.git_dir / "hooks"
    hooks.mkdir(exist_ok=True)
    ran = tmp_path / "ran"
    for name in ("reference-transaction", "post-update", "pre-push"):
        hook = hooks / name
        hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
        hook.chmod(0o755)
    remote.push({"a": "2"})
    assert repository.fetch("main").parents == (first,)
    assert repository.read_blob(repository.read_tree(first).entries["a"].sha) == b"1"
    assert not ran.exists()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A TCP port that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_silent_server_meets_the_deadline(silent_port: int, tmp_path: Path) -> None:
    url = f"ssh://git@127.0.0.1:{silent_port}/repo.git"
    with Repository(url, tmp_path / "cache", stall_seconds=0.5) as repository:
        with pytest.raises(SourceUnreachable) as caught:
            repository.fetch("main")
        assert str(caught.value) == "git fetch did not get on for 0.5 s"
        # The lock of the clone went with the process group: nothing of the hanging fetch is left.
        with pytest.raises(SourceUnreachable, match="git fetch did not get on"):
            repository.fetch("main")


def test_a_refused_connection(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Repository(f"ssh://git@127.0.0.1:{port}/repo.git", tmp_path / "cache") as repository:
        with pytest.raises(SourceUnreachable) as caught:
            repository.ls_remote("main")
        assert str(caught.value) == "127.0.0.1 refuses the connection"


def test_two_processes_and_many_threads_share_a_clone(remote: Remote, tmp_path: Path) -> None:
    sha = remote.push({"a": "1"})
    found: list[str] = []
    with Repository(remote.url, tmp_path / "cache") as first, Repository(remote.url, tmp_path / "cache") as second:

        def fetch(repository: Repository) -> None:
            for _ in range(3):
                commit = repository.fetch("main")
                found.append(repository.read_blob(repository.read_tree(commit.sha).entries["a"].sha).decode())

        threads = [threading.Thread(target=fetch, args=(each,)) for each in (first, second, first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert found == ["1"] * 12
    assert first.git_dir == second.git_dir
    assert sha == first.known_tip("refs/remotes/origin/main")


def test_objects_that_are_too_large_or_not_there(remote: Remote, repository: Repository) -> None:
    sha = remote.push({"a": "12345"})
    repository.fetch("main")
    tree = repository.read_tree(sha)
    with pytest.raises(SourceError, match="is larger than 4 bytes"):
        repository.read_blob(tree.entries["a"].sha, limit_bytes=4)
    with pytest.raises(SourceError, match="is a tree and not a file"):
        repository.read_blob(tree.sha)
    with pytest.raises(RevisionNotFound, match="commit 0000000000 is not in the repository"):
        repository.read_commit("0" * 40)
    with pytest.raises(InvalidInput, match="'--all' is not a commit id"):
        repository.read_commit("--all")


def test_a_cache_that_cannot_be_written(remote: Remote, tmp_path: Path) -> None:
    remote.push({"a": "1"})
    (tmp_path / "file").write_text("")
    with Repository(remote.url, tmp_path / "file") as repository, pytest.raises(SourceError) as caught:
        repository.fetch("main")
    assert str(caught.value) == f"the clone {repository.git_dir} cannot be written: File exists"


def test_two_branches_of_one_moment(remote: Remote, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[int] = []
    fetch = repository._fetch
    monkeypatch.setattr(repository, "_fetch", lambda *a, **k: (fetched.append(1), fetch(*a, **k)))
    first, status = remote.push({"a": "1"}), BranchWriter(repository, "refs/heads/berth/status")
    with repository.fetched_once("main", optional="berth/status"):
        assert (repository.fetch("main").sha, status.fetch()) == (first, "")
    told = remote.push({"s": "1"}, branch="berth/status")
    with (
        repository.fetched_once("main", optional="berth/status"),
        repository.fetched_once("main", optional="berth/status"),
    ):
        later = remote.push({"a": "2"})
        assert (repository.fetch("main").sha, status.fetch()) == (first, told)
    fetched.clear()
    with repository.fetched_once("main", optional="berth/status"):
        assert (repository.fetch("main").sha, status.fetch()) == (later, told)
    assert len(fetched) == 1
    remote.git("push", "--quiet", "origin", ":berth/status")
    with repository.fetched_once("main", optional="berth/status"):
        assert status.fetch() == ""


def test_of_a_branch_beside_only_the_newest_state_comes_and_no_namesake(remote: Remote, repository: Repository) -> None:
    for step in range(5):
        told = remote.push({"s": str(step)}, branch="berth/status")
    remote.git("push", "--quiet", "origin", "HEAD~2:refs/heads/berth/status-backup")
    remote.git("checkout", "--quiet", "--orphan", "own")
    commits = [remote.push({"a": str(step)}) for step in range(3)]
    repository.fetch("main", optional="berth/status")
    assert repository.history_length(told, limit=100) == 1
    assert repository.history_length(commits[-1], limit=100) == 3
    assert repository.known_tip("refs/remotes/origin/berth/status-backup") == ""
    writer = BranchWriter(repository, "refs/heads/berth/status")
    made = writer.write({"s": b"ours"}, "on top")
    assert remote.in_remote("rev-parse", "berth/status", "berth/status~1").split() == [made, told]


def test_a_checkout_without_history_as_the_remote(remote: Remote, tmp_path: Path) -> None:
    remote.push({"a": "1"})
    newest = remote.push({"a": "2"})
    shallow = tmp_path / "shallow"
    remote.git("clone", "--quiet", "--depth=1", f"file://{remote.path}", str(shallow))
    with Repository(str(shallow), tmp_path / "cache") as repository:
        assert repository.fetch("main", optional="berth/status").sha == newest
        assert [commit.sha for commit in repository.log("a", revision=newest)] == [newest]


def test_what_a_killed_fetch_left_is_removed(remote: Remote, tmp_path: Path) -> None:
    remote.push({"a": "1"})
    with Repository(remote.url, tmp_path / "cache") as repository:
        repository.fetch("main")
        left = [repository.git_dir / "objects" / name for name in ("pack/tmp_pack_x1", "ab/tmp_obj_x2")]
        for path in left:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"half")
        packs = set((repository.git_dir / "objects/pack").glob("pack-*"))
    with Repository(remote.url, tmp_path / "cache") as repository:
        repository.fetch("main")
        assert [path.exists() for path in left] == [False, False]
        assert set((repository.git_dir / "objects/pack").glob("pack-*")) == packs


@pytest.mark.parametrize(
    ("script", "deadline_seconds", "stall_seconds", "outcome"),
    [
        pytest.param(
            "for i in 1 2 3 4 5; do echo $i >&2; sleep 0.5; done; echo out", 60, 2, "out\n", id="slow, and it gets on"
        ),
        pytest.param("echo 1 >&2; sleep 60", 60, 1, "git slow did not get on for 1 s", id="silent"),
        pytest.param("while sleep 0.1; do echo 1 >&2; done", 1, 60, "git slow did not finish in 1 s", id="for ever"),
    ],
)
def test_a_transfer_may_take_long_while_it_gets_on(
    script: str, deadline_seconds: float, stall_seconds: float, outcome: str, tmp_path: Path
) -> None:
    (tmp_path / "slow.sh").write_text(script)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    git = GitProcess(tmp_path / "x.git", environment)
    arguments = ["-c", f"alias.slow=!sh {tmp_path}/slow.sh", "slow"]
    try:
        said = git.run(arguments, deadline_seconds=deadline_seconds, stall_seconds=stall_seconds).stdout.decode()
    except SourceUnreachable as error:
        said = str(error).replace("git -c", "git slow")
    assert said == outcome


def test_a_moment_of_a_branch_that_is_not_there(remote: Remote, repository: Repository) -> None:
    with pytest.raises(EmptyRepository), repository.fetched_once("main", optional="berth/status"):
        pass
    remote.push({"a": "1"})
    with pytest.raises(RevisionNotFound, match="it has main"), repository.fetched_once("prod", optional="berth/status"):
        pass
