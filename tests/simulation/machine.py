"""A host of a simulated world: it may lose power, leave Git, be meddled with, and checks whatever is done to it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime
from functools import partial

from differ.kubelet.actions import Action, CreateContainer, StartContainer
from hosts.simulated.engine import SimulatedEngine, foreign_container
from hosts.simulated.host import Faults, SimulatedHost
from objects.errors import EngineUnavailable
from objects.names import LABEL_CONTAINER, LABEL_POD, LABEL_POD_NAME, LABEL_POD_UID, LABEL_ROLE
from objects.observation.host import HostObservation, ObservedContainer
from tests.simulation.programs import PRESENT, UNPULLABLE, program_of

FAULTS = Faults(lost_replies=0.03, refusals=0.03, lost_calls=0.03)
CANARY = "canary-7f3a"
"""The value of every Secret: nothing that is shown may hold it."""


class Crash(BaseException):
    """The reconciler is killed: not an Exception, so that nothing in it can catch and survive it."""


class Machine(SimulatedHost):
    """before, after: told of each action around its effect; may raise Crash. pull: lets the time of a pull pass."""

    def __init__(
        self,
        name: str,
        *,
        clock: Callable[[], datetime],
        source: random.Random,
        before: Callable[[Action], None],
        after: Callable[[Action], None],
        pull: Callable[[float], None],
    ) -> None:
        super().__init__(
            name,
            clock=clock,
            images=PRESENT,
            unpullable=UNPULLABLE,
            programs=program_of,
            faults=FAULTS,
            random=source,
            sleep=pull,
            before_action=before,
        )
        self.is_managed = True
        self.is_engine_down = False
        self.is_off = False
        self.lives = 0
        self._after = after
        self.worked: set[str] = set()
        """Pods whose main container was ever seen to have ended well."""
        self.happen(lambda engine, _: engine.adopt([foreign_container("somebody-elses")]))
        self.foreign = self._foreign_now()

    @property
    def is_answering(self) -> bool:
        return self.is_reachable and not self.is_engine_down

    def observe(self) -> HostObservation:
        if self.is_reachable and self.is_engine_down:
            raise EngineUnavailable("the engine does not answer", host=self.name)
        observation = super().observe()
        self._note_work()
        return observation

    def perform(self, action: Action) -> tuple[str, ...]:
        """As any host; first what must hold of every action, whoever decided it."""
        assert self.is_managed, f"an action on {self.name}, which is not in Git: {action}"
        assert self.is_answering, f"an action on {self.name}, which does not answer: {action}"
        assert CANARY not in repr(action), f"a secret can be read in {type(action).__name__}"
        target = self.engine.containers.get(getattr(action, "id", ""))
        assert target is None or LABEL_POD_UID in target.labels, f"somebody else's container is touched: {action}"
        if isinstance(action, StartContainer | CreateContainer):
            self._check_start(action)
        said = super().perform(action)
        self._after(action)
        return said

    # --- what happens to it --------------------------------------------------------------------------------------

    def lose_power(self) -> None:
        """Everything on it ends; nobody starts anything until it is back."""
        self.is_off, self.is_reachable = True, False
        self.happen(_end_all)
        self.foreign = self._foreign_now()

    def boot(self) -> None:
        """Back again: Docker starts what it is told to start always."""
        self.is_off, self.is_reachable, self.is_engine_down = False, True, False
        self.restart_engine()

    def restart_engine(self) -> None:
        # As from SIGTERM: a server that obeys it and says 0 would pass for work that was done.
        self.happen(lambda engine, now: engine.restart(now, exit_code=143))
        self.foreign = self._foreign_now()

    def wipe(self) -> None:
        """Installed anew, as a machine should be before it joins again."""
        self.lives += 1
        for container in self.ours():
            self.happen(partial(_remove, container.id))
        for volume in sorted(self.engine.volumes):
            self.engine.remove_volume(volume)
        self.engine.claim_volumes.clear()

    def meddle(self, deed: str, container: ObservedContainer) -> None:
        """Somebody does something to one of our containers, as far as it still is as it was seen."""
        deeds: dict[str, Callable[[SimulatedEngine, datetime], None]] = {
            "kill": lambda engine, now: engine.signal(container.id, "KILL", now),
            "crash": lambda engine, now: engine.crash(container.id, now),
            "remove": lambda engine, _: engine.remove(container.id),
            "rename": lambda engine, _: engine.rename(container.id, f"mine-{container.id[-6:]}"),
            "pause": lambda engine, _: engine.pause(container.id),
            "limit": lambda engine, _: engine.limit(container.id, 32 << 20),
        }

        def do(engine: SimulatedEngine, now: datetime) -> None:
            if engine.containers.get(container.id) == container:
                deeds[deed](engine, now)

        self.happen(do)

    def calm(self) -> None:
        """No more faults of any sort."""
        self.faults = Faults()
        if self.is_off:
            self.boot()
        self.is_reachable, self.is_engine_down = True, False

    # --- what is on it -------------------------------------------------------------------------------------------

    def ours(self) -> list[ObservedContainer]:
        """Our containers, whatever state they are in."""
        return [c for c in self.engine.containers.values() if LABEL_POD_UID in c.labels]

    def living(self) -> list[ObservedContainer]:
        """Our containers whose process is there, sandboxes left out."""
        return [c for c in self.ours() if c.state in ("running", "paused") and c.labels[LABEL_ROLE] != "sandbox"]

    def check(self) -> None:
        """What must hold of a host at any moment."""
        self._note_work()
        assert self._foreign_now() == self.foreign, f"somebody else's containers on {self.name} were touched"
        taken: dict[tuple[str, str], str] = {}
        addresses: dict[str, str] = {}
        for container in self.ours():
            part = container.labels[LABEL_POD_UID], container.labels[LABEL_CONTAINER]
            assert part not in taken, f"two containers {part} on {self.name}: {taken[part]}, {container.name}"
            taken[part] = container.name
            if container.address:
                holder = addresses.setdefault(container.address, container.labels[LABEL_POD_NAME])
                assert holder == container.labels[LABEL_POD_NAME], f"{container.address} twice on {self.name}"

    def _note_work(self) -> None:
        for container in self.ours():
            is_over = container.state == "exited" and container.started_at is not None and container.exit_code == 0
            if is_over and container.labels[LABEL_ROLE] == "main":
                self.worked.add(container.labels[LABEL_POD_UID])

    def _foreign_now(self) -> list[ObservedContainer]:
        return [c for c in self.engine.containers.values() if LABEL_POD_UID not in c.labels]

    def _check_start(self, action: StartContainer | CreateContainer) -> None:
        """What has ended for good is not run again."""
        if not isinstance(action, StartContainer):
            return
        found = self.engine.containers.get(action.id)
        if found is None or found.state != "exited" or found.started_at is None:
            return
        policy = self._restart_policy_of(found)
        is_main = found.labels[LABEL_ROLE] == "main"
        is_over = policy == "Never" or (policy == "OnFailure" and found.exit_code == 0)
        assert not (is_main and is_over), f"{found.name} has ended (policy {policy}) and is run again"

    def _restart_policy_of(self, container: ObservedContainer) -> str:
        """As the manifest says that lies on the host beside it."""
        uid = container.labels[LABEL_POD_UID]
        texts = (c.labels.get(LABEL_POD) for c in self.ours() if c.labels[LABEL_POD_UID] == uid)
        return next((json.loads(text)["spec"].get("restartPolicy", "") for text in texts if text), "")


def _remove(container_id: str, engine: SimulatedEngine, _: datetime) -> None:
    engine.remove(container_id)


def _end_all(engine: SimulatedEngine, now: datetime) -> None:
    for name in tuple(engine.containers):
        if engine.containers[name].state in ("running", "paused", "restarting"):
            engine.signal(name, "KILL", now)
