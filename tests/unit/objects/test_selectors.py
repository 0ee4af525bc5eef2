"""Label selectors in their forms, node selectors, tolerations."""

from __future__ import annotations

import pytest

from objects.api.core import Taint
from objects.api.meta import LabelSelector, LabelSelectorRequirement
from objects.api.pods import NodeSelectorRequirement, NodeSelectorTerm, Toleration
from objects.errors import InvalidInput
from objects.selectors import (
    format_selector,
    node_term_matches,
    parse_selector,
    requirement_matches,
    requirements_match,
    selector_matches,
    tolerates,
    untolerated_taint,
)

WEB = {"app": "web", "tier": "front", "weight": "7"}


@pytest.mark.parametrize(
    ("operator", "key", "values", "expected"),
    [
        pytest.param("In", "app", ("web", "db"), True, id="in"),
        pytest.param("In", "app", ("db",), False, id="not-in-the-list"),
        pytest.param("In", "none", ("web",), False, id="in-without-label"),
        pytest.param("NotIn", "app", ("db",), True, id="notin"),
        pytest.param("NotIn", "app", ("web",), False, id="notin-but-there"),
        pytest.param("NotIn", "none", ("web",), True, id="notin-without-label"),
        pytest.param("Exists", "app", (), True, id="exists"),
        pytest.param("Exists", "none", (), False, id="exists-without-label"),
        pytest.param("DoesNotExist", "none", (), True, id="absent"),
        pytest.param("DoesNotExist", "app", (), False, id="absent-but-there"),
        pytest.param("Gt", "weight", ("6",), True, id="gt"),
        pytest.param("Gt", "weight", ("7",), False, id="gt-is-strict"),
        pytest.param("Lt", "weight", ("10",), True, id="lt-compares-numbers-not-texts"),
        pytest.param("Lt", "none", ("10",), False, id="lt-without-label"),
        pytest.param("Gt", "app", ("1",), False, id="gt-of-a-word"),
        pytest.param("Gt", "weight", ("x",), False, id="gt-than-a-word"),
        pytest.param("Gt", "weight", ("1", "2"), False, id="gt-two-values"),
        pytest.param("Like", "app", ("web",), False, id="unknown-operator"),
    ],
)
def test_requirement(operator: str, key: str, values: tuple[str, ...], expected: bool) -> None:
    requirement = LabelSelectorRequirement(key=key, operator=operator, values=values)
    assert requirement_matches(requirement, WEB) is expected


def test_no_selector_matches_nothing_and_an_empty_one_everything() -> None:
    assert not selector_matches(None, WEB)
    assert selector_matches(LabelSelector(), WEB)
    assert selector_matches(LabelSelector(), {})


def test_all_parts_of_a_selector_count() -> None:
    tier = LabelSelectorRequirement(key="tier", operator="In", values=("front",))
    selector = LabelSelector(match_labels={"app": "web"}, match_expressions=(tier,))
    assert selector_matches(selector, WEB)
    assert not selector_matches(selector, {"app": "web"})
    assert not selector_matches(selector, {"tier": "front"})
    assert format_selector(selector) == "app=web,tier=front"


