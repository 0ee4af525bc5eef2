"""`berth run`: the daemon."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from objects.errors import InvalidInput
from reconciler.process.compose import open_session
from reconciler.process.options import Options
from reconciler.process.reconciler import Reconciler
from reconciler.process.timers import Timers
from reconciler.process.webhook import WebhookServer, build_app


@click.command("run", help="Keep the hosts as the repository says, until stopped (the daemon).")
@click.option("--webhook", metavar="ADDRESS:PORT", help="Listen for signed push webhooks, e.g. 0.0.0.0:9080.")
@click.option(
    "--webhook-secret-file",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="File with the secret that the forge signs with.",
)
@click.option("--poll", type=click.FloatRange(min=1), help="Seconds between two looks at the remote.")
@click.option("--take-over", is_flag=True, help="Take charge anew, also from marks on hosts that nobody knows.")
@click.pass_obj
def command(
    options: Options, webhook: str | None, webhook_secret_file: Path | None, poll: float | None, take_over: bool
) -> None:
    """Runs until SIGTERM or SIGINT, then writes the last status commit and ends with 0; hosts keep running.

    The newest one is in charge: an earlier one of the same cluster ends with exit code 7.
    """
    secret = _read_secret(webhook, webhook_secret_file)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    # Their own chatter at INFO (each connection, each job) would drown ours.
    for chatty in ("paramiko", "apscheduler", "uvicorn", "docker", "urllib3", "git"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    stopping = threading.Event()
    with open_session(options) as session, ExitStack() as stack:
        reconciler = Reconciler(session, "run", takes_over=take_over)

        def stop(*_: object) -> None:
            stopping.set()
            reconciler.daemon.tell()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        timers = stack.enter_context(Timers())
        if webhook:
            stack.enter_context(_serving(webhook, secret, reconciler))
        with reconciler:
            reconciler.follow(stopping, timers, poll_seconds=poll)


def _read_secret(webhook: str | None, file: Path | None) -> bytes:
    if webhook is None:
        return b""
    secret = file.read_bytes().strip() if file else b""
    if not secret:
        raise InvalidInput("a webhook needs a secret", hint="name a non-empty file with --webhook-secret-file")
    return secret


@contextmanager
def _serving(webhook: str, secret: bytes, reconciler: Reconciler) -> Iterator[None]:
    address, _, port = webhook.rpartition(":")
    if not port.isdigit():
        raise InvalidInput(f"--webhook {webhook!r} is not ADDRESS:PORT")
    app = build_app(secret=secret, wake=reconciler.source.wake, is_ready=lambda: reconciler.engine.is_started)
    server = WebhookServer(app, address=address.strip("[]") or "0.0.0.0", port=int(port))
    server.start()
    try:
        yield
    finally:
        server.stop()
