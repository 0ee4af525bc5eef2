"""The start-up rule on real remotes: what an earlier process left and a commit are taken in both or none."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from objects.api.core import ConfigMap
from objects.api.meta import ObjectKey
from objects.errors import BerthError, InvalidInput
from reconciler.core.engine import Engine
from reconciler.process import reconciler as module
from reconciler.process.compose import open_session
from reconciler.process.options import Options
from reconciler.process.reconciler import Reconciler
from reconciler.state.store import Changed
from reconciler.status.content import INVENTORY_PATH
from reconciler.status.loop import StatusLoop
from sources.reading.desired import CommitRefused
from tests.unit.sources.conftest import Remote

CLUSTER = "apiVersion: berth.dev/v1alpha1\nkind: Cluster\nmetadata: {name: main}\n"
APPLICATION = """\
apiVersion: berth.dev/v1alpha1
kind: Application
metadata: {name: shop}
spec: {path: apps/shop, prune: true}
"""
STATUS = "berth/status"


def config(name: str) -> dict[str, str]:
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: b}}\n"
    return {f"apps/shop/{name}.yaml": text}


def key(name: str) -> ObjectKey:
    return ObjectKey("ConfigMap", "default", name)


BASE = {"berth.yaml": CLUSTER, "apps/shop.yaml": APPLICATION, **config("kept"), **config("gone")}
REFUSED = {"apps/shop/bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndta: {}\n"}


class State(NamedTuple):
    """What a reconciler has taken in. commit: '' for none; names: of ConfigMaps that it knows; problem: of reading."""

    commit: str
    names: list[str]
    inventory: set[str]
    problem: str


class Place:
    """A cluster without hosts, whose repository is a real remote, and processes that begin with caches of their own."""

    def __init__(self, remote: Remote, tmp_path: Path) -> None:
        self.remote = remote
        self._tmp_path = tmp_path
        self._caches = 0
        self.cache = self.new_cache()

    def new_cache(self) -> Path:
        self._caches += 1
        return self._tmp_path / f"cache{self._caches}"

    @contextmanager
    def process(self, verb: str = "run") -> Iterator[Reconciler]:
        options = Options(repo=self.remote.url, cache_dir=self.cache)
        with open_session(options) as session, Reconciler(session, verb) as reconciler:
            yield reconciler

    def begun(self) -> str:
        """A commit is in force, and its status written, by a process that has ended. Returns the commit."""
        commit = self.remote.push(BASE)
        with self.process() as reconciler:
            assert look(reconciler).commit == commit
        assert self.desired_commit() == commit
        return commit

    def desired_commit(self) -> str:
        return self.remote.in_remote(
            "log", "-1", "--format=%(trailers:key=Desired-Commit,valueonly,separator=%x2C)", STATUS
        )

    def overview(self) -> str:
        return self.remote.in_remote("show", f"{STATUS}:README.md")

    @contextmanager
    def garbled(self) -> Iterator[None]:
        """The inventory on the status branch cannot be read."""
        good = self.remote.in_remote("rev-parse", STATUS)
        self.remote.git("fetch", "--quiet", "origin", STATUS)
        self.remote.git("checkout", "--quiet", "-B", "garbled", "FETCH_HEAD")
        self.remote.push({INVENTORY_PATH: "applications: [\n"}, branch=STATUS)
        self.remote.git("checkout", "--quiet", "main")
        try:
            yield
        finally:
            self.remote.git("push", "--quiet", "--force", "origin", f"{good}:refs/heads/{STATUS}")

    def rewrite(self, files: dict[str, str]) -> str:
        """A history without anything that was in force: the old commits are gone from the remote."""
        self.remote.git("checkout", "--quiet", "--orphan", "fresh")
        self.remote.git("rm", "--quiet", "-r", "--cached", ".")
        for path in ("apps/shop/gone.yaml", "apps/shop/bad.yaml"):
            (self.remote.work / path).unlink(missing_ok=True)
        self.remote.write(files)
        self.remote.git("add", "--all")
        self.remote.git("commit", "--quiet", "-m", "fresh")
        self.remote.git("push", "--quiet", "--force", "origin", "HEAD:refs/heads/main")
        self.remote.git("branch", "-M", "main")
        self.remote.in_remote("reflog", "expire", "--expire=now", "--all")
        self.remote.in_remote("gc", "--quiet", "--prune=now")
        return self.remote.git("rev-parse", "HEAD")


def look(reconciler: Reconciler) -> State:
    """The source loop's look at the repository, and all that follows from it."""
    problems: list[BerthError | None] = [None]
    take_problem = reconciler.source._on_problem
    reconciler.source._on_problem = lambda problem: (problems.append(problem), take_problem(problem))
    try:
        reconciler.source.read_once()
    finally:
        reconciler.source._on_problem = take_problem
    return turned(reconciler, str(problems[-1] or ""))


