"""`berth apply`: one pass of the daemon, until everything is as the commit says."""

from __future__ import annotations

import logging
import time

import click

from reconciler.cli.exit_codes import FAILED, NOT_CONVERGED
from reconciler.cli.progress import Progress, progress
from reconciler.compose import open_session
from reconciler.convergence import Convergence, assess
from reconciler.options import Options
from reconciler.status_loop import StatusLoop

SETTLED_SECONDS = 0.5
"""It must look converged for so long: a container that dies at once is not a success."""


@click.command("apply", help="Make the hosts as the repository says, once, and wait until they are.")
@click.option("--timeout", type=click.FloatRange(min=1), default=300, show_default=True, help="Seconds to wait.")
@click.option("--no-status", is_flag=True, help="Write no status commit.")
@click.pass_obj
def command(options: Options, timeout: float, no_status: bool) -> int:
    """Exit code 0 when everything is healthy, 1 when something failed for good, 4 when time ran out."""
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.ERROR)
    with open_session(options) as session, progress(options) as shown:
        engine = session.make_engine(heals_all=True)
        daemon = session.make_daemon(engine)
        status: StatusLoop | None = None
        try:
            desired = session.tell_newest(daemon)
            for warning in session.commits.warnings:
                shown.note(str(warning))
            shown.note(f"commit {desired.commit[:10]}: {len(desired.objects)} objects")
            if not no_status:
                branch = session.status_branch(session.status_branch_name)
                status = StatusLoop(branch, engine, wake_engine=lambda: daemon.tell(None))
                status.start()
            ends, good_since = time.monotonic() + timeout, 0.0
            while True:
                result = daemon.run_once(timeout_seconds=0.5)
                if status is not None:
                    status.note(result)
                now, state = time.monotonic(), assess(engine)
                shown.update(state.waiting | state.failed)
                good_since = (good_since or now) if state.is_done else 0.0
                if (good_since and now - good_since >= SETTLED_SECONDS) or now > ends:
                    return _verdict(state, shown, timeout)
        finally:
            if status is not None:
                status.flush(timeout_seconds=20)
            daemon.stop()


def _verdict(state: Convergence, shown: Progress, timeout: float) -> int:
    for name, why in state.silent_hosts.items():
        shown.note(f"host {name} is not reached: {why}")
    if state.is_done:
        shown.note("everything is as desired")
        return 0
    for subject, why in (state.failed | state.waiting).items():
        shown.note(f"{subject}: {why}")
    shown.note(f"not as desired after {timeout:.0f} s")
    return NOT_CONVERGED if state.waiting else FAILED
