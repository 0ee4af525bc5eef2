"""Which unused images go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from objects.observation.host import HostFacts, ImageFact, ObservedContainer
from policies.image_gc import choose_images, fullness_target, note_unused, unused_images

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST = "@sha256:" + "0" * 64


def image(name: str, size: int = 10, *names: str) -> ImageFact:
    """An image that was pulled, unless other names are given."""
    return ImageFact(id=f"sha256:{name}", names=names or (f"{name}:v1", f"{name}{DIGEST}"), size_bytes=size)


@pytest.mark.parametrize(
    ("one", "containers", "wanted", "is_unused"),
    [
        pytest.param(image("a"), (), (), True, id="unused"),
        pytest.param(image("a", 10, f"a{DIGEST}"), (), (), True, id="its tag moved on"),
        pytest.param(image("a", 10, "a:v1"), (), (), False, id="no registry has it"),
        pytest.param(image("a", 10), (ObservedContainer(id="c", name="c", image_id="sha256:a"),), (), False, id="used"),
        pytest.param(
            image("a"),
            (ObservedContainer(id="c", name="c", image_id="sha256:a", state="exited"),),
            (),
            False,
            id="dead",
        ),
        pytest.param(image("a"), (ObservedContainer(id="c", name="c", image_id="sha256:b"),), (), True, id="other"),
        pytest.param(image("a"), (), ("docker.io/library/a:v1",), False, id="wanted by another spelling"),
        pytest.param(image("a"), (), ("a:v2",), True, id="another version is wanted"),
        pytest.param(image("a"), (), (f"a{DIGEST}",), False, id="wanted by digest"),
        pytest.param(image("a"), (), ("sha256:a",), False, id="wanted by id"),
    ],
)
def test_unused(
    one: ImageFact, containers: tuple[ObservedContainer, ...], wanted: tuple[str, ...], is_unused: bool
) -> None:
    assert unused_images((one,), containers, wanted) == ((one,) if is_unused else ())


def test_since_when_is_remembered_as_long_as_it_is_so() -> None:
    before = note_unused({}, (image("a"), image("b")), NOW)
    later = NOW + timedelta(hours=1)
    assert note_unused(before, (image("a"), image("b")), later) is before
    assert note_unused(before, (image("b"), image("c")), later) == {"sha256:b": NOW, "sha256:c": later}


OLD, SMALL, BIG, FRESH = image("old", 10), image("small", 10), image("big", 30), image("fresh", 99)
SINCE = {
    OLD.id: NOW - timedelta(hours=2),
    SMALL.id: NOW - timedelta(hours=1),
    BIG.id: NOW - timedelta(hours=1),
    FRESH.id: NOW - timedelta(seconds=119),
}


@pytest.mark.parametrize(
    ("target", "is_pressed", "expected"),
    [
        pytest.param(1, False, (OLD,), id="the longest unused first"),
        pytest.param(10, False, (OLD,), id="just enough"),
        pytest.param(11, False, (OLD, BIG), id="of two alike the larger one"),
        pytest.param(1000, False, (OLD, BIG, SMALL), id="never what was just pulled"),
        pytest.param(0, False, (), id="nothing to do"),
        pytest.param(0, True, (OLD, BIG, SMALL, FRESH), id="under pressure all of them"),
    ],
)
def test_choice(target: int, is_pressed: bool, expected: tuple[ImageFact, ...]) -> None:
    unused = (FRESH, SMALL, BIG, OLD)
    assert choose_images(unused, SINCE, target_bytes=target, is_pressed=is_pressed, now=NOW) == expected


@pytest.mark.parametrize(
    ("free", "expected"), [(16, 0), (15, 5), (10, 10), (0, 20)], ids=["below", "at the mark", "above", "full"]
)
def test_fullness(free: int, expected: int) -> None:
    facts = HostFacts(disk_bytes=100, disk_free_bytes=free)
    assert fullness_target(facts, high_percent=85, low_percent=80) == expected


def test_an_unknown_disk_is_not_full() -> None:
    assert fullness_target(HostFacts(), high_percent=85, low_percent=80) == 0
