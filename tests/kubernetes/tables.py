"""Loads Kubernetes' test tables: `../shared/kubernetes-tables` beside the project.

A runner names its table once:

    @table("apimachinery_labels/selector__TestSetSelectorParser", leave_out=no_match_expected)
    def test_selector_text(case: Case) -> None: ...

Each case becomes one test. A case that does not apply to Berth is left out by `leave_out`, which says why; a whole
table by an entry in the runner's `LEFT_OUT`. `test_completeness.py` sees to it that no table is forgotten. Where the
folder is absent (a checkout without it), the tests are skipped with that reason.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "kubernetes-tables"
ABSENT = "Kubernetes' tables are not beside this checkout (../shared/kubernetes-tables)"

Case = dict[str, Any]
LeaveOut = Callable[[Case], str]
"""Takes a case; returns the reason why it does not apply to Berth, or ''."""


@functools.cache
def load_table(name: str) -> tuple[Case, ...]:
    """name: "package/FILE__TestName". The cases in their order; a case that is no mapping comes as {"value": it}.

    Cases of a table that is a map from names come with their name as `name`.
    """
    cases = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    if isinstance(cases, dict):
        cases = [{"name": text, **case} if isinstance(case, dict) else case for text, case in cases.items()]
    return tuple(case if isinstance(case, dict) else {"value": case} for case in cases)


def case_name(case: Case, index: int) -> str:
    """The case's own name, or its place and first short field."""
    for field in ("name", "description", "desc", "testName"):
        if isinstance(case.get(field), str) and case[field]:
            return str(case[field])
    short = next((str(value) for value in case.values() if isinstance(value, str | int) and str(value)), "")
    return f"{index}-{short[:30]}"


def table(name: str, *, leave_out: LeaveOut | Mapping[str, str] | None = None) -> pytest.MarkDecorator:
    """Parametrize a test with `case` over a table.

    leave_out: case name -> reason, or a function that gives the reason. A name that the table does not have is an
    error, so that the list cannot outlive its cases.
    """
    if not FOLDER.is_dir():
        return pytest.mark.parametrize("case", [pytest.param({}, marks=pytest.mark.skip(reason=ABSENT), id=name)])
    named = [(case_name(case, index), case) for index, case in enumerate(load_table(name))]
    if isinstance(leave_out, Mapping):
        unknown = leave_out.keys() - {text for text, _ in named}
        if unknown:
            raise LookupError(f"{name} has no cases {sorted(unknown)}")
    kept = [(text, case) for text, case in named if not _reason(leave_out, text, case)]
    return pytest.mark.parametrize("case", [pytest.param(case, id=text) for text, case in kept])


def _reason(leave_out: LeaveOut | Mapping[str, str] | None, text: str, case: Case) -> str:
    if leave_out is None:
        return ""
    return leave_out.get(text, "") if isinstance(leave_out, Mapping) else leave_out(case)
