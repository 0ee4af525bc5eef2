"""A simulated world for seeded histories: machines that outlive reconcilers, commits, faults, and what always holds.

`python -m tests.simulation --seed N --steps M` replays one history and prints what happened in it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec

from differ.kubelet.actions import Action, CreateContainer, StartContainer
from objects.api.pods import Pod
from objects.names import LABEL_CLAIM, LABEL_POD_NAME, LABEL_POD_UID
from reconciler.controllers import CONTROLLERS
from reconciler.core.engine import Engine, StepResult
from reconciler.plan.simulate import SimulatedClock, SimulatedCluster
from reconciler.state.messages import Message, Recorded, Restored
from tests.simulation import mischief
from tests.simulation.ending import check_end
from tests.simulation.kept import Keeper
from tests.simulation.ledger import Ledger, Place
from tests.simulation.machine import Crash, Machine
from tests.simulation.repository import Repository
from tests.simulation.watcher import Watcher
from tests.simulation.written_status import remembered, written

START = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
STEPS = 80
"""Of one history, before the calm."""
SLOW_PULLS = 0.15
"""Of all pulls."""
PAUSES = (0, 0, 0, 1, 1, 5)
"""Seconds between two steps: mostly none, so that faults fall into the middle of something."""
YAML_SHARE = 0.01
"""Of status commits that are written as files and read back; the others take the short way."""


class WatchedEngine(Engine):
    """An engine whose every step is judged."""

    def __init__(self, source: random.Random, watcher: Watcher) -> None:
        super().__init__(CONTROLLERS, source=source, writes_ahead=True)
        self._watcher = watcher

    def step(self, messages: Iterable[Message], now: datetime, *, ahead: timedelta = timedelta()) -> StepResult:
        told = tuple(messages)
        result = super().step(told, now, ahead=ahead)
        self._watcher.look(self, told, result, now)
        return result


class World:
    """One seeded history. `step` lets something happen and looks; `calm` ends all faults and waits for rest.

    machines: all there are. managed: those that the reconciler was told of. skew: what the hosts' clocks are ahead.
    """

    def __init__(self, seed: int, *, hosts: int = 4) -> None:
        self.random = random.Random(seed)
        self.clock = SimulatedClock(START)
        self.skew = timedelta()
        self.crash_in = 0
        names = [f"h{n}" for n in range(hosts)]
        self.machines = {name: self._make_machine(name) for name in names}
        self.managed = dict(self.machines)
        self.git = Repository(random.Random(self.random.getrandbits(32)), names)
        self.keeper = Keeper(seed)
        self.git.keeps = self.keeper.is_on
        self.ledger = Ledger()
        self.steps = 0
        self.log: list[str] = []
        self.note("begins with " + ", ".join(map(str, self.git.workloads)))
        self.pending: list[Message] = []
        self.status = Restored()
        self.begin()
        # A cluster begins with a commit of its status: without one nobody knows what an earlier process did.
        self._round()
        self.write_status()

    @property
    def engine(self) -> Engine:
        return self.cluster.engine

    # --- what happens --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A reconciler with an empty memory, on the same machines."""
        engine = WatchedEngine(random.Random(self.random.getrandbits(32)), Watcher(self.ledger, self.machines))
        self.match_hosts()
        self.cluster = SimulatedCluster(engine, self.managed, self.clock)
        desired = self.git.desired()
        self.pending = [self.keeper.restored(self.status, desired), desired]

    def restart(self) -> None:
        """The reconciler is killed and another one begins."""
        self.crash_in = 0
        self.ledger.reconciler_died(self.status, self.engine.store.all_of(Pod))
        self.status = msgspec.structs.replace(self.status, follows=True)
        self.clock.ahead = timedelta()  # a new process goes by its machine's clock: somebody has put that right
        self.begin()

    def step(self) -> None:
        """Perhaps something bad or new happens, then one round. What must always hold is checked."""
        self.steps += 1
        self.note(mischief.happen(self))
        self._round()
        if self.random.random() < 0.2:
            self.write_status()
        self.clock.now += timedelta(seconds=self.random.choice(PAUSES))

    def write_status(self) -> None:
        """The status branch, which lags behind: what the next reconciler begins with."""
        if self.engine.is_started:
            write = written if self.random.random() < YAML_SHARE else remembered
            self.status = write(self.engine)
            self.ledger.status_written(self.status)
            self.keeper.status_written(self.engine)
            places = self.engine.will_record([obj.key for obj in self.status.objects])
            self.pending.append(Recorded(places))

    def match_hosts(self) -> None:
        """Workers for the hosts that Git knows; a removed one's last report may still be on its way until here."""
        self.managed.clear()
        for name, machine in self.machines.items():
            machine.is_managed = name in self.git.hosts
            if machine.is_managed:
                self.managed[name] = machine

    def calm(self, *, max_rounds: int = 2000) -> None:
        """No more faults and one good commit: everything must come to what it says, and stay there."""
        self.crash_in = 0
        self.keeper.loses = False
        for name, machine in self.machines.items():
            if name not in self.git.hosts or self.git.hosts[name].is_out_of_service:
                machine.wipe()
            machine.calm()
        for name in sorted(self.machines.keys() - self.git.hosts.keys()):
            self.git.commit_join(name)
        self.note("calm: no more faults")
        self.note(self.git.commit_good())
        self.pending.append(self.git.desired())
        self._round()
        assert self._rest(max_rounds), "the cluster does not come to rest"
        self.note("at rest")
        check_end(self)
        self.note("as desired")

    def note(self, said: str) -> None:
        """Into the log, with number and time of the step; '' says nothing."""
        if said:
            self.log.append(f"{self.steps:4} {self.clock.now:%H:%M:%S} {said}")

    def _rest(self, max_rounds: int) -> bool:
        ends = self.clock.now + timedelta(minutes=10)
        for _ in range(max_rounds):
            if self.engine.withheld:
                self.write_status()
            messages, self.pending = self.pending, []
            done = self.cluster.round(*messages)
            self.check()
            if messages or not done.is_quiet:
                continue
            if done.wake_at is None or done.wake_at > ends:
                return True
            self.clock.now = max(self.clock.now, done.wake_at)
        return False

    def _round(self) -> None:
        messages, self.pending = self.pending, []
        try:
            self.cluster.round(*messages)
        except Crash:
            self.note("the reconciler was killed")
            self.restart()
        self.match_hosts()
        self.check()

    def _make_machine(self, name: str) -> Machine:
        return Machine(
            name,
            clock=lambda: self.clock.now + self.skew,
            source=random.Random(self.random.getrandbits(32)),
            before=lambda _: self._maybe_crash(),
            after=partial(self._after_action, name),
            pull=self._pull,
        )

    def add_machine(self) -> Machine:
        """A new one, which Git does not know yet."""
        name = f"h{len(self.machines)}"
        self.machines[name] = self._make_machine(name)
        return self.machines[name]

    def _after_action(self, host: str, action: Action) -> None:
        if isinstance(action, StartContainer | CreateContainer):
            self._check_ordinals()
        if isinstance(action, CreateContainer):
            for mount in action.spec.mounts:
                if LABEL_CLAIM in mount.labels:
                    claim, place = mount.labels[LABEL_CLAIM], (host, self.machines[host].lives)
                    self.ledger.claim_mounted(action.pod_uid, claim, mount.source, place, self._is_lost)
        self._maybe_crash()

    def _pull(self, _: float) -> None:
        """Mostly an image is there in no time; sometimes all that was planned for the host is old when it comes."""
        if self.random.random() < SLOW_PULLS:
            seconds = self.random.choice((2, 10, 45))
            self.note(f"a pull takes {seconds} s")
            self.clock.now += timedelta(seconds=seconds)

    def _maybe_crash(self) -> None:
        if self.crash_in:
            self.crash_in -= 1
            if not self.crash_in:
                raise Crash

    # --- what must hold ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """At every moment: machines are sound, no ordinal runs twice anywhere, no work is done too often."""
        for machine in self.machines.values():
            machine.check()
            for uid in machine.worked:
                self.ledger.ran_to_its_end(uid)
        self._check_ordinals()
        self._check_volumes()
        self.keeper.check(self.engine)

    def _check_volumes(self) -> None:
        """The data of a claim lies in one place; a host that is said to be off is wiped before it is back."""
        lying = Counter(
            volume
            for name, machine in self.managed.items()
            if name in self.git.hosts and not self.git.hosts[name].is_out_of_service
            for volume in machine.engine.claim_volumes
        )
        assert not lying or lying.most_common(1)[0][1] == 1, f"data in two places: {lying.most_common(1)}"

    def _is_lost(self, place: Place) -> bool:
        """Whether whatever was there is certainly gone."""
        name, life = place
        wish = self.git.hosts.get(name)
        return wish is None or wish.is_out_of_service or self.machines[name].lives > life

    def _check_ordinals(self) -> None:
        running: dict[str, str] = {}
        for machine in self.machines.values():
            for container in machine.living():
                name, uid = container.labels[LABEL_POD_NAME], container.labels[LABEL_POD_UID]
                if name.partition("-")[0] in ("db", "store"):
                    other = running.setdefault(name, uid)
                    assert other == uid, f"two pods {name} run: {other}, {uid}"
