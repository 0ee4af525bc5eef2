"""Tables of apimachinery `labels`: selectors as text."""

from __future__ import annotations

import pytest

from objects.api.meta import LabelSelectorRequirement
from objects.errors import InvalidInput
from objects.selectors import format_selector, parse_selector, requirements_match
from objects.validation.metadata import requirement_problem
from tests.kubernetes.tables import Case, table

LEFT_OUT = {
    "apimachinery_labels/labels__TestLabelConflict": "Berth merges no label maps",
    "apimachinery_labels/labels__TestLabelHas": "a label map is a dict",
    "apimachinery_labels/labels__TestLabelMerge": "Berth merges no label maps",
    "apimachinery_labels/labels__TestLabelSelectorParse": "the form of old clients, without sets",
    "apimachinery_labels/selector__TestAdd": "Go-private requirements come out empty",
    "apimachinery_labels/selector__TestLexer": "numbers of Go's tokens; what they mean is tested by the selector texts",
    "apimachinery_labels/selector__TestLexerSequence": "numbers of Go's tokens",
    "apimachinery_labels/selector__TestParserLookahead": "numbers of Go's tokens",
    "apimachinery_labels/selector__TestRequirementEqual": "Go-private requirements come out empty",
    "apimachinery_labels/selector__TestRequirementSelectorMatching": "Go-private requirements come out empty",
    "apimachinery_labels/selector__TestRequiresExactMatch": "Go-private requirements come out empty",
    "apimachinery_labels/selector__TestSafeSort": "tests Go's sort",
}

_OPERATORS = {"in": "In", "notin": "NotIn", "exists": "Exists", "!": "DoesNotExist", "gt": "Gt", "lt": "Lt"}


@table("apimachinery_labels/selector__TestSetSelectorParser")
def test_selector_text(case: Case) -> None:
    if case["Valid"]:
        requirements = parse_selector(case["In"])
        assert len(requirements) == len(case["Out"] or ())
        # What we write is what we read.
        assert parse_selector(format_selector(requirements)) == requirements
    else:
        with pytest.raises(InvalidInput):
            parse_selector(case["In"])


@table(
    "apimachinery_labels/selector__TestToString",
    leave_out=lambda case: "" if case["Valid"] else "a selector that cannot be made from text",
)
def test_text_of_a_selector(case: Case) -> None:
    # `a notin (x)` and `a!=x` are one requirement to us, shown the shorter way: so meanings are compared.
    shown = format_selector(parse_selector(case["Out"]))
    assert parse_selector(shown) == parse_selector(case["Out"])


@table("apimachinery_labels/selector__TestParseOperator")
def test_operators(case: Case) -> None:
    text = f"key {case['token']} (1)" if case["token"] in ("in", "notin") else f"key {case['token']} 1"
    if "expectedError" in case:
        with pytest.raises(InvalidInput, match="expected in, notin, =, ==, !=, > or <"):
            parse_selector(text)
    else:
        assert len(parse_selector(text)) == 1


@table("apimachinery_labels/selector__TestMatchesNothing")
def test_a_selector_text_never_means_nothing(case: Case) -> None:
    # Only the absent selector matches nothing (`selector_matches(None, ...)`); no text does, not even a contradiction.
    requirements = parse_selector(case["selector"])
    assert requirements_match(requirements, {}) or case["selector"] != ""


@table(
    "apimachinery_labels/selector__TestRequirementConstructor",
    leave_out=lambda case: "" if case["Op"] in _OPERATORS else "an operator of the text form only",
)
def test_requirements(case: Case) -> None:
    requirement = LabelSelectorRequirement(
        key=case["Key"], operator=_OPERATORS[case["Op"]], values=tuple(sorted(case["Vals"] or ()))
    )
    assert bool(requirement_problem(requirement, numeric=True)) == bool(case["WantErr"])


@table("apimachinery_labels/selector__TestValidatedSelectorFromSet")
def test_selector_from_a_map(case: Case) -> None:
    text = ",".join(f"{key}={value}" for key, value in case["input"].items())
    assert requirements_match(parse_selector(text), case["input"])
