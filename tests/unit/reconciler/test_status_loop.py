"""The status loop against a real repository: one batched commit, verdicts as notes, nothing when nothing changed."""

import base64
import queue
import threading
import time

import msgspec
import pytest

from objects.api.core import Secret
from objects.api.meta import ObjectKey, ObjectMeta
from objects.api.pods import Pod
from objects.defaults import default
from objects.own.charge import Charge
from objects.own.config import Application, ApplicationSpec
from objects.secrets import SecretValue
from reconciler.charge.holding import InCharge
from reconciler.charge.rules import CHARGE_PATH, parse_record, render_record
from reconciler.desired.commits import read_restored
from reconciler.state.messages import Desired, Recorded, Recording
from reconciler.status import batch as batch_module
from reconciler.status import content as status
from reconciler.status.batch import BatchMaker, Refusal
from reconciler.status.loop import BURST_SECONDS, SETTLE_SECONDS, StatusLoop, settling_seconds
from reconciler.status.pod_files import is_pod_path, pods_document
from sources.git.repository import Repository
from sources.git.status_branch import StatusBranch
from tests.unit.controllers.manifests import stateful_set
from tests.unit.reconciler.cluster import FakeCluster, bare_pod, deployment
from tests.unit.sources.conftest import Remote

CHARGE = Charge(epoch=7, holder="a1", name="berth run of a")
LATER = Charge(epoch=8, holder="b2", name="berth run of b")
CANARY = "s3cr3t-canary"
WEB = ObjectKey("Deployment", "default", "web")


class Written:
    """A cluster whose status goes to a real remote."""

    def __init__(self, remote: Remote, repository: Repository) -> None:
        self.remote = remote
        self.branch = StatusBranch(repository)
        self.cluster = FakeCluster("a", "b")
        self.repository = repository
        self.commit = self.push({"berth.yaml": "x"})
        self.in_charge = InCharge(CHARGE)
        self.loop = self._start()

    def _start(self) -> StatusLoop:
        loop = StatusLoop(self.branch, wake_engine=lambda: None, in_charge=self.in_charge)
        loop.start()
        return loop

    def push(self, files: dict[str, str]) -> str:
        """A commit that the reconciler has read."""
        sha = self.remote.push(files)
        self.repository.fetch("main")
        return sha

    def desired(self, image: str = "web:v1") -> Desired:
        shop = Application(metadata=ObjectMeta(name="shop"), spec=ApplicationSpec(path="apps/shop"))
        return self.cluster.desired(shop, deployment(image), commit=self.commit, application={WEB: "shop"})

    def run(self, *messages, rounds: int = 12) -> None:
        self._note(*messages)
        for _ in range(rounds):
            self._note(*map(self.cluster.report, self.cluster.hosts))

    def _note(self, *messages) -> None:
        self.loop.note(self.cluster.engine, self.cluster.step(*messages).changed)

    def flush(self) -> None:
        self.loop.flush(self.cluster.engine, timeout_seconds=20)
        self.loop = self._start()

    def publish(self) -> None:
        """A commit of what is known now, and the engine hears what came of it."""
        assert self.loop._write_newest()
        self._note()

    def files(self) -> list[str]:
        return self.remote.in_remote("ls-tree", "-r", "--name-only", "berth/status").splitlines()

    def kinds(self) -> set[str]:
        return {path.split("/")[2] for path in self.files() if path.startswith("objects/")}

    def commits(self) -> list[str]:
        return self.remote.in_remote("log", "--format=%s", "berth/status").splitlines()


@pytest.fixture
def written(tmp_path):
    remote = Remote(tmp_path / "git")
    with Repository(remote.url, tmp_path / "cache") as repository:
        written = Written(remote, repository)
        yield written
        written.flush()


def test_a_rollout_is_one_commit_that_a_fresh_process_can_read(written):
    written.run(written.desired())
    written.flush()
    snapshot = written.branch.read()
    assert (snapshot.desired_commit, snapshot.health) == (written.commit, "Healthy")
    assert written.commits() == [f"Status of {written.commit[:12]}: Healthy"]
    restored = read_restored(written.branch)
    assert restored.commit == written.commit
    assert {obj.KIND for obj in restored.objects} == {"Node", "Pod", "ReplicaSet"}
    assert restored.remembered[ObjectKey("Application", "", "shop")].status.health == "Healthy"


