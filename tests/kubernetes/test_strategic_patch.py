"""Tables of apimachinery `util/strategicpatch`: what a patch makes of a document.

Berth makes no patches of this form (it edits files), so the patches that the tables expect are applied, not computed.
"""

from __future__ import annotations

import json

from differ.documents.patches import apply_strategic_patch
from tests.kubernetes.tables import Case, table


def no_patch(case: Case) -> str:
    return "Go refuses to compute this patch for its type" if case["ExpectedTwoWayErr"] else ""


@table("apimachinery_util_strategicpatch/patch__TestNumberConversion")
def test_numbers_pass_through(case: Case) -> None:
    patched = apply_strategic_patch(json.loads(case["Old"]), json.loads(case["ExpectedPatch"]))
    assert patched == json.loads(case["ExpectedResult"])
    assert {type(value) for value in patched.values()} == {type(v) for v in json.loads(case["ExpectedResult"]).values()}


@table("apimachinery_util_strategicpatch/patch__TestUnknownField", leave_out=no_patch)
def test_fields_that_the_type_does_not_know(case: Case) -> None:
    for base, way in (("Original", "TwoWay"), ("Current", "ThreeWay")):
        patched = apply_strategic_patch(json.loads(case[base]), json.loads(case[f"Expected{way}"]))
        assert patched == json.loads(case[f"Expected{way}Result"])
