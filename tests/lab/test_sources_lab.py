"""The Git remote over real SSH: keys, host keys, a remote that goes away, and pushes that race."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from objects.errors import SourceUnreachable
from sources.errors import EmptyRepository, SourceHostKeyMismatch, SourceRefused
from sources.git.remotes import Access
from sources.git.repository import Repository
from sources.git.status_branch import StatusBranch
from tests.lab.errors import LabError
from tests.lab.gitserver import Clone
from tests.lab.lab import Lab

NAME = "sources"


@pytest.fixture
def access(lab: Lab, tmp_path: Path) -> Access:
    known_hosts = tmp_path / "known hosts"
    known_hosts.write_text(lab.git.known_hosts_line() + "\n")
    return Access(ssh_key=lab.git.host.key_path, known_hosts=known_hosts)


@pytest.fixture
def repository(lab: Lab, access: Access, tmp_path: Path) -> Iterator[Repository]:
    url = lab.git.create(NAME)
    with Repository(url, tmp_path / "cache", access, stall_seconds=15) as opened:
        yield opened


@pytest.fixture
def person(lab: Lab, repository: Repository, tmp_path: Path) -> Clone:
    return lab.git.clone(NAME, tmp_path / "person")


def test_an_empty_repository_then_a_push(lab: Lab, repository: Repository, person: Clone) -> None:
    with pytest.raises(EmptyRepository):
        repository.fetch("main")
    sha = person.commit_and_push("first", {"apps/web.yaml": "a: 1\n"})
    assert (repository.ls_remote("main"), repository.fetch("main").sha) == (sha, sha)
    assert repository.read_blob(repository.read_tree(sha).entries["apps/web.yaml"].sha) == b"a: 1\n"


def test_a_host_key_that_changed_and_is_put_right(lab: Lab, repository: Repository, person: Clone) -> None:
    sha = person.commit_and_push("first", {"a": "1"})
    address = lab.git.host.address
    lab.git.host.change_host_key()
    try:
        for ask in (repository.fetch, repository.ls_remote):
            with pytest.raises(SourceHostKeyMismatch) as caught:
                ask("main")
            assert str(caught.value) == (
                f"{address} shows another SSH host key than the known_hosts file has "
                "(if the change is genuine, put the new key there)"
            )
    finally:
        lab.git.host.restore_host_key()
    assert repository.fetch("main").sha == sha


def test_a_server_that_is_not_in_known_hosts(lab: Lab, repository: Repository, access: Access, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("")
    stranger = access._replace(known_hosts=empty)
    with (
        Repository(repository.url.text, tmp_path / "other", stranger) as unknown,
        pytest.raises(SourceHostKeyMismatch) as caught,
    ):
        unknown.ls_remote("main")
    assert str(caught.value) == (
        f"the SSH host key of {lab.git.host.address} is not in the known_hosts file "
        "(add the line that ssh-keyscan prints, after comparing it)"
    )


def test_a_key_that_is_refused_and_one_that_is_missing(
    lab: Lab, repository: Repository, access: Access, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(wrong)], check=True, timeout=30)
    expected = {
        wrong: f"{lab.git.host.address} refuses our SSH key (register the public key there)",
        tmp_path / "missing": (
            f"the SSH key for {repository.url.text} cannot be used "
            "(it must exist, be a private key, and be readable by its owner only)"
        ),
    }
    for key, message in expected.items():
        other = Repository(repository.url.text, tmp_path / "other", access._replace(ssh_key=key))
        with other, pytest.raises(SourceRefused) as caught:
            other.ls_remote("main")
        assert str(caught.value) == message


def test_a_repository_that_is_not_there(lab: Lab, repository: Repository, access: Access, tmp_path: Path) -> None:
    url = lab.git.url("nowhere")
    with Repository(url, tmp_path / "other", access) as missing, pytest.raises(SourceRefused) as caught:
        missing.fetch("main")
    assert str(caught.value) == f"there is no repository {url}, or we may not read it"


def test_a_remote_that_is_cut_off_and_comes_back(lab: Lab, repository: Repository, person: Clone) -> None:
    first = person.commit_and_push("first", {"a": "1"})
    status = StatusBranch(repository)
    repository.fetch("main")
    lab.git.host.cut()
    try:
        with pytest.raises(SourceUnreachable):
            repository.ls_remote("main")
        with pytest.raises(SourceUnreachable):
            status.write({"README.md": b"kept\n"}, message="Status")
        assert repository.read_tree(first).entries["a"].size_bytes == 1
    finally:
        lab.git.host.restore()
    second = person.commit_and_push("second", {"a": "2"})
    assert repository.fetch("main").sha == second
    status.write({"b": b"1"}, message="Status")
    assert status.read().files == {"README.md": b"kept\n", "b": b"1"}


def test_an_sshd_that_is_killed(lab: Lab, repository: Repository, person: Clone) -> None:
    sha = person.commit_and_push("first", {"a": "1"})
    lab.git.host.kill_sshd()
    try:
        with pytest.raises(SourceUnreachable) as caught:
            repository.fetch("main")
        assert str(caught.value) == f"{lab.git.host.address} refuses the connection"
    finally:
        lab.git.host.start_sshd()
    assert repository.fetch("main").sha == sha


def test_status_pushes_race_with_a_person_on_both_branches(lab: Lab, repository: Repository, person: Clone) -> None:
    person.commit_and_push("first", {"a": "0"})
    status = StatusBranch(repository)
    status.write({"README.md": b"0\n"}, message="Status")
    person.git("fetch", "--quiet", "origin")
    editor = threading.Thread(target=_push_often, args=(person,))
    editor.start()
    for number in range(5):
        status.write({f"objects/{number}": b"x\n"}, message="Status")
    editor.join(120)
    status.write({"README.md": b"end\n"}, message="Status")
    files = status.read().files
    assert sorted(files) == ["README.md", *(f"objects/{number}" for number in range(5)), "person.md"]
    assert files["README.md"] == b"end\n"
    assert repository.fetch("main").subject == "change 4"


def _push_often(person: Clone) -> None:
    """A person who pushes to the desired branch, and also, once it works, to the status branch."""
    for number in range(5):
        person.commit_and_push(f"change {number}", {"a": str(number + 1)})
    person.git("checkout", "--quiet", "-B", "notes", "origin/berth/status")
    person.commit("mine", {"person.md": "hello\n"})
    for _ in range(20):
        person.git("pull", "--quiet", "--rebase", "origin", "berth/status")
        try:
            person.push(branch="berth/status")
        except LabError as error:
            if "rejected" not in str(error) and "failed to push" not in str(error):
                raise
        else:
            return
