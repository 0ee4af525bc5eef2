"""Whose container it is: told by what only we can have given it, never by labels alone. Pure.

An image that was committed from a pod's container carries that container's labels, and so does everything that a person
runs from that image. What an image cannot carry is the name of a container and the record that we leave in its host
settings when we make it (`hosts.docker.container_request`). One of the two has to agree with the labels: the name may
have been changed by somebody, and containers of earlier versions of Berth have no record.
"""

from __future__ import annotations

from objects.names import (
    LABEL_CONTAINER,
    LABEL_MANAGED,
    LABEL_POD_NAME,
    LABEL_POD_NAMESPACE,
    LABEL_POD_UID,
    ContainerName,
    parse_container_name,
)
from objects.observation.host import ObservedContainer


def is_ours(container: ObservedContainer) -> bool:
    """Whether Berth made it. What is not ours is seen, and never touched.

    labels  name    record  -> ours
    agree   agrees  any        yes
    agree   other   agrees     yes: somebody renamed it
    agree   other   other      no: its labels came from its image, or from a person
    none    any     any        no
    """
    if LABEL_MANAGED not in container.labels or not container.labels.get(LABEL_POD_UID):
        return False
    return own_name(container) is not None or _agreeing(container.made_as, container) is not None


def own_name(container: ObservedContainer) -> ContainerName | None:
    """Its name as we gave it; None when somebody renamed it."""
    return _agreeing(container.name, container)


def _agreeing(text: str, container: ObservedContainer) -> ContainerName | None:
    name, labels = parse_container_name(text), container.labels
    if name is None:
        return None
    told = (LABEL_CONTAINER, LABEL_POD_NAME, LABEL_POD_NAMESPACE, LABEL_POD_UID)
    return name if name[:4] == tuple(labels.get(label, "") for label in told) else None
