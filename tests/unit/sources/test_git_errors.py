"""What git says on stderr, as it says it, and the one message that a person reads."""

from __future__ import annotations

import pytest

from objects.errors import RevisionNotFound, SourceError, SourceUnreachable
from sources.errors import CacheBroken, SourceHostKeyMismatch, SourceRefused
from sources.git.errors import quote_stderr, source_error
from sources.git.remotes import parse_url

SSH = "ssh://git@host.example/team/repo.git"
HTTPS = "https://host.example/team/repo.git"

_CASES = [
    pytest.param(
        SSH,
        "@@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@@@\n"
        "Host key for host.example has changed and you have requested strict checking.\n"
        "Host key verification failed.\nfatal: Could not read from remote "
        "repository.\n",
        SourceHostKeyMismatch,
        "host.example shows another SSH host key than the known_hosts file has "
        "(if the change is genuine, put the new key there)",
        id="host-key-changed",
    ),
    pytest.param(
        SSH,
        "No ED25519 host key is known for host.example and you have requested strict checking.\r\n"
        "Host key verification failed.\r\nfatal: Could not read from remote repository.",
        SourceHostKeyMismatch,
        "the SSH host key of host.example is not in the known_hosts file "
        "(add the line that ssh-keyscan prints, after comparing it)",
        id="host-key-unknown",
    ),
    pytest.param(
        SSH,
        "git@host.example: Permission denied (publickey).\r\nfatal: Could not read from remote repository.",
        SourceRefused,
        "host.example refuses our SSH key (register the public key there)",
        id="key-refused",
    ),
    pytest.param(
        SSH,
        'Load key "/keys/id": invalid format\r\ngit@host.example: Permission denied (publickey).\r\n',
        SourceRefused,
        "the SSH key for ssh://git@host.example/team/repo.git cannot be used "
        "(it must exist, be a private key, and be readable by its owner only)",
        id="key-unusable",
    ),
    pytest.param(
        SSH,
        "Warning: Identity file /keys/id not accessible: No such file or directory.\n"
        "git@host.example: Permission denied (publickey).\r\n",
        SourceRefused,
        "the SSH key for ssh://git@host.example/team/repo.git cannot be used "
        "(it must exist, be a private key, and be readable by its owner only)",
        id="key-missing",
    ),
    pytest.param(
        SSH,
        "ssh: Could not resolve hostname host.example: Name or service not known\r\nfatal: Could not read from remote",
        SourceUnreachable,
        "the name host.example does not resolve",
        id="ssh-name",
    ),
    pytest.param(
        SSH,
        "ssh: connect to host host.example port 22: Connection refused\r\nfatal: Could not read from remote",
        SourceUnreachable,
        "host.example refuses the connection",
        id="ssh-refused",
    ),
    pytest.param(
        SSH,
        "ssh: connect to host host.example port 22: Connection timed out\r\nfatal: Could not read from remote",
        SourceUnreachable,
        "host.example does not answer",
        id="ssh-silent",
    ),
    pytest.param(
        SSH,
        "ssh: connect to host host.example port 22: No route to host\r\n",
        SourceUnreachable,
        "there is no route to host.example",
        id="no-route",
    ),
    pytest.param(
        SSH,
        "fatal: '/team/repo.git' does not appear to be a git repository\nfatal: Could not read from remote repository.",
        SourceRefused,
        "there is no repository ssh://git@host.example/team/repo.git, or we may not read it",
        id="no-repository",
    ),
    pytest.param(
        HTTPS,
        "remote: Not Found\nfatal: repository 'https://host.example/team/repo.git/' not found",
        SourceRefused,
        "there is no repository https://host.example/team/repo.git, or we may not read it",
        id="https-no-repository",
    ),
    pytest.param(
        HTTPS,
        "fatal: could not read Username for 'https://host.example': terminal prompts disabled",
        SourceRefused,
        "host.example refuses our token (check the token file and what the token may do)",
        id="no-token",
    ),
    pytest.param(
        HTTPS,
        "fatal: Authentication failed for 'https://host.example/team/repo.git/'",
        SourceRefused,
        "host.example refuses our token (check the token file and what the token may do)",
        id="token-refused",
    ),
    pytest.param(
        HTTPS,
        "fatal: unable to access 'https://host.example/team/repo.git/': Could not resolve host: host.example",
        SourceUnreachable,
        "the name host.example does not resolve",
        id="https-name",
    ),
    pytest.param(
        HTTPS,
        "fatal: unable to access 'https://host.example/': server certificate verification failed. CAfile: none",
        SourceRefused,
        "the TLS certificate of host.example is not trusted (name the file of its certification authority)",
        id="certificate",
    ),
    pytest.param(
        SSH,
        "fatal: couldn't find remote ref refs/heads/main",
        RevisionNotFound,
        "the branch does not exist in ssh://git@host.example/team/repo.git",
        id="no-branch",
    ),
    pytest.param(
        "/srv/r.git",
        "fatal: detected dubious ownership in repository at '/srv/r.git'\nTo add an exception…",
        SourceRefused,
        "the repository /srv/r.git belongs to another user (run as its owner, or reach it over SSH)",
        id="owner",
    ),
    pytest.param(
        "/srv/r.git",
        "fatal: mismatched algorithms: client sha1; server sha256",
        SourceError,
        "the repository /srv/r.git uses SHA-256 object names, which are not supported",
        id="sha256",
    ),
    pytest.param(
        "/srv/r.git",
        "error: object file objects/ab/cd is empty\nfatal: loose object abcd (stored in objects/ab/cd) is corrupt",
        CacheBroken,
        "the local clone of /srv/r.git is damaged",
        id="damaged",
    ),
    pytest.param(
        "/srv/r.git",
        "fatal: write error: No space left on device",
        SourceError,
        "no space left on the reconciler's disk for the clone of /srv/r.git",
        id="disk-full",
    ),
    pytest.param(
        SSH,
        "client_loop: send disconnect: Broken pipe\r\nfatal: the remote end hung up unexpectedly\nfatal: early EOF",
        SourceUnreachable,
        "the connection to host.example broke off",
        id="broke-off",
    ),
    pytest.param(
        SSH,
        "something\x1b[31m new\n\nfrom git",
        SourceUnreachable,
        "git failed on ssh://git@host.example/team/repo.git: something [31m new / from git",
        id="unknown",
    ),
]


@pytest.mark.parametrize(("url", "stderr", "kind", "message"), _CASES)
def test_one_clear_message(url: str, stderr: str, kind: type[SourceError], message: str) -> None:
    error = source_error(stderr, parse_url(url))
    assert (type(error), str(error)) == (kind, message)


def test_quoted_words_of_git_are_bounded() -> None:
    assert quote_stderr("x" * 10_000) == "x" * 300
    assert quote_stderr("\n") == "no message"
