"""How fast Berth is, beside what one would use instead: every comparison in one run, on the same engines.

`python -m tests.bench [--case NAME] [--quick]`, each case also alone: `python -m tests.bench.push`. Absolute times say
more about the machine than about Berth; the ratios are what counts. Nothing is left behind, not even after SIGTERM.
"""
