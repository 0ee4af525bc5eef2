"""Snapshots and their journal, whatever is written in whatever steps: a reader that follows has what there is."""

from hypothesis import given
from hypothesis import strategies as st

from objects.api.core import ConfigMap
from objects.api.meta import ObjectKey, ObjectMeta, OwnerReference
from objects.api.pods import Pod
from reconciler.state.shared_map import MapDraft, SharedMap, difference
from reconciler.state.snapshot import Expired, Snapshot, SnapshotWriter, replayed
from reconciler.state.store import Store

NAMES = st.sampled_from(["a", "b", "c"])
OWNERS = st.sampled_from(["", "one", "two"])


@st.composite
def objects(draw):
    owner = draw(OWNERS)
    metadata = ObjectMeta(
        name=draw(NAMES),
        namespace=draw(st.sampled_from(["x", "y"])),
        uid=draw(st.sampled_from(["1", "2"])),
        labels=draw(st.dictionaries(NAMES, NAMES, max_size=1)),
        owner_references=(OwnerReference(kind="ReplicaSet", name=owner, uid=owner, controller=True),) if owner else (),
    )
    return draw(st.sampled_from([Pod, ConfigMap]))(metadata=metadata)


WRITES = st.one_of(objects(), st.builds(ObjectKey, st.sampled_from(["Pod", "ConfigMap"]), st.sampled_from("xy"), NAMES))
STEPS = st.lists(st.lists(WRITES, max_size=6), max_size=8)


def write(store, what):
    changed = store.remove(what) if isinstance(what, ObjectKey) else store.put(what)
    return [changed] if changed is not None else []


def by_key(snapshot):
    return {obj.key: obj for obj in snapshot}


def publish(writer, store, step):
    return writer.publish([one for what in step for one in write(store, what)], version=store.version)


@given(STEPS, st.data())
def test_the_journal_since_a_snapshot_makes_of_it_the_newest_one(steps, data):
    store, writer = Store(), SnapshotWriter()
    published = [writer.snapshot, *(publish(writer, store, step) for step in steps)]
    newest = published[-1]
    assert by_key(newest) == {obj.key: obj for obj in store}
    old = data.draw(st.sampled_from(published))
    entries = [*writer.journal.since(old.version)]
    assert replayed(old, entries) == by_key(newest)
    assert [entry.version for entry in entries] == sorted(entry.version for entry in entries)
    told = set(by_key(old))
    for entry in entries:
        assert (entry.key in told) == (entry.verb != "ADDED"), "a watch tells of nothing twice and of nothing unknown"
        (told.discard if entry.verb == "DELETED" else told.add)(entry.key)


@given(STEPS, st.data())
def test_what_changed_between_two_snapshots_is_what_differs(steps, data):
    store, writer = Store(), SnapshotWriter()
    published = [(writer.snapshot, {})]
    for step in steps:
        snapshot = publish(writer, store, step)
        published.append((snapshot, {obj.key: obj for obj in store}))
    for snapshot, known in published:
        assert by_key(snapshot) == known, "one that was published stays what it was"
    (old, before), (new, after) = data.draw(st.sampled_from(published)), data.draw(st.sampled_from(published))
    changed = new.changes_since(old)
    assert {one.key for one in changed} == {
        key for key in before.keys() | after.keys() if before.get(key) is not after.get(key)
    }
    assert all((one.old, one.new) == (before.get(one.key), after.get(one.key)) for one in changed)


@given(STEPS)
def test_a_snapshot_answers_as_the_store_does(steps):
    store, writer = Store(), SnapshotWriter()
    for step in steps:
        snapshot = publish(writer, store, step)
        for kind in (Pod, ConfigMap):
            assert snapshot.all_of(kind) == store.all_of(kind)
            assert snapshot.all_of(kind, "x") == store.all_of(kind, "x")
            for owner in ("one", "two"):
                assert snapshot.owned(kind, owner) == store.owned(kind, owner)
            assert snapshot.get(kind, "x", "a") == store.get(kind, "x", "a")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=400), st.integers(1, 50))
def test_maps_are_maps_and_those_that_were_published_stay(writes, often):
    draft, known, published = MapDraft(), {}, [(SharedMap(), {})]
    for number, (is_put, key) in enumerate(writes):
        # Keys far apart, so that buckets are divided and put together again.
        key = key if number % 3 else key * 1009 + number
        if is_put or number < 200:
            draft.put(key, number)
            known[key] = number
        else:
            draft.remove(key)
            known.pop(key, None)
        if number % often == 0:
            published.append((draft.publish(), dict(known)))
    for shared, expected in published:
        assert (dict(shared), len(shared)) == (expected, len(expected))
    before, after = published[len(published) // 2], published[-1]
    told = {key: (old, new) for key, old, new in difference(before[0], after[0])}
    keys = before[1].keys() | after[1].keys()
    assert told == {
        key: (before[1].get(key), after[1].get(key)) for key in keys if before[1].get(key) is not after[1].get(key)
    }


def test_a_journal_that_does_not_go_back_so_far_says_so(monkeypatch):
    monkeypatch.setattr("reconciler.state.snapshot.MOST_STEPS", 3)
    monkeypatch.setattr("reconciler.state.snapshot.MOST_CHANGES", 4)
    store, writer = Store(), SnapshotWriter()

    def step(*names):
        changed = [one for name in names for one in write(store, Pod(metadata=ObjectMeta(name=name, uid=name)))]
        writer.publish(changed, version=store.version)

    def begins():
        """The first version since which it tells everything."""
        for version in range(store.version + 1):
            try:
                writer.journal.since(version)
            except Expired:
                continue
            return version
        return None

    step("a")
    step("b")
    step("c")
    assert begins() == 0
    step("d")
    assert begins() == 1, "three steps are kept"
    step("e", "f", "g")
    assert begins() == 3, "four changes are kept"
    step("h", "i", "j", "k", "l")
    assert begins() == store.version, "a step that is longer than all that is kept"
    assert [*writer.journal.since(store.version)] == []
    step("m")
    assert [entry.key.name for entry in writer.journal.since(store.version - 1)] == ["m"]


def test_a_process_that_begins_with_a_snapshot_has_a_journal_from_there_on():
    store, writer = Store(), SnapshotWriter()
    first = writer.publish(write(store, Pod(metadata=ObjectMeta(name="a", uid="a"))), version=store.version)
    twin = SnapshotWriter(first)
    second = twin.publish(write(store, Pod(metadata=ObjectMeta(name="b", uid="b"))), version=store.version)
    assert [pod.name for pod in second.all_of(Pod)] == ["a", "b"]
    assert [entry.verb for entry in twin.journal.since(first.version)] == ["ADDED"]
    assert [pod.name for pod in first.all_of(Pod)] == ["a"]
    assert isinstance(first, Snapshot)
