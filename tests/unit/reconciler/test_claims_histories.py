"""Seeded histories of one StatefulSet with claims: scaled, changed, taken out of Git, over kills and silent hosts.

Whatever happens, a pod never finds itself on another volume than before, and no claim goes back to an older one.
"""

from __future__ import annotations

import random

import msgspec
import pytest

from objects.api.apps import StatefulSet, StatefulSetRetentionPolicy
from objects.api.meta import ObjectMeta
from objects.api.storage import PersistentVolumeClaim
from objects.api.volumes import PersistentVolumeClaimSpec
from objects.names import claim_volume_generation
from reconciler.controllers.volumes.binding import claims_of
from reconciler.state.messages import Restored
from reconciler.status.content import render_files, restore
from tests.unit.controllers.manifests import stateful_set
from tests.unit.reconciler.cluster import FakeCluster

HOSTS = ("a", "b", "c")
STEPS = 40


class History:
    """One cluster and what was seen of its claims. replicas: None while Git has no such set."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.cluster = FakeCluster(*HOSTS, seed=seed)
        self.replicas: int | None = 3
        self.policy = StatefulSetRetentionPolicy(when_deleted="Retain", when_scaled="Retain")
        self.may_delete = False
        self.commits = 0
        self.words: set[str] = set()
        self.memory: Restored | None = None
        self.volume_of_pod: dict[tuple[str, str], str] = {}
        self.newest: dict[str, int] = {}

    def run(self) -> None:
        self.commit()
        acts = [self.commit] * 3 + [self.look] * 6 + [self.write] * 2 + [self.kill, self.silence, self.give_up]
        for _ in range(STEPS):
            self.random.choice(acts)()
        self.cluster.silent = set()
        self.replicas = self.replicas or 2
        self.tell()
        self.cluster.settle()
        self.judge()

    def commit(self) -> None:
        chances = self.random
        self.replicas = None if chances.random() < 0.15 else chances.randint(0, 4)
        if chances.random() < 0.4:
            when_deleted, when_scaled = chances.choice(("Retain", "Delete")), chances.choice(("Retain", "Delete"))
            self.policy = StatefulSetRetentionPolicy(when_deleted=when_deleted, when_scaled=when_scaled)
            self.may_delete |= "Delete" in (when_deleted, when_scaled)
        self.commits += 1
        self.tell()

    def tell(self) -> None:
        objects = () if self.replicas is None else (self.database(self.replicas),)
        self.cluster.step(self.cluster.desired(*objects, commit=f"c{self.commits}", given_up=frozenset(self.words)))
        self.judge()

    def database(self, replicas: int) -> StatefulSet:
        image = f"web:{self.commits % 3}"
        written = stateful_set(image, replicas=replicas, persistent_volume_claim_retention_policy=self.policy)
        asked = PersistentVolumeClaimSpec(access_modes=("ReadWriteOnce",))
        template = PersistentVolumeClaim(metadata=ObjectMeta(name="data"), spec=asked)
        spec = msgspec.structs.replace(written.spec, volume_claim_templates=(template,))
        return msgspec.structs.replace(written, spec=spec)

    def look(self) -> None:
        self.cluster.step(*(self.cluster.report(host) for host in HOSTS))
        self.judge()

    def write(self) -> None:
        engine = self.cluster.engine
        memory = restore(render_files(engine.store, engine.inventory).items())
        self.memory = msgspec.structs.replace(memory, follows=True)

    def kill(self) -> None:
        """What the next process remembers may be older than what the hosts have."""
        if self.memory is None:
            return
        self.cluster.restart(seed=self.random.randrange(1000))
        self.cluster.step(self.memory)
        self.tell()

    def give_up(self) -> None:
        """What is said once may be read again by the next process: so it is said again with every commit."""
        claims = self.cluster.engine.store.all_of(PersistentVolumeClaim)
        names = [claim.spec.volume_name for claim in claims if claim.spec.volume_name]
        if names:
            self.words.add(self.random.choice(names))
            self.may_delete = True
            self.commits += 1
            self.tell()

    def silence(self) -> None:
        self.cluster.silent ^= {self.random.choice(HOSTS)}

    def judge(self) -> None:
        """Of what hosts really run, which they were told by the reconciler of then, what it tells them now."""
        for host in HOSTS:
            told = self.cluster.engine.assignment(host)
            for pod in told.pods if told is not None else ():
                is_judged = not pod.is_terminating and pod.uid in self.cluster.hosts[host]
                for claim in claims_of(pod) if is_judged else ():
                    self.judge_mount(pod.uid, claim, told.claim_volumes[pod.namespace, claim])

    def judge_mount(self, pod: str, claim: str, volume: str) -> None:
        before = self.volume_of_pod.setdefault((pod, claim), volume)
        assert before == volume, f"{claim}: pod {pod} was on {before} and is told {volume}"
        generation = claim_volume_generation(volume)[1]
        assert generation >= self.newest.get(claim, 0), f"{claim} goes back to {volume}"
        assert generation == 0 or self.may_delete, f"{claim} gave a volume up, though nobody ever said so"
        self.newest[claim] = generation


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_data_stays_with_its_pods_over_whatever_happens(first: int) -> None:
    for seed in range(first, first + 20):
        history = History(seed)
        try:
            history.run()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
