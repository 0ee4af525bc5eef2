"""JSONPath templates, on one document."""

from __future__ import annotations

import pytest

from objects.errors import InvalidInput
from reconciler.cli.printing.jsonpath import parse_path, parse_template

DOCUMENT = {
    "kind": "List",
    "items": [
        {
            "metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "web"}},
            "status": {"ready": True, "restarts": 3, "conditions": [{"type": "Ready", "status": "True"}]},
        },
        {"metadata": {"name": "b"}, "status": {"ready": False, "restarts": 0}},
        {"metadata": {"name": "c"}, "status": {}},
    ],
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("{.kind}", "List", id="field"),
        pytest.param("{$.kind}", "List", id="root"),
        pytest.param("kind={.kind}!", "kind=List!", id="text-around"),
        pytest.param("{.items[*].metadata.name}", "a b c", id="all"),
        pytest.param("{.items[0].metadata.name}", "a", id="index"),
        pytest.param("{.items[-1].metadata.name}", "c", id="last"),
        pytest.param("{.items[-2].metadata.name}", "b", id="last-but-one"),
        pytest.param("{.items[1:].metadata.name}", "b c", id="slice-to-end"),
        pytest.param("{.items[0:2].metadata.name}", "a b", id="slice"),
        pytest.param("{.items[0].metadata.labels.app\\.kubernetes\\.io/name}", "web", id="slash"),
        pytest.param("{.items[*]['metadata','status'].name}", "a b c", id="union-of-fields"),
        pytest.param("{.items[0,2].metadata.name}", "a c", id="union-of-indices"),
        pytest.param("{.items[0:3:2].metadata.name}", "a c", id="stride"),
        pytest.param("{.items[::0].metadata.name}", None, id="stride-0"),
        pytest.param("{.items[0].metadata.labels['app.kubernetes.io/name']}", "web", id="brackets"),
        pytest.param("{..name}", "a b c", id="deep"),
        pytest.param('{.items[?(@.metadata.name=="b")].status.restarts}', "0", id="filter-text"),
        pytest.param("{.items[?(@.status.restarts>1)].metadata.name}", "a", id="filter-number"),
        pytest.param("{.items[?(@.status.ready==true)].metadata.name}", "a", id="filter-boolean"),
        pytest.param("{.items[?(@.status.ready)].metadata.name}", "a b", id="filter-presence"),
        pytest.param("{.items[?(@.metadata.name>1)].metadata.name}", "", id="text-is-not-more-than-a-number"),
        pytest.param(
            '{range .items[*]}{.metadata.name}{"\\t"}{.status.restarts}{"\\n"}{end}', "a\t3\nb\t0\nc\t\n", id="range"
        ),
        pytest.param("{range .items[*]}{@.metadata.name},{end}", "a,b,c,", id="at"),
        pytest.param("{.items[0].status.conditions[0]}", '{"type":"Ready","status":"True"}', id="object"),
        pytest.param("{.items[0].status.ready}", "true", id="boolean"),
        pytest.param("{.nothing.here}", "", id="absent"),
        pytest.param("{'a'} {\"b\"}", "a b", id="quoted"),
        pytest.param("{end}", None, id="end-alone"),
        pytest.param("{range .items[*]}", None, id="range-without-end"),
        pytest.param("{.items[(@.length-1)]}", None, id="script"),
    ],
)
def test_template(template: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(InvalidInput):
            parse_template(template)
    else:
        assert parse_template(template).render(DOCUMENT) == expected


@pytest.mark.parametrize("text", ["{.items[1].metadata.name}", ".items[1].metadata.name", "items[1].metadata.name"])
def test_path_in_every_spelling(text: str) -> None:
    assert parse_path(text).values(DOCUMENT) == ["b"]
