"""Quantities: what people write, what it means, how it is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objects.api.meta import QuantityLike
from objects.errors import InvalidInput
from objects.values.quantity import (
    MAX_INT64,
    Form,
    Quantity,
    add,
    add_resources,
    canonical,
    compare,
    max_resources,
    milli_value,
    multiply,
    parse_quantity,
    resources_equal,
    subtract,
    subtract_resources,
    value,
)

_LETTERS = {"": 0, "k": 3, "M": 6, "G": 9, "T": 12, "m": -3}


@pytest.mark.parametrize(
    ("written", "whole", "millis", "shown"),
    [
        pytest.param("0", 0, 0, "0", id="zero"),
        pytest.param(2, 2, 2000, "2", id="int"),
        pytest.param(0.5, 1, 500, "500m", id="float"),
        pytest.param(1000.0, 1000, 10**6, "1k", id="whole-float"),
        pytest.param("250m", 1, 250, "250m", id="millis"),
        pytest.param("1500m", 2, 1500, "1500m", id="millis-above-one"),
        pytest.param("0.1", 1, 100, "100m", id="fraction"),
        pytest.param("100u", 1, 1, "100u", id="micros-round-up"),
        pytest.param("1.5Gi", 1610612736, 1610612736000, "1536Mi", id="binary-fraction"),
        pytest.param("64Mi", 67108864, 67108864000, "64Mi", id="binary"),
        pytest.param("1024Mi", 1073741824, 1073741824000, "1Gi", id="larger-suffix"),
        pytest.param("1000M", 10**9, 10**12, "1G", id="decimal"),
        pytest.param("1e3", 1000, 10**6, "1e3", id="exponent"),
        pytest.param("12E6", 12_000_000, 12 * 10**9, "12e6", id="capital-exponent"),
        pytest.param("1E", 10**18, MAX_INT64, "1E", id="exa-saturates-millis"),
        pytest.param("+5", 5, 5000, "5", id="plus"),
        pytest.param("-1500m", -2, -1500, "-1500m", id="negative-rounds-away"),
        pytest.param("9Ei", MAX_INT64, MAX_INT64, str(MAX_INT64), id="cut-to-int64"),
        pytest.param("1e99999999", MAX_INT64, MAX_INT64, "1e60", id="huge-exponent-is-bounded"),
        pytest.param("1e-99999999", 1, 1, "1e-9", id="tiny-exponent-is-one-nano"),
    ],
)
def test_value_and_text(written: QuantityLike, whole: int, millis: int, shown: str) -> None:
    assert (value(written), milli_value(written), canonical(written)) == (whole, millis, shown)


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        pytest.param("", "", id="empty"),
        pytest.param(".", "", id="dot"),
        pytest.param("abc", "", id="words"),
        pytest.param("1.5.2", "", id="two-dots"),
        pytest.param("1 Gi", "write 1Gi", id="space"),
        pytest.param("512mb", "write 512Mi (powers of 1024) or 512M (powers of 1000)", id="mb"),
        pytest.param("1GB", "write 1Gi (powers of 1024) or 1G (powers of 1000)", id="gb"),
        pytest.param("2gib", "write 2Gi", id="gib"),
        pytest.param("10K", "write 10Ki (powers of 1024) or 10k (powers of 1000)", id="capital-k"),
        pytest.param("1e", "", id="half-an-exponent"),
        pytest.param("٣", "", id="other-digits"),
        pytest.param("9" * 200, "", id="too-long"),
        pytest.param(float("inf"), "", id="infinite"),
        pytest.param(float("nan"), "", id="nan"),
        pytest.param(True, "", id="bool"),
    ],
)
def test_what_is_no_quantity(written: QuantityLike, hint: str) -> None:
    with pytest.raises(InvalidInput, match="is not a quantity") as caught:
        parse_quantity(written)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("left", "right", "total", "difference"),
    [
        pytest.param("1Gi", "512Mi", "1536Mi", "512Mi", id="binary"),
        pytest.param("1", "100m", "1100m", "900m", id="cpu"),
        pytest.param("0", "1Gi", "1Gi", "-1Gi", id="zero-takes-the-other-form"),
        pytest.param("1G", "1Gi", "2073741824", "-73741824", id="mixed-keeps-the-left-form"),
        pytest.param("5", "5", "10", "0", id="nothing-left"),
    ],
)
def test_sums(left: str, right: str, total: str, difference: str) -> None:
    assert (add(left, right), subtract(left, right)) == (total, difference)


def test_resource_lists() -> None:
    one: dict[str, QuantityLike] = {"cpu": "250m", "memory": "64Mi"}
    two: dict[str, QuantityLike] = {"cpu": 1, "example.com/gpu": 1}
    assert add_resources(one, two) == {"cpu": "1250m", "memory": "64Mi", "example.com/gpu": "1"}
    assert max_resources(one, two) == {"cpu": "1", "memory": "64Mi", "example.com/gpu": "1"}
    assert subtract_resources(one, two) == {"cpu": "-750m", "memory": "64Mi", "example.com/gpu": "-1"}
    assert add_resources() == {}


def test_lists_are_equal_by_amount() -> None:
    assert resources_equal({"cpu": "1", "memory": "1Gi"}, {"memory": "1024Mi", "cpu": "1000m"})
    assert not resources_equal({"cpu": "1"}, {"cpu": "1", "memory": 0})
    assert not resources_equal({"cpu": "1"}, {"cpu": "1001m"})


@given(nanos=st.integers(-(10**27), 10**27), form=st.sampled_from(Form))
def test_what_is_shown_means_the_same(nanos: int, form: Form) -> None:
    limited = max(-MAX_INT64 * 10**9, min(MAX_INT64 * 10**9, nanos))
    shown = canonical(Quantity(limited, form))
    assert parse_quantity(shown).nanos == limited
    # A text without suffix is decimal to whoever reads it next: so a binary number may be shown otherwise then.
    assert form is Form.BINARY or canonical(shown) == shown


@given(number=st.integers(0, 10**6), suffix=st.sampled_from(sorted(_LETTERS)))
def test_suffixes_are_powers(number: int, suffix: str) -> None:
    assert parse_quantity(f"{number}{suffix}").nanos == number * 10 ** (9 + _LETTERS[suffix])


@given(a=st.integers(-(10**15), 10**15), b=st.integers(-(10**15), 10**15), factor=st.integers(-9, 9))
def test_arithmetic_agrees_with_integers(a: int, b: int, factor: int) -> None:
    left, right = f"{a}n", f"{b}n"
    assert parse_quantity(add(left, right)).nanos == a + b
    assert parse_quantity(subtract(left, right)).nanos == a - b
    assert parse_quantity(multiply(left, factor)).nanos == a * factor
    assert compare(left, right) == (a > b) - (a < b)
