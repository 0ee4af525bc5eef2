"""What may reach git's command line, and what the environment of git looks like."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from objects.errors import InvalidInput
from sources.git.process import git_environment
from sources.git.remotes import (
    Access,
    RemoteUrl,
    Revision,
    check_branch,
    parse_revision,
    parse_url,
    ssh_command,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "ssh://git@host.example/team/repo.git",
            RemoteUrl("ssh://git@host.example/team/repo.git", "ssh", host="host.example"),
            id="ssh",
        ),
        pytest.param(
            "ssh://git@192.0.2.1:2222/srv/repo",
            RemoteUrl("ssh://git@192.0.2.1:2222/srv/repo", "ssh", host="192.0.2.1"),
            id="ssh-port",
        ),
        pytest.param("ssh://[2001:db8::1]/r", RemoteUrl("ssh://[2001:db8::1]/r", "ssh", host="[2001:db8::1]"), id="v6"),
        pytest.param(
            "git@host.example:team/repo.git",
            RemoteUrl("git@host.example:team/repo.git", "ssh", host="host.example"),
            id="scp",
        ),
        pytest.param(
            "https://host.example:8443/a/b.git",
            RemoteUrl(
                "https://host.example:8443/a/b.git", "https", host="host.example", origin="https://host.example:8443"
            ),
            id="https",
        ),
        pytest.param("/srv/git/my repo.git", RemoteUrl("/srv/git/my repo.git", "file"), id="path"),
        pytest.param("file:///srv/git/r.git", RemoteUrl("/srv/git/r.git", "file"), id="file"),
    ],
)
def test_urls_that_are_allowed(text: str, expected: RemoteUrl) -> None:
    assert parse_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ext::sh -c touch% /tmp/x", id="ext"),
        pytest.param("--upload-pack=touch /tmp/x", id="option"),
        pytest.param("ssh://-oProxyCommand=x/path", id="option-as-host"),
        pytest.param("-oProxyCommand=x@host:path", id="option-as-user"),
        pytest.param("git@host:-oProxyCommand=x", id="option-as-path"),
        pytest.param("ssh://host/path with space", id="space"),
        pytest.param("https://host/$(id)", id="shell"),
        pytest.param("http://host/repo.git", id="http"),
        pytest.param("git://host/repo.git", id="git-protocol"),
        pytest.param("relative/path", id="relative"),
        pytest.param("/srv/a\nb", id="newline"),
        pytest.param("", id="empty"),
        pytest.param("fd::17", id="fd"),
        pytest.param("host:path", id="scp-without-user"),
        pytest.param("https://user@host/repo", id="user-in-https"),
    ],
)
def test_urls_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not allowed"):
        parse_url(text)


def test_a_url_with_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_url("https://bot:canary-secret@host/repo.git")
    assert str(caught.value) == "repository URL holds a password (put the token into a file and name that file)"


@pytest.mark.parametrize(
    ("name", "is_allowed"),
    [
        pytest.param("main", True, id="main"),
        pytest.param("berth/status", True, id="slash"),
        pytest.param("release-1.2_x", True, id="punctuation"),
        pytest.param("-x", False, id="option"),
        pytest.param("a/-x", False, id="option-in-part"),
        pytest.param("a..b", False, id="range"),
        pytest.param("a@{1}", False, id="reflog"),
        pytest.param("a b", False, id="space"),
        pytest.param("a//b", False, id="empty-part"),
        pytest.param("/a", False, id="absolute"),
        pytest.param("a.lock", False, id="lock"),
        pytest.param("a.", False, id="dot"),
        pytest.param("", False, id="empty"),
        pytest.param("a\n", False, id="newline"),
        pytest.param("a:b", False, id="refspec"),
        pytest.param("a^", False, id="parent"),
    ],
)
def test_branch_names(name: str, is_allowed: bool) -> None:
    if is_allowed:
        assert check_branch(name) == name
    else:
        with pytest.raises(InvalidInput, match="is not a branch name that is accepted"):
            check_branch(name)


@pytest.mark.parametrize(
    ("text", "expected", "is_sha"),
    [
        pytest.param("main", Revision("main", ""), False, id="branch"),
        pytest.param("main~2^", Revision("main", "~2^"), False, id="steps"),
        pytest.param("0123abc", Revision("0123abc", ""), True, id="short-id"),
        pytest.param("0123abc^2~1", Revision("0123abc", "^2~1"), True, id="id-steps"),
    ],
)
def test_revisions(text: str, expected: Revision, is_sha: bool) -> None:
    assert (parse_revision(text), parse_revision(text).is_sha) == (expected, is_sha)


@pytest.mark.parametrize("text", ["main..other", "main^{/x}", "main~x", "--all", "main@{1}", ":/x", ""])
def test_revisions_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_revision(text)


def test_ssh_never_asks_and_always_checks_the_host_key() -> None:
    words = shlex.split(ssh_command(Access(ssh_key=Path("/keys/my key"), known_hosts=Path("/keys/50% known"))))
    options = {words[index + 1] for index, word in enumerate(words) if word == "-o"}
    assert words[words.index("-i") + 1] == "/keys/my key"
    assert {
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        'UserKnownHostsFile="/keys/50%% known"',
        "GlobalKnownHostsFile=/dev/null",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
    } <= options


def test_the_environment_of_git_is_closed() -> None:
    url = parse_url("https://host.example/r.git")
    access = Access(token_file=Path("/run/token"), username="bot")
    environment = git_environment(Path("/cache/r.git"), url, access)
    config = {
        environment[f"GIT_CONFIG_KEY_{index}"]: environment[f"GIT_CONFIG_VALUE_{index}"]
        for index in range(int(environment["GIT_CONFIG_COUNT"]))
    }
    inherited = {"PATH", "HOME", "SSH_AUTH_SOCK", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"}
    assert {name for name in environment if not name.startswith("GIT_CONFIG_")} - inherited == {
        "LC_ALL",
        "GIT_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_TERMINAL_PROMPT",
        "GIT_OPTIONAL_LOCKS",
        "GIT_ALLOW_PROTOCOL",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
        "BERTH_GIT_USERNAME",
        "BERTH_GIT_TOKEN_FILE",
    }
    assert environment["GIT_CONFIG_NOSYSTEM"] == "1"
    assert environment["GIT_CONFIG_GLOBAL"] == "/dev/null"
    assert environment["GIT_TERMINAL_PROMPT"] == "0"
    assert config["core.hooksPath"] == "/dev/null"
    assert config["protocol.ext.allow"] == "never"
    assert "credential.https://host.example.helper" in config
    assert "credential.helper" not in config
