"""Selectors: which objects have the labels that were asked for, and which pods tolerate which taints.

Four forms share the operators here: the `LabelSelector` of controllers and services, the text that `-l` takes
(`app=web,tier in (a,b),!old`), the node selector terms of affinity, and tolerations. What is malformed matches nothing;
telling a person so is the work of `objects.validation`.

Rules: apimachinery `labels`, component-helpers `scheduling/corev1` (tables of the same names).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from objects.api.core import Taint
from objects.api.meta import LabelSelector, LabelSelectorRequirement
from objects.api.pods import (
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodSpec,
    PreferredSchedulingTerm,
    Toleration,
)
from objects.errors import InvalidInput
from objects.syntax import label_key_problem, label_value_problem

Labels = Mapping[str, str]
Requirement = LabelSelectorRequirement | NodeSelectorRequirement

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_MAX_SELECTOR_TEXT = 16 * 1024


# --- label selectors ----------------------------------------------------------------------------------------------


def selector_matches(selector: LabelSelector | None, labels: Labels) -> bool:
    """Whether `labels` fulfil every part. No selector (None) matches nothing, an empty one everything."""
    if selector is None:
        return False
    for key, wanted in selector.match_labels.items():
        if labels.get(key) != wanted:
            return False
    return requirements_match(selector.match_expressions, labels)


def labels_match(wanted: Labels, labels: Labels) -> bool:
    """Whether `labels` hold all of `wanted` (a plain map selector: `Service.spec.selector`, `nodeSelector`)."""
    return all(labels.get(key) == value for key, value in wanted.items())


def requirements_match(requirements: Iterable[Requirement], labels: Labels) -> bool:
    """Whether `labels` fulfil all requirements."""
    return all(requirement_matches(requirement, labels) for requirement in requirements)


def requirement_matches(requirement: Requirement, labels: Labels) -> bool:
    """One requirement. `NotIn` and `DoesNotExist` hold for a label that is absent; `Gt` and `Lt` do not."""
    actual = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return actual is not None and actual in requirement.values
        case "NotIn":
            return actual is None or actual not in requirement.values
        case "Exists":
            return actual is not None
        case "DoesNotExist":
            return actual is None
        case "Gt" | "Lt":
            return actual is not None and len(requirement.values) == 1 and _compares(actual, requirement)
    return False


def _compares(actual: str, requirement: Requirement) -> bool:
    left, right = _integer(actual), _integer(requirement.values[0])
    if left is None or right is None:
        return False
    return left > right if requirement.operator == "Gt" else left < right


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text) else None


# --- the text form ------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)")
_EQUALITY = {"=": "In", "==": "In", "!=": "NotIn", ">": "Gt", "<": "Lt"}


def parse_selector(text: str) -> tuple[LabelSelectorRequirement, ...]:
    """Parse what `-l` takes: `a=b a==b a!=b a>1 a<5`, `a in (x,y)`, `a notin (x)`, `a` and `!a`, joined by commas.

    Empty text matches everything. Raises InvalidInput naming what was found and what was expected.
    """
    if len(text) > _MAX_SELECTOR_TEXT:
        raise InvalidInput(f"selector is longer than {_MAX_SELECTOR_TEXT} characters")
    tokens = [match[1] for match in _TOKEN.finditer(text.rstrip())]
    parser = _Tokens(text, tokens)
    if not tokens:
        return ()
    found = [_parse_requirement(parser)]
    while parser.peek() == ",":
        parser.take()
        found.append(_parse_requirement(parser))
    if parser.peek():
        raise parser.unexpected("',' or the end")
    return tuple(sorted(found, key=lambda requirement: requirement.key))


class _Tokens:
    """The words of a selector text, read one after another; '' stands for the end."""

    def __init__(self, text: str, tokens: list[str]) -> None:
        self._text = text
        self._tokens = tokens
        self._next = 0

    def peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self._next += 1
        return token

    def unexpected(self, expected: str) -> InvalidInput:
        found = f"'{self.peek()}'" if self.peek() else "the end"
        return InvalidInput(f"selector '{self._text.strip()}': found {found}, expected {expected}")


def _is_word(token: str) -> bool:
    return bool(token) and token not in ("==", "!=", *"=!<>(),")


def _parse_requirement(tokens: _Tokens) -> LabelSelectorRequirement:
    negated = tokens.peek() == "!"
    if negated:
        tokens.take()
    if not _is_word(tokens.peek()):
        raise tokens.unexpected("a label key")
    key = tokens.take()
    if problem := label_key_problem(key):
        raise InvalidInput(f"label key '{key}': {problem}")
    if negated or tokens.peek() in ("", ","):
        return LabelSelectorRequirement(key=key, operator="DoesNotExist" if negated else "Exists")
    operator = tokens.peek()
    if operator in ("in", "notin"):
        tokens.take()
        return _checked(key, "In" if operator == "in" else "NotIn", tuple(sorted(set(_parse_values(tokens)))))
    if operator not in _EQUALITY:
        raise tokens.unexpected("in, notin, =, ==, !=, > or <")
    tokens.take()
    value = tokens.take() if _is_word(tokens.peek()) else ""
    return _checked(key, _EQUALITY[operator], (value,))


def _parse_values(tokens: _Tokens) -> Iterator[str]:
    """The values between parentheses; an empty place stands for the empty value, as in Kubernetes."""
    if tokens.peek() != "(":
        raise tokens.unexpected("'('")
    tokens.take()
    while True:
        yield tokens.take() if _is_word(tokens.peek()) else ""
        if tokens.peek() == ")":
            tokens.take()
            return
        if tokens.peek() != ",":
            raise tokens.unexpected("',' or ')'")
        tokens.take()


def _checked(key: str, operator: str, values: tuple[str, ...]) -> LabelSelectorRequirement:
    for value in values:
        if problem := label_value_problem(value):
            raise InvalidInput(f"value '{value}' of label {key}: {problem}")
        if operator in ("Gt", "Lt") and _integer(value) is None:
            raise InvalidInput(f"value '{value}' of label {key}: > and < need a whole number")
    return LabelSelectorRequirement(key=key, operator=operator, values=values)


def format_selector(selector: LabelSelector | Iterable[LabelSelectorRequirement]) -> str:
    """The text form, as shown in `get` and read by `parse_selector`."""
    if isinstance(selector, LabelSelector):
        parts = [f"{key}={value}" for key, value in sorted(selector.match_labels.items())]
        return ",".join(parts + [_format_requirement(one) for one in selector.match_expressions])
    return ",".join(_format_requirement(requirement) for requirement in selector)


def _format_requirement(requirement: LabelSelectorRequirement) -> str:
    key, values = requirement.key, requirement.values
    match requirement.operator:
        case "Exists":
            return key
        case "DoesNotExist":
            return f"!{key}"
        case "Gt" | "Lt":
            return f"{key}{'>' if requirement.operator == 'Gt' else '<'}{values[0]}"
        case "In" if len(values) == 1:
            return f"{key}={values[0]}"
        case "NotIn" if len(values) == 1:
            return f"{key}!={values[0]}"
    return f"{key} {requirement.operator.lower()} ({','.join(sorted(values))})"


# --- nodes --------------------------------------------------------------------------------------------------------


def node_selector_matches(selector: NodeSelector, *, labels: Labels, name: str) -> bool:
    """Whether a node with these labels and this name fulfils at least one term."""
    return any(node_term_matches(term, labels=labels, name=name) for term in selector.node_selector_terms)


def node_term_matches(term: NodeSelectorTerm, *, labels: Labels, name: str) -> bool:
    """Whether a node fulfils all of a term. An empty term matches nothing; fields are `metadata.name` only."""
    if not term.match_expressions and not term.match_fields:
        return False
    return requirements_match(term.match_expressions, labels) and all(
        _field_matches(requirement, name) for requirement in term.match_fields
    )


def _field_matches(requirement: NodeSelectorRequirement, name: str) -> bool:
    if requirement.key != "metadata.name" or len(requirement.values) != 1:
        return False
    is_named = requirement.values[0] == name
    return is_named if requirement.operator == "In" else requirement.operator == "NotIn" and not is_named


def pod_fits_node_labels(spec: PodSpec, *, labels: Labels, name: str) -> bool:
    """Whether `nodeSelector` and the required node affinity of a pod both allow a node."""
    if not labels_match(spec.node_selector, labels):
        return False
    affinity = spec.affinity.node_affinity if spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    return required is None or node_selector_matches(required, labels=labels, name=name)


def preferred_terms_score(terms: Iterable[PreferredSchedulingTerm], *, labels: Labels, name: str) -> int:
    """The sum of the weights of the preferred terms that a node fulfils."""
    return sum(
        term.weight for term in terms if term.weight and node_term_matches(term.preference, labels=labels, name=name)
    )


# --- taints -------------------------------------------------------------------------------------------------------


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether a toleration covers a taint.

    No effect covers all effects, no key (with `Exists`) all keys; `Gt` and `Lt` compare the *taint's* whole number with
    the toleration's: a taint of 950 is tolerated by `Gt 750`.
    """
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    match toleration.operator:
        case "" | "Equal":
            return toleration.value == taint.value
        case "Exists":
            return True
        case "Gt" | "Lt":
            offered, bound = _integer(taint.value), _integer(toleration.value)
            if offered is None or bound is None:
                return False
            return offered > bound if toleration.operator == "Gt" else offered < bound
    return False


def untolerated_taint(
    taints: Iterable[Taint], tolerations: Iterable[Toleration], *, effects: tuple[str, ...] = ()
) -> Taint | None:
    """The first taint that no toleration covers. effects: only taints with one of them count; none given: all do."""
    allowed = tuple(tolerations)
    for taint in taints:
        if effects and taint.effect not in effects:
            continue
        if not any(tolerates(toleration, taint) for toleration in allowed):
            return taint
    return None
