"""The commands `up`, `status`, `down`, `purge` and `engines`, for `python -m tests.lab` and for `berth lab`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import click
from rich.console import Console

from tests.lab.engines import ensure_layer
from tests.lab.errors import LabError
from tests.lab.hostspec import MIXED_ENGINES, mixed_hosts
from tests.lab.lab import Lab, take_down
from tests.lab.names import DEFAULT_LAB, is_worker_lab
from tests.lab.state import lab_names

Result = TypeVar("Result")

_NAME = click.option("--name", default=DEFAULT_LAB, show_default=True, help="Which lab; several can run at once.")


@click.group(name="lab")
def lab() -> None:
    """Real Docker hosts, a Git remote and a registry on this machine (root only)."""


@lab.command()
@_NAME
@click.option("--hosts", default=3, show_default=True, type=click.IntRange(1, 20), help="How many hosts.")
@click.option("--mixed", is_flag=True, help="Engines 28, 20.10 and 26 in turn, as in tests; else the machine's.")
def up(name: str, hosts: int, *, mixed: bool) -> None:
    """Bring the lab up, or make what is missing of it."""
    console = Console()
    started = time.monotonic()
    with console.status(f"lab {name}: starting") as spinner:

        def report(line: str) -> None:
            console.print(line, highlight=False)
            spinner.update(f"lab {name}: {line}")

        running = _explained(lambda: Lab.up(name, mixed_hosts(hosts) if mixed else hosts, report=report))
    console.print(f"lab {name!r} is up after {time.monotonic() - started:.1f} s", highlight=False)
    running.names.made_by_tests.unlink(missing_ok=True)
    running.close()
    _print_status(console, running)


@lab.command()
@_NAME
def status(name: str) -> None:
    """Show the hosts and how to reach them. Exit code 1 if the lab is not up or a host is not."""
    running = _explained(lambda: Lab.attach(name))
    _print_status(Console(), running)
    if not all(host.is_up() for host in running.machines.values()):
        raise click.exceptions.Exit(1)


@lab.command()
@_NAME
@click.option("--purge", is_flag=True, help="Remove keys and the engines' images as well.")
def down(name: str, *, purge: bool) -> None:
    """End the lab and remove what it made."""
    _end(name, purge=purge)


@lab.command()
@click.argument("versions", nargs=-1)
def engines(versions: tuple[str, ...]) -> None:
    """Fetch the Docker Engines of a mixed lab, those that this machine has not got yet (or only these VERSIONS)."""
    for engine in versions or MIXED_ENGINES:
        layer = _explained(lambda engine=engine: ensure_layer(engine, _to_stderr))
        click.echo(f"engine {engine}: {layer or 'the one of this machine'}")


@lab.command()
@_NAME
def purge(name: str) -> None:
    """Same as `down --purge`, also for the labs that the workers of a parallel test run made under this name."""
    for each in [name, *(other for other in lab_names() if is_worker_lab(other, name))]:
        _end(each, purge=True)


def _to_stderr(line: str) -> None:
    click.echo(line, err=True)


def _end(name: str, *, purge: bool) -> None:
    _explained(lambda: take_down(name, purge=purge, report=click.echo))


def _explained(action: Callable[[], Result]) -> Result:
    try:
        return action()
    except LabError as error:
        raise click.ClickException(str(error)) from error


def _print_status(console: Console, running: Lab) -> None:
    for host in running.machines.values():
        state = "up" if host.is_up() else "DOWN"
        console.print(f"{host.name:<12} {state:<5} {' '.join(host.ssh_argv())}", highlight=False, soft_wrap=True)
    console.print(f"git          {running.git.url('NAME')}", highlight=False, soft_wrap=True)
    credentials = f"user {running.registry.user}, password {running.registry.password}"
    console.print(f"registry     {running.registry.address} ({credentials})", highlight=False, soft_wrap=True)
