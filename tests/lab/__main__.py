"""`python -m tests.lab up|status|down|purge`."""

from tests.lab.cli import lab

lab(prog_name="python -m tests.lab")
