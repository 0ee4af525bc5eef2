"""Tables of apimachinery `util/intstr`: numbers and percentages."""

from __future__ import annotations

import pytest

from objects.errors import InvalidInput
from objects.values.intstr import scaled_value
from tests.kubernetes.tables import Case, table

LEFT_OUT = {
    "apimachinery_util_intstr/intstr__TestIntOrStringMarshalJSON": "msgspec encodes `int | str` as it stands",
    "apimachinery_util_intstr/intstr__TestIntOrStringMarshalJSONUnmarshalYAML": "YAML is read in sources/",
    "apimachinery_util_intstr/intstr__TestIntOrStringUnmarshalJSON": "msgspec decodes `int | str` as it stands",
    "apimachinery_util_intstr/intstr__TestParse": "command lines give texts to kubectl; Berth edits manifests",
}


@table("apimachinery_util_intstr/intstr__TestGetIntFromIntOrPercent")
def test_scaled_value(case: Case) -> None:
    if case["expectErr"]:
        with pytest.raises(InvalidInput):
            scaled_value(case["input"], total=case["total"], round_up=case["roundUp"])
    else:
        assert scaled_value(case["input"], total=case["total"], round_up=case["roundUp"]) == case["expectVal"]


@table("apimachinery_util_intstr/intstr__TestGetIntFromIntOrString")
def test_value_and_percent(case: Case) -> None:
    # A share of 100 is the percentage itself.
    if case["expectErr"]:
        with pytest.raises(InvalidInput):
            scaled_value(case["input"], total=100, round_up=False)
    else:
        assert scaled_value(case["input"], total=100, round_up=False) == case["expectVal"]
