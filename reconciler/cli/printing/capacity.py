"""How full hosts are, as a table, with bars where a person looks at a terminal. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from objects.api.core import Node
from objects.api.meta import ResourceList
from objects.own.config import Host
from objects.pod_resources import pod_limits, pod_requests
from objects.values.quantity import milli_value, value
from reconciler.cli.printing.cluster import human_bytes
from reconciler.cli.printing.durations import UNKNOWN
from reconciler.cli.printing.table import render_table
from reconciler.process.load import HostLoad
from reconciler.state.store import View

Text: TypeAlias = Callable[[int], str]

BAR_CELLS = 10
_EIGHTHS = " ▏▎▍▌▋▊▉█"


class Share(NamedTuple):
    """Of one resource on one host: what there is for pods, what they ask for, may use at most, and what is used.

    In millicores or bytes; used: None when it was not measured.
    """

    total: int
    requested: int
    limited: int
    used: int | None


class HostRow(NamedTuple):
    name: str
    cpu: Share
    memory: Share
    pods: int
    max_pods: int


def host_row(view: View, host: Host, load: HostLoad | None) -> HostRow:
    """Capacity, promises and use of a host; all 0 for one that was never reached."""
    node = view.get(Node, "", host.name)
    allocatable: ResourceList = node.status.allocatable if node is not None else {}
    pods = [pod for pod in view.pods_on(host.name) if not pod.is_finished]
    requests = [pod_requests(pod.spec) for pod in pods]
    limits = [pod_limits(pod.spec) for pod in pods]
    return HostRow(
        name=host.name,
        cpu=Share(
            milli_value(allocatable.get("cpu", 0)),
            sum(milli_value(asked.get("cpu", 0)) for asked in requests),
            sum(milli_value(most.get("cpu", 0)) for most in limits),
            load.cpu_millis if load else None,
        ),
        memory=Share(
            value(allocatable.get("memory", 0)),
            sum(value(asked.get("memory", 0)) for asked in requests),
            sum(value(most.get("memory", 0)) for most in limits),
            load.memory_bytes if load else None,
        ),
        pods=len(pods),
        max_pods=host.spec.max_pods,
    )


def host_table(rows: Sequence[HostRow], *, with_bars: bool, headers: bool = True) -> list[str]:
    """A line a host. Percentages are of what pods may use there (allocatable); limits may be above 100 %."""
    names = ("USED", "REQUESTED", "LIMITS")
    headings = [
        "NAME",
        *(f"CPU {name}" for name in names),
        "CPUS",
        *(f"MEM {name}" for name in names),
        "MEMORY",
        "PODS",
    ]
    lines = [
        [
            row.name,
            *_cells(row.cpu, with_bars=with_bars, text=_cores),
            _cores(row.cpu.total) if row.cpu.total else UNKNOWN,
            *_cells(row.memory, with_bars=with_bars, text=_bytes),
            _bytes(row.memory.total) if row.memory.total else UNKNOWN,
            f"{row.pods}/{row.max_pods}",
        ]
        for row in rows
    ]
    return render_table(headings if headers else [], lines) if lines else []


def _cells(share: Share, *, with_bars: bool, text: Text) -> list[str]:
    used = UNKNOWN if share.used is None else _figure(share.used, share.total, text)
    if with_bars and share.used is not None:
        used = f"{bar(share.used, share.total)} {used}"
    return [used, _figure(share.requested, share.total, text), _figure(share.limited, share.total, text)]


def _figure(amount: int, total: int, text: Text) -> str:
    return f"{text(amount)} ({amount * 100 // total}%)" if total else text(amount)


def bar(amount: int, total: int, *, cells: int = BAR_CELLS) -> str:
    """A bar of eighths of a cell: never empty for something, never full before all is used.

    amount  total  cells -> bar
         0     10      4   [    ]
         5     10      4   [██  ]
        10     10      4   [████]
    """
    eighths = min(amount * cells * 8 // total, cells * 8) if total else 0
    if amount > 0 and total:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    return "[" + (_EIGHTHS[8] * full + (_EIGHTHS[rest] if rest else "")).ljust(cells) + "]"


def _cores(millis: int) -> str:
    return f"{millis}m" if millis % 1000 else str(millis // 1000)


def _bytes(count: int) -> str:
    return human_bytes(count) if count else "0"
