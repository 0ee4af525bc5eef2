"""`berth version`."""

from __future__ import annotations

import importlib.metadata
import platform

import click

from reconciler.process.options import Options


@click.command("version", help="Print the version.")
@click.pass_obj
def command(options: Options) -> None:
    """Berth's own version; with -v those of Python and the libraries that talk to hosts, for bug reports."""
    click.echo(f"berth {berth_version()}")
    if options.verbose:
        click.echo(f"python {platform.python_version()} on {platform.platform()}")
        for name in ("docker", "paramiko", "GitPython", "msgspec", "numpy"):
            click.echo(f"{name} {importlib.metadata.version(name)}")


def berth_version() -> str:
    """The installed version; a checkout that is not installed says so."""
    try:
        return importlib.metadata.version("berth")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
