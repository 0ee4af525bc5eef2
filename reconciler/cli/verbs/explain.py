"""`berth explain`: why a pod is where it is, or nowhere: every predicate and every score of the scheduler."""

from __future__ import annotations

import click

from objects.api.pods import Pod
from objects.conditions import find_condition
from policies.scheduling.explain import PASSES, HostVerdict
from reconciler.cli.common.exit_codes import OK
from reconciler.cli.common.targets import find_pods
from reconciler.cli.common.verdicts import judge_hosts
from reconciler.cli.common.viewing import live_view, namespace_option
from reconciler.cli.printing.table import NONE, render_table
from reconciler.process.options import Options

HELP = """Say where a pod fits, and why: every predicate and score.

\b
berth explain web-x7k2p                every host: does it fit, how well, why not
berth explain web-x7k2p --on alpha     every predicate and every priority for one host
berth explain deploy/web               a pod of it, one that waits if there is one
"""


@click.command("explain", help=HELP)
@click.argument("what", nargs=-1, required=True, metavar="POD | KIND/NAME")
@click.option("--on", "host", default="", metavar="HOST", help="All verdicts about this host.")
@namespace_option
@click.pass_obj
def command(options: Options, what: tuple[str, ...], host: str, namespace: str) -> int:
    with live_view(options) as live:
        pods = find_pods(live.store, what, namespace)
        pod = next((one for one in pods if not one.spec.node_name), pods[0])
        verdicts = judge_hosts(live.store, live.engine.settings, pod, host=host)
    click.echo("\n".join(one_host_lines(pod, verdicts[0]) if host else host_lines(pod, verdicts)))
    return OK


def host_lines(pod: Pod, verdicts: list[HostVerdict]) -> list[str]:
    """A line a host, the best first, and what the scheduler says when none fits. Pure."""
    rows = [
        (
            verdict.host + (" (here)" if verdict.host == pod.spec.node_name else ""),
            "yes" if verdict.fits else "no",
            str(verdict.rank or "-"),
            str(verdict.total) if verdict.fits else "-",
            "; ".join(why for _, why in verdict.predicates if why != PASSES) or NONE,
        )
        for verdict in verdicts
    ]
    fitting = sum(verdict.fits for verdict in verdicts)
    head = f"pod {pod.namespace}/{pod.name}: {fitting}/{len(verdicts)} hosts fit"
    lines = [head, "", *render_table(("HOST", "FITS", "RANK", "SCORE", "WHY NOT"), rows)]
    waits = find_condition(pod.status.conditions, "PodScheduled")
    return [*lines, "", waits.message] if waits is not None and waits.message and not fitting else lines


def one_host_lines(pod: Pod, verdict: HostVerdict) -> list[str]:
    """Every predicate and every priority for one host. Pure."""
    predicates = [(name, "passes" if why == PASSES else f"fails: {why}") for name, why in verdict.predicates]
    scores = [
        (one.name, "-" if one.raw is None else str(one.raw), str(one.points), str(one.weight), str(one.weighted))
        for one in verdict.priorities
    ]
    state = f"fits, rank {verdict.rank}" if verdict.fits else "does not fit"
    return [
        f"pod {pod.namespace}/{pod.name} on {verdict.host}: {state}",
        "",
        *render_table(("PREDICATE", "VERDICT"), predicates),
        "",
        *render_table(
            ("PRIORITY", "RAW", "POINTS", "WEIGHT", "SCORE"), [*scores, ("total", "", "", "", str(verdict.total))]
        ),
    ]
