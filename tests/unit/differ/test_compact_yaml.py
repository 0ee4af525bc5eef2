"""Documents of the status branch: every YAML reader gets out of them what went in, and older ones are read as ever."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from differ.documents.compact_yaml import dump, load

TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="ab :#-\n\t '\"|{}[]&*!%@`\\,?0", max_size=12),
    st.sampled_from(
        ["yes", "No", "null", "~", "1e5", "0x1f", "1_000", "-", "- a", "a: b", "a #b", "a:", " a", "a ", "2026-01-01"]
    ),
)
SCALARS = st.one_of(TEXTS, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=25,
)
DOCUMENTS = st.dictionaries(TEXTS, VALUES, max_size=5)


def by_pyyaml(content: bytes) -> object:
    return yaml.load(content, Loader=yaml.CSafeLoader)


@given(DOCUMENTS)
def test_what_is_written_is_what_is_read_by_us_and_by_others(document):
    written = dump(document)
    assert load(written) == document
    assert by_pyyaml(written) == document


@given(DOCUMENTS, st.sampled_from([20, 120]))
def test_what_others_wrote_is_read_as_they_meant_it(document, width):
    text = yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=width)
    assert load(text.encode()) == by_pyyaml(text.encode())


@pytest.mark.parametrize(
    ("document", "text"),
    [
        pytest.param({}, "{}\n", id="nothing"),
        pytest.param({"a": "text", "b": 1, "c": True, "d": None}, "a: text\nb: 1\nc: true\nd: null\n", id="scalars"),
        pytest.param({"a": "yes", "b": "1", "c": ""}, 'a: "yes"\nb: "1"\nc: ""\n', id="texts that are none unquoted"),
        pytest.param({"a": {"b": "c"}}, 'a: {"b": "c"}\n', id="short: one line"),
        pytest.param(
            {"a": {"b": "x" * 60, "c": "y" * 60}}, f"a:\n  b: {'x' * 60}\n  c: {'y' * 60}\n", id="long: a block"
        ),
        pytest.param(
            {"a": [{"b": "c"}, {"d": "x" * 120, "e": 1}]},
            f'a:\n- {{"b": "c"}}\n- d: {"x" * 120}\n  e: 1\n',
            id="a list, an item a line or a block",
        ),
        pytest.param({"a": "one\n\ntwo\n"}, "a: |\n  one\n\n  two\n", id="lines"),
        pytest.param({"a": "one\ntwo", "b": 1}, "a: |-\n  one\n  two\nb: 1\n", id="lines without an end"),
        pytest.param({"a": "x \u0085\u2028"}, 'a: "x \\u0085\\u2028"\n', id="letters that nobody sees"),
        pytest.param({"a b": {}, "c": []}, "a b: {}\nc: []\n", id="empty"),
    ],
)
def test_form(document, text):
    assert dump(document).decode() == text
    assert load(text.encode()) == document == by_pyyaml(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: 'it''s'\n", id="single quotes"),
        pytest.param("a: b\n  c\n", id="folded"),
        pytest.param("a:\nb: 1\n", id="nothing for null"),
        pytest.param("# said by a person\na: 1\n", id="comment"),
        pytest.param("a: 2026-01-01\n", id="date"),
        pytest.param("a: &x 1\nb: *x\n", id="anchor"),
        pytest.param("a: >\n  b\n  c\n", id="folded block"),
        pytest.param("a: |2\n   b\n", id="literal with a margin of its own"),
        pytest.param("- 1\n- 2\n", id="a list"),
        pytest.param("a: 1\na: 2\n", id="a key twice"),
        pytest.param("a: 1", id="no last line end"),
        pytest.param("a: 1\r\nb: c\r\n", id="Windows"),
        pytest.param("a:\n    b: 1\n    c:\n        - 1\n", id="other margins"),
        pytest.param("", id="empty"),
    ],
)
def test_other_yaml(text):
    assert load(text.encode()) == by_pyyaml(text.encode())


def test_bad_yaml_is_an_error():
    with pytest.raises(yaml.YAMLError):
        load(b"a: [")


def test_documents_read_one_after_another_have_in_common_what_they_say_alike():
    known: dict[str, object] = {}
    first, second = (load(b'a: x\nb: {"c": "d"}\ne: null\n', known) for _ in range(2))
    assert first == second == {"a": "x", "b": {"c": "d"}, "e": None}
    assert first["b"] is second["b"]
    assert load(b'"null": 1\n', known) == {"null": 1}
    assert load(b"null: 1\n", known) == {None: 1}, "what is not a text is no key of ours, also when it is known"


def test_what_is_known_of_many_documents_has_an_end(monkeypatch):
    monkeypatch.setattr("differ.documents.compact_yaml._MOST_KNOWN", 3)
    known: dict[str, object] = {}
    for number in range(20):
        assert load(f"a: x{number}\n".encode(), known) == {"a": f"x{number}"}
    assert len(known) < 6
