"""Files of the status branch: each is looked through once, and no value slips through how a text is written."""

import json
import shlex
from urllib.parse import quote

import msgspec
import pytest

from differ.documents.compact_yaml import dump, load
from differ.redaction.redactor import Redactor
from objects.api.core import Secret
from objects.api.meta import ObjectMeta
from objects.secrets import SecretValue
from sources.words import Masked, Words


def words_of(*values: str) -> Words:
    words = Words()
    words.learn(
        Secret(metadata=ObjectMeta(name=f"s{number}", namespace="default"), data={"key": SecretValue(value.encode())})
        for number, value in enumerate(values)
    )
    return words


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("s3cr3t-canary", id="plain"),
        pytest.param('with "quotes" and \\', id="escaped"),
        pytest.param("éàü-geheim-ñ", id="not ASCII"),
        pytest.param("zero\u200bwidth\u0085", id="letters that nobody sees"),
        pytest.param("short\nlines\nof one\nvalue", id="lines of which none counts alone"),
        pytest.param("tab\there-is", id="tab"),
        pytest.param("bell\x07here-is", id="control letter"),
    ],
)
@pytest.mark.parametrize(
    "around",
    [
        pytest.param("{}", id="alone"),
        pytest.param("--password={}", id="in an argument"),
        pytest.param("first\n{}\nlast\n", id="among lines"),
        pytest.param("no: {} #", id="in quotes"),
    ],
)
def test_no_value_is_in_a_sealed_text_and_it_is_read_back(secret, around):
    words, document = words_of(secret), {"a": {"b": [around.format(secret)]}, "c": around.format(secret)}
    text = words.sealed_text(document, dump).decode()
    assert "Secret default/s0 key" in text
    for spelling in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        assert spelling not in text
    assert words.unsealed(load(text.encode())) == document


@pytest.mark.parametrize(
    "quoted",
    [
        pytest.param(lambda text: json.dumps(text, ensure_ascii=False), id="as Go and YAML do"),
        pytest.param(json.dumps, id="as JSON does"),
        pytest.param(repr, id="as Python does"),
        pytest.param(shlex.quote, id="as a shell does"),
        pytest.param(quote, id="as a URL does"),
    ],
)
@pytest.mark.parametrize("secret", ['ca"nary/ü-4e17', 'it\'s "both"-4e17', "back\\slash-4e17"])
def test_no_value_is_in_a_text_that_quotes_it_and_is_quoted_itself(secret, quoted):
    """An engine's error holds it as Go writes it, and the file writes that once more."""
    words = words_of(secret)
    document = {"message": f"exec: {quoted(secret)}: no such file"}
    text = words.sealed_text(document, dump).decode()
    assert "4e17" not in text
    assert words.unsealed(load(text.encode())) == document


def test_a_text_without_values_is_looked_through_once(monkeypatch):
    words, scans, find = words_of("s3cr3t-canary"), [], Redactor._found
    monkeypatch.setattr(Redactor, "_found", lambda redactor, text: scans.append(text) or find(redactor, text))
    content = words.sealed_text({"a": "nothing to hide"}, dump)
    assert words.masked(content) is content
    assert len(scans) == 1
    assert words.masked(bytes(content)) == content
    assert len(scans) == 2


def test_what_was_made_before_a_secret_was_known_is_looked_through_again():
    words = words_of("s3cr3t-canary")
    content = words.sealed_text({"a": "later-canary"}, dump)
    assert isinstance(content, Masked) and b"later-canary" in content
    words.learn([Secret(metadata=ObjectMeta(name="n"), data={"k": SecretValue(b"later-canary")})])
    assert words.masked(content) == b"a: ***\n"


@pytest.mark.parametrize("letter", [pytest.param(chr(code), id=f"{code:02x}") for code in range(0x100)])
def test_json_of_a_letter_is_one_and_the_same(letter):
    """`differ.redaction.spellings` knows how Python's writes it."""
    assert msgspec.json.encode(letter).decode() == json.dumps(letter, ensure_ascii=False)
