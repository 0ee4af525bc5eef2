"""Kinds and names as people type them."""

from __future__ import annotations

import click
import pytest

from objects.kinds import BY_KIND, KINDS
from reconciler.cli.common.naming import (
    ALL,
    Wanted,
    find_kind,
    find_kinds,
    parse_one,
    parse_wanted,
    typed_name,
)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        pytest.param("po", "Pod", id="short"),
        pytest.param("pods", "Pod", id="plural"),
        pytest.param("Pod", "Pod", id="as-in-manifests"),
        pytest.param("deploy", "Deployment", id="deploy"),
        pytest.param("deployments.apps", "Deployment", id="with-group"),
        pytest.param("deployments.v1.apps", "Deployment", id="with-version-and-group"),
        pytest.param("pods.v1", "Pod", id="core-with-version"),
        pytest.param("no", "Node", id="no"),
        pytest.param("hosts", "Host", id="hosts"),
        pytest.param("hosts.berth.dev", "Host", id="own-group"),
        pytest.param("svc", "Service", id="svc"),
        pytest.param("cm", "ConfigMap", id="cm"),
        pytest.param("ns", "Namespace", id="ns"),
        pytest.param("sts", "StatefulSet", id="sts"),
    ],
)
def test_find_kind(word: str, kind: str) -> None:
    assert find_kind(word) is BY_KIND[kind]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        pytest.param("pd", "there is no kind 'pd', did you mean 'pod'?", id="near"),
        pytest.param(
            "deployments.batch", "there is no kind 'deployments.batch', did you mean 'deployments'?", id="group"
        ),
        pytest.param("zzz", "there is no kind 'zzz'", id="nothing-near"),
    ],
)
def test_unknown_kind(word: str, message: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        find_kind(word)
    assert caught.value.message == message


def test_every_name_means_one_kind() -> None:
    names = [name for info in KINDS for name in {info.kind.KIND.lower(), info.plural, *info.short_names}]
    assert sorted(names) == sorted(set(names))


def test_all() -> None:
    assert [info.plural for info in find_kinds("all")] == list(ALL)


def wanted(*items: tuple[str, tuple[str, ...]]) -> tuple[Wanted, ...]:
    return tuple(Wanted(BY_KIND[kind], names) for kind, names in items)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(("po",), wanted(("Pod", ())), id="all-of-a-kind"),
        pytest.param(("po", "a", "b", "a"), wanted(("Pod", ("a", "b"))), id="names"),
        pytest.param(("po,svc",), wanted(("Pod", ()), ("Service", ())), id="two-kinds"),
        pytest.param(("po/a", "deploy/b", "pod/c"), wanted(("Pod", ("a", "c")), ("Deployment", ("b",))), id="pairs"),
    ],
)
def test_parse_wanted(arguments: tuple[str, ...], expected: tuple[Wanted, ...]) -> None:
    assert parse_wanted(arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param((), id="nothing"),
        pytest.param(("po/a", "b"), id="pair-and-name"),
        pytest.param(("po/",), id="no-name"),
        pytest.param(("/a",), id="no-kind"),
        pytest.param(("po/a/b",), id="two-slashes"),
    ],
)
def test_parse_wanted_refuses(arguments: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError):
        parse_wanted(arguments)


@pytest.mark.parametrize(
    ("arguments", "default", "expected"),
    [
        pytest.param(("web",), "pod", ("Pod", "web"), id="default-kind"),
        pytest.param(("deploy/web",), "pod", ("Deployment", "web"), id="pair"),
        pytest.param(("deploy", "web"), "", ("Deployment", "web"), id="two-words"),
    ],
)
def test_parse_one(arguments: tuple[str, ...], default: str, expected: tuple[str, str]) -> None:
    info, name = parse_one(arguments, default_kind=default)
    assert (info.kind.KIND, name) == expected


@pytest.mark.parametrize("arguments", [(), ("web",), ("a", "b", "c"), ("po/a", "b")], ids=str)
def test_parse_one_refuses(arguments: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError):
        parse_one(arguments)


def test_typed_name() -> None:
    assert [typed_name(BY_KIND[kind], "x") for kind in ("Pod", "Deployment", "Host")] == [
        "pod/x",
        "deployment.apps/x",
        "host.berth.dev/x",
    ]
