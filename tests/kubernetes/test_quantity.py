"""Tables of apimachinery `api/resource`: quantities."""

from __future__ import annotations

import json

import pytest

from objects.values.quantity import (
    MAX_INT64,
    Form,
    Quantity,
    add,
    canonical,
    compare,
    float_value,
    milli_value,
    multiply,
    nano_value,
    parse_quantity,
    subtract,
    value,
)
from tests.kubernetes.tables import Case, table

LEFT_OUT = {
    "apimachinery_api_resource/amount__TestAmountSign": "the amounts are Go-private and come out empty",
    "apimachinery_api_resource/quantity__TestBigDec": "tests Go's decimal type, which Python's integers replace",
    "apimachinery_api_resource/quantity__TestDec": "tests Go's decimal type, which Python's integers replace",
    "apimachinery_api_resource/quantity__TestQuantityAsApproximateFloat64": "evaluated to an error text, not to cases",
    "apimachinery_api_resource/quantity__TestQuantityAsFloat64Slow": "evaluated to an error text, not to cases",
    "apimachinery_api_resource/quantity_proto__TestQuantityProtoMarshal": "Berth does not speak protobuf",
    "apimachinery_api_resource/quantity_proto__TestQuantityProtoUnmarshal": "Berth does not speak protobuf",
    "apimachinery_api_resource/scale_int__TestScaledValueInternal": "tests the scaling of Go's big integers",
}


@table("apimachinery_api_resource/quantity__TestQuantityParse")
def test_parse(case: Case) -> None:
    assert canonical(case["input"]) == case["expect"]


@table("apimachinery_api_resource/quantity__TestQuantityParseEmit")
def test_parse_and_show(case: Case) -> None:
    assert canonical(case["in"]) == case["expect"]


@table("apimachinery_api_resource/quantity__TestQuantityString")
def test_canonical_text(case: Case) -> None:
    texts = [case["in"], case["alternate"] or case["in"]]
    assert [canonical(text) for text in texts] == [case["expect"]] * 2


@table(
    "apimachinery_api_resource/quantity__TestParseQuantityString",
    leave_out=lambda case: "" if any(char.isdigit() for char in case["input"]) else "no digit: a typo, refused",
)
def test_parts_of_a_text(case: Case) -> None:
    sign = 1 if case["positive"] else -1
    same = f"{case['num']}.{case['denom'] or 0}{case['suffix']}"
    assert nano_value(case["input"]) == sign * nano_value(same)


@table("apimachinery_api_resource/quantity__TestJSONWhitespace")
def test_json(case: Case) -> None:
    # Kubernetes lets spaces inside the JSON string pass (" 1"); the decoder strips them before it asks for a quantity.
    read = json.loads(case["in"])
    assert canonical(read.strip() if isinstance(read, str) else read) == case["expect"]


@table("apimachinery_api_resource/quantity__TestAdd")
def test_add(case: Case) -> None:
    assert add(case["a"], case["b"]) == canonical(case["expected"])


@table("apimachinery_api_resource/quantity__TestSub")
def test_subtract(case: Case) -> None:
    assert subtract(case["a"], case["b"]) == canonical(case["expected"])


@table("apimachinery_api_resource/quantity__TestMul")
def test_multiply(case: Case) -> None:
    # `ok` tells whether an int64 sufficed, which Python's integers do not need to know.
    assert multiply(Quantity(int(case["a"]) * 10**9), case["b"]) == canonical(Quantity(int(case["expected"]) * 10**9))


@table("apimachinery_api_resource/quantity__TestNeg")
def test_negate(case: Case) -> None:
    assert subtract(0, case["a"]) == canonical(case["expected"])


@table("apimachinery_api_resource/quantity__TestQuantityNeg")
def test_negate_text(case: Case) -> None:
    assert subtract(0, case["a"]) == case["out"]


def _beyond_int64(case: Case) -> str:
    texts = (case["a"], case["b"])
    too_big = any(text.lstrip("-").isdigit() and abs(int(text)) > MAX_INT64 for text in texts)
    return "Go's comparison overflows beyond an int64, ours is exact" if too_big else ""


@table("apimachinery_api_resource/quantity__TestQuantityCmpInt64AndDec", leave_out=_beyond_int64)
def test_compare(case: Case) -> None:
    assert compare(case["a"], case["b"]) == case["cmp"]


@table("apimachinery_api_resource/quantity__TestQuantityCmp")
def test_compare_decimals(case: Case) -> None:
    assert compare(_decimal(case.get("x")), _decimal(case.get("y"))) == case["expect"]


def _decimal(value: Case | None) -> str:
    if value is None:
        return "0"
    digits = value["unscaled"].get("abs", [0])[0]
    return f"{'-' if value['unscaled']['neg'] else ''}{digits}e{-value['scale']}"


@table("apimachinery_api_resource/quantity__TestNewSet")
def test_from_whole_numbers(case: Case) -> None:
    assert canonical(Quantity(case["value"] * 10**9, _form(case["format"]))) == case["expect"]


@table("apimachinery_api_resource/quantity__TestMilliNewSet")
def test_from_millis(case: Case) -> None:
    assert canonical(Quantity(case["value"] * 10**6, _form(case["format"]))) == case["expect"]


@table("apimachinery_api_resource/quantity__TestNewScaledSet")
def test_from_scaled(case: Case) -> None:
    assert canonical(Quantity(case["value"] * 10 ** (case["scale"] + 9))) == case["expect"]


@table("apimachinery_api_resource/quantity__TestScaledValue")
def test_scaled_value(case: Case) -> None:
    nanos = parse_quantity(f"1e{case['fromScale']}").nanos
    assert -(-nanos // 10 ** (case["toScale"] + 9)) == case["expected"]


@table(
    "apimachinery_api_resource/quantity__TestQuantityRoundUp",
    leave_out=lambda case: "" if case["scale"] in (0, -3) else "Berth rounds to whole numbers and millis only",
)
def test_rounding_away_from_zero(case: Case) -> None:
    rounded = value(case["in"]) if case["scale"] == 0 else f"{milli_value(case['in'])}m"
    assert canonical(rounded) == case["expect"]


def _float_cases(case: Case) -> None:
    assert float_value(case["in"]) == pytest.approx(case["out"])


@table("apimachinery_api_resource/quantity__TestStringQuantityAsApproximateFloat64")
def test_approximate_float(case: Case) -> None:
    _float_cases(case)


@table("apimachinery_api_resource/quantity__TestStringQuantityAsFloat64Slow")
def test_float(case: Case) -> None:
    _float_cases(case)


def _form(name: str) -> Form:
    return Form(name) if name in {form.value for form in Form} else Form.EXPONENT
