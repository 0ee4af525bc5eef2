"""`berth validate` and `berth init`, as a person sees them."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from hosts.ssh.target import PublicKey
from objects.errors import InvalidInput
from reconciler.cli.common.skeleton import NewHost, parse_host, skeleton_files
from reconciler.cli.verbs.init import write_new_files
from reconciler.cli.verbs.validate import as_document, as_lines
from sources.reading.validate import validate_path
from tests.unit.cli.command_line import ROOT, berth

KEY = PublicKey("ssh-ed25519", (11).to_bytes(4, "big") + b"ssh-ed25519" + (32).to_bytes(4, "big") + bytes(32))

GOOD = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: game
data: {lives: "3"}
"""
BAD = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replcas: 3
"""


def test_example_repository_is_valid() -> None:
    example = str(ROOT / "examples-repo")
    assert berth("validate", example) == (0, f"{example}: valid: 13 objects\n", "")


def test_what_cannot_be_read_at_all_is_json_too() -> None:
    code, out, _ = berth("validate", "-o", "json", "/nothing/here")
    document = json.loads(out)
    assert (code, document["valid"]) == (3, False)
    assert document["errors"][0]["message"] == "/nothing/here does not exist"


def test_mistakes_are_named_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(BAD)
    (tmp_path / "a.yaml").write_text(GOOD + "---\n" + GOOD.replace('"3"', "3"))
    report = validate_path(tmp_path)
    lines = as_lines(report, Path("here"))
    assert [line.split(": ")[:2] for line in lines] == [
        ["error", "a.yaml:11"],
        ["error", "b.yaml:6"],
        ["here", "not valid"],
    ]
    assert "did you mean 'replicas'" in lines[1]
    document = as_document(report, is_valid=False)
    assert (document["valid"], document["objects"], len(document["errors"])) == (False, [], 2)
    assert document["errors"][1]["path"] == "spec.replcas"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(GOOD, 0, id="good"),
        pytest.param(BAD, 3, id="bad"),
        pytest.param("a: [", 3, id="not-yaml"),
        pytest.param(GOOD.replace("v1", "v1beta9", 1), 3, id="version"),
    ],
)
def test_exit_codes(content: str, code: int, tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(content)
    for output in ("text", "json"):
        said = berth("validate", str(file), "-o", output)
        assert (said.code, said.err) == (code, "")
        if output == "json":
            assert json.loads(said.out)["valid"] is (code == 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("alpha=192.0.2.1", NewHost("alpha", "192.0.2.1"), id="address"),
        pytest.param(
            "a.b-c=deploy@host.example.com:2222", NewHost("a.b-c", "host.example.com", "deploy", 2222), id="all"
        ),
        pytest.param("six=root@[2001:db8::1]:22", NewHost("six", "2001:db8::1", "root", 22), id="ipv6"),
        pytest.param("alpha", None, id="no-address"),
        pytest.param("Alpha=192.0.2.1", None, id="not-a-name"),
        pytest.param("alpha=-oProxyCommand@x", None, id="user-like-an-option"),
    ],
)
def test_parse_host(text: str, expected: NewHost | None) -> None:
    if expected is None:
        with pytest.raises(click.UsageError):
            parse_host(text)
    else:
        assert parse_host(text) == expected


@pytest.mark.parametrize("hosts", [[], [("alpha=root@192.0.2.1:2222")], ["a=192.0.2.1", "b=[2001:db8::1]"]], ids=str)
def test_skeleton_is_valid(hosts: list[str], tmp_path: Path) -> None:
    files = skeleton_files([(parse_host(text), KEY) for text in hosts], key_file="~/.ssh/id_ed25519")
    write_new_files(tmp_path, files)
    report = validate_path(tmp_path)
    assert (report.errors, report.warnings) == ((), ())
    kinds = [obj.KIND for obj, _ in report.objects]
    assert kinds.count("Host") == len(hosts)
    assert {"Cluster", "Deployment"} <= set(kinds)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "berth.yaml").write_text("mine")
    with pytest.raises(InvalidInput, match=r"already has berth\.yaml"):
        write_new_files(tmp_path, skeleton_files([], key_file="k"))
    assert [path.name for path in tmp_path.iterdir()] == ["berth.yaml"]
    assert (tmp_path / "berth.yaml").read_text() == "mine"


def test_init_commits_only_when_asked(tmp_path: Path) -> None:
    identity = {f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    plain, committed = tmp_path / "plain", tmp_path / "committed"
    assert berth("init", str(plain)).code == 0
    assert not (plain / ".git").exists()
    assert berth("init", str(committed), "--commit", **identity).code == 0
    assert (committed / ".git").is_dir()
    assert berth("validate", str(committed)).code == 0
    assert berth("init", str(committed)).code == 3


def test_unreachable_host_is_said(tmp_path: Path) -> None:
    said = berth("init", str(tmp_path / "x"), "--host", "alpha=root@127.0.0.1:1")
    assert said.code == 5
    assert "cannot fetch the host key of 127.0.0.1:1" in said.err
    assert not (tmp_path / "x").exists()


def test_a_profile_that_names_what_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "berth.yaml").write_text(
        "apiVersion: berth.dev/v1alpha1\nkind: Cluster\nmetadata: {name: c}\nspec:\n  scheduling:\n    profiles:\n"
        "      - {name: packed, priorities: [{name: MostRequestd, weight: 5}]}\n      - {name: plain}\n"
    )
    code, out, _ = berth("validate", str(tmp_path))
    (warning,) = (line for line in out.splitlines() if line.startswith("warning: "))
    assert code == 0
    assert "berth.yaml:1: Cluster c: spec.scheduling.profiles: priority of profile packed 'MostRequestd'" in warning
    assert "MostRequestedPriority" in warning
    assert warning.endswith("pods of scheduler packed would wait")
    assert berth("validate", "--strict", str(tmp_path))[0] == 3
