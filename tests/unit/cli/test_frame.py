"""The command line's frame: verbs, options, exit codes, messages."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import click
import pytest

from objects.errors import (
    BerthError,
    DeletionHeld,
    DiskFull,
    EngineUnavailable,
    HostKeyMismatch,
    HostUnreachable,
    InChargeElsewhere,
    InvalidInput,
    NotFound,
    PushRejected,
    RevisionNotFound,
    SourceUnreachable,
    Superseded,
)
from reconciler.cli import make_group
from reconciler.cli.common.exit_codes import (
    FAILED,
    IN_CHARGE_ELSEWHERE,
    INVALID,
    MEANINGS,
    SUPERSEDED,
    UNREACHABLE,
    code_of,
)
from reconciler.cli.frame import default_options, global_options, leaves_of
from reconciler.cli.verbs import SECTIONS, VERBS
from tests.unit.cli.command_line import ROOT, berth

HEAVY = (
    "docker",
    "paramiko",
    "git",
    "numpy",
    "rich",
    "yaml",
    "msgspec",
    "apscheduler",
    "uvicorn",
    "starlette",
    "cryptography",
)


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_is_there_and_says_what_the_table_says(name: str) -> None:
    command = importlib.import_module(f"reconciler.cli.verbs.{VERBS[name].module}").command
    assert isinstance(command, click.Command)
    assert command.name == name
    assert (command.help or "").splitlines()[0] == VERBS[name].help


def test_help_lists_all_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from reconciler.cli import make_group; from reconciler.cli.frame import run_command\n"
        "code = run_command(make_group(), ['--help'])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert lines[-1] == "[]"
    words = {line.split()[0] for line in lines if line.startswith("  ")}
    assert words >= {*VERBS, *(str(code) for code, _ in MEANINGS)}
    assert [line[:-1] for line in lines if line.endswith(":") and line[:-1] in SECTIONS] == list(SECTIONS)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(("verson",), 2, "there is no command 'verson', did you mean 'version'?", id="near"),
        pytest.param(("zzzzz",), 2, "there is no command 'zzzzz'; see: berth --help", id="unknown"),
        pytest.param(("--nonsense",), 2, "--nonsense", id="option"),
        pytest.param(("diff",), 2, "no command 'diff': berth plan shows what a commit would change", id="of-kubectl"),
        pytest.param(("label", "pod", "a", "b=c"), 2, "'label': berth edit or berth patch changes", id="no-guess"),
        pytest.param(("-n", "shop", "get"), 2, "which kind?", id="namespace-before-the-verb"),
        pytest.param(("-n", "shop", "rollout", "history"), 2, "which kind?", id="namespace-before-a-group"),
        pytest.param(("-n", "shop", "version"), 2, "No such option '--namespace'", id="a-verb-without-namespaces"),
        pytest.param(("get",), 2, "which kind?", id="usage-of-a-verb"),
        pytest.param(
            ("get", "pods", "-o", "xml"), 2, "there is no output format 'xml'", id="before-anything-is-fetched"
        ),
        pytest.param(
            ("validate", "/nonexistent/folder"), 1, "error: /nonexistent/folder does not exist", id="not-found"
        ),
        pytest.param(("get", "pods", "--repo", "ext://sh -c id"), 3, "error: repository URL", id="refused-url"),
    ],
)
def test_what_goes_wrong_is_one_message(arguments: tuple[str, ...], code: int, message: str, tmp_path: Path) -> None:
    said = berth(*arguments, BERTH_CACHE_DIR=str(tmp_path))
    assert (said.code, said.out) == (code, "")
    assert message in said.err
    assert "Traceback" not in said.err


def test_verbose_shows_the_traceback_wherever_it_stands(tmp_path: Path) -> None:
    for arguments in (("-v", "validate", "/nonexistent"), ("validate", "/nonexistent", "-v")):
        said = berth(*arguments, BERTH_CACHE_DIR=str(tmp_path))
        assert "Traceback" in said.err
        assert "error: /nonexistent does not exist" in said.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(InvalidInput("x"), INVALID, id="input"),
        pytest.param(NotFound("x"), FAILED, id="not-found"),
        pytest.param(HostUnreachable("x"), UNREACHABLE, id="host"),
        pytest.param(HostKeyMismatch("x"), UNREACHABLE, id="host-key"),
        pytest.param(EngineUnavailable("x"), UNREACHABLE, id="engine"),
        pytest.param(DiskFull("x"), FAILED, id="a-host-that-answers"),
        pytest.param(SourceUnreachable("x"), UNREACHABLE, id="remote"),
        pytest.param(RevisionNotFound("x"), INVALID, id="branch"),
        pytest.param(PushRejected("x"), FAILED, id="push"),
        pytest.param(DeletionHeld("x"), INVALID, id="held"),
        pytest.param(InChargeElsewhere("x"), IN_CHARGE_ELSEWHERE, id="apply-beside-a-run"),
        pytest.param(Superseded("x"), SUPERSEDED, id="superseded"),
        pytest.param(BerthError("x"), FAILED, id="bug"),
    ],
)
def test_exit_code(error: BerthError, code: int) -> None:
    assert code_of(error) == code


def test_no_verb_shadows_a_global_option_in_another_meaning() -> None:
    shared = {name for option in global_options() for name in option.opts}
    group = make_group()
    context = click.Context(group)
    for name in VERBS:
        command = group.get_command(context, name)
        assert command is not None
        for leaf in leaves_of(command):
            names = [opt for param in leaf.params for opt in param.opts if opt in shared]
            assert sorted(names) == sorted(shared), f"{name}: each global option once"


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        pytest.param(("--branch", "a", "version", "--branch", "b"), {}, "b", id="the-last-counts"),
        pytest.param(("version",), {"BERTH_BRANCH": "c"}, "c", id="environment"),
        pytest.param(("--branch", "a", "version"), {"BERTH_BRANCH": "c"}, "a", id="option-before-environment"),
        pytest.param(("version",), {}, "main", id="default"),
    ],
)
def test_options_come_together(
    arguments: tuple[str, ...], environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BERTH_BRANCH", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    group = make_group()
    with group.make_context("berth", list(arguments)) as context:
        group.invoke(context)
        assert context.obj.branch == expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({}, True, id="terminal"),
        pytest.param({"NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param({"NO_COLOR": ""}, True, id="NO_COLOR-empty"),
        pytest.param({"TERM": "dumb"}, False, id="dumb"),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert default_options().color is expected
