"""HTTPS with a token, against a real server: who gets the token, and where it never is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sources.errors import SourceRefused
from sources.git.remotes import Access
from sources.git.repository import Repository
from sources.git.status_branch import StatusBranch
from tests.unit.sources import https_remote
from tests.unit.sources.conftest import Remote
from tests.unit.sources.https_remote import TOKEN, HttpsRemote


@pytest.fixture
def server(remote: Remote, tmp_path: Path) -> Iterator[HttpsRemote]:
    remote.in_remote("config", "http.receivepack", "true")
    with https_remote.serve(remote.path.parent, tmp_path) as served:
        yield served


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token with 'quotes'"
    path.write_text(TOKEN + "\n")
    return path


def test_a_token_from_a_file_reads_and_writes(
    remote: Remote, server: HttpsRemote, token_file: Path, tmp_path: Path
) -> None:
    sha = remote.push({"a": "1"})
    access = Access(token_file=token_file, username="bot", ca_file=server.ca_file)
    with Repository(f"{server.origin}/remote.git", tmp_path / "cache", access) as repository:
        assert repository.fetch("main").sha == sha
        written = StatusBranch(repository).write({"README.md": b"hi\n"}, message="Status")
    assert remote.in_remote("rev-parse", "refs/heads/berth/status") == written
    in_cache = [
        path for path in (tmp_path / "cache").rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]
    assert in_cache == []


def test_a_token_is_read_at_every_use(remote: Remote, server: HttpsRemote, token_file: Path, tmp_path: Path) -> None:
    sha = remote.push({"a": "1"})
    token_file.write_text("canary-old")
    access = Access(token_file=token_file, username="bot", ca_file=server.ca_file)
    with Repository(f"{server.origin}/remote.git", tmp_path / "cache", access) as repository:
        with pytest.raises(SourceRefused) as caught:
            repository.fetch("main")
        assert str(caught.value) == "127.0.0.1 refuses our token (check the token file and what the token may do)"
        token_file.write_text(TOKEN)
        assert repository.fetch("main").sha == sha


def test_without_a_token(server: HttpsRemote, tmp_path: Path) -> None:
    access = Access(ca_file=server.ca_file)
    with (
        Repository(f"{server.origin}/remote.git", tmp_path / "cache", access) as repository,
        pytest.raises(SourceRefused) as caught,
    ):
        repository.ls_remote("main")
    assert str(caught.value) == "127.0.0.1 refuses our token (check the token file and what the token may do)"


def test_an_untrusted_certificate_gets_no_request(server: HttpsRemote, token_file: Path, tmp_path: Path) -> None:
    access = Access(token_file=token_file, username="bot")
    with (
        Repository(f"{server.origin}/remote.git", tmp_path / "cache", access) as repository,
        pytest.raises(SourceRefused) as caught,
    ):
        repository.fetch("main")
    assert str(caught.value) == (
        "the TLS certificate of 127.0.0.1 is not trusted (name the file of its certification authority)"
    )
    assert server.seen == []


def test_a_redirect_is_not_followed(server: HttpsRemote, token_file: Path, tmp_path: Path) -> None:
    access = Access(token_file=token_file, username="bot", ca_file=server.ca_file)
    with (
        Repository(f"{server.origin}/moved.git", tmp_path / "cache", access) as repository,
        pytest.raises(SourceRefused) as caught,
    ):
        repository.fetch("main")
    assert str(caught.value) == (
        f"{server.origin}/moved.git redirects to another address (write the address that the repository has now)"
    )
