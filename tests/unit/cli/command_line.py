"""Runs a `berth` command line in this process, as `main` runs it, and keeps what it says."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from reconciler.cli import make_group
from reconciler.cli.frame import run_command

ROOT = Path(__file__).resolve().parents[3]


class Said(NamedTuple):
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


def berth(*arguments: str, **environment: str) -> Said:
    """environment: added to ours, of which BERTH_* is taken away."""
    out, err = io.StringIO(), io.StringIO()
    with _environment(environment), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_command(make_group(), list(arguments))
    return Said(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("BERTH_")]:
        del os.environ[name]
    os.environ.update({"COLUMNS": "100", **values})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
