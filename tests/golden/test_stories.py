"""Golden stories: a repository before and after a commit on simulated hosts → the plan and the status page.

One folder a story: `before/` and `after/` are repositories (before may be missing), `plan.txt`, `plan.md` and
`status.md` are expected. Each story ends with the proof that the plan was true: what it said is what then happened, and
planning once more finds nothing.
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from differ.documents.markdown import render_markdown
from differ.documents.plan import Plan
from differ.documents.text import render_text
from hosts.simulated.host import SimulatedHost
from objects.api.pods import Pod
from reconciler.controllers import CONTROLLERS
from reconciler.core.engine import Engine
from reconciler.core.named_configuration import root_owner
from reconciler.plan.plan import as_observed, make_plan
from reconciler.plan.simulate import SimulatedClock, SimulatedCluster
from reconciler.state.messages import Desired, Restored
from reconciler.status.content import render_files, render_readme, restore
from sources.reading.desired import DesiredState
from sources.reading.validate import load_path

STORIES = Path(__file__).parent / "stories"
START = datetime(2026, 1, 1, tzinfo=UTC)


class Story:
    """Simulated hosts that live through the story, and the reconciler that is in force."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SimulatedClock(START)
        self.base = self._read("before") if (folder / "before").is_dir() else None
        self.target = self._read("after")
        names = {host.name for desired in (self.base, self.target) if desired for host in _hosts(desired)}
        unreachable = (folder / "unreachable").read_text().split() if (folder / "unreachable").exists() else []
        self.hosts = {name: SimulatedHost(name, clock=self.clock) for name in sorted(names)}
        self.cluster = SimulatedCluster(Engine(CONTROLLERS, source=Random(1)), self.hosts, self.clock)
        if self.base is not None:
            assert self.cluster.run_to_rest(self.base)
        for name in unreachable:
            self.hosts[name].is_reachable = False

    def _read(self, side: str) -> Desired:
        state = load_path(self.folder / side).require()
        return _message(state, commit=side)

    def plan(self, base: Desired | None) -> Plan:
        observer = Engine(CONTROLLERS, source=Random(2), is_observer=True)
        looking = SimulatedCluster(observer, self.hosts, self.clock)
        looking.round(self.restored(), as_observed(base, self.target))
        looking.round()
        seen = {name: host.observe() for name, host in self.hosts.items() if host.is_reachable}
        return make_plan(observer, seen, base, self.target, now=self.clock.now, warnings=())

    def carry_out(self) -> None:
        self.cluster.run_to_rest(self.target)

    def restored(self) -> Restored:
        """What a reconciler that starts now finds on the status branch."""
        engine = self.cluster.engine
        return restore(render_files(engine.store, engine.inventory).items())

    def pods_by_owner_and_host(self) -> Counter[tuple[str, str]]:
        store = self.cluster.engine.store
        pods = store.all_of(Pod)
        return Counter((str(root_owner(store, pod)), pod.spec.node_name) for pod in pods if pod.spec.node_name)


@pytest.mark.parametrize("name", sorted(path.name for path in STORIES.iterdir() if path.is_dir()))
def test_story(name, request):
    folder = STORIES / name
    story = Story(folder)
    plan, before = story.plan(story.base), story.pods_by_owner_and_host()
    engine = story.cluster.engine
    story.carry_out()
    page = render_readme(engine.store, engine.inventory, commit="after", held=engine.deployed.held).decode()
    results = {"plan.txt": render_text(plan), "plan.md": render_markdown(plan), "status.md": page}
    for file, text in results.items():
        if request.config.getoption("--update-golden"):
            (folder / file).write_text(text)
        assert text == (folder / file).read_text(), f"{name}/{file} differs; --update-golden rewrites it"
    _assert_came_true(story, before, plan)


def _assert_came_true(story: Story, before: Counter[tuple[str, str]], plan: Plan) -> None:
    """Owner by owner: as many pods more or less as the plan said.

    Host by host when nothing is replaced: which of two equal old pods goes first in a rollout hangs on timing.
    """
    actions = {pod.action for pod in plan.pods}
    parts = (lambda owner, _: owner) if len(actions) > 1 else (lambda owner, host: (owner, host))
    expected: Counter[object] = Counter()
    for (owner, host), count in before.items():
        expected[parts(owner, host)] += count
    for pod in plan.pods:
        if pod.host:
            expected[parts(pod.owner, pod.host)] += -1 if pod.action == "delete" else 1
    happened: Counter[object] = Counter()
    for (owner, host), count in story.pods_by_owner_and_host().items():
        happened[parts(owner, host)] += count
    assert happened == +expected
    again = story.plan(story.target)
    assert again.is_empty, f"planning again finds {render_text(again)}"


def _message(state: DesiredState, *, commit: str) -> Desired:
    return Desired(commit=commit, objects=tuple(state.objects.values()), application=state.application_of)


def _hosts(desired: Desired) -> list:
    return [obj for obj in desired.objects if obj.KIND == "Host"]
