"""Any manifest that fits its types, however odd: it is read, completed, judged and written without an exception.

Manifests are drawn along the types themselves, so a new field or kind is covered the day it is added.
"""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from objects.api.core import Secret
from objects.codec import DecodeError, decode, encode, encode_json
from objects.convert import convert
from objects.defaults import default
from objects.errors import InvalidInput
from objects.honoured import field_support
from objects.kinds import BY_KIND
from objects.secrets import SecretValue
from objects.selectors import format_selector, parse_selector
from objects.validation import validate, validate_update

_NAMES = ("", "a", "web", "A_b", "Always", "Never", "None", "In", "Gt", "é", "x" * 300)
_TEXTS = (
    "80",
    "25%",
    "1Gi",
    "100m",
    "1.5.2",
    "../x",
    "/a/b",
    "10.0.0.0/8",
    "10.0.0.1",
    "::1",
    "* * * * *",
    "limits.cpu",
)
WORDS = st.sampled_from((*_NAMES, *_TEXTS))
NUMBERS = st.sampled_from([0, 1, -1, 80, 443, 70000, 2**31, 10**30])
TIMES = st.just("2026-01-31T12:00:00Z")
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
SETTINGS = settings(max_examples=15, deadline=None, suppress_health_check=SLOW)


def values(kind: inspect.Type, depth: int) -> st.SearchStrategy[Any]:
    """Values that fit a type, as YAML would give them."""
    match kind:
        case inspect.UnionType():
            return st.one_of([values(member, depth) for member in kind.types])
        case inspect.NoneType():
            return st.none()
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            return NUMBERS
        case inspect.FloatType():
            return st.sampled_from([0.5, 1.0, 1e30])
        case inspect.DateTimeType():
            return TIMES
        case inspect.DictType():
            return st.dictionaries(WORDS, values(kind.value_type, depth - 1), max_size=2)
        case inspect.VarTupleType():
            return st.lists(values(kind.item_type, depth - 1), max_size=2 if depth > 0 else 0)
        case inspect.StructType():
            return structs(kind, depth)
        case inspect.CustomType():
            return st.just(SecretValue(b"hunter2"))
    return WORDS


def structs(kind: inspect.StructType, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings with all required fields and some of the others; below some depth no others."""

    @st.composite
    def build(draw: st.DrawFn) -> dict[str, Any]:
        optional = [field for field in kind.fields if not field.required]
        chosen = (
            draw(st.lists(st.sampled_from(optional), max_size=6, unique_by=lambda one: one.name)) if optional else []
        )
        fields = [field for field in kind.fields if field.required] + (chosen if depth > 0 else [])
        return {field.encode_name: draw(values(field.type, depth - 1)) for field in fields}

    return build()


@functools.cache
def manifests(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    cls = BY_KIND[kind].kind
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    head = {"apiVersion": cls.API_VERSION, "kind": cls.KIND}
    return structs(info, 9).map(lambda body: {**head, **body})


@pytest.mark.parametrize("kind", list(BY_KIND))
@SETTINGS
@given(data=st.data())
def test_whatever_fits_its_types_is_handled(kind: str, data: st.DataObject) -> None:
    manifest = data.draw(manifests(kind))
    obj = decode(manifest)
    assert decode(encode(obj, reveal=True)) == obj or isinstance(obj, Secret)
    completed = default(obj)
    assert default(completed) == completed
    assert decode(encode(completed, reveal=True)) == completed
    validate(completed)
    field_support(completed)
    assert validate_update(completed, completed) == ()
    assert b"hunter2" not in encode_json(completed)


@pytest.mark.parametrize("kind", list(BY_KIND))
@SETTINGS
@given(data=st.data())
def test_a_manifest_with_something_wrong_is_refused_in_words(kind: str, data: st.DataObject) -> None:
    manifest = data.draw(manifests(kind))
    field = data.draw(st.sampled_from(sorted(manifest)))
    manifest[field] = data.draw(st.sampled_from(["hunter2", 7, True, ["hunter2"], {"hunter": ["hunter2"]}]))
    try:
        decode(convert(manifest).manifest)
    except DecodeError as error:
        assert error.problems
        assert "hunter2" not in f"{error} {error.problems}" or field in ("apiVersion", "kind")


@given(text=st.text(max_size=30))
def test_no_selector_text_breaks_the_parser(text: str) -> None:
    try:
        requirements = parse_selector(text)
    except InvalidInput:
        return
    assert parse_selector(format_selector(requirements)) == requirements