def test_nothing_new_is_no_commit(written):
    written.run(written.desired())
    written.flush()
    written.run(written.desired())
    written.flush()
    assert len(written.commits()) == 1


def test_a_desired_commit_gets_its_verdict_as_a_note(written):
    written.run(written.desired())
    written.flush()
    assert written.remote.in_remote("notes", "--ref=berth", "show", written.commit) == "Healthy"


def test_a_refused_commit_is_told_in_the_overview_and_on_the_commit(written):
    written.run(written.desired())
    bad = written.push({"apps/web.yaml": "a: ["})
    written.loop.refuse(Refusal(bad, "commit is refused: 1 error\n  apps/web.yaml:1: no"))
    written.flush()
    page = written.remote.in_remote("show", "berth/status:README.md")
    assert "apps/web.yaml:1: no" in page
    assert f"in force: `{written.commit}`" in page
    assert written.remote.in_remote("notes", "--ref=berth", "show", bad).startswith("Refused")


def test_what_could_not_be_pushed_goes_with_the_next_commit(written):
    away = written.remote.path.with_name("away.git")
    written.remote.path.rename(away)
    written.run(written.desired())
    written.flush()
    away.rename(written.remote.path)
    written.run(written.desired("web:v2"))
    written.flush()
    files = written.remote.in_remote("ls-tree", "-r", "--name-only", "berth/status").splitlines()
    assert "objects/default/deployment/web.yaml" in files
    assert "hosts/a.yaml" in files


def test_files_of_what_is_gone_go_too(written):
    written.run(written.desired())
    written.flush()
    gone = written.cluster.desired(commit=written.commit, confirmations=("all",))
    written.run(gone)
    written.flush()
    files = written.remote.in_remote("ls-tree", "-r", "--name-only", "berth/status").splitlines()
    assert [path for path in files if path.startswith("objects/")] == []


def test_a_commit_that_is_gone_needs_no_note(written):
    written.commit = "0" * 40
    written.run(written.desired())
    written.flush()
    assert written.commits() == [f"Status of {'0' * 12}: Healthy"]


@pytest.mark.parametrize(
    ("first", "last", "now", "expected"),
    [
        pytest.param(0.0, 0.0, 0.0, SETTLE_SECONDS, id="a change"),
        pytest.param(0.0, 0.5, 0.75, SETTLE_SECONDS - 0.25, id="another one after it"),
        pytest.param(0.0, 0.5, 0.5 + SETTLE_SECONDS, 0.0, id="nothing more came"),
        pytest.param(0.0, BURST_SECONDS - 0.25, BURST_SECONDS - 0.25, 0.25, id="they do not end: the rest of a burst"),
        pytest.param(0.0, BURST_SECONDS, BURST_SECONDS, 0.0, id="they do not end: told"),
        pytest.param(0.0, 0.0, 60.0, 0.0, id="while the last commit was pushed"),
    ],
)
def test_a_burst_is_waited_for_but_not_for_long(first, last, now, expected):
    assert settling_seconds(first, last, now=now) == expected


def test_the_record_goes_with_a_status_and_at_the_end_says_that_nobody_is_in_charge(written):
    written.run(written.desired())
    written.flush()
    record = parse_record(written.branch.read().files[CHARGE_PATH])
    assert (record.rank, record.is_released, len(written.commits())) == (CHARGE.rank, True, 1)


def test_whoever_is_not_in_charge_any_more_writes_nothing(written):
    written.branch.write({CHARGE_PATH: render_record(LATER)}, message="In charge: b")
    written.run(written.desired())
    written.flush()
    assert written.in_charge.is_over
    assert written.commits() == ["In charge: b"]


def test_an_object_whose_file_cannot_be_made_hides_no_other(written, monkeypatch):
    real = status.object_document

    def document(view, obj, inventory):
        if obj.KIND == "ReplicaSet":
            raise ValueError("no colour")
        return real(view, obj, inventory)

    monkeypatch.setattr(status, "object_document", document)
    written.run(written.desired())
    written.publish()
    assert written.kinds() == {"application", "deployment", "pods"}
    assert [part for part, _ in written.cluster.engine.holds] == ["status file"]
    monkeypatch.setattr(status, "object_document", real)
    written.publish()
    assert "replicaset" not in written.kinds(), "its time has not come"
    written.run()
    written.publish()
    assert written.kinds() == {"application", "deployment", "pods", "replicaset"}
    assert not written.cluster.engine.holds


