"""An ordinal's place, and a claim's, is recorded before its host may begin: so only hosts on record hold others up."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec

from objects.api.core import Namespace
from objects.api.meta import KubeObject, ObjectKey, ObjectMeta
from objects.api.pods import Pod
from objects.defaults import default
from reconciler.controllers import CONTROLLERS
from reconciler.core.engine import Engine
from reconciler.core.write_ahead import place_of
from reconciler.state.messages import Desired, Recorded, Restored
from reconciler.status.content import render_files, restore
from tests.unit.controllers.manifests import stateful_set
from tests.unit.reconciler.cluster import FakeCluster, bare_pod, make_host


class Recording(FakeCluster):
    """A cluster that waits for its records, which the test makes."""

    def __init__(self, *hosts: str) -> None:
        super().__init__(*hosts)
        self.begin(Restored())

    def begin(self, restored: Restored) -> None:
        self.engine = Engine(CONTROLLERS, source=random.Random(1), writes_ahead=True)
        self.step(restored, self.commit())

    def commit(self, replicas: int = 2, *others: KubeObject) -> Desired:
        space = Namespace(metadata=ObjectMeta(name="default"))
        objects = (space, *map(make_host, self.hosts), stateful_set(replicas=replicas, parallel=True), *others)
        return Desired(commit="c", objects=tuple(default(one) for one in objects))

    def rest(self, *messages: object) -> None:
        for _ in range(8):
            self.step(*messages, *map(self.report, self.hosts))  # type: ignore[arg-type]
            messages = ()

    def written(self) -> Restored:
        """What is on the branch once everything is written."""
        files = render_files(self.engine.store, self.engine.inventory, is_ahead=self.engine.is_ahead)
        return msgspec.structs.replace(restore(files.items()), follows=True)

    def record(self, keys: Iterable[ObjectKey] = ()) -> None:
        wanted = list(keys) or [obj.key for obj in self.engine.store]
        self.rest(Recorded(self.engine.will_record(wanted)))

    @property
    def names(self) -> set[str]:
        return {name for pods in self.running.values() for name in pods}


def test_an_ordinal_begins_when_its_place_is_recorded_and_other_pods_wait_for_nothing() -> None:
    cluster = Recording("a", "b")
    cluster.rest(cluster.commit(2, bare_pod()))
    assert cluster.names == {"lone"}
    assert sorted(key.name for key in cluster.engine.withheld) == ["db-0", "db-1"]
    held = {key.name: hold.reason for (_, key), hold in cluster.engine.holds.items() if key.kind == "Pod"}
    assert held == {"db-0": "NotRecordedYet", "db-1": "NotRecordedYet"}
    cluster.record([ObjectKey("Pod", "default", "db-0")])
    assert cluster.names == {"lone", "db-0"}
    cluster.record()
    assert cluster.names == {"lone", "db-0", "db-1"}
    assert not cluster.engine.withheld


def test_a_pod_that_is_deleted_before_it_is_recorded_goes() -> None:
    cluster = Recording("a")
    cluster.rest(cluster.commit(1))
    assert cluster.engine.withheld
    cluster.rest(cluster.commit(0))
    assert not [pod for pod in cluster.pods() if pod.name.startswith("db-")]
    assert not cluster.engine.withheld


def test_what_the_branch_is_about_to_say_ends_what_it_said() -> None:
    cluster = Recording("a", "b")
    cluster.rest(cluster.commit(1))
    cluster.record()
    key = ObjectKey("Pod", "default", "db-0")
    pod = cluster.engine.store.get(Pod, "default", "db-0")
    assert pod is not None and place_of(pod) in ("a", "b")
    cluster.rest(cluster.commit(0))
    assert cluster.engine.will_record([key]) == {}
    cluster.rest(cluster.commit(1))
    assert cluster.engine.withheld == [key], "the commit that says it is gone may be pushed after it begins again"


def test_a_host_that_was_never_seen_holds_only_what_is_recorded_there() -> None:
    cluster = Recording("a", "b", "c")
    cluster.rest(cluster.commit(2))
    cluster.record()
    before = cluster.written()
    assert before.is_ahead
    where = next(host for host, pods in cluster.running.items() if "db-0" in pods)
    cluster.silent = {where}
    cluster.begin(before)
    cluster.rest(cluster.commit(4))
    cluster.record()
    others = {name for host, pods in cluster.running.items() if host != where for name in pods}
    assert {"db-2", "db-3"} <= others, "others are made although a host was never seen"
    assert "db-0" not in others, "what is recorded on the host that nobody sees is not made again"


def test_where_an_earlier_process_recorded_nothing_ahead_everything_waits() -> None:
    cluster = Recording("a", "b", "c")
    cluster.rest(cluster.commit(2))
    cluster.record()
    before = msgspec.structs.replace(cluster.written(), is_ahead=False)
    cluster.silent = {"c"}
    cluster.begin(before)
    cluster.rest(cluster.commit(4))
    cluster.record()
    assert not {"db-2", "db-3"} & cluster.names
    assert not cluster.engine.is_ahead, "nobody after us may rely on what was never recorded"
    assert not cluster.written().is_ahead
