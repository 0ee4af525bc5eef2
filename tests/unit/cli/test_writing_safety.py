"""What must hold when a commit by command meets other people: races, checkouts, editors, secrets."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from objects.errors import PushRejected
from reconciler.editing.draft import Draft
from reconciler.editing.writing import MAX_ATTEMPTS, CommitWriter
from sources.git.branch_writer import Identity
from sources.git.repository import Repository
from tests.unit.cli.gitops import WEB, WEB_FILE, GitOps

DEPLOYMENT = "deployment.apps/nginx-deployment"
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData:
  user: admin
  password: correct-horse     # of the shop
"""


# --- races ---------------------------------------------------------------------------------------------------------


class Racer:
    """An edit of `spec.replicas` during which somebody else pushes, `times` times."""

    def __init__(self, gitops: GitOps, times: int, path: str = WEB_FILE) -> None:
        self._gitops = gitops
        self._left = times
        self._path = path
        self.calls = 0

    def __call__(self, draft: Draft) -> list[str]:
        self.calls += 1
        text = draft.read(WEB_FILE) or ""
        draft.write(WEB_FILE, text.replace("replicas: 3", "replicas: 7"))
        if self._left:
            self._left -= 1
            theirs = (draft.read(self._path) or "") if self._path == WEB_FILE else ""
            theirs = theirs.replace("replicas: 7", "replicas: 3")
            self._gitops.push({self._path: f"{theirs}# push {self._left}\n"})
        return ["done"]


@pytest.fixture
def writer(gitops: GitOps, tmp_path: Path) -> CommitWriter:
    return CommitWriter(Repository(gitops.remote.url, tmp_path / "own-cache"), "main")


ME = Identity("Me", "me@example.com")


def test_a_push_to_the_same_file_lets_the_edit_be_made_again_on_it(gitops: GitOps, writer: CommitWriter) -> None:
    racer = Racer(gitops, 2)
    assert writer.commit(racer, author=ME, message="mine").commit
    assert racer.calls == 3
    assert gitops.file(WEB_FILE) == WEB.replace("replicas: 3", "replicas: 7") + "# push 1\n# push 0\n"
    assert gitops.subjects() == ["mine", "change", "change", "Our cluster"]


def test_a_push_to_another_file_stays_as_it_is(gitops: GitOps, writer: CommitWriter) -> None:
    racer = Racer(gitops, 1, "README.md")
    assert writer.commit(racer, author=ME, message="mine").commit
    assert gitops.file("README.md") == "# push 0\n"
    assert gitops.file(WEB_FILE) == WEB.replace("replicas: 3", "replicas: 7")


def test_somebody_who_is_always_faster_ends_it(gitops: GitOps, writer: CommitWriter) -> None:
    racer = Racer(gitops, 100)
    with pytest.raises(PushRejected, match="was changed by somebody else meanwhile"):
        writer.commit(racer, author=ME, message="mine")
    assert racer.calls == MAX_ATTEMPTS
    assert "mine" not in gitops.subjects()


# --- a repository on this machine ----------------------------------------------------------------------------------


def test_a_checkout_moves_along_with_its_branch(gitops: GitOps) -> None:
    work = gitops.remote.work
    ran = gitops.berth("scale", "deploy/nginx-deployment", "--replicas=4", repo=str(work))
    assert (ran.code, ran.lines[0]) == (0, f"{DEPLOYMENT} scaled")
    assert (work / WEB_FILE).read_text() == WEB.replace("replicas: 3", "replicas: 4")
    assert gitops.remote.git("status", "--porcelain") == ""
    assert gitops.remote.git("log", "-1", "--format=%s") == f"berth scale {DEPLOYMENT} --replicas=4"


def test_a_checkout_with_an_upstream_says_what_is_left_to_do(gitops: GitOps) -> None:
    work = gitops.remote.work
    gitops.remote.git("config", "branch.main.remote", "origin")
    ran = gitops.berth("scale", "deploy/nginx-deployment", "--replicas=4", repo=str(work))
    assert ran.err == f"it is in {work}; to deploy it from origin: git push\n"