def test_pods_whose_file_cannot_be_made_hide_no_others_and_are_written_when_it_can(written, monkeypatch):
    written.run(written.cluster.desired(deployment(), deployment(name="db"), commit=written.commit))

    def document(view, keys):
        if keys[0].name.startswith("web"):
            raise ValueError("no colour")
        return pods_document(view, keys)

    monkeypatch.setattr(batch_module, "pods_document", document)
    written.publish()
    assert [*filter(is_pod_path, written.files())] == ["objects/default/pods/replicaset.db-webv1/0.yaml"]
    held = ("status file of pods", ObjectKey("ReplicaSet", "default", "web-webv1"))
    assert [*written.cluster.engine.holds] == [held]
    monkeypatch.setattr(batch_module, "pods_document", pods_document)
    written.run()
    written.publish()
    assert "objects/default/pods/replicaset.web-webv1/0.yaml" in written.files()
    assert not written.cluster.engine.holds


def test_what_earlier_versions_and_processes_left_of_pods_goes_with_the_first_status(written):
    """One file a pod, whole; and one of a pod that is not there any more."""
    old = "objects/default/pod/web-webv1-gone.yaml"
    mine = "objects/default/replicaset/of-a-person.yaml"
    written.branch.write({old: b"kind: Pod\n", mine: b"x: 1\n"}, message="by an earlier version")
    written.run(written.cluster.desired(deployment(), bare_pod(), commit=written.commit))
    written.flush()
    files = written.remote.in_remote("ls-tree", "-r", "--name-only", "berth/status").splitlines()
    assert [path for path in files if is_pod_path(path)] == [
        "objects/default/pod/lone.yaml",
        "objects/default/pods/replicaset.web-webv1/0.yaml",
    ]
    assert mine in files


def test_a_secret_value_is_on_no_commit_and_a_fresh_process_has_the_pods_as_they_were(written):
    """In clear in a template, and in base64 in an annotation of it: a person may put both beside the Secret."""
    template = deployment("web:v1").spec.template
    (container,) = template.spec.containers
    container = msgspec.structs.replace(container, args=(f"--password={CANARY}",))
    note = base64.b64encode(CANARY.encode()).decode()
    template = msgspec.structs.replace(
        template,
        metadata=msgspec.structs.replace(template.metadata, annotations={"note": note}),
        spec=msgspec.structs.replace(template.spec, containers=(container,)),
    )
    web = deployment("web:v1")
    web = msgspec.structs.replace(web, spec=msgspec.structs.replace(web.spec, template=template))
    secret = Secret(metadata=ObjectMeta(name="db", namespace="default"), data={"p": SecretValue(CANARY.encode())})
    written.repository.words.learn([secret])
    written.run(written.cluster.desired(web, secret, commit=written.commit))
    written.loop.refuse(Refusal(written.commit, f"no {CANARY} here"))
    written.flush()
    everything = written.remote.in_remote("log", "--patch", "--notes=berth", "--all")
    assert "***(Secret default/db p" in everything
    assert [text for text in (CANARY, note) if text in everything] == []
    pods = [obj for obj in read_restored(written.branch).objects if isinstance(obj, Pod)]
    assert pods
    for pod in pods:
        assert (pod.spec.containers[0].args, pod.annotations["note"]) == (container.args, note)


