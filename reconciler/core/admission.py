"""Admission: what the API server would do to a new pod before it is stored. Pure.

Applied once, when a pod comes into being, by a controller or from Git; never to pods that are found running, since what
they were admitted with is in their manifest.
"""

from __future__ import annotations

import msgspec

from objects.api.pods import Pod
from objects.api.policy import PriorityClass
from objects.errors import InvalidInput
from policies.admission.priority import with_priority
from policies.admission.tolerations import with_default_tolerations
from reconciler.state.store import View


def admit_pod(pod: Pod, view: View) -> Pod:
    """`pod` with its priority and default tolerations.

    A PriorityClass that does not exist is refused with the commit; one that vanished since counts as priority 0.
    """
    spec = with_default_tolerations(pod.spec)
    try:
        return msgspec.structs.replace(pod, spec=with_priority(spec, view.all_of(PriorityClass)))
    except InvalidInput:
        return msgspec.structs.replace(pod, spec=msgspec.structs.replace(spec, priority=0))