def turned(reconciler: Reconciler, problem: str = "") -> State:
    for _ in range(5):
        reconciler.turn(timeout_seconds=0)
    engine = reconciler.engine
    return State(
        engine.desired.commit if engine.desired else "",
        [obj.name for obj in engine.store.all_of(ConfigMap)],
        {one.name for one in engine.inventory if one.kind == "ConfigMap"},
        problem,
    )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(Remote(tmp_path / "git"), tmp_path)


def test_a_fresh_process_prunes_by_the_memory_of_the_one_before(place: Place) -> None:
    place.begun()
    place.remote.git("rm", "--quiet", "apps/shop/gone.yaml")
    commit = place.remote.push()
    with place.process() as reconciler:
        assert look(reconciler) == State(commit, ["kept"], {"kept"}, "")
    assert place.desired_commit() == commit


CACHES = [pytest.param(True, id="same-cache"), pytest.param(False, id="empty-cache")]


@pytest.mark.parametrize("has_cache", CACHES)
def test_with_an_unreadable_memory_nothing_is_taken_in_until_it_is_read(place: Place, has_cache: bool) -> None:
    before = place.begun()
    place.remote.git("rm", "--quiet", "apps/shop/gone.yaml")
    commit = place.remote.push()
    place.cache = place.cache if has_cache else place.new_cache()
    with place.garbled(), place.process() as reconciler:
        first = look(reconciler)
        assert first[:3] == ("", [], set())
        assert f"{INVENTORY_PATH} on the status branch cannot be read: ParserError" in first.problem
        assert look(reconciler)[:3] == ("", [], set()), "neither by the next look"
    assert place.desired_commit() == before
    with place.process() as reconciler:
        assert look(reconciler) == State(commit, ["kept"], {"kept"}, "")


@pytest.mark.parametrize("has_cache", CACHES)
def test_a_memory_that_is_read_later_is_told_before_the_commit_that_waited(place: Place, has_cache: bool) -> None:
    place.begun()
    place.remote.git("rm", "--quiet", "apps/shop/gone.yaml")
    commit = place.remote.push()
    place.cache = place.cache if has_cache else place.new_cache()
    with place.process() as reconciler:
        with place.garbled():
            assert look(reconciler).commit == ""
        assert look(reconciler) == State(commit, ["kept"], {"kept"}, "")


@pytest.mark.parametrize("has_cache", CACHES)
def test_a_refused_newest_commit_leaves_the_one_before_in_force(place: Place, has_cache: bool) -> None:
    before = place.begun()
    place.remote.push(REFUSED)
    place.cache = place.cache if has_cache else place.new_cache()
    with place.process() as reconciler:
        state = look(reconciler)
        assert state[:3] == (before, ["gone", "kept"], {"gone", "kept"})
        assert "dta" in state.problem
        place.remote.git("rm", "--quiet", "apps/shop/bad.yaml", "apps/shop/gone.yaml")
        mended = place.remote.push()
        assert look(reconciler) == State(mended, ["kept"], {"kept"}, "")


