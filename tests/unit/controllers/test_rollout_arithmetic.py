from __future__ import annotations

import pytest

from objects.api.meta import IntOrString
from objects.errors import InvalidInput
from reconciler.controllers.rollout.arithmetic import (
    Fenceposts,
    fenceposts_of,
    min_available,
    new_replicas,
    resolve_fenceposts,
)
from tests.unit.controllers.manifests import deployment


@pytest.mark.parametrize(
    ("surge", "unavailable", "desired", "expected"),
    [
        pytest.param("0%", "1%", 2, Fenceposts(0, 1), id="both round to nothing: one may be missing"),
        pytest.param("1%", "25%", 1, Fenceposts(1, 0), id="surge rounds up, unavailable down"),
        pytest.param("25%", "25%", 10, Fenceposts(3, 2), id="defaults of ten"),
        pytest.param("25%", "25%", 3, Fenceposts(1, 0), id="defaults of three"),
        pytest.param(10, 0, 30, Fenceposts(10, 0), id="numbers as they are"),
        pytest.param(None, None, 5, Fenceposts(0, 1), id="nothing said"),
    ],
)
def test_fenceposts(surge: IntOrString, unavailable: IntOrString, desired: int, expected: Fenceposts) -> None:
    assert resolve_fenceposts(surge, unavailable, desired=desired) == expected


def test_malformed_share_is_an_error_with_the_text() -> None:
    with pytest.raises(InvalidInput, match="'many'"):
        resolve_fenceposts("many", 1, desired=3)


@pytest.mark.parametrize(
    ("recreate", "replicas", "expected", "least"),
    [
        pytest.param(False, 10, Fenceposts(3, 2), 8, id="rolling"),
        pytest.param(False, 0, Fenceposts(0, 0), 0, id="unavailable is never more than desired"),
        pytest.param(True, 10, Fenceposts(0, 0), 0, id="recreate takes all down"),
    ],
)
def test_fenceposts_of_a_deployment(recreate: bool, replicas: int, expected: Fenceposts, least: int) -> None:
    subject = deployment(replicas=replicas, surge="25%", unavailable="25%", recreate=recreate)
    assert (fenceposts_of(subject), min_available(subject)) == (expected, least)


@pytest.mark.parametrize(
    ("surge", "new_size", "total_size", "expected"),
    [
        pytest.param(1, 0, 3, 1, id="one above is allowed"),
        pytest.param(1, 1, 3, 2, id="an old one made room"),
        pytest.param(1, 2, 2, 3, id="never more than desired"),
        pytest.param(0, 0, 3, 0, id="an old one has to go first"),
        pytest.param(1, 5, 5, 3, id="too many shrink"),
    ],
)
def test_size_of_the_newest_revision(surge: int, new_size: int, total_size: int, expected: int) -> None:
    subject = deployment(replicas=3, surge=surge, unavailable=1)
    assert new_replicas(subject, new_size=new_size, total_size=total_size) == expected
