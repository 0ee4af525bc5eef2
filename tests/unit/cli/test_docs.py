"""Command lines in the documentation: their verbs and options exist."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from reconciler.cli import make_group
from tests.unit.cli.command_line import ROOT

PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "examples-repo" / "README.md"])


def command_lines(text: str) -> Iterator[list[str]]:
    """What follows `berth` at the begin of a line, after a prompt or in backquotes; comments are left out."""
    for found in re.finditer(r"(?:^|[`$] ?|^ +)berth ([a-z][^`\n|]*)", text, re.MULTILINE):
        yield re.split(r" {3}| #| > |\\", found[1])[0].replace("'", "").split()


def options_of(command: click.Command) -> set[str]:
    return {name for param in command.params for name in (*param.opts, *param.secondary_opts)}


def unknown_words(words: list[str]) -> list[str]:
    """Of one command line, what berth does not know."""
    command: click.Command = make_group()
    known = options_of(command) | {"-h", "--help"}
    rest = list(words)
    while isinstance(command, click.Group) and rest:
        inner = command.get_command(click.Context(command), rest[0])
        if inner is None:
            return [rest[0]]
        command, rest = inner, rest[1:]
    known |= options_of(command)
    rest = rest[: rest.index("--")] if "--" in rest else rest
    options = [word.partition("=")[0].rstrip(".,;:])") for word in rest if re.match(r"-{1,2}[a-z]", word)]
    return [option for option in options if option not in known and option[:2] not in known]


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_every_command_line_exists(page) -> None:
    lines = list(command_lines(page.read_text(encoding="utf-8")))
    assert [(" ".join(words), wrong) for words in lines if (wrong := unknown_words(words))] == []


def test_wrong_ones_are_noticed() -> None:
    assert unknown_words(["rollout", "undo", "web", "--to-revision=2"]) == []
    assert unknown_words(["rolout", "undo"]) == ["rolout"]
    assert unknown_words(["get", "pods", "--colour"]) == ["--colour"]
