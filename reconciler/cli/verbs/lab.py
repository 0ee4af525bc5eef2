"""`berth lab`: the lab of real hosts that tests and demo use. It is part of the checkout, not of an installed Berth."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from objects.errors import NotFound


def _find_checkout() -> Path:
    """The checkout that this Berth runs from. Raises NotFound."""
    root = Path(__file__).resolve().parents[3]
    if not (root / "tests" / "lab" / "__main__.py").is_file():
        raise NotFound("the lab is not part of an installed Berth", hint="use a checkout of the repository: make lab")
    return root


def _run(verb: str, *arguments: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "tests.lab", verb, *arguments], cwd=_find_checkout(), check=False
    ).returncode


@click.group("lab", help="A lab of real hosts on this machine: up, status, down.")
def command() -> None:
    """Docker hosts in namespaces of this machine, a Git remote and a registry; needs root. See docs/lab.md."""


_NAME = click.option("--name", default="berth", show_default=True, help="Which lab; several can run at once.")


@command.command()
@_NAME
@click.option("--hosts", type=click.IntRange(1, 20), default=3, show_default=True, help="How many Docker hosts.")
def up(name: str, hosts: int) -> int:
    """Bring the lab up, or make what is missing of it."""
    return _run("up", "--name", name, "--hosts", str(hosts))


@command.command()
@_NAME
def status(name: str) -> int:
    """Show the hosts and how to reach them."""
    return _run("status", "--name", name)


@command.command()
@_NAME
@click.option("--purge", is_flag=True, help="Remove keys and images as well.")
def down(name: str, *, purge: bool) -> int:
    """End the lab and remove what it made."""
    return _run("down", "--name", name, *(["--purge"] if purge else []))
