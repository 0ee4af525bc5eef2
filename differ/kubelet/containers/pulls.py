"""Whether a container's image is there, and which pulls the host needs. Pure.

One pull serves every pod that waits for the image with the same log-ins; back-off belongs to a pod and an image, as the
kubelet has it, so nobody waits for, or is told of, what another pod's log-in met. `Always` means a pull, with the pod's
own log-ins, before each *creation* of a container: the pull hands a ticket to each container that waited for it, the
creation uses it up.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from differ.kubelet.actions import PullImage, RegistryCredentials
from differ.kubelet.containers.environment import PodContext
from differ.kubelet.memory import Failure, PodMemory
from objects.api.core import Secret
from objects.api.pods import ContainerStateWaiting
from objects.observation.host import HostFacts
from objects.secrets import SecretValue
from objects.values.image_reference import (
    DEFAULT_REGISTRY,
    canonical_image,
    is_image_reference,
    parse_image_reference,
)


class ImageWant(NamedTuple):
    """A container that waits for an image."""

    image: str
    pod_uid: str
    container: str
    credentials: tuple[RegistryCredentials, ...]


class ImageState(NamedTuple):
    """is_there: the container may be created. waiting: why not, if more than its image is missing. want: what would
    help.
    """

    is_there: bool = False
    waiting: ContainerStateWaiting | None = None
    want: ImageWant | None = None


def present_images(facts: HostFacts) -> frozenset[str]:
    """Canonical references of all images on the host, and their ids."""
    names = (canonical_image(name) for image in facts.images for name in image.names)
    return frozenset(names) | {image.id for image in facts.images}


def image_state(
    container: str,
    image: str,
    pull_policy: str,
    *,
    context: PodContext,
    memory: PodMemory,
    present: frozenset[str],
    failure: Failure | None,
) -> ImageState:
    """failure: of the last pull of this image for this pod."""
    if not is_image_reference(image):
        message = f'Failed to apply default image tag "{image}": invalid reference format'
        return ImageState(waiting=ContainerStateWaiting(reason="InvalidImageName", message=message))
    is_present = image in present or canonical_image(image) in present
    if pull_policy == "Always":
        if memory.container(container).has_pulled and is_present:
            return ImageState(is_there=True)
    elif is_present:
        return ImageState(is_there=True)
    if pull_policy == "Never":
        message = f'Container image "{image}" is not present with pull policy of Never'
        return ImageState(waiting=ContainerStateWaiting(reason="ErrImageNeverPull", message=message))
    want = ImageWant(image, context.pod.uid, container, credentials_for(image, context))
    if failure is None:
        return ImageState(want=want)
    notes = "".join(f'; pull secret "{name}" not found' for name in _missing_pull_secrets(context))
    message = f'Back-off pulling image "{image}": {failure.message}{notes}'
    return ImageState(waiting=ContainerStateWaiting(reason="ImagePullBackOff", message=message), want=want)


def plan_pulls(
    wants: Iterable[ImageWant], failures: Mapping[tuple[str, str], Failure], now: datetime
) -> tuple[tuple[PullImage, ...], datetime | None]:
    """A pull for each image and log-in that is wanted and not in back-off; and when the next back-off ends.

    failures: by pod uid and image. Of pulls of one image those that have not failed yet come first: pulls in one lane
    follow one another until one fails.
    """
    groups: dict[tuple[str, tuple[RegistryCredentials, ...]], list[ImageWant]] = {}
    ends = []
    for want in wants:
        failure = failures.get((want.pod_uid, want.image))
        if failure is not None and now < failure.retry_at:
            ends.append(failure.retry_at)
        else:
            groups.setdefault((want.image, want.credentials), []).append(want)
    pulls = [
        PullImage(
            image=image,
            credentials=credentials,
            waiting=tuple((want.pod_uid, want.container) for want in wanting),
        )
        for (image, credentials), wanting in groups.items()
    ]
    pulls.sort(key=lambda pull: all((uid, pull.image) in failures for uid, _ in pull.waiting))
    return tuple(pulls), min(ends, default=None)


def credentials_for(image: str, context: PodContext) -> tuple[RegistryCredentials, ...]:
    """The log-ins for the image's registry among the pod's pull secrets, in their order.

    A secret that is missing or unreadable is passed over, as the kubelet does: the pull may work without.
    """
    found: list[RegistryCredentials] = []
    for reference in context.pod.spec.image_pull_secrets:
        secret = context.assignment.secrets.get((context.pod.namespace, reference.name))
        if secret is not None:
            found += (entry for pattern, entry in _entries(secret) if _matches(pattern, image))
    return tuple(found)


def _missing_pull_secrets(context: PodContext) -> list[str]:
    known = context.assignment.secrets
    names = [reference.name for reference in context.pod.spec.image_pull_secrets]
    return [name for name in names if (context.pod.namespace, name) not in known]


def _entries(secret: Secret) -> list[tuple[str, RegistryCredentials]]:
    """(pattern, log-in) of a `dockerconfigjson` or `dockercfg` secret; what cannot be read gives none."""
    try:
        if ".dockerconfigjson" in secret.data:
            auths = json.loads(secret.data[".dockerconfigjson"].reveal())["auths"]
        elif ".dockercfg" in secret.data:
            auths = json.loads(secret.data[".dockercfg"].reveal())
        else:
            return []
        entries = [(pattern, _entry(pattern, auth)) for pattern, auth in auths.items()]
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        # The kubelet passes over it as well; the registry's refusal is then what the status shows.
        return []
    return [(pattern, entry) for pattern, entry in entries if entry.username]


def _entry(pattern: str, auth: Mapping[str, str]) -> RegistryCredentials:
    username, password = auth.get("username", ""), auth.get("password", "")
    if not username and auth.get("auth"):
        username, _, password = base64.b64decode(auth["auth"]).decode().partition(":")
    return RegistryCredentials(registry=pattern, username=username, password=SecretValue(password.encode()))


def _matches(pattern: str, image: str) -> bool:
    """Whether a key of `auths` speaks of the image: host (with `*` in its parts) and, if given, the start of its
    path.
    """
    reference = parse_image_reference(image)
    host, _, path = pattern.removeprefix("https://").removeprefix("http://").rstrip("/").partition("/")
    if host in ("index.docker.io", "docker.io", "registry-1.docker.io"):
        return reference.registry == DEFAULT_REGISTRY
    wanted, actual = host.split("."), reference.registry.split(".")
    is_host = len(wanted) == len(actual) and all(map(fnmatch.fnmatchcase, actual, wanted))
    is_path = not path or path in ("v1", "v2") or (reference.repository + "/").startswith(path + "/")
    return is_host and is_path
