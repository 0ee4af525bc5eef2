"""The command line, `berth`: one file a verb, imported when it is used (`verbs.py`, `frame.py`)."""

from __future__ import annotations

import sys

import click

from reconciler.cli.frame import VerbGroup, global_options, run_command, version_option


def make_group() -> click.Group:
    """The command `berth` with all its verbs."""
    return VerbGroup(
        name="berth",
        params=[*global_options(), version_option()],
        help="Ordinary Kubernetes manifests on plain Docker hosts, reconciled from Git over SSH.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )


def main() -> None:
    """Entry point of the script `berth`."""
    sys.exit(run_command(make_group()))
