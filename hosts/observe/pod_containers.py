"""Finds a pod's containers on its host and reads what they wrote: for people who look, not for the reconciler.

A container that died is started again in place, so its log holds all of its runs; what Docker remembers of the last
start and the end before it tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import NamedTuple

from differ.kubelet.identity import is_ours
from hosts.docker.engine import Engine, translated
from hosts.observe.container_facts import compose_container, parse_time
from objects.errors import NotFound
from objects.names import LABEL_CONTAINER, LABEL_POD_UID, parse_container_name

START_NOTED_WITHIN = timedelta(milliseconds=100)
"""So long, at most, a process has run when Docker notes its start; and Docker waits as long before it restarts one."""


class PodContainer(NamedTuple):
    """last_run_since: what it wrote after this time belongs to its last run; None when there was no run before that."""

    id: str
    is_running: bool
    last_run_since: datetime | None


class LogOptions(NamedTuple):
    """tail_lines: None means all. since: only what was written after it. previous: the runs before the last start."""

    follow: bool = False
    tail_lines: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    previous: bool = False


def find_container(engine: Engine, pod_uid: str, container: str) -> PodContainer:
    """The newest container of this name in the pod. Raises NotFound when there is none (yet), HostError."""
    labels = [f"{LABEL_POD_UID}={pod_uid}", f"{LABEL_CONTAINER}={container}"]
    found = engine.api.containers(all=True, filters={"label": labels})
    newest = max(found, key=lambda item: (_attempt(item["Names"]), item["Created"]), default=None)
    inspected = engine.api.inspect_container(newest["Id"]) if newest is not None else {}
    if newest is None or not is_ours(compose_container(inspected, network="")):
        raise NotFound(f"container {container!r} does not exist on host {engine.host} (yet)")
    state = inspected["State"]
    since = last_run_since(
        started_at=parse_time(state["StartedAt"]),
        finished_at=parse_time(state["FinishedAt"]),
        starts=inspected["RestartCount"] + max(0, _attempt(newest["Names"])),
        is_running=bool(state["Running"]),
    )
    return PodContainer(newest["Id"], bool(state["Running"]), since)


def last_run_since(
    *, started_at: datetime | None, finished_at: datetime | None, starts: int, is_running: bool
) -> datetime | None:
    """A time between the last run and the one before it; None when there was one run at most. Pure.

    starts: how often it was started again; a start after a boot is not among them. Docker notes a start after the
    process has begun, so the end of the run before is the better border; while nothing runs, that is no longer known.
    The end of a short run may even be noted as earlier than its start.
    """
    if started_at is None or finished_at is None:
        return None
    if is_running and finished_at <= started_at:
        return finished_at
    return started_at - START_NOTED_WITHIN if starts else None


def _attempt(names: list[str]) -> int:
    parsed = [name for text in names if (name := parse_container_name(text)) is not None]
    return parsed[0].attempt if parsed else -1


def read_logs(engine: Engine, container: PodContainer, options: LogOptions) -> Iterator[bytes]:
    """What the container wrote to stdout and stderr, in pieces as they come; ends when it ends if it is followed.

    Without `previous` that of the last run only, as kubectl has it. Raises HostError.
    """
    border = container.last_run_since
    if options.previous and border is None:
        return
    starts = [when for when in (options.since, None if options.previous else border) if when is not None]
    stream = engine.api.logs(
        container.id,
        stream=True,
        follow=options.follow and not options.previous,
        timestamps=options.timestamps,
        tail="all" if options.tail_lines is None else options.tail_lines,
        since=max(starts).timestamp() if starts else None,
        until=border.timestamp() if options.previous and border else None,
    )
    with closing(stream), translated(engine.host):
        yield from stream
