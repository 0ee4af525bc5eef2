"""A small world for controllers: a store, the controllers that run over it, and a kubelet of a few lines.

Does what the engine promises to controllers and nothing more: changes are applied in order, watches decide who is
called again, bound pods terminate before they vanish, time is an argument. `shuffled` serves dirty keys in a drawn
order, since no controller may depend on one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from objects.api.core import Node
from objects.api.meta import (
    Condition,
    KubeObject,
    ObjectKey,
    ObjectMeta,
)
from objects.api.pods import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStatus,
    Pod,
)
from objects.conditions import with_condition
from objects.names import stable_uid
from objects.observation.host import HostFacts
from objects.observation.metrics import QueryResult
from objects.own.config import (
    ClusterSpec,
    Host,
    HostSpec,
    MetricsSettings,
    PrometheusSettings,
)
from reconciler.controllers import CONTROLLERS
from reconciler.controllers.base import Change, Context, Controller, Delete, Hold, Occurrence, Put
from reconciler.controllers.volumes.binding import first_bindings, why_not_on
from reconciler.figures.pod_metrics import answer_objects
from reconciler.queries.orders import queries_for
from reconciler.state.host_status import HostStatus
from reconciler.state.messages import QueriesAnswered
from reconciler.state.store import Changed, Store

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MAX_ROUNDS = 20_000
FACTS = HostFacts(
    cpus=4,
    memory_bytes=8 << 30,
    memory_available_bytes=6 << 30,
    disk_bytes=100 << 30,
    disk_free_bytes=80 << 30,
    architecture="x86_64",
)


class World:
    """One store with controllers that are run to rest by `settle`."""

    def __init__(
        self,
        controllers: Sequence[Controller] = CONTROLLERS,
        *,
        hosts: Sequence[str] = ("n1", "n2", "n3"),
        seed: int = 0,
        shuffled: bool = False,
    ) -> None:
        self.store = Store()
        self.now = START
        self.random = random.Random(seed)
        self.settings = ClusterSpec()
        self.occurrences: list[Occurrence] = []
        self.holds: dict[tuple[str, ObjectKey], Hold] = {}
        self.timers: list[tuple[datetime, str, ObjectKey]] = []
        self.after_each: Callable[[World], None] | None = None
        self._controllers = {controller.name: controller for controller in controllers}
        self._dirty: dict[tuple[str, ObjectKey], None] = {}
        self._order = random.Random(seed) if shuffled else None
        for host in hosts:
            self.add_host(host)

    # --- what people and the engine do ---------------------------------------------------------------------------

    def declare(self, obj: KubeObject) -> None:
        """An object arrives from Git: it keeps uid, times and status of the one that is there."""
        live = self.store.find(obj.key)
        if live is None:
            metadata = msgspec.structs.replace(
                obj.metadata, uid=obj.uid or stable_uid(obj.key), creation_timestamp=self.now
            )
        else:
            metadata = msgspec.structs.replace(
                live.metadata, labels=obj.labels, annotations={**live.annotations, **obj.annotations}
            )
        changes: dict[str, object] = {"metadata": metadata}
        if live is not None and hasattr(live, "status"):
            changes["status"] = live.status
        self.put(msgspec.structs.replace(obj, **changes))

    def add_host(self, name: str, **spec: Any) -> None:
        """A host joins and answers."""
        self.declare(Host(metadata=ObjectMeta(name=name), spec=HostSpec(address="192.0.2.1", host_key="k", **spec)))
        self.answer(name)

    def answer(self, name: str) -> None:
        self.put(HostStatus(metadata=ObjectMeta(name=name), facts=FACTS, reachable=True, pod_subnet="10.244.1.0/24"))

    def silence(self, name: str, *, reason: str = "HostUnreachable") -> None:
        """The host does not answer any more."""
        known = self.store.get(HostStatus, "", name)
        assert known is not None
        self.put(
            msgspec.structs.replace(
                known, reachable=False, unreachable_since=self.now, reason=reason, message="no answer"
            )
        )

    def is_answering(self, name: str) -> bool:
        status = self.store.get(HostStatus, "", name)
        return status is not None and status.reachable

    def put(self, obj: KubeObject) -> None:
        self._note(self.store.put(obj))

    def remove(self, key: ObjectKey) -> None:
        self._note(self.store.remove(key))

    def delete(self, key: ObjectKey, uid: str = "", *, is_certain: bool = False) -> None:
        """What the engine does with `Delete`: bound pods terminate unless it is certain, all else goes."""
        obj = self.store.find(key)
        if obj is None or (uid and obj.uid != uid):
            return
        if isinstance(obj, Pod) and obj.spec.node_name and not is_certain:
            if not obj.is_terminating:
                ends = self.now + timedelta(seconds=30)
                self.put(
                    msgspec.structs.replace(
                        obj, metadata=msgspec.structs.replace(obj.metadata, deletion_timestamp=ends)
                    )
                )
        else:
            self.remove(key)

    def _note(self, changed: Changed | None) -> None:
        if changed is None:
            return
        for obj in (changed.old, changed.new):
            if obj is None:
                continue
            for name, controller in self._controllers.items():
                watch = controller.watches.get(obj.KIND)
                for key in watch(self.store, obj) if watch else ():
                    self._dirty[name, key] = None

    def serve_metrics(self, **settings: Any) -> None:
        """From now on the Cluster names a metrics server."""
        server = PrometheusSettings(url="http://prometheus", **settings)
        self.settings = ClusterSpec(metrics=MetricsSettings(prometheus=server))

    def answer_queries(self, *, problem: str = "nobody answers", **values: float | None) -> None:
        """The metrics server is asked now and says this to each query; None is its problem. `_` stands for the rest."""
        wanted = queries_for(self.store, self.settings.metrics.prometheus)
        rest = values.pop("_", None)
        results = []
        for query in sorted(wanted):
            value = next((found for name, found in values.items() if name in query), rest)
            results.append(QueryResult(query=query, value=value, problem="" if value is not None else problem))
        message = QueriesAnswered(at=self.now, results=tuple(results))
        for answer in list(answer_objects(self.store, message)):
            self.put(answer)

    # --- controllers ---------------------------------------------------------------------------------------------

    def settle(self, seconds: float = 0) -> int:
        """Let `seconds` pass, then run controllers until nothing is dirty. Returns how many calls changed something."""
        self.now += timedelta(seconds=seconds)
        for due in [timer for timer in self.timers if timer[0] <= self.now]:
            self.timers.remove(due)
            self._dirty[due[1], due[2]] = None
        effective = 0
        for _ in range(MAX_ROUNDS):
            if not self._dirty:
                return effective
            effective += self._run_one()
        raise AssertionError(f"controllers do not come to rest; still dirty: {list(self._dirty)[:5]}")

    def _run_one(self) -> bool:
        tasks = list(self._dirty)
        task = tasks[0] if self._order is None else self._order.choice(tasks)
        del self._dirty[task]
        name, key = task
        outcome = self._controllers[name].reconcile(
            self.store, key, Context(now=self.now, random=self.random, settings=self.settings)
        )
        version = self.store.version
        for change in outcome.changes:
            self.apply(change)
        self.occurrences.extend(outcome.occurrences)
        if outcome.hold is None:
            self.holds.pop(task, None)
        else:
            self.holds[task] = outcome.hold
        if outcome.again_at is not None:
            self.timers.append((outcome.again_at, name, key))
        if self.after_each is not None:
            self.after_each(self)
        return self.store.version != version

    def apply(self, change: Change) -> None:
        match change:
            case Put(obj=obj):
                self.put(obj)
            case Delete(key=key, uid=uid, is_certain=is_certain):
                self.delete(key, uid, is_certain=is_certain)

    def touch_everything(self) -> None:
        """Make every key dirty, as a fresh process does."""
        for obj in list(self.store):
            for name, controller in self._controllers.items():
                watch = controller.watches.get(obj.KIND)
                for key in watch(self.store, obj) if watch else ():
                    self._dirty[name, key] = None

    # --- the kubelet ---------------------------------------------------------------------------------------------

    def pods(self, **labels: str) -> list[Pod]:
        return [pod for pod in self.store.all_of(Pod) if labels.items() <= pod.labels.items()]

    def bind(self, pod: Pod, node: str) -> None:
        """What the engine does with a placement."""
        for obj in first_bindings(self.store, pod, node, now=self.now):
            self.put(obj)
        spec = msgspec.structs.replace(pod.spec, node_name=node)
        self.put(
            msgspec.structs.replace(pod, spec=spec, status=msgspec.structs.replace(pod.status, start_time=self.now))
        )

    def bind_all(self) -> None:
        """Bind pending pods, each to the untainted node that has the fewest."""
        nodes = [node.name for node in self.store.all_of(Node) if not node.spec.taints]
        for pod in self.pods():
            fitting = [node for node in nodes if not why_not_on(self.store, pod, node)]
            if fitting and not pod.spec.node_name and not pod.is_terminating:
                self.bind(pod, min(fitting, key=lambda node: len(self.store.pods_on(node))))

    def set_ready(self, pod: Pod, *, ready: bool = True, phase: str = "Running") -> None:
        conditions = with_condition(
            pod.status.conditions, Condition(type="Ready", status="True" if ready else "False"), now=self.now
        )
        self.put(
            msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, phase=phase, conditions=conditions))
        )

    def finish(self, pod: Pod, *, exit_code: int = 0) -> None:
        """All containers of the pod ended for good."""
        ended = ContainerState(terminated=ContainerStateTerminated(exit_code=exit_code, finished_at=self.now))
        status = msgspec.structs.replace(
            pod.status,
            phase="Failed" if exit_code else "Succeeded",
            container_statuses=tuple(ContainerStatus(name=c.name, state=ended) for c in pod.spec.containers),
            conditions=with_condition(
                pod.status.conditions, Condition(type="Ready", status="False", reason="PodCompleted"), now=self.now
            ),
        )
        self.put(msgspec.structs.replace(pod, status=status))

    def run_kubelets(self, *, is_good: Callable[[Pod], bool] = lambda _pod: True) -> None:
        """One round on all hosts that answer: terminating pods vanish, pending are bound, good ones become ready."""
        for pod in self.pods():
            if pod.is_terminating and self.is_answering(pod.node_name):
                self.remove(pod.key)
        self.bind_all()
        for pod in self.pods():
            if not self.is_answering(pod.node_name):
                continue
            if not pod.is_finished and not pod.is_ready and is_good(pod):
                self.set_ready(pod)

    def run(self, rounds: int = 30, *, is_good: Callable[[Pod], bool] = lambda _pod: True) -> None:
        """Controllers and kubelets in turn until both rest (or `rounds` are over), a second each."""
        for _ in range(rounds):
            before = self.store.version
            self.settle(1)
            self.run_kubelets(is_good=is_good)
            if self.store.version == before:
                return

    # --- what tests look at --------------------------------------------------------------------------------------

    def messages(self, reason: str) -> list[str]:
        return [occurrence.message for occurrence in self.occurrences if occurrence.reason == reason]
