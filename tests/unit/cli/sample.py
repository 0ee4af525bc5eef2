"""Objects for tests of what people see: short to write, complete enough to print."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from objects.api.meta import KubeObject, ObjectMeta
from objects.api.pods import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
)
from reconciler.cli.printing.table import Surroundings
from reconciler.state.store import Store

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def ago(**parts: float) -> datetime:
    return NOW - timedelta(**parts)


def meta(name: str, namespace: str = "default", **more: object) -> ObjectMeta:
    """Two minutes old unless told otherwise."""
    return ObjectMeta(**{"name": name, "namespace": namespace, "creation_timestamp": ago(minutes=2), **more})  # type: ignore[arg-type]


def around(*objects: KubeObject) -> Surroundings:
    return Surroundings(store_of(objects), NOW)


def store_of(objects: Iterable[KubeObject]) -> Store:
    store = Store()
    for obj in objects:
        store.put(obj)
    return store


def container(name: str = "app", image: str = "web:v1", **more: object) -> Container:
    return Container(name=name, image=image, **more)  # type: ignore[arg-type]


def running(
    name: str = "app", *, ready: bool = True, restarts: int = 0, last: ContainerState | None = None
) -> ContainerStatus:
    state = ContainerState(running=ContainerStateRunning(started_at=ago(minutes=1)))
    return ContainerStatus(
        name=name, ready=ready, started=True, restart_count=restarts, state=state, last_state=last or ContainerState()
    )


def waiting(
    reason: str, name: str = "app", *, restarts: int = 0, last: ContainerState | None = None
) -> ContainerStatus:
    state = ContainerState(waiting=ContainerStateWaiting(reason=reason))
    return ContainerStatus(name=name, restart_count=restarts, state=state, last_state=last or ContainerState())


def ended(code: int, reason: str = "", name: str = "app", *, signal: int = 0, restarts: int = 0) -> ContainerStatus:
    return ContainerStatus(name=name, restart_count=restarts, state=end_state(code, reason, signal=signal))


def end_state(code: int, reason: str = "", *, signal: int = 0) -> ContainerState:
    return ContainerState(
        terminated=ContainerStateTerminated(
            exit_code=code, reason=reason, signal=signal, started_at=ago(minutes=5), finished_at=ago(minutes=4)
        )
    )
