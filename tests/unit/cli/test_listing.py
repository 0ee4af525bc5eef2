"""Which objects are listed, and as what text."""

from __future__ import annotations

import json

import pytest
import yaml

from objects.api.apps import Deployment, DeploymentSpec
from objects.api.core import ConfigMap, Namespace, Secret
from objects.api.pods import Pod, PodSpec, PodStatus
from objects.errors import NotFound
from objects.secrets import SecretValue
from objects.selectors import parse_selector
from reconciler.cli.common.listing import (
    Layout,
    Scope,
    parse_fields,
    render,
    select,
)
from reconciler.cli.common.naming import parse_wanted
from tests.unit.cli.sample import around, container, meta, running


def pod(name: str, namespace: str = "default", phase: str = "Running", **labels: str) -> Pod:
    return Pod(
        metadata=meta(name, namespace, labels=labels),
        spec=PodSpec(containers=(container(),)),
        status=PodStatus(phase=phase, container_statuses=(running(restarts=len(name)),)),
    )


AROUND = around(
    pod("web-1", app="web"),
    pod("web-2", app="web", tier="front"),
    pod("db", app="db", phase="Pending"),
    pod("web-1", "shop", app="web"),
    Deployment(metadata=meta("web"), spec=DeploymentSpec(replicas=2)),
    Namespace(metadata=meta("shop", "")),
    ConfigMap(metadata=meta("game"), data={"a": "1"}),
    Secret(metadata=meta("db"), data={"password": SecretValue(b"canary-9f2")}),
)


def listed(*words: str, scope: Scope = Scope(), layout: Layout = Layout()) -> str:  # noqa: B008 - immutable
    wanted = parse_wanted(words)
    found = select(AROUND, wanted, scope, sort_by=layout.sort_by)
    one = len(wanted) == 1 and len(wanted[0].names) == 1
    return render(found, AROUND, layout, one=one, all_namespaces=scope.namespace is None)


NAMES = Layout("name")


@pytest.mark.parametrize(
    ("words", "scope", "expected"),
    [
        pytest.param(("po",), Scope(), "pod/db pod/web-1 pod/web-2", id="namespace"),
        pytest.param(("po",), Scope("shop"), "pod/web-1", id="another"),
        pytest.param(("po",), Scope(None), "pod/db pod/web-1 pod/web-2 pod/web-1", id="all-namespaces"),
        pytest.param(("po", "web-2", "db"), Scope(), "pod/web-2 pod/db", id="by-name-in-order"),
        pytest.param(("po",), Scope("default", parse_selector("app=web,tier")), "pod/web-2", id="labels"),
        pytest.param(("po",), Scope(None, (), parse_fields("status.phase!=Running")), "pod/db", id="field-not"),
        pytest.param(("po",), Scope(None, (), parse_fields("metadata.namespace=shop")), "pod/web-1", id="field"),
        pytest.param(("ns",), Scope(), "namespace/shop", id="cluster-scoped"),
        pytest.param(("ns", "shop"), Scope("other"), "namespace/shop", id="cluster-scoped-by-name"),
        pytest.param(("deploy,cm",), Scope(), "deployment.apps/web configmap/game", id="two-kinds"),
        pytest.param(("jobs",), Scope(), "", id="none"),
    ],
)
def test_selection(words: tuple[str, ...], scope: Scope, expected: str) -> None:
    assert listed(*words, scope=scope, layout=NAMES).split() == expected.split()


@pytest.mark.parametrize(
    ("words", "scope", "message"),
    [
        pytest.param(("po", "nope"), Scope(), 'pods "nope" not found in namespace default', id="absent"),
        pytest.param(("ns", "nope"), Scope(), 'namespaces "nope" not found', id="absent-cluster-scoped"),
        pytest.param(("po", "db"), Scope(None), "an object is named within one namespace", id="name-in-all"),
    ],
)
def test_named_but_not_there(words: tuple[str, ...], scope: Scope, message: str) -> None:
    with pytest.raises(NotFound) as caught:
        listed(*words, scope=scope)
    assert caught.value.message == message


def test_table() -> None:
    assert listed("po") == (
        "NAME    READY   STATUS    RESTARTS   AGE\n"
        "db      1/1     Pending   2          2m\n"
        "web-1   1/1     Running   5          2m\n"
        "web-2   1/1     Running   5          2m"
    )


def test_several_tables_with_namespaces_and_labels() -> None:
    text = listed("po,ns", scope=Scope(None), layout=Layout(show_labels=True, headers=False))
    assert text == (
        "default   pod/db      1/1   Pending   2   2m   app=db\n"
        "default   pod/web-1   1/1   Running   5   2m   app=web\n"
        "default   pod/web-2   1/1   Running   5   2m   app=web,tier=front\n"
        "shop      pod/web-1   1/1   Running   5   2m   app=web\n"
        "\n"
        "namespace/shop   Active   2m   <none>"
    )


@pytest.mark.parametrize(
    ("sort_by", "expected"),
    [
        pytest.param(".status.containerStatuses[0].restartCount", "pod/db pod/web-1 pod/web-2", id="numbers"),
        pytest.param("{.metadata.labels.tier}", "pod/web-2 pod/db pod/web-1", id="absent-last"),
    ],
)
def test_sorting(sort_by: str, expected: str) -> None:
    assert listed("po", layout=Layout("name", sort_by=sort_by)).split() == expected.split()


def test_one_object_is_a_document_several_are_a_list() -> None:
    one = yaml.safe_load(listed("cm", "game", layout=Layout("yaml")))
    assert (one["kind"], one["data"]) == ("ConfigMap", {"a": "1"})
    several = json.loads(listed("cm", layout=Layout("json")))
    assert several == {
        "apiVersion": "v1",
        "kind": "List",
        "items": [{**one, "metadata": several["items"][0]["metadata"]}],
    }


@pytest.mark.parametrize("form", ["", "wide", "yaml", "json", "jsonpath={.items[*].data}"])
def test_no_form_shows_a_secret(form: str) -> None:
    text = listed("secrets", layout=Layout(form))
    assert "canary" not in text
    assert "Y2FuYXJ5" not in text, "base64 of it"
    assert text


def test_fields() -> None:
    assert parse_fields("a.b=x,c!=y,d==z") == (("a.b", "x", True), ("c", "y", False), ("d", "z", True))
