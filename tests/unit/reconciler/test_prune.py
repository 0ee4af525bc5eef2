"""Prune safety: what may be deleted because it is gone from Git."""

import pytest

from objects.api.meta import ObjectKey
from policies.prune import PruneDecision, decide_prune


def keys(count: int, application: str = "shop") -> dict[ObjectKey, str]:
    return {ObjectKey("ConfigMap", "default", f"{application}{n}"): application for n in range(count)}


TEN = keys(10)
GONE = tuple(sorted(TEN))[2:]
HELD = (
    "8 of 10 deployed objects are gone from Git (shop), the deletion budget is 50%: nothing is deleted; "
    "to confirm, commit with the trailer 'Berth-Confirm-Delete: 8'"
)


@pytest.mark.parametrize(
    ("inventory", "kept", "settings", "decision"),
    [
        pytest.param(TEN, 10, {}, PruneDecision(), id="nothing is gone"),
        pytest.param(TEN, 7, {}, PruneDecision(delete=tuple(sorted(TEN))[7:]), id="within the budget"),
        pytest.param(TEN, 2, {}, PruneDecision(keep=GONE, held=HELD), id="above the budget nothing goes"),
        pytest.param(TEN, 2, {"confirmations": ["all"]}, PruneDecision(delete=GONE), id="confirmed: all"),
        pytest.param(TEN, 2, {"confirmations": ["8"]}, PruneDecision(delete=GONE), id="confirmed by number"),
        pytest.param(
            TEN, 2, {"confirmations": ["7"]}, PruneDecision(keep=GONE, held=HELD), id="another number confirms nothing"
        ),
        pytest.param(TEN, 2, {"confirmations": ["shop"]}, PruneDecision(delete=GONE), id="confirmed by application"),
        pytest.param(keys(4), 0, {}, PruneDecision(delete=tuple(sorted(keys(4)))), id="a handful is never held"),
        pytest.param(
            TEN, 2, {"protected_applications": ["shop"]}, PruneDecision(keep=GONE), id="prune: false keeps all"
        ),
    ],
)
def test_decide_prune(inventory, kept, settings, decision):
    wanted = sorted(inventory)[:kept]
    assert decide_prune(inventory, wanted, budget="50%", **settings) == decision


def test_an_empty_reading_deletes_nothing_of_a_real_cluster():
    decision = decide_prune(keys(40), [], budget="50%")
    assert (decision.delete, len(decision.keep)) == ((), 40)
