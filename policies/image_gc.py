"""Which unused images of a host go when its disk fills up: those unused for longest first, until enough is free.

Only images that a registry can give again: what was built on the host, or loaded from a file, would be lost. Source of
the rules: kubelet's image garbage collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from objects.observation.host import HostFacts, ImageFact, ObservedContainer
from objects.values.image_reference import canonical_image

MIN_AGE: Final = timedelta(minutes=2)
"""An image that was just pulled may be about to be used."""


def unused_images(
    images: Iterable[ImageFact], containers: Iterable[ObservedContainer], wanted: Collection[str]
) -> tuple[ImageFact, ...]:
    """Images that no container on the host was made of, that nothing there asks for, and that can be pulled again.

    wanted: references of images that pods name, in any form.
    """
    used = {container.image_id for container in containers}
    names = {canonical_image(name) for name in wanted}
    return tuple(
        image
        for image in images
        if image.id not in used and image.id not in wanted and _is_pulled(image) and names.isdisjoint(_canonical(image))
    )


def _is_pulled(image: ImageFact) -> bool:
    return any("@" in name for name in image.names)


def _canonical(image: ImageFact) -> set[str]:
    return {canonical_image(name) for name in image.names}


def note_unused(before: Mapping[str, datetime], unused: Iterable[ImageFact], now: datetime) -> Mapping[str, datetime]:
    """Image id -> since when it is unused, as far as one knows. `before` itself when nothing changed."""
    since = {image.id: before.get(image.id, now) for image in unused}
    return before if since == before else since


def choose_images(
    unused: Iterable[ImageFact], since: Mapping[str, datetime], *, target_bytes: int, is_pressed: bool, now: datetime
) -> tuple[ImageFact, ...]:
    """The images to remove now, in order. target_bytes: to be freed; is_pressed: the host is short of disk, all go.

    Sizes count shared layers in full: what is missing afterwards is found by the next look.
    """
    ordered = sorted(unused, key=lambda image: (since[image.id], -image.size_bytes, image.id))
    if is_pressed:
        return tuple(ordered)
    chosen: list[ImageFact] = []
    for image in ordered:
        if target_bytes <= 0:
            break
        if now - since[image.id] >= MIN_AGE:
            chosen.append(image)
            target_bytes -= image.size_bytes
    return tuple(chosen)


def fullness_target(facts: HostFacts, *, high_percent: int, low_percent: int) -> int:
    """Bytes that should be freed; 0 while the disk is not so full that removing images should begin.

    high 85, low 80    used  84 % -> 0
                             85 % -> down to 80 %: 5 % of the disk
    """
    used = facts.disk_bytes - facts.disk_free_bytes
    if not facts.disk_bytes or used * 100 < facts.disk_bytes * high_percent:
        return 0
    return used - facts.disk_bytes * low_percent // 100
