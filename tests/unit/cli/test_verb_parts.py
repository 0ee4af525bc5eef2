"""The pure parts of the verbs: progress of rollouts, figures of hosts, durations, entries, edits of mappings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from objects.api.apps import (
    DaemonSet,
    DaemonSetStatus,
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    RollingUpdateStatefulSet,
    StatefulSet,
    StatefulSetSpec,
    StatefulSetStatus,
    StatefulSetUpdateStrategy,
)
from objects.api.meta import Condition, KubeObject, ObjectMeta
from objects.api.pods import Pod
from objects.errors import InvalidInput
from policies.scheduling.explain import PASSES, HostVerdict, PriorityPoints
from reconciler.cli.common.new_entries import configmap_manifest, read_entries
from reconciler.cli.common.rollout_progress import RolloutProgress, progress_of
from reconciler.cli.common.waiting import DURATION
from reconciler.cli.common.written_objects import with_value
from reconciler.cli.printing.capacity import HostRow, Share, bar, host_table
from reconciler.cli.verbs.explain import host_lines, one_host_lines
from reconciler.cli.verbs.set_fields import Variables
from sources.reading.secret_mask import UNREADABLE, mask_secrets

META = ObjectMeta(name="web", namespace="default")


def deployment(*conditions: Condition, **status: int) -> Deployment:
    return Deployment(
        metadata=META, spec=DeploymentSpec(replicas=3), status=DeploymentStatus(conditions=conditions, **status)
    )


def stateful_set(partition: int = 0, **status: Any) -> StatefulSet:
    strategy = StatefulSetUpdateStrategy(rolling_update=RollingUpdateStatefulSet(partition=partition))
    spec = StatefulSetSpec(replicas=3, update_strategy=strategy)
    return StatefulSet(metadata=META, spec=spec, status=StatefulSetStatus(update_revision="web-2", **status))


STUCK = Condition(type="Progressing", status="False", reason="ProgressDeadlineExceeded")
BAD_CANARY = Condition(
    type="Progressing", status="False", reason="CanaryFailed", message="canary: check errors failed: 2 is not < 1"
)
FINISHING = "Waiting for rollout to finish: "


@pytest.mark.parametrize(
    ("obj", "progress"),
    [
        pytest.param(
            deployment(replicas=4, updated_replicas=2),
            RolloutProgress(FINISHING + "2 out of 3 new replicas have been updated..."),
            id="updating",
        ),
        pytest.param(
            deployment(replicas=4, updated_replicas=3, available_replicas=3),
            RolloutProgress(FINISHING + "1 old replicas are pending termination..."),
            id="old ones",
        ),
        pytest.param(
            deployment(replicas=3, updated_replicas=3, available_replicas=1),
            RolloutProgress(FINISHING + "1 of 3 updated replicas are available..."),
            id="not available",
        ),
        pytest.param(
            deployment(replicas=3, updated_replicas=3, available_replicas=3),
            RolloutProgress('deployment "web" successfully rolled out', is_done=True),
            id="done",
        ),
        pytest.param(
            deployment(BAD_CANARY, replicas=3, updated_replicas=1, available_replicas=3),
            RolloutProgress(
                f"{FINISHING}1 out of 3 new replicas have been updated...",
                failure="canary: check errors failed: 2 is not < 1",
            ),
            id="canary failed",
        ),
        pytest.param(
            deployment(STUCK, replicas=4, updated_replicas=1),
            RolloutProgress(
                FINISHING + "1 out of 3 new replicas have been updated...",
                failure='deployment "web" exceeded its progress deadline',
            ),
            id="stuck",
        ),
        pytest.param(
            DaemonSet(metadata=META, status=DaemonSetStatus(desired_number_scheduled=3, updated_number_scheduled=1)),
            RolloutProgress('Waiting for daemon set "web" rollout to finish: 1 out of 3 new pods have been updated...'),
            id="daemon set updating",
        ),
        pytest.param(
            DaemonSet(metadata=META, status=DaemonSetStatus(desired_number_scheduled=0)),
            RolloutProgress('daemon set "web" successfully rolled out', is_done=True),
            id="daemon set of no host",
        ),
        pytest.param(
            stateful_set(ready_replicas=1, updated_replicas=3),
            RolloutProgress("Waiting for 2 pods to be ready..."),
            id="stateful set waits",
        ),
        pytest.param(
            stateful_set(ready_replicas=3, updated_replicas=1),
            RolloutProgress("waiting for statefulset rolling update to complete 1 pods at revision web-2..."),
            id="stateful set updating",
        ),
        pytest.param(
            stateful_set(2, ready_replicas=3, updated_replicas=1),
            RolloutProgress("partitioned roll out complete: 1 new pods have been updated...", is_done=True),
            id="partition",
        ),
        pytest.param(
            stateful_set(ready_replicas=3, updated_replicas=3),
            RolloutProgress("statefulset rolling update complete 3 pods at revision web-2...", is_done=True),
            id="stateful set done",
        ),
    ],
)
def test_progress(obj: KubeObject, progress: RolloutProgress) -> None:
    assert progress_of(obj) == progress


def test_who_updates_by_hand_has_no_progress() -> None:
    by_hand = msgspec.structs.replace(
        stateful_set(), spec=StatefulSetSpec(update_strategy=StatefulSetUpdateStrategy(type="OnDelete"))
    )
    with pytest.raises(InvalidInput, match="only available for the strategy RollingUpdate"):
        progress_of(by_hand)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("500ms", 0.5), ("1d", 86400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "5x", "m", "-1s", "1h later"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a duration"):
        DURATION.convert(text, None, None)


@pytest.mark.parametrize(
    ("path", "value", "result"),
    [
        (("spec", "a"), 2, {"spec": {"a": 2}}),
        (("spec", "b", "c"), 1, {"spec": {"a": 1, "b": {"c": 1}}}),
        (("spec", "a"), None, {}),
        (("nothing", "there"), None, {"spec": {"a": 1}}),
        (("spec", "b", "c"), None, {"spec": {"a": 1}}),
    ],
)
def test_values_in_mappings(path: tuple[str, ...], value: Any, result: dict[str, Any]) -> None:
    manifest = {"spec": {"a": 1}}
    assert with_value(manifest, path, value) == result
    assert manifest == {"spec": {"a": 1}}


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (["A=9"], [{"name": "A", "value": "9"}, {"name": "B", "valueFrom": {}}]),
        (["B=1"], [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]),
        (["C=x=y", "A-"], [{"name": "B", "valueFrom": {}}, {"name": "C", "value": "x=y"}]),
        (["A-", "B-"], None),
    ],
)
def test_variables(words: list[str], env: list[dict[str, Any]] | None) -> None:
    container = {"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {}}]}
    assert Variables.parse(words).applied_to(container) == {"name": "c", **({"env": env} if env else {})}


# --- new objects ----------------------------------------------------------------------------------------------------


def test_entries_of_all_sorts(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / "a").write_bytes(b"\xff")
    (tmp_path / "env").write_text("# comment\n\nX=1\nY=a=b\n")
    entries = read_entries([str(folder), f"key={folder}/a"], ["lit=", "z=1"], [tmp_path / "env"])
    assert entries == {"a": b"\xff", "key": b"\xff", "lit": b"", "z": b"1", "X": b"1", "Y": b"a=b"}
    assert configmap_manifest("n", entries) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "n"},
        "data": {"lit": "", "z": "1", "X": "1", "Y": "a=b"},
        "binaryData": {"a": "/w==", "key": "/w=="},
    }


def test_a_key_that_is_given_twice() -> None:
    with pytest.raises(click.UsageError, match="key 'a' is given twice"):
        read_entries([], ["a=1", "a=2"], [])


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        read_entries([str(tmp_path / "none")], [], [])


APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SECRET = "kind: Secret\nmetadata: {name: a}\ndata: {k: c2VjcmV0}\nstringData:\n  long: |\n    one\n    two\n  n:\n"


@pytest.mark.parametrize(
    ("text", "other", "masked"),
    [
        pytest.param("kind: ConfigMap\ndata: {k: v}\n", "", "kind: ConfigMap\ndata: {k: v}\n", id="no secret"),
        pytest.param(
            SECRET,
            SECRET.replace("c2VjcmV0", "b3RoZXI="),
            "kind: Secret\nmetadata: {name: a}\ndata: {k: '*** (changed)'}\nstringData:\n  long: '***'\n  n:\n",
            id="changed",
        ),
        pytest.param(
            f"kind: Secret\nmetadata:\n  annotations:\n    {APPLIED}: |\n      {{}}\n    a: b\n",
            "",
            f"kind: Secret\nmetadata:\n  annotations:\n    {APPLIED}: '***'\n    a: b\n",
            id="an annotation with the whole manifest",
        ),
        pytest.param("kind: Secret\ndata: [", "", UNREADABLE, id="broken"),
        pytest.param("kind: Secret\ndata: hunter2\n", "", UNREADABLE, id="of another shape"),
    ],
)
def test_secrets_are_masked(text: str, other: str, masked: str) -> None:
    assert mask_secrets(text, other) == masked


# --- figures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "total", "shown"),
    [
        (0, 10, "[    ]"),
        (5, 10, "[██  ]"),
        (10, 10, "[████]"),
        (20, 10, "[████]"),
        (1, 1000, "[▏   ]"),
        (9, 10, "[███▌]"),
        (1, 0, "[    ]"),
    ],
)
def test_bars(amount: int, total: int, shown: str) -> None:
    assert bar(amount, total, cells=4) == shown


GIB = 1 << 30
FULL = HostRow("alpha", Share(4000, 3000, 6000, 500), Share(8 * GIB, 2 * GIB, 0, 4 * GIB), 3, 110)
UNKNOWN = HostRow("beta", Share(0, 0, 0, None), Share(0, 0, 0, None), 0, 110)


def test_a_table_of_hosts() -> None:
    rows = [line.split("   ") for line in host_table([FULL, UNKNOWN], with_bars=False)]
    assert [[cell.strip() for cell in row if cell.strip()] for row in rows] == [
        ["NAME", "CPU USED", "CPU REQUESTED", "CPU LIMITS", "CPUS",
         "MEM USED", "MEM REQUESTED", "MEM LIMITS", "MEMORY", "PODS"],
        ["alpha", "500m (12%)", "3 (75%)", "6 (150%)", "4", "4Gi (50%)", "2Gi (25%)", "0 (0%)", "8Gi", "3/110"],
        ["beta", "<unknown>", "0", "0", "<unknown>", "<unknown>", "0", "0", "<unknown>", "0/110"],
    ]  # fmt: skip


def test_bars_where_somebody_looks() -> None:
    (line,) = host_table([FULL], with_bars=True, headers=False)
    assert "[█▎        ] 500m (12%)" in line
    assert "[█████     ] 4Gi (50%)" in line


# --- explain --------------------------------------------------------------------------------------------------------

GOOD = HostVerdict("alpha", (("PodFitsResources", PASSES),), (PriorityPoints("LeastRequested", 7, 70, 2),), 1)
BAD = HostVerdict("beta", (("PodFitsResources", "insufficient memory (short by 300Mi)"),), (), 0)


def test_every_host_has_a_line() -> None:
    assert host_lines(Pod(metadata=META), [GOOD, BAD]) == [
        "pod default/web: 1/2 hosts fit",
        "",
        "HOST    FITS   RANK   SCORE   WHY NOT",
        "alpha   yes    1      140     <none>",
        "beta    no     -      -       insufficient memory (short by 300Mi)",
    ]


def test_one_host_in_detail() -> None:
    assert one_host_lines(Pod(metadata=META), GOOD) == [
        "pod default/web on alpha: fits, rank 1",
        "",
        "PREDICATE          VERDICT",
        "PodFitsResources   passes",
        "",
        "PRIORITY         RAW   POINTS   WEIGHT   SCORE",
        "LeastRequested   7     70       2        140",
        "total                                    140",
    ]
