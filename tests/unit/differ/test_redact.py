"""Secret values in texts: every spelling is masked, names are not, and what was sealed comes back as it was."""

import base64
import html
import json
import shlex
from urllib.parse import quote, quote_plus

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from differ.redaction.redactor import (
    Redactor,
    Word,
    public_names,
    secret_words,
    unsealed,
    words_of,
)
from objects.api.apps import Deployment
from objects.api.core import Secret
from objects.api.meta import ObjectMeta
from objects.secrets import SecretValue

PLAIN = "s3cr3t-canary"
ODD = "p'w\"d \\ %&<ü>/+?"
KEY = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA7yN3\nqwertyuiopasdfghjkl9\n-----END KEY-----\n"
LOGIN = json.dumps({"auths": {"r.example": {"auth": base64.b64encode(b"me:inner-canary").decode()}}})


def word(value: str | bytes, *, name: str = "db", key: str = "password") -> Word:
    content = value if isinstance(value, bytes) else value.encode()
    return Word("default", name, key, SecretValue(content))


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("value", "shown", "masked"),
    [
        pytest.param(PLAIN, f"args: --password={PLAIN} --tls=true", "args: --password=*** --tls=true", id="in-clear"),
        pytest.param(f"{PLAIN}\n", f"<{PLAIN}>", "<***>", id="without-the-newline-of-its-file"),
        pytest.param(PLAIN, f'{{"data":"{encoded(PLAIN)}"}}', '{"data":"***"}', id="base64"),
        pytest.param(PLAIN, encoded(PLAIN + "\n"), "***", id="base64-as-echo-makes-it"),
        pytest.param(PLAIN, encoded(PLAIN).rstrip("="), "***", id="base64-without-padding"),
        pytest.param(ODD, json.dumps(ODD), '"***"', id="json"),
        pytest.param(ODD, json.dumps(ODD, ensure_ascii=False), '"***"', id="json-in-unicode"),
        pytest.param(ODD, f"x={quote(ODD, safe='')}&y=1", "x=***&y=1", id="url"),
        pytest.param(ODD, f"x={quote_plus(ODD)}", "x=***", id="form"),
        pytest.param(ODD, html.escape(ODD), "***", id="html"),
        pytest.param(ODD, shlex.quote(ODD), "'***'", id="shell"),
        pytest.param(ODD, repr(ODD), "'***'", id="python"),
        pytest.param(f"{ODD}: ", yaml.safe_dump([f"{ODD}: x"], allow_unicode=True).strip(), "- '*** x'", id="yaml"),
        pytest.param(KEY, "cannot load MIIEpAIBAAKCAQEA7yN3", "cannot load ***", id="one-line-of-a-key"),
        pytest.param(KEY, "no -----BEGIN KEY----- here", "no -----BEGIN KEY----- here", id="not-its-armour"),
        pytest.param("a: 1\ndb-password: inner-canary\n", "got inner-canary", "got ***", id="a-setting-in-a-file"),
        pytest.param("postgres://app:inner-canary@db/app", "got inner-canary", "got ***", id="password-of-an-address"),
        pytest.param(LOGIN, "login of inner-canary failed", "login of *** failed", id="password-of-a-registry"),
        pytest.param(LOGIN, f"auth {encoded('me:inner-canary')}", "auth ***", id="auth-of-a-registry"),
        pytest.param(b"\xff\xfe\x00\x01binary", encoded("x") + base64.b64encode(b"\xff\xfe\x00\x01binary").decode(),
                     encoded("x") + "***", id="bytes"),
        pytest.param("a", "a banana", "a banana", id="too-short-to-be-told-from-words"),
        pytest.param("", "nothing", "nothing", id="empty"),
    ],
)  # fmt: skip
def test_every_spelling_is_masked(value: str | bytes, shown: str, masked: str):
    assert Redactor([word(value)])(shown) == masked


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_a_value_is_found_in_the_base64_of_what_lies_around_it(before: bytes, after: bytes):
    text = base64.b64encode(before + PLAIN.encode() + after).decode()
    masked = Redactor([word(PLAIN)])(text)
    assert "***" in masked
    kept = base64.b64encode(PLAIN.encode()).decode()[4:-4]
    assert kept not in masked


VALUES = st.lists(st.text(min_size=6, max_size=12), min_size=1, max_size=5)


@given(VALUES, st.lists(st.text(max_size=8), min_size=1, max_size=4), st.randoms())
def test_what_was_sealed_comes_back_as_it_was(values: list[str], around: list[str], random):
    words = [word(value, name=f"s{number}") for number, value in enumerate(values)]
    parts = [*values, *around, "***(", "***", encoded(values[0])]
    random.shuffle(parts)
    document = {"text": " ".join(parts), "list": [parts[0], {"deep": parts[-1]}], "number": 3}
    sealed = Redactor(words).sealed(document)
    assert unsealed(sealed, words) == document


def test_a_sealed_text_names_the_secret_and_holds_no_value():
    sealed = Redactor([word(PLAIN)]).sealed({"args": [f"--password={PLAIN}"]})
    assert sealed == {"args": ["--password=***(Secret default/db password 0)"]}
    assert unsealed(sealed, []) == {"args": ["--password=***"]}


def test_a_placeholder_that_a_person_wrote_gives_no_value():
    """Whoever may write a pod in one namespace must not read the Secrets of all others at the next restart."""
    written = {"env": "***(Secret default/db password 0)"}
    words = [word(PLAIN)]
    assert unsealed(Redactor(words).sealed(written), words) == written


def test_a_longer_value_goes_as_a_whole():
    redactor = Redactor([word("canary-1"), word("the-canary-1-is-long", key="other")])
    assert redactor("the-canary-1-is-long canary-1") == "*** ***"


@pytest.mark.parametrize(
    ("value", "is_masked"),
    [
        pytest.param("my-postgres", False, id="name-of-an-object"),
        pytest.param("postgres", False, id="part-of-a-name"),
        pytest.param("password", False, id="key-of-a-secret"),
        pytest.param("default", False, id="a-word-of-every-output"),
        pytest.param("postgr", True, id="not-a-whole-part"),
        pytest.param(PLAIN, True, id="anything-else"),
    ],
)
def test_names_are_no_secret(value: str, is_masked: bool):
    secret = Secret(metadata=ObjectMeta(name="db"), data={"password": SecretValue(value.encode())})
    objects = [secret, Deployment(metadata=ObjectMeta(name="my-postgres"))]
    assert bool(secret_words(words_of(objects), public_names(objects))) is is_masked
