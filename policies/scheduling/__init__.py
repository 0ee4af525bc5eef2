"""The scheduler as pure functions: which host a pod fits, which one it fits best, whom it may push aside, and why not.

Hosts are rows of arrays and pods of one template share their work (`table`), so that a decision costs a few array
operations and not a loop over hosts. `snapshot` knows the hosts and what runs there, `predicates` and `priorities` are
the rules, `profiles` choose and weigh them, `scheduler` decides, `explain` shows every verdict.
"""
