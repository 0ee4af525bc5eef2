"""`berth init`: the skeleton of a new GitOps repository. Overwrites nothing, commits only when asked."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import click

from hosts.ssh.keyscan import fetch_host_key
from objects.errors import InvalidInput
from reconciler.cli.common.exit_codes import INVALID
from reconciler.cli.common.skeleton import NewHost, parse_host, skeleton_files
from reconciler.cli.verbs.validate import as_lines
from sources.reading.validate import validate_path

HELP = """Make the skeleton of a new GitOps repository.

\b
berth init                                        in the current folder, hosts to be added by hand
berth init infra --host alpha=root@192.0.2.11     host keys are fetched and shown: compare them
"""


@click.command("init", help=HELP)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option("--host", "hosts", multiple=True, metavar="NAME=[USER@]ADDRESS[:PORT]", help="A Docker host. Repeatable.")
@click.option("--host-key-file", "key_file", default="~/.ssh/id_ed25519", show_default=True, help="Key for the hosts.")
@click.option("--commit", is_flag=True, help="Make it a Git repository and commit the files.")
def command(folder: Path, hosts: tuple[str, ...], key_file: str, *, commit: bool) -> int:
    named = [parse_host(text) for text in hosts]
    _check_names(named)
    keyed = []
    for host in named:
        key = fetch_host_key(host.address, host.port)
        click.echo(f"{host.name}: {key.kind} {key.fingerprint}")
        keyed.append((host, key))
    if keyed:
        click.echo("Compare with what each host says: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    write_new_files(folder, skeleton_files(keyed, key_file=key_file))
    report = validate_path(folder)
    click.echo("\n".join(as_lines(report, folder)))
    if report.errors:
        return INVALID
    if commit:
        _commit(folder)
    click.echo(_next_steps(folder, has_hosts=bool(keyed), is_committed=commit))
    return 0


def _check_names(hosts: list[NewHost]) -> None:
    names = [host.name for host in hosts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise click.UsageError(f"two hosts of one name: {', '.join(twice)}")


def write_new_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write all files or none. Raises InvalidInput when one of them is there already."""
    present = [path for path in files if (folder / path).exists()]
    if present:
        raise InvalidInput(f"{folder} already has {', '.join(present)}", hint="nothing was written")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
        click.echo(f"wrote {folder / path}")


def _commit(folder: Path) -> None:
    """With the person's own git and name: it is their repository. Raises InvalidInput with git's words."""
    steps = [["add", "--all", "."], ["commit", "--quiet", "--message", "Skeleton of the cluster, by berth init"]]
    if not (folder / ".git").exists():
        steps.insert(0, ["init", "--quiet", "--initial-branch=main"])
    for step in steps:
        done = subprocess.run(["git", *step], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise InvalidInput(f"git {step[0]}: {done.stderr.strip() or done.stdout.strip()}")


def _next_steps(folder: Path, *, has_hosts: bool, is_committed: bool) -> str:
    steps = [] if folder == Path() else [f"cd {folder}"]
    steps += [] if has_hosts else ["# describe your hosts in hosts/*.yaml, see hosts/README.md"]
    steps += [] if is_committed else ["git init -b main && git add . && git commit -m 'Our cluster'"]
    steps += ["berth plan", "berth apply        # once; or for ever: berth run"]
    return "\nNext:\n" + "\n".join(f"  {step}" for step in steps)
