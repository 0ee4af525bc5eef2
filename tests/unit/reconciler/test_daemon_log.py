"""What the daemon says again: a pod that waits for a week must not fill a disk with one sentence."""

import pytest

from reconciler.process.daemon import is_worth_saying


@pytest.mark.parametrize(
    ("times", "said"),
    [
        pytest.param(1, [1], id="once"),
        pytest.param(10, [1, 2, 4, 8], id="ten times"),
        pytest.param(100, [1, 2, 4, 8, 16, 32, 64], id="a hundred times"),
    ],
)
def test_the_same_occurrence_is_said_ever_more_rarely(times: int, said: list[int]) -> None:
    assert [count for count in range(1, times + 1) if is_worth_saying(count)] == said