@pytest.mark.parametrize("is_staged", [False, True], ids=["in the files", "staged"])
def test_work_in_progress_in_a_checkout_is_never_touched(gitops: GitOps, is_staged: bool) -> None:
    work = gitops.remote.work
    (work / WEB_FILE).write_text(WEB + "# not yet\n")
    if is_staged:
        gitops.remote.git("add", WEB_FILE)
    ran = gitops.berth("scale", "deploy/nginx-deployment", "--replicas=4", repo=str(work))
    error = f"error: {work} has changes that are not committed (commit or stash them there, then try again)\n"
    assert (ran.code, ran.err) == (1, error)
    assert (work / WEB_FILE).read_text() == WEB + "# not yet\n"
    assert gitops.remote.git("log", "--format=%s") == "Our cluster"


# --- who ------------------------------------------------------------------------------------------------------------


def test_git_knows_who_commits(gitops: GitOps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BERTH_AUTHOR")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".gitconfig").write_text("[user]\n  name = Ada\n  email = ada@example.com\n")
    gitops.done("cordon", "alpha")
    assert gitops.remote.in_remote("log", "-1", "--format=%an <%ae> %cn", "main") == "Ada <ada@example.com> Ada"


@pytest.mark.parametrize(
    ("author", "error"),
    [
        ("", "git does not know who you are"),
        ("Ada", "BERTH_AUTHOR is 'Ada' (write it as 'Ada Lovelace <ada@example.com>')"),
    ],
)
def test_nobody_commits_nothing(gitops: GitOps, monkeypatch: pytest.MonkeyPatch, author: str, error: str) -> None:
    monkeypatch.setenv("BERTH_AUTHOR", author)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    ran = gitops.berth("cordon", "alpha")
    assert ran.code == 3
    assert ran.err.startswith(f"error: {error}")
    assert gitops.subjects() == ["Our cluster"]


# --- the editor -----------------------------------------------------------------------------------------------------


def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """An editor that is a shell script: $1 is the file."""
    path = tmp_path / "editor.sh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("BERTH_EDITOR", str(path))


def test_edit_shows_the_document_as_it_is_written(
    gitops: GitOps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(tmp_path, monkeypatch, f"cp $1 {tmp_path}/seen; sed -i 's/replicas: 3 /replicas: 9 /' $1")
    assert gitops.done("edit", "deploy/nginx-deployment") == [f"{DEPLOYMENT} edited"]
    first, _, _ = WEB.partition("---\n")
    assert (tmp_path / "seen").read_text() == (
        f"#! {DEPLOYMENT} in apps/web/web.yaml\n"
        "#! Save to commit. Save it unchanged, or empty, to leave everything as it is.\n" + first
    )
    assert gitops.file(WEB_FILE) == WEB.replace("replicas: 3 ", "replicas: 9 ")
    assert gitops.subjects()[0] == f"berth edit {DEPLOYMENT}"


@pytest.mark.parametrize("script", ["true", ": > $1"], ids=["unchanged", "emptied"])
def test_edit_that_is_left_changes_nothing(
    gitops: GitOps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    editor(tmp_path, monkeypatch, script)
    assert gitops.done("edit", "deploy/nginx-deployment") == ["Edit cancelled, no changes made."]
    assert gitops.subjects() == ["Our cluster"]


def test_what_is_wrong_is_shown_in_the_editor_and_can_be_put_right(
    gitops: GitOps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"cat $1 >> {tmp_path}/seen\nif grep -q replcas $1; then sed -i s/replcas/replicas/ $1\n"
    script += "else sed -i 's/replicas: 3/replcas: 8/' $1; fi"
    editor(tmp_path, monkeypatch, script)
    assert gitops.done("edit", "deploy/nginx-deployment") == [f"{DEPLOYMENT} edited"]
    assert (
        "#! error:   apps/web/web.yaml:7: Deployment nginx-deployment: spec.replcas: "
        in (tmp_path / "seen").read_text()
    )
    assert gitops.file(WEB_FILE) == WEB.replace("replicas: 3", "replicas: 8")


@pytest.mark.parametrize(
    ("script", "error"),
    [
        pytest.param("sed -i 's/replicas: 3/replicas: [/' $1", "line 7 of the manifest: not valid YAML", id="syntax"),
        pytest.param("sed -i 's/name: nginx-deployment/name: x/' $1", "the text does not hold Deployment", id="name"),
    ],
)
def test_what_stays_wrong_is_kept_for_the_person(
    gitops: GitOps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: str
) -> None:
    editor(tmp_path, monkeypatch, script)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    ran = gitops.berth("edit", "deploy/nginx-deployment")
    assert (ran.code, ran.err.startswith(f"error: {error}")) == (1, True), ran
    kept = Path(ran.err.rstrip().rpartition(" is in ")[2])
    assert kept.read_text().startswith("# The front end.\n")
    kept.unlink()
    assert gitops.subjects() == ["Our cluster"]


def test_an_editor_that_fails_changes_nothing(gitops: GitOps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(tmp_path, monkeypatch, "sed -i 's/replicas: 3/replicas: 8/' $1; exit 3")
    ran = gitops.berth("edit", "deploy/nginx-deployment")
    assert (ran.code, "ended with 3: nothing is changed" in ran.err) == (3, True)
    assert gitops.subjects() == ["Our cluster"]


# --- ConfigMaps and Secrets -----------------------------------------------------------------------------------------


def test_a_configmap_from_a_folder_and_literals(gitops: GitOps, tmp_path: Path) -> None:
    folder = tmp_path / "game"
    folder.mkdir()
    (folder / "game.properties").write_text("enemies=aliens\nlives=3\n")
    (folder / "ui.properties").write_text("color.good=purple\n")
    said = gitops.done("create", "configmap", "game-config", f"--from-file={folder}", "--from-literal=mode=yes")
    assert said == ["configmap/game-config created"]
    assert gitops.file("apps/web/game-config-configmap.yaml") == (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: game-config\ndata:\n"
        "  game.properties: |\n    enemies=aliens\n    lives=3\n"
        "  ui.properties: |\n    color.good=purple\n"
        '  mode: "yes"\n'
    )


def test_a_secret_is_in_its_file_and_nowhere_else(gitops: GitOps, tmp_path: Path) -> None:
    (tmp_path / "password.txt").write_text("hunter2-hunter2")
    arguments = ["create", "secret", "generic", "db", f"--from-file={tmp_path}/password.txt", "--from-literal=pin=9876"]
    dry = gitops.berth(*arguments, "--dry-run")
    assert "+  password.txt: '" in dry.out
    wet = gitops.berth(*arguments)
    assert wet.lines[:2] == [
        "secret/db created",
        "warning: its values are in Git as they are (base64 hides nothing); keep real secrets out of it",
    ]
    encoded = base64.b64encode(b"hunter2-hunter2").decode()
    assert f"password.txt: {encoded}\n" in gitops.file("apps/web/db-secret.yaml")
    said = dry.out + dry.err + wet.out + wet.err + "".join(gitops.subjects())
    for value in ("hunter2-hunter2", encoded, "9876", base64.b64encode(b"9876").decode()):
        assert value not in said
    assert gitops.subjects()[0] == "berth create secret generic db"


def test_a_changed_secret_shows_that_it_changed_and_not_what(gitops: GitOps) -> None:
    gitops.push({"apps/web/login.yaml": SECRET})
    patch = "stringData: {password: battery-staple}"
    ran = gitops.berth("patch", "secret/login", "-p", patch, "--dry-run")
    assert [line for line in ran.lines if line[:1] in "+-"] == [
        "--- a/apps/web/login.yaml",
        "+++ b/apps/web/login.yaml",
        "-  password: '***'     # of the shop",
        "+  password: '*** (changed)'     # of the shop",
    ]
    gitops.done("patch", "secret/login", "-p", patch)
    assert gitops.file("apps/web/login.yaml") == SECRET.replace("correct-horse", "battery-staple")
    assert gitops.subjects()[0] == "berth patch secret/login"


def test_the_repository_is_still_whole_after_all_of_it(gitops: GitOps) -> None:
    gitops.done("scale", "deploy/nginx-deployment", "--replicas=1")
    gitops.done("cordon", "alpha")
    done = subprocess.run(
        ["git", "fsck", "--strict"], cwd=gitops.remote.path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "")