@pytest.mark.parametrize("has_cache", CACHES)
def test_a_refused_newest_commit_and_an_unreadable_memory_are_nothing(place: Place, has_cache: bool) -> None:
    before = place.begun()
    place.remote.push(REFUSED)
    place.cache = place.cache if has_cache else place.new_cache()
    with place.process() as reconciler:
        with place.garbled():
            assert look(reconciler)[:3] == ("", [], set())
        assert look(reconciler)[:3] == (before, ["gone", "kept"], {"gone", "kept"})


@pytest.mark.parametrize("has_cache", CACHES)
def test_a_commit_in_force_that_is_gone_is_known_by_what_was_deployed(place: Place, has_cache: bool) -> None:
    place.begun()
    commit = place.rewrite(config("kept"))
    place.cache = place.cache if has_cache else place.new_cache()
    with place.process() as reconciler:
        assert look(reconciler) == State(commit, ["kept"], {"kept"}, "")


def test_refused_and_none_in_force_any_more_is_said_and_the_memory_stays_whole(place: Place) -> None:
    """The status that says so still names the commit that was in force: later ones are judged by it."""
    before = place.begun()
    place.rewrite(REFUSED)
    place.cache = place.new_cache()
    with place.process() as reconciler:
        state = look(reconciler)
        assert state[:3] == ("", [], set())
        assert "dta" in state.problem
    assert "dta" in place.overview()
    assert place.desired_commit() == before
    place.remote.git("rm", "--quiet", "apps/shop/bad.yaml")
    mended = place.remote.push()
    with place.process() as reconciler:
        assert look(reconciler) == State(mended, ["kept"], {"kept"}, "")


def test_a_first_commit_that_is_refused_is_said_and_nothing_is_taken_in(place: Place) -> None:
    place.remote.push({**BASE, **REFUSED})
    with place.process() as reconciler:
        assert look(reconciler)[:3] == ("", [], set())
    assert "dta" in place.overview()


def test_apply_takes_the_newest_commit_or_none(place: Place) -> None:
    before = place.begun()
    place.remote.push(REFUSED)
    with place.process("apply") as reconciler:
        with pytest.raises(CommitRefused, match="dta"):
            reconciler.take_newest()
        assert turned(reconciler)[:3] == ("", [], set())
    assert place.desired_commit() == before
    place.remote.git("rm", "--quiet", "apps/shop/bad.yaml", "apps/shop/gone.yaml")
    mended = place.remote.push()
    with place.process("apply") as reconciler:
        assert reconciler.take_newest().commit == mended
        assert turned(reconciler) == State(mended, ["kept"], {"kept"}, "")
    with place.garbled(), place.process("apply") as reconciler:
        with pytest.raises(InvalidInput, match=f"{INVENTORY_PATH} on the status branch cannot be read: ParserError"):
            reconciler.take_newest()
        assert turned(reconciler)[:3] == ("", [], set())


def test_a_status_that_cannot_be_begun_is_held_and_does_not_end_the_process(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    commit = place.remote.push(BASE)

    class Broken(StatusLoop):
        def note(self, engine: Engine, changed: Iterable[Changed]) -> None:
            raise ValueError("no colour")

    monkeypatch.setattr(module, "StatusLoop", Broken)
    with caplog.at_level(logging.ERROR), place.process() as reconciler:
        assert look(reconciler) == State(commit, ["gone", "kept"], {"gone", "kept"}, "")
        held = {part: hold.message for (part, _), hold in reconciler.engine.holds.items()}
        assert held == {"listener status": "ValueError: no colour"}
    assert len([one for one in caplog.records if "listener status" in one.message]) == 1, "said once"


def test_who_ends_before_there_is_a_status_is_in_charge_no_more(place: Place) -> None:
    place.remote.push(BASE)
    with place.process("apply") as reconciler:
        reconciler.take_newest()
    place.cache = place.new_cache()
    with place.process("apply") as reconciler:
        reconciler.take_newest()