def test_pods_that_wait_for_their_record_get_it_at_once_and_are_told_of(written):
    told = queue.SimpleQueue()
    written.cluster.engine.writes_ahead = True
    loop = StatusLoop(
        written.branch,
        wake_engine=lambda: None,
        in_charge=written.in_charge,
        tell=told.put,
        is_reluctant=True,
    )
    loop.start()
    cluster, store = written.cluster, default(stateful_set(replicas=1))
    desired = cluster.desired(store, commit=written.commit)
    key = ObjectKey("Pod", "default", "db-0")
    loop.note(cluster.engine, cluster.step(desired).changed)
    began, running = time.monotonic(), False
    while not running and time.monotonic() - began < 20:
        messages = [told.get()] if not told.empty() else []
        loop.note(cluster.engine, cluster.step(*messages, *map(cluster.report, cluster.hosts)).changed)
        running = any("db-0" in names for names in cluster.running.values())
        assert not running or key in {pod.key for pod in read_restored(written.branch).objects}
        time.sleep(0.02)
    assert running
    assert len(written.commits()) == 1
    assert read_restored(written.branch).is_ahead
    loop.flush(cluster.engine, timeout_seconds=20)
    assert len(written.commits()) == 1, "nothing but what must be recorded"


def test_what_cannot_be_made_at_all_is_held_and_made_when_it_can(written, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no colour")

    with monkeypatch.context() as patched:
        patched.setattr(status, "render_readme", fail)
        written.run(written.desired())
        assert not written.loop._write_newest()
        written._note()
        assert [*written.cluster.engine.holds] == [("status", written.cluster.engine.cluster_key)]
    written.publish()
    assert not written.cluster.engine.holds
    assert {obj.KIND for obj in read_restored(written.branch).objects} == {"Node", "Pod", "ReplicaSet"}


def test_the_last_status_that_cannot_be_made_does_not_keep_the_process(written, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no colour")

    monkeypatch.setattr(status, "render_readme", fail)
    written.loop.flush(written.cluster.engine, timeout_seconds=20)
    assert not written.loop._thread.is_alive()


def test_what_went_before_the_first_commit_of_a_process_is_not_on_the_branch_any_more(written):
    """A commit of the time when nobody ran: what it no longer has comes from the branch and goes in one step."""
    written.run(written.desired())
    written.flush()
    restored = read_restored(written.branch)
    written.cluster.engine = FakeCluster("a", "b").engine
    written._note(restored)
    written.run(written.cluster.desired(commit=written.commit, confirmations=("all",)))
    written.flush()
    assert [path for path in written.files() if path.endswith(("/web.yaml", "/shop.yaml", "/0.yaml"))] == []


def test_a_change_makes_anew_only_the_files_that_tell_of_it(written):
    maker, engine = BatchMaker(), written.cluster.engine
    written.run(written.cluster.desired(deployment(), deployment(name="db"), commit=written.commit))
    assert len(maker.make(engine.published, commit="1", by="x").documents) > 8
    assert maker.make(engine.published, commit="1", by="x").documents == {}
    (pod, *_) = [one for one in engine.store.all_of(Pod) if one.name.startswith("db")]
    status_of_pod = msgspec.structs.replace(pod.status, message="out of the way")
    engine._writer.put(msgspec.structs.replace(pod, status=status_of_pod))
    written.cluster.step()
    changed = maker.make(engine.published, commit="1", by="x")
    assert [*changed.documents] == ["objects/default/pods/replicaset.db-webv1/0.yaml"]


def test_the_engine_knows_before_the_branch_says_another_place(written):
    """Else a pod that comes back to its earlier host could begin there while the commit that says so is replaced."""
    cluster = written.cluster
    cluster.engine.writes_ahead = True
    key, told = ObjectKey("Pod", "default", "db-0"), []
    loop = StatusLoop(written.branch, wake_engine=lambda: None, in_charge=written.in_charge, tell=told.append)
    cluster.step(cluster.desired(default(stateful_set(replicas=1)), commit=written.commit))
    loop.note(cluster.engine, cluster.step(*map(cluster.report, cluster.hosts)).changed)
    writing = threading.Thread(target=loop._write_newest)
    writing.start()
    began = time.monotonic()
    while not told and time.monotonic() - began < 20:
        time.sleep(0.01)
    (announced,) = told
    assert isinstance(announced, Recording)
    assert announced.places.keys() == {key}
    writing.join(0.2)
    assert (writing.is_alive(), written.branch.known_paths()) == (True, ()), "not before the engine has heard of it"
    loop.note(cluster.engine, cluster.step(announced).changed)
    writing.join(20)
    assert [type(one) for one in told] == [Recording, Recorded]
    assert key in {obj.key for obj in read_restored(written.branch).objects}
