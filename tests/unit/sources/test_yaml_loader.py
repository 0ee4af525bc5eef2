"""YAML and JSON: what words mean, what is refused, and that no text costs more than its limits."""

from __future__ import annotations

import resource
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sources.errors import YamlError
from sources.yaml.dumper import dump
from sources.yaml.loader import Limits, load_documents
from sources.yaml.scalars import old_boolean, resolve_plain
from sources.yaml.syntax import PlaceFinder


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("Null", None), ("nULL", "nULL"),
        ("true", True), ("True", True), ("TRUE", True), ("tRUE", "tRUE"), ("false", False),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("Off", "Off"), ("y", "y"), ("N", "N"),
        ("0", 0), ("-0", 0), ("12", 12), ("+12", 12), ("-12", -12), ("007", 7), ("0644", 420), ("-0644", -420),
        ("0899", 899), ("0o644", 420), ("0x1F", 31), ("-0x1f", -31), ("0b101", 5), ("0x", "0x"), ("0b2", "0b2"),
        ("1_000", 1000), ("12:30:45", "12:30:45"), ("2024-01-01", "2024-01-01"), ("1.2.3", "1.2.3"),
        ("1.5", 1.5), ("1.", 1), (".5", 0.5), ("-1.5e3", -1500), ("1e3", 1000), ("2.0", 2),
        ("1e+06", 1000000), ("1e999", "1e999"),
        (".inf", ".inf"), (".nan", ".nan"), (".", "."), ("-", "-"), ("+", "+"), ("1e", "1e"), ("100m", "100m"),
        ("18446744073709551615", 18446744073709551615), ("-9223372036854775808", -9223372036854775808),
        ("9" * 500, "9" * 500), ("=", "="), ("<<", "<<"), ("١", "١"),
    ],
)  # fmt: skip
def test_words(text: str, value: object) -> None:
    found = resolve_plain(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18446744073709551616", 18446744073709551616.0),
        ("-9223372036854775809", -9223372036854775808),
        ("1e20", 1e20),
        ("0777777777777777777777777", 7.77777777777777777777777e23),
        ("0x1ffffffffffffffff", "0x1ffffffffffffffff"),
        ("0x52908400098527886E0F7030069857D2E4169EE7", "0x52908400098527886E0F7030069857D2E4169EE7"),
        ("0b" + "1" * 65, "0b" + "1" * 65),
        ("0o7777777777777777777777777", "0o7777777777777777777777777"),
    ],
)
def test_numbers_beyond_64_bits(text: str, value: object) -> None:
    found = resolve_plain(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("word", "value"),
    [("yes", True), ("Yes", True), ("ON", True), ("y", True), ("no", False), ("Off", False), ("N", False)]
    + [(word, None) for word in ("yEs", "true", "", "nope", "oN")],
)
def test_booleans_of_yaml_1_1(word: str, value: bool | None) -> None:
    assert old_boolean(word) is value


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("# only a comment\n", [], id="comment"),
        pytest.param("a: 1\n", [{"a": 1}], id="one"),
        pytest.param("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n", [{"a": 1}, None, {"b": 2}], id="several"),
        pytest.param('a: "1"\nb: \'no\'\nc: |\n  yes\n  1\n', [{"a": "1", "b": "no", "c": "yes\n1\n"}], id="quoted"),
        pytest.param("1: a\non: b\n0x1: c\n", [{"1": "a", "on": "b", "0x1": "c"}], id="keys-are-text"),
        pytest.param("a: !!str 123\nb: !!int '7'\nc: !!float 1\n", [{"a": "123", "b": 7, "c": 1.0}], id="tags"),
        pytest.param("a: &x {b: [1]}\nc: *x\nd: [*x]\n", [{"a": {"b": [1]}, "c": {"b": [1]}, "d": [{"b": [1]}]}],
                     id="alias"),
        pytest.param("d: &d {a: 1, b: 2}\ne:\n  b: 3\n  <<: *d\n", [{"d": {"a": 1, "b": 2}, "e": {"a": 1, "b": 3}}],
                     id="merge"),
        pytest.param("e:\n  <<: [{a: 1, b: 1}, {b: 2, c: 2}]\n", [{"e": {"a": 1, "b": 1, "c": 2}}], id="merge-list"),
        pytest.param("'<<': 1\n", [{"<<": 1}], id="quoted-merge-key"),
        pytest.param("\ufeffa: ä€😀\n", [{"a": "ä€😀"}], id="byte-order-mark"),
        pytest.param("a: [1, {b: c}, []]\n", [{"a": [1, {"b": "c"}, []]}], id="flow"),
    ],
)  # fmt: skip
def test_texts(text: str, values: list[Any]) -> None:
    assert [document.value for document in load_documents(text.encode())] == values


