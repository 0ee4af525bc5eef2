"""A lab: several real Docker hosts, a Git remote and a registry on one Linux machine.

For tests, the demo and the bench. Every host is a set of namespaces with a root file system, an sshd and a Docker
Engine of its own; nothing of Berth is imported here, so the lab can judge it. `docs/lab.md` tells how to use it.
"""
