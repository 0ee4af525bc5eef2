"""`python -m reconciler.cli`: the same as `berth`, from a checkout that is not installed."""

from __future__ import annotations

from reconciler.cli import main

main()
