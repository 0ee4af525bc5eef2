"""Verbs that write, on real Git repositories: the commit is one that a person could have made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from objects import codec
from objects.api.meta import ObjectMeta
from objects.api.storage import PersistentVolumeClaim
from objects.api.volumes import PersistentVolumeClaimSpec
from reconciler.status.content import dump, status_path
from sources.git.repository import Repository
from sources.git.status_branch import StatusBranch
from tests.unit.cli.gitops import AUTHOR, WEB, WEB_FILE, GitOps

DEPLOYMENT = "deployment.apps/nginx-deployment"


@pytest.mark.parametrize(
    ("arguments", "said", "diff", "cause"),
    [
        pytest.param(
            ["set", "image", "deployment/nginx-deployment", "nginx=nginx:1.9.1"],
            f"{DEPLOYMENT} image updated",
            ["-          image: nginx:1.7.9   # pinned", "+          image: nginx:1.9.1   # pinned"],
            f"berth set image {DEPLOYMENT} nginx=nginx:1.9.1",
            id="set image",
        ),
        pytest.param(
            ["set", "image", "deploy", "nginx-deployment", "*=nginx:2"],
            f"{DEPLOYMENT} image updated",
            ["-          image: nginx:1.7.9   # pinned", "+          image: nginx:2   # pinned"],
            f"berth set image {DEPLOYMENT} '*=nginx:2'",
            id="set image of all containers",
        ),
        pytest.param(
            ["set", "env", "deploy/nginx-deployment", "LOG=debug"],
            f"{DEPLOYMENT} env updated",
            ["+          env:", "+            - name: LOG", "+              value: debug"],
            f"berth set env {DEPLOYMENT} LOG=debug",
            id="set env",
        ),
        pytest.param(
            ["scale", "deploy/nginx-deployment", "--replicas", "5", "--current-replicas=3"],
            f"{DEPLOYMENT} scaled",
            ["-  replicas: 3          # see the capacity page", "+  replicas: 5          # see the capacity page"],
            f"berth scale {DEPLOYMENT} --replicas=5",
            id="scale",
        ),
        pytest.param(
            ["rollout", "pause", "deploy/nginx-deployment"],
            f"{DEPLOYMENT} paused",
            ["+  paused: true"],
            f"berth rollout pause {DEPLOYMENT}",
            id="pause",
        ),
        pytest.param(
            ["patch", "deploy", "nginx-deployment", "-p", '{"spec": {"template": {"spec": {"containers": '
             '[{"name": "nginx", "image": "nginx:3"}]}}}}'],
            f"{DEPLOYMENT} patched",
            ["-          image: nginx:1.7.9   # pinned", "+          image: nginx:3   # pinned"],
            f"berth patch {DEPLOYMENT} -p '"
            '{"spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:3"}]}}}}\'',
            id="patch",
        ),
        pytest.param(
            ["patch", "cm", "settings", "--type", "json", "-p", "[{op: replace, path: /data/mode, value: slow}]"],
            "configmap/settings patched",
            ["-data: {mode: fast}", "+data: {mode: slow}"],
            "berth patch configmap/settings --type=json -p '[{op: replace, path: /data/mode, value: slow}]'",
            id="patch json",
        ),
        pytest.param(
            ["delete", "configmap", "settings"],
            'configmap "settings" deleted',
            ["----", "-# beside it", "-apiVersion: v1", "-kind: ConfigMap", "-metadata: {name: settings}",
             "-data: {mode: fast}"],
            "berth delete configmap/settings",
            id="delete",
        ),
        pytest.param(
            ["delete", "configmap", "settings", "--cascade=orphan"],
            'configmap "settings" deleted',
            ["----", "-# beside it", "-apiVersion: v1", "-kind: ConfigMap", "-metadata: {name: settings}",
             "-data: {mode: fast}"],
            "berth delete configmap/settings --cascade=orphan",
            id="delete --cascade=orphan",
        ),
        pytest.param(
            ["cordon", "alpha"],
            "host.berth.dev/alpha cordoned",
            ["+  unschedulable: true"],
            "berth cordon alpha",
            id="cordon",
        ),
    ],
)  # fmt: skip
def test_one_verb_one_commit(gitops: GitOps, arguments: list[str], said: str, diff: list[str], cause: str) -> None:
    ran = gitops.berth(*arguments)
    sha = gitops.remote.in_remote("rev-parse", "main")
    assert (ran.code, ran.lines, ran.err) == (0, [said, f"commit {sha[:10]} on main"], "")
    found = gitops.remote.in_remote("show", "--format=", "--unified=0", "main").splitlines()
    assert [line for line in found if line[:1] in "+-" and line[:4] not in ("+++ ", "--- ")] == diff
    assert gitops.remote.in_remote("log", "-1", "--format=%s%n%an <%ae>", "main").splitlines() == [cause, AUTHOR]


def test_a_restart_is_an_annotation_of_the_template(gitops: GitOps) -> None:
    assert gitops.done("rollout", "restart", "deploy/nginx-deployment") == [f"{DEPLOYMENT} restarted"]
    added = gitops.diff()
    assert added[0] == "+      annotations:"
    assert added[1].startswith("+        kubectl.kubernetes.io/restartedAt: ")
    assert len(added) == 2


def test_cordon_and_uncordon_leave_the_host_as_it_was(gitops: GitOps) -> None:
    before = gitops.file("hosts/alpha.yaml")
    gitops.done("cordon", "alpha")
    assert gitops.done("cordon", "alpha") == [
        "host.berth.dev/alpha already cordoned",
        "nothing to commit: Git says so already",
    ]
    assert gitops.done("uncordon", "alpha") == ["host.berth.dev/alpha uncordoned"]
    assert gitops.file("hosts/alpha.yaml") == before


def test_pause_and_resume_leave_the_file_as_it_was(gitops: GitOps) -> None:
    gitops.done("rollout", "pause", "deploy/nginx-deployment")
    gitops.done("rollout", "resume", "deploy/nginx-deployment")
    assert gitops.file(WEB_FILE) == WEB


def test_a_dry_run_shows_the_diff_and_commits_nothing(gitops: GitOps) -> None:
    ran = gitops.berth("scale", "deploy/nginx-deployment", "--replicas=1", "--dry-run")
    assert ran.lines == [
        "--- a/apps/web/web.yaml",
        "+++ b/apps/web/web.yaml",
        "@@ -4,7 +4,7 @@",
        " metadata:",
        "   name: nginx-deployment",
        " spec:",
        "-  replicas: 3          # see the capacity page",
        "+  replicas: 1          # see the capacity page",
        "   selector:",
        "     matchLabels: {app: nginx}",
        "   template:",
        f"{DEPLOYMENT} scaled (dry run)",
    ]
    assert gitops.subjects() == ["Our cluster"]


def test_the_message_can_be_a_persons_own(gitops: GitOps) -> None:
    gitops.done("scale", "deploy/nginx-deployment", "--replicas=1", "-m", "Night: one is enough")
    assert gitops.subjects() == ["Night: one is enough", "Our cluster"]


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        pytest.param(
            ["set", "image", "deploy/nginx-deployment", "web=web:1"], 1,
            'unable to find container named "web" in deployment.apps/nginx-deployment (it has nginx)', id="container",
        ),
        pytest.param(
            ["scale", "deploy/web", "--replicas=1"], 1,
            'deployments "web" not found in Git in namespace default '
            "(what controllers make is not in Git: change what it comes from)", id="object",
        ),
        pytest.param(
            ["scale", "deploy/nginx-deployment", "--replicas=1", "--current-replicas=2"], 3,
            "expected deployment.apps/nginx-deployment to have 2 replicas, it has 3", id="current replicas",
        ),
        pytest.param(
            ["patch", "deploy/nginx-deployment", "-p", '{"spec": {"replcas": 4}}'], 3,
            "the manifests are refused: 1 error\n  apps/web/web.yaml:8: Deployment nginx-deployment: spec.replcas: "
            "unknown field (did you mean 'replicas'?)", id="a result that no commit may hold",
        ),
        pytest.param(
            ["patch", "deploy/nginx-deployment", "-p", '{"metadata": {"name": "other"}}'], 3,
            "metadata.name of Deployment default/nginx-deployment must not change "
            "(make a new object, delete this one)", id="another name",
        ),
        pytest.param(
            ["rollout", "resume", "deploy/nginx-deployment"], 3,
            'deployments "nginx-deployment" is not paused', id="resume",
        ),
        pytest.param(
            ["rollout", "undo", "deploy/nginx-deployment"], 1,
            "no rollout history found: there is no earlier revision", id="undo",
        ),
        pytest.param(
            ["create", "configmap", "settings", "--from-literal=a=b"], 3,
            'configmaps "settings" already exists (berth edit configmap settings)', id="exists",
        ),
        pytest.param(
            ["create", "configmap", "x", "--app=shop"], 3,
            "there is no Application 'shop' (there are: web)", id="application",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_and_nothing_is_committed(
    gitops: GitOps, arguments: list[str], code: int, error: str
) -> None:
    ran = gitops.berth(*arguments)
    assert (ran.code, ran.out, ran.err) == (code, "", f"error: {error}\n")
    assert gitops.subjects() == ["Our cluster"]


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (["scale", "cm/settings", "--replicas=1"], "not possible with a ConfigMap; with: Deployment, "),
        (["scale", "deploy", "--replicas=1"], "which one? For example: deployment/NAME"),
        (["set", "image", "deploy/nginx-deployment"], "which image? For example: nginx=nginx:1.28"),
        (["patch", "deploy/nginx-deployment"], "one patch, please: by -p or --patch-file"),
        (["patch", "deploy/nginx-deployment", "-p", "{a: 'secret"], "the patch is wrong: line 1: not valid YAML"),
        (["create", "secret", "generic", "x", "--from-literal=hunter2"], "--from-literal is not KEY=VALUE"),
    ],
)
def test_command_lines_that_are_wrong(gitops: GitOps, arguments: list[str], usage: str) -> None:
    ran = gitops.berth(*arguments)
    assert ran.code == 2
    assert usage in ran.err
    assert "hunter2" not in ran.err


def test_autoscale_writes_a_file_beside_its_workload(gitops: GitOps) -> None:
    said = gitops.done("autoscale", "deploy/nginx-deployment", "--min=1", "--max=10", "--cpu-percent=50")
    assert said == ["horizontalpodautoscaler.autoscaling/nginx-deployment autoscaled"]
    assert gitops.file("apps/web/nginx-deployment-autoscaler.yaml") == (
        "apiVersion: autoscaling/v2\n"
        "kind: HorizontalPodAutoscaler\n"
        "metadata:\n"
        "  name: nginx-deployment\n"
        "spec:\n"
        "  scaleTargetRef:\n"
        "    apiVersion: apps/v1\n"
        "    kind: Deployment\n"
        "    name: nginx-deployment\n"
        "  minReplicas: 1\n"
        "  maxReplicas: 10\n"
        "  metrics:\n"
        "  - type: Resource\n"
        "    resource:\n"
        "      name: cpu\n"
        "      target:\n"
        "        type: Utilization\n"
        "        averageUtilization: 50\n"
    )
    scaled = gitops.done("scale", "deploy/nginx-deployment", "--replicas=2")
    assert scaled == [
        "deployment.apps/nginx-deployment scaled",
        "warning: HorizontalPodAutoscaler default/nginx-deployment decides the number of its pods",
    ]


def test_the_last_object_of_a_file_takes_the_file_along(gitops: GitOps) -> None:
    said = gitops.done("delete", "deploy/nginx-deployment", "cm/settings")
    assert said == ['deployment.apps "nginx-deployment" deleted', 'configmap "settings" deleted']
    assert gitops.files() == ["berth.yaml", "hosts/alpha.yaml"]


def test_the_folder_of_a_declared_application_stays(gitops: GitOps) -> None:
    app = "apiVersion: berth.dev/v1alpha1\nkind: Application\nmetadata: {name: web}\nspec: {path: apps/web}\n"
    gitops.push({"apps/web.yaml": app})
    gitops.done("delete", "deploy/nginx-deployment", "cm/settings")
    assert gitops.files() == ["apps/web.yaml", "apps/web/.gitkeep", "berth.yaml", "hosts/alpha.yaml"]


def test_namespaces_are_found_and_named_in_the_history(gitops: GitOps) -> None:
    text = (
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {mode: fast}\n"
    )
    gitops.push({"apps/web/shop.yaml": text})
    gitops.done("patch", "cm/settings", "-n", "shop", "-p", "data: {mode: slow}")
    assert gitops.diff()[-1] == "+data: {mode: slow}"
    assert gitops.subjects()[0] == "berth patch configmap/settings -p 'data: {mode: slow}' -n shop"
    assert gitops.file(WEB_FILE) == WEB


def test_dependents_are_let_go_by_a_trailer(gitops: GitOps) -> None:
    gitops.done("delete", "deploy/nginx-deployment", "--cascade=orphan", "-m", "Web goes its own way")
    message = gitops.remote.in_remote("log", "-1", "--format=%B", "main")
    assert message == "Web goes its own way\n\nBerth-Orphan: Deployment/default/nginx-deployment"
    assert gitops.remote.in_remote("log", "-1", "--format=%(trailers:only)", "main").startswith("Berth-Orphan: ")


def test_a_claim_of_a_stateful_set_gives_its_volume_up_by_a_trailer(gitops: GitOps, tmp_path: Path) -> None:
    """Nothing of it is in Git: what it has is on the status branch."""
    claim = PersistentVolumeClaim(
        metadata=ObjectMeta(name="data-db-1", namespace="default"), spec=PersistentVolumeClaimSpec(volume_name="pvc-7")
    )
    path = status_path(claim.key)
    assert path is not None
    with Repository(gitops.remote.url, tmp_path / "clone") as repository:
        StatusBranch(repository).write({path: dump(codec.encode(claim))}, message="Status")
    said = 'persistentvolumeclaim "data-db-1" gives up its volume pvc-7 when no pod uses it; the data stays'
    assert gitops.berth("delete", "pvc/data-db-1", "--dry-run").lines == [f"{said} (dry run)"]
    assert gitops.done("delete", "pvc", "data-db-1") == [said]
    assert gitops.remote.in_remote("log", "-1", "--format=%s%n%(trailers:unfold)", "main").splitlines()[:2] == [
        "berth delete persistentvolumeclaim/data-db-1",
        "Berth-Give-Up: pvc-7",
    ]
    assert gitops.diff() == []
    gone = gitops.berth("delete", "pvc/data-db-9")
    assert (gone.code, 'persistentvolumeclaims "data-db-9" not found in Git' in gone.err) == (1, True)
