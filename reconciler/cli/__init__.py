"""The command line, `berth`: one file a verb, imported when it is used (`verbs.py`, `frame.py`)."""

from __future__ import annotations

import gc
import sys

import click

from reconciler.cli.frame import VerbGroup, global_options, namespace_before_verb, run_command, version_option


def make_group() -> click.Group:
    """The command `berth` with all its verbs."""
    return VerbGroup(
        name="berth",
        params=[*global_options(), namespace_before_verb(), version_option()],
        help="Ordinary Kubernetes manifests on plain Docker hosts, reconciled from Git over SSH.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )


def main() -> None:
    """Entry point of the script `berth`."""
    collect_garbage_seldom()
    sys.exit(run_command(make_group()))


def collect_garbage_seldom() -> None:
    """Let Python look for reference cycles more rarely than it does by default. For the process, before it does much.

    Our objects are immutable values without cycles, so there is next to nothing to find; but each look goes over all of
    them, which takes a fifth of a plan's time with 1,000 manifests. It costs 5 MB there.
    """
    gc.set_threshold(50_000, 20, 50)
