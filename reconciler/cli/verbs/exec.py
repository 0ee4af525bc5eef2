"""`berth exec`: run a command inside a container, with a real terminal if wanted."""

from __future__ import annotations

import sys

import click

from hosts.docker.streams import start_exec
from hosts.observe.pod_containers import find_container
from objects.errors import EngineUnavailable, NotFound
from reconciler.cli.common.targets import find_container_name, find_pods
from reconciler.cli.common.terminal import attach
from reconciler.cli.common.viewing import live_view, namespace_option
from reconciler.process.options import Options

HELP = """Run a command inside a container.

\b
berth exec web-x7k2p -- ls /www
berth exec -it deploy/web -- sh
echo hello | berth exec -i web-x7k2p -c proxy -- cat

Ends with the exit code of the command.
"""


@click.command("exec", help=HELP)
@namespace_option
@click.option("-c", "--container", default="", help="Which container. Default: the first.")
@click.option("-i", "--stdin", "with_input", is_flag=True, help="Pass input on.")
@click.option("-t", "--tty", "wants_tty", is_flag=True, help="Give the command a terminal.")
@click.argument("pod")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND [ARG...]")
@click.pass_obj
def command(
    options: Options,
    namespace: str,
    container: str,
    pod: str,
    argv: tuple[str, ...],
    *,
    with_input: bool,
    wants_tty: bool,
) -> int:
    is_tty = wants_tty and sys.stdin.isatty()
    if wants_tty and not is_tty:
        click.echo("warning: input is not a terminal, going on without one", err=True)
    with live_view(options) as live:
        found = find_pods(live.store, (pod,), namespace)[0]
        name = find_container_name(found, container)
        docker = live.docker(found)
        target = find_container(docker, found.uid, name)
        if not target.is_running:
            raise NotFound(
                f"container {name!r} of pod {found.name} does not run", hint=f"berth describe pod {found.name}"
            )
        session = start_exec(docker, target.id, argv, tty=is_tty, with_input=with_input)
        try:
            attach(session, with_input=with_input, is_tty=is_tty)
            code = session.exit_code()
        finally:
            session.close()
    if code is None:
        raise EngineUnavailable("the connection to the command was lost; it may still run", host=docker.host)
    return code
