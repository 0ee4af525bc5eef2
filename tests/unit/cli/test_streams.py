"""What a command prints, logs or dies with passes the boundary; bytes of logs do, line by line."""

import io
import logging
import sys
import traceback

import click
import pytest

from objects.api.core import Secret
from objects.api.meta import ObjectMeta
from objects.secrets import SecretValue
from reconciler.cli.common.streams import masked_lines, masked_streams
from sources.words import Words

VALUE = "s3cr3t-canary"


@pytest.fixture
def words() -> Words:
    words = Words()
    words.learn([Secret(metadata=ObjectMeta(name="db"), data={"password": SecretValue(VALUE.encode())})])
    return words


@pytest.mark.parametrize(
    "say",
    [
        pytest.param(lambda: print(f"a {VALUE}"), id="print"),
        pytest.param(lambda: click.echo(f"a {VALUE}"), id="click"),
        pytest.param(lambda: click.echo(f"a {VALUE}", err=True), id="click-stderr"),
        pytest.param(lambda: click.ClickException(f"a {VALUE}").show(), id="usage"),
        pytest.param(lambda: sys.stderr.writelines([f"a {VALUE}"]), id="writelines"),
        pytest.param(lambda: logging.StreamHandler().handle(logging.makeLogRecord({"msg": VALUE})), id="log"),
        pytest.param(lambda: traceback.print_exception(ValueError(VALUE)), id="traceback"),
    ],
)
def test_everything_that_prints(words, say, capsys):
    with masked_streams(words):
        say()
    said = capsys.readouterr()
    assert "canary" not in said.out + said.err
    assert "***" in said.out + said.err


def test_a_stream_that_knows_ascii_only_is_not_gone_around(words, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    with masked_streams(words):
        click.echo(f"ü {VALUE}")
    sys.stdout.flush()
    assert raw.getvalue() == "ü ***\n".encode()


def test_the_streams_are_what_they_were_afterwards(words):
    before = sys.stdout, sys.stderr
    with masked_streams(words):
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize(
    ("pieces", "masked"),
    [
        pytest.param([b"a s3cr3t-", b"canary b\nc"], b"a *** b\nc", id="in-two-pieces"),
        pytest.param([b"\xff\xfe s3cr3t-canary \x00\n"], b"\xff\xfe *** \x00\n", id="not-utf-8"),
        pytest.param([b"x" * 70000, b"s3cr3t-canary"], b"x" * 70000 + b"***", id="a-line-without-an-end"),
        pytest.param([], b"", id="nothing"),
    ],
)
def test_logs_of_containers(words, pieces, masked):
    assert b"".join(masked_lines(pieces, words)) == masked


def test_without_secrets_pieces_pass_as_they_come():
    assert list(masked_lines([b"a", b"b\nc"], Words())) == [b"a", b"b\nc"]


def test_a_value_that_was_rotated_stays_known(words):
    words.learn([Secret(metadata=ObjectMeta(name="db"), data={"password": SecretValue(b"another-value")})])
    assert words(f"{VALUE} another-value") == "*** ***"