def test_documents_know_where_they_begin() -> None:
    documents = load_documents(b"# head\n\na: 1\n---\n\nb: 2\n---\n- c\n")
    assert [(document.number, document.line) for document in documents] == [(0, 3), (1, 6), (2, 8)]


_LAUGHS = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + step, 98 + step, b",".join([b"*%c" % (97 + step)] * 9)) for step in range(9)
)


@pytest.mark.parametrize(
    ("content", "message", "line", "column"),
    [
        (b"a: 1\nb: 2\na: 3\n", "the key 'a' is given twice (first in line 1)", 3, 1),
        (b"a:\n  b: {c: 1, c: 2}\n", "the key 'c' is given twice (first in line 2)", 2, 13),
        (b"a:\n\tb: 1\n", "not valid YAML: a tab in the indentation (use spaces)", 2, 1),
        (b"a: b: c\n", "not valid YAML: a second ':' in one line (quote the value, or correct the indentation)", 1, 5),
        (b'a: 1\nb: "c\nd: 2\n', "not valid YAML: a quote is opened here and never closed", 2, 4),
        (b"a: [1, 2\nb: 3\n", "not valid YAML: a bracket is opened here and not closed, or a ',' is missing", 1, 4),
        (b"a:\n  b: 1\n c: 2\n", "not valid YAML: the indentation fits no key above", 3, 2),
        (b"a:\n  - 1\n  b: 2\n", "not valid YAML: the indentation fits no list item above", 3, 3),
        (b"a: @secret\n", "not valid YAML: a value cannot begin with '@' (quote the value)", 1, 4),
        (b"a: }\n", "not valid YAML: a value is missing", 1, 4),
        (b"{a: 1}\nb: 2\n", "not valid YAML: text after the end of a document (separate documents by ---)", 2, 1),
        (b"a\nb: c\n", "not valid YAML: a second ':' in one line (quote the value, or correct the indentation)", 2, 2),
        (b"a: 1\nb: \x01\n", "not valid YAML: a control character (remove it)", 2, 0),
        (b"a: 1\nb: \xe4\n", "the file is not UTF-8 text (save it as UTF-8)", 2, 0),
        (b"a: *b\n", "the alias *b names nothing that is complete before it", 1, 4),
        (b"a: &a [*a]\n", "the alias *a names nothing that is complete before it", 1, 8),
        (b"a: &x 1\n---\nb: *x\n", "the alias *x names nothing that is complete before it", 3, 4),
        (b"a: !!python/object:os.system x\n",
         "the tag !!python/object:os.system is not supported (manifests are plain YAML without tags)", 1, 4),
        (b"a: !vault secret\n", "the tag !vault is not supported (manifests are plain YAML without tags)", 1, 4),
        (b"a: !!set {b}\n", "the tag !!set is not supported (manifests are plain YAML without tags)", 1, 4),
        (b"a: !!int canary\n", "the value does not fit its tag !!int", 1, 4),
        (b"? [a]\n: b\n", "a key must be plain text", 1, 3),
        (b"~: b\n", "a key is missing before ':'", 1, 1),
        (b"a:\n  <<: 3\n", "only mappings can be merged by '<<'", 2, 3),
        (b"[" * 3_000_000, "nested deeper than 100 levels", 1, 101),
        (b"- " * 1_500_000, "nested deeper than 100 levels", 1, 201),
        (b"{a: " * 700_000, "nested deeper than 100 levels", 1, 401),
        (_LAUGHS, "the file has more than 200000 values, aliases expanded", 6, 11),
        (b"[" + b"a," * 1_400_000 + b"]", "the file has more than 200000 values, aliases expanded", 1, 400000),
        (b"x" * (3 * 2**20 + 1), "the file is larger than 3 MiB", 0, 0),
    ],
)  # fmt: skip
def test_texts_that_are_refused(content: bytes, message: str, line: int, column: int) -> None:
    with pytest.raises(YamlError) as caught:
        load_documents(content)
    assert (str(caught.value), caught.value.line, caught.value.column) == (message, line, column)