@pytest.mark.parametrize(
    ("text", "matches", "shown"),
    [
        pytest.param("", True, "", id="empty"),
        pytest.param("app=web", True, "app=web", id="equal"),
        pytest.param("app==web", True, "app=web", id="double-equal"),
        pytest.param("app!=web", False, "app!=web", id="not-equal"),
        pytest.param("none!=web", True, "none!=web", id="not-equal-without-label"),
        pytest.param("app in (web, db)", True, "app in (db,web)", id="in"),
        pytest.param("app notin(web,db)", False, "app notin (db,web)", id="notin-without-space"),
        pytest.param("app", True, "app", id="exists"),
        pytest.param("!app", False, "!app", id="absent"),
        pytest.param("! none", True, "!none", id="absent-with-space"),
        pytest.param("weight>6,weight<8", True, "weight>6,weight<8", id="range"),
        pytest.param("tier=front , app=web", True, "app=web,tier=front", id="sorted"),
        pytest.param("app=", False, "app=", id="empty-value"),
    ],
)
def test_text_form(text: str, matches: bool, shown: str) -> None:
    requirements = parse_selector(text)
    assert requirements_match(requirements, WEB) is matches
    assert format_selector(requirements) == shown
    assert parse_selector(shown) == requirements


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("app=web,", "found the end, expected a label key", id="comma-at-the-end"),
        pytest.param("=web", "found '=', expected a label key", id="no-key"),
        pytest.param("app in web", r"found 'web', expected '\('", id="no-parenthesis"),
        pytest.param("app in (web", r"found the end, expected ',' or '\)'", id="open-parenthesis"),
        pytest.param("app web", "found 'web', expected in, notin, =", id="two-words"),
        pytest.param("app=web tier=front", "found 'tier', expected ',' or the end", id="no-comma"),
        pytest.param("a/b/c=x", "label key 'a/b/c'", id="bad-key"),
        pytest.param("app=-web", "value '-web' of label app", id="bad-value"),
        pytest.param("weight>many", "need a whole number", id="no-number"),
        pytest.param("a=" + "b" * 20000, "longer than", id="too-long"),
    ],
)
def test_text_that_is_no_selector(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_selector(text)


def _in(key: str, *values: str, operator: str = "In") -> NodeSelectorRequirement:
    return NodeSelectorRequirement(key=key, operator=operator, values=values)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        pytest.param(NodeSelectorTerm(), False, id="empty-matches-nothing"),
        pytest.param(NodeSelectorTerm(match_expressions=(_in("app", "web"),)), True, id="label"),
        pytest.param(NodeSelectorTerm(match_fields=(_in("metadata.name", "a"),)), True, id="name"),
        pytest.param(NodeSelectorTerm(match_fields=(_in("metadata.name", "b"),)), False, id="other-name"),
        pytest.param(
            NodeSelectorTerm(match_fields=(_in("metadata.name", "b", operator="NotIn"),)), True, id="not-the-name"
        ),
        pytest.param(NodeSelectorTerm(match_fields=(_in("metadata.uid", "a"),)), False, id="other-field"),
        pytest.param(
            NodeSelectorTerm(match_expressions=(_in("app", "db"),), match_fields=(_in("metadata.name", "a"),)),
            False,
            id="both-count",
        ),
    ],
)
def test_node_terms(term: NodeSelectorTerm, expected: bool) -> None:
    assert node_term_matches(term, labels=WEB, name="a") is expected


TAINT = Taint(key="disk", value="5", effect="NoSchedule")


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        pytest.param(Toleration(key="disk", value="5"), True, id="equal-is-the-default"),
        pytest.param(Toleration(key="disk", value="6"), False, id="other-value"),
        pytest.param(Toleration(key="disk", operator="Exists"), True, id="exists"),
        pytest.param(Toleration(operator="Exists"), True, id="every-key"),
        pytest.param(Toleration(key="disk", operator="Exists", effect="NoSchedule"), True, id="same-effect"),
        pytest.param(Toleration(key="disk", operator="Exists", effect="NoExecute"), False, id="other-effect"),
        pytest.param(Toleration(key="cpu", operator="Exists"), False, id="other-key"),
        pytest.param(Toleration(key="disk", operator="Gt", value="4"), True, id="gt"),
        pytest.param(Toleration(key="disk", operator="Gt", value="5"), False, id="gt-is-strict"),
        pytest.param(Toleration(key="disk", operator="Lt", value="6"), True, id="lt"),
        pytest.param(Toleration(key="disk", operator="Lt", value="x"), False, id="lt-than-a-word"),
        pytest.param(Toleration(key="disk", operator="Near", value="5"), False, id="unknown-operator"),
    ],
)
def test_tolerations(toleration: Toleration, expected: bool) -> None:
    assert tolerates(toleration, TAINT) is expected


def test_the_first_untolerated_taint_is_found_among_the_effects_that_count() -> None:
    soft = Taint(key="slow", effect="PreferNoSchedule")
    taints = (soft, TAINT)
    assert untolerated_taint(taints, ()) == soft
    assert untolerated_taint(taints, (), effects=("NoSchedule",)) == TAINT
    assert untolerated_taint(taints, (Toleration(operator="Exists"),)) is None
