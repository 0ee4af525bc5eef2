"""`berth apply`: one pass of the daemon, until everything is as the commit says."""

from __future__ import annotations

import logging
import math
import time

import click

from objects.errors import InvalidInput
from objects.own.config import Host
from reconciler.cli.common.exit_codes import FAILED, NOT_CONVERGED
from reconciler.cli.common.progress import Progress, progress
from reconciler.cli.common.waiting import DURATION
from reconciler.process.compose import open_session
from reconciler.process.options import Options
from reconciler.process.reconciler import Reconciler
from reconciler.status.convergence import Convergence, assess

SETTLED_SECONDS = 0.5
"""It must look converged for so long: a container that dies at once is not a success."""


@click.command("apply", help="Make the hosts as the repository says, once, and wait until they are.")
@click.option(
    "--timeout", type=DURATION, default="5m", show_default=True, help="How long, like 90s or 5m; 0: for ever."
)
@click.option(
    "--no-status",
    is_flag=True,
    help="Write no status commit, but for who is in charge and where ordinals and claims are to be.",
)
@click.option("--take-over", is_flag=True, help="Also when another reconciler is in charge: that one ends.")
@click.pass_obj
def command(options: Options, timeout: float, no_status: bool, take_over: bool) -> int:
    """Exit code 0 when everything is healthy, 1 when something failed for good, 4 when time ran out, 6 when another
    reconciler is in charge, 7 when one took over meanwhile.
    """
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.ERROR)
    with open_session(options) as session, progress(options) as shown:
        made = Reconciler(session, "apply", takes_over=take_over, heals_all=True, is_reluctant=no_status)
        with made as reconciler:
            desired = reconciler.take_newest()
            for warning in session.commits.warnings:
                shown.note(str(warning))
            shown.note(f"commit {desired.commit[:10]}: {len(desired.objects)} objects")
            if not any(isinstance(obj, Host) for obj in desired.objects):
                raise InvalidInput(
                    f"commit {desired.commit[:10]} has no Host, so nothing can run",
                    hint="write one to hosts/NAME.yaml; berth init --host NAME=USER@ADDRESS makes it",
                )
            return _verdict(_wait(reconciler, shown, timeout), shown, timeout)


def _wait(reconciler: Reconciler, shown: Progress, timeout: float) -> Convergence:
    """Until everything is as desired, or for `timeout` seconds (0: for ever). Raises Superseded."""
    ends, good_since = time.monotonic() + (timeout or math.inf), 0.0
    while True:
        reconciler.turn(timeout_seconds=0.5)
        now, state = time.monotonic(), assess(reconciler.engine)
        shown.update(state.waiting | state.failed)
        good_since = (good_since or now) if state.is_done else 0.0
        if (good_since and now - good_since >= SETTLED_SECONDS) or now > ends:
            return state


def _verdict(state: Convergence, shown: Progress, timeout: float) -> int:
    for name, why in state.silent_hosts.items():
        shown.note(f"host {name} is not reached: {why}")
    for subject, why in state.resting.items():
        shown.note(f"{subject}: {why}")
    if state.is_done:
        shown.note("everything is as desired" + (", as far as its canaries go now" if state.resting else ""))
        return 0
    for subject, why in (state.failed | state.waiting).items():
        shown.note(f"{subject}: {why}")
    shown.note(f"not as desired after {timeout:.0f} s")
    return NOT_CONVERGED if state.waiting else FAILED