def test_bombs_need_little_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for bomb in (_LAUGHS, b"- a\n" * 750_000, b"---\n" * 700_000, b"? " * 1_500_000, b"&a " * 1_000_000):
        with pytest.raises(YamlError):
            load_documents(bomb)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 150


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('{"a": [1, 2.5, true, null, "\\ud83d\\ude00\\/"]}', {"a": [1, 2.5, True, None, "😀/"]}, id="all"),
        pytest.param('{\n\t"a": 1\n}\n', {"a": 1}, id="tabs"),
        pytest.param("[]", [], id="list"),
        pytest.param('{"a": 1.0, "b": 1e3, "c": 99999999999999999999}', {"a": 1, "b": 1000, "c": 1e20}, id="numbers"),
    ],
)
def test_json(text: str, value: Any) -> None:
    assert [document.value for document in load_documents(text.encode(), is_json=True)] == [value]


def test_json_documents_one_after_another() -> None:
    text = '{"a": 1}\n\n{\n\t"b": "\\ud83d\\ude00",\n\t"c": {"d": 2}}\n---\n{"e": 3}'
    for is_json in (True, False):
        documents = load_documents(text.encode(), is_json=is_json)
        assert [(found.number, found.line) for found in documents] == [(0, 1), (1, 3), (2, 7)]
        assert [found.value for found in documents] == [{"a": 1}, {"b": "😀", "c": {"d": 2}}, {"e": 3}]
    places = PlaceFinder(text, [found.json_span for found in documents if found.json_span])
    found = [places.locate(1, ("b",)), places.locate(1, ("c", "d")), places.locate(2, ("e",)), places.locate(0, ())]
    assert [(place.line, place.column) for place in found] == [(4, 2), (5, 8), (7, 2), (1, 1)]


def test_an_anchor_may_be_given_again() -> None:
    places = PlaceFinder("a: &x 1\nb: &x\n  c: 2\nd: *x\ne: {<<: *x, f: 3}\n---\ng: &x 4\n")
    paths = [(0, ("b", "c")), (0, ("d", "c")), (0, ("e", "c")), (0, ("e", "f")), (1, ("g",))]
    assert [places.locate(document, path).line for document, path in paths] == [3, 3, 3, 5, 7]


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ('{"a": 1,\n "a": 2}', "the key 'a' is given twice", 1),
        ('{"a": 1\n "b": 2}', "not valid JSON: expecting ',' delimiter", 2),
        ("", "not valid JSON: expecting value", 1),
        ('{"a": NaN}', "NaN is not a JSON number", 1),
        ('{"a": ' + "9" * 5000 + "}", "a number is too large", 1),
        ('{"a": 1e999}', "a number is too large", 1),
        ('{"a": 1}\n{"a": }', "not valid JSON: expecting value", 2),
        ('{"a": 1} b', "not valid JSON: expecting value", 1),
        ("[" * 101 + "]" * 101, "nested deeper than 100 levels", 1),
        ("[" * 150_000, "nested deeper than 100 levels", 0),
        ("[" + "1," * 200_000 + "1]", "the file has more than 200000 values", 0),
    ],
)
def test_json_that_is_refused(text: str, message: str, line: int) -> None:
    with pytest.raises(YamlError) as caught:
        load_documents(text.encode(), is_json=True)
    assert (str(caught.value), caught.value.line) == (message, line)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufeff\u2028\u2029")),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text("abcdefghij", min_size=1, max_size=5), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(_VALUES)
def test_what_is_dumped_is_loaded(value: Any) -> None:
    assert load_documents(dump(value).encode())[0].value == value


@pytest.mark.parametrize(
    "text", ["0899", "08", "0o17", "1e5", "5e-3", "-.5", "0_9", "1_000", "~", "null", "true", "no"]
)
def test_a_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    """By PyYAML's rules alone, half of these would come back as numbers."""
    document = {"a": text, text: [text]}
    assert load_documents(dump(document).encode())[0].value == document
    assert yaml.load(dump(document), Loader=yaml.CSafeLoader) == document


@given(st.binary(max_size=200))
def test_no_bytes_break_it(content: bytes) -> None:
    for is_json in (False, True):
        try:
            load_documents(content, is_json=is_json, limits=Limits(max_nodes=50))
        except YamlError as error:
            assert error.message
