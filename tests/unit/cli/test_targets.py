"""Which pod and container `logs` and `exec` take, and the times that people write."""

from __future__ import annotations

from datetime import datetime

import click
import pytest

from hosts.observe.container_facts import parse_time
from hosts.observe.pod_containers import START_NOTED_WITHIN, last_run_since
from objects.api.apps import Deployment, ReplicaSet
from objects.api.meta import Condition, controller_reference
from objects.api.pods import Pod, PodSpec, PodStatus
from objects.errors import NotFound
from reconciler.cli.common.targets import find_container_name, find_pods
from reconciler.cli.verbs.logs import parse_since
from tests.unit.cli.sample import NOW, ago, container, meta, store_of

DEPLOYMENT = Deployment(metadata=meta("web", uid="d"))
REPLICAS = ReplicaSet(metadata=meta("web-1", uid="r", owner_references=(controller_reference(DEPLOYMENT),)))


def pod(name: str, *, ready: bool, phase: str = "Running", **more: object) -> Pod:
    return Pod(
        metadata=meta(name, uid=name, owner_references=(controller_reference(REPLICAS),), **more),
        spec=PodSpec(containers=(container("app"), container("proxy")), init_containers=(container("setup"),)),
        status=PodStatus(phase=phase, conditions=(Condition(type="Ready", status=str(ready)),)),
    )


STORE = store_of(
    [
        DEPLOYMENT,
        REPLICAS,
        Deployment(metadata=meta("empty", uid="e")),
        pod("a-going", ready=True, deletion_timestamp=NOW),
        pod("b-pending", ready=False, phase="Pending"),
        pod("c-ready", ready=True),
        pod("d-running", ready=False),
    ]
)
BEST_FIRST = ["c-ready", "d-running", "b-pending", "a-going"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(("c-ready",), ["c-ready"], id="name"),
        pytest.param(("po/b-pending",), ["b-pending"], id="kind-and-name"),
        pytest.param(("deploy/web",), BEST_FIRST, id="deployment"),
        pytest.param(("rs/web-1",), BEST_FIRST, id="replicaset"),
    ],
)
def test_pods(arguments: tuple[str, ...], expected: list[str]) -> None:
    assert [found.name for found in find_pods(STORE, arguments, "default")] == expected


@pytest.mark.parametrize(
    ("arguments", "namespace"), [(("nope",), "default"), (("c-ready",), "shop"), (("deploy/empty",), "default")]
)
def test_no_pods(arguments: tuple[str, ...], namespace: str) -> None:
    with pytest.raises(NotFound):
        find_pods(STORE, arguments, namespace)


@pytest.mark.parametrize(
    ("wanted", "annotations", "expected"),
    [
        pytest.param("", {}, "app", id="first"),
        pytest.param("proxy", {}, "proxy", id="named"),
        pytest.param("setup", {}, "setup", id="init"),
        pytest.param("", {"kubectl.kubernetes.io/default-container": "proxy"}, "proxy", id="annotated"),
    ],
)
def test_container(wanted: str, annotations: dict[str, str], expected: str) -> None:
    assert find_container_name(pod("x", ready=True, annotations=annotations), wanted) == expected


def test_wrong_container_names_the_right_ones() -> None:
    with pytest.raises(click.UsageError, match="it has: setup, app, proxy"):
        find_container_name(pod("x", ready=True), "ap")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("90s", ago(seconds=90), id="seconds"),
        pytest.param("5m", ago(minutes=5), id="minutes"),
        pytest.param("1h30m", ago(hours=1, minutes=30), id="both"),
        pytest.param("", None, id="empty"),
        pytest.param("5 m", None, id="blank"),
        pytest.param("5d", None, id="days"),
    ],
)
def test_since(text: str, expected: datetime | None) -> None:
    if expected is None:
        with pytest.raises(click.UsageError):
            parse_since(text, now=NOW)
    else:
        assert parse_since(text, now=NOW) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-11-23T12:00:00.123456789Z", NOW.replace(microsecond=123456), id="nanoseconds"),
        pytest.param("2026-11-23T12:00:00.5Z", NOW.replace(microsecond=500000), id="short-fraction"),
        pytest.param("2026-11-23T13:00:00+01:00", NOW, id="zone"),
        pytest.param("0001-01-01T00:00:00Z", None, id="never"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_docker_time(text: str, expected: datetime | None) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    ("started", "finished", "starts", "is_running", "expected"),
    [
        pytest.param(None, None, 0, False, None, id="never-started"),
        pytest.param(ago(seconds=9), None, 0, True, None, id="first-run"),
        pytest.param(ago(seconds=9), ago(seconds=5), 0, False, None, id="only-run-has-ended"),
        pytest.param(ago(seconds=9), ago(seconds=9), 0, False, None, id="only-run-ended-before-its-start-was-noted"),
        pytest.param(ago(seconds=5), ago(seconds=9), 0, True, ago(seconds=9), id="runs-again-after-a-boot"),
        pytest.param(ago(seconds=5), ago(seconds=9), 1, True, ago(seconds=9), id="runs-again"),
        pytest.param(ago(seconds=9), ago(seconds=5), 2, False, ago(seconds=9) - START_NOTED_WITHIN, id="ended-again"),
    ],
)
def test_border_between_runs(
    *, started: datetime | None, finished: datetime | None, starts: int, is_running: bool, expected: datetime | None
) -> None:
    found = last_run_since(started_at=started, finished_at=finished, starts=starts, is_running=is_running)
    assert found == expected
