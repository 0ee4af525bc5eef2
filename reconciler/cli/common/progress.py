"""Progress of long commands: a few living lines on a terminal, plain lines anywhere else (a pipe, CI)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import click

from reconciler.process.options import Options

SHOWN_LINES = 12
"""What is waited for, at most, under the spinner: it must fit on a small terminal."""


class Progress(Protocol):
    """note: a line that stays. update: what is waited for now, as subject → why; replaces what was given before."""

    def note(self, line: str) -> None: ...

    def update(self, waiting: Mapping[str, str]) -> None: ...


class PlainProgress:
    """Says each reason once, when it appears or changes."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def note(self, line: str) -> None:
        click.echo(line)

    def update(self, waiting: Mapping[str, str]) -> None:
        for subject, why in waiting.items():
            if self._said.get(subject) != why:
                click.echo(f"{subject}: {why}")
        self._said = dict(waiting)


def shown_lines(waiting: Mapping[str, str], *, most: int = SHOWN_LINES) -> list[str]:
    """The lines under the spinner; how many more there are is the last one."""
    lines = [f"{subject}: {why}" for subject, why in waiting.items()]
    return lines if len(lines) <= most else [*lines[: most - 1], f"… and {len(lines) - most + 1} more"]


@contextmanager
def progress(options: Options) -> Iterator[Progress]:
    """Progress for the length of the block; on a terminal without colours it is plain, too."""
    if not options.color:
        yield PlainProgress()
        return
    # rich costs 50 ms to import: only where somebody sees it.
    from rich.console import Console, Group
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    console = Console(highlight=False)

    class LiveProgress:
        def note(self, line: str) -> None:
            console.print(line, markup=False, soft_wrap=True)

        def update(self, waiting: Mapping[str, str]) -> None:
            lines = [Text(f"  {line}", style="dim", overflow="ellipsis", no_wrap=True) for line in shown_lines(waiting)]
            title = f"waiting for {len(waiting)}" if waiting else "looking whether it stays so"
            live.update(Group(Spinner("dots", title), *lines))

    with Live(Spinner("dots", "starting"), console=console, transient=True, refresh_per_second=8) as live:
        yield LiveProgress()
