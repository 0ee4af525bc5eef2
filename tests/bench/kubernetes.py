"""What real Kubernetes needed for the same, noted once: it is too large to be run beside the others in each bench.

Kubernetes 1.36 on a machine of two cores like that of the lab: three kubelets on containerd with CNI, etcd, API
server, controllers, scheduler; busybox pods with 1 s of grace; medians, in seconds. Unlike all other figures beside
Berth's these do not feel what else the machine does at the time: on a busy one they flatter Kubernetes.
"""

from __future__ import annotations

from typing import Final

NAME: Final = "kubernetes, noted"

PUSH_30: Final = 6.1
UPDATE_30: Final = 12.2
"""Surge 10, nothing unavailable, until the old ones are gone."""
SCALE_IN_30: Final = 6.6
ORDERED_5: Final = 3.2
JOB_50: Final = 23.5
KILLED: Final = 0.4
DELETED: Final = 0.65
HOST_LOST: Final = 347.0
"""With its defaults; 45 s of it until the node counts as not ready, 300 s of toleration."""
