"""Puts one question to a container: probes and lifecycle hooks, over the host's SSH link. One deadline each.

Commands run by the Docker API; HTTP, TCP and gRPC go through a `direct-tcpip` channel to the pod's address: nothing has
to be installed on the host or in the image. Nothing is repeated here, and nothing decided:
`differ.kubelet.probes.probing` counts.

Probes are many, so they hold no thread while they wait (`Asker.begin`); what cannot be asked so, and hooks, are waited
for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

from differ.kubelet.probes.checks import (
    Check,
    ExecCheck,
    GrpcCheck,
    HttpCheck,
    TcpCheck,
)
from differ.kubelet.probes.probing import Answer, ProbeOrder
from hosts.docker.engine import Engine
from hosts.probes.exec_check import check_exec
from hosts.probes.exec_guard import ExecGuard, LastExec
from hosts.probes.grpc_check import check_grpc
from hosts.probes.http_check import check_http, fetch_head
from hosts.streams.coroutines import (
    Pause,
    Question,
    QuestionRun,
    run_waiting,
)
from hosts.streams.pods import NoAnswer
from hosts.streams.routes import NotifiedRoutes, Route, WaitingRoute

AnswerFlow = QuestionRun[Answer]


class Asker:
    """Asks the probes of one host. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ways = NotifiedRoutes(engine)
        self._guard = ExecGuard(engine)

    @property
    def clock(self) -> Callable[[], float]:
        return self._engine.link.clock

    def together(self) -> AbstractContextManager[None]:
        """What is begun inside goes out in one piece at its end."""
        transport = self._engine.link.living
        return transport.together() if transport is not None else nullcontext()

    def ask(self, order: ProbeOrder) -> Answer:
        """Wait for the answer, at most for the probe's timeout. Raises HostError when it could not be asked."""
        route = WaitingRoute(self._engine, timeout_seconds=order.timeout_seconds)
        last = self._last(order)
        answer = run_waiting(_put(route, order, last), route.clock)
        self._end_overdue(last, answer)
        return answer

    def begin(
        self,
        order: ProbeOrder,
        *,
        call_at: Callable[[Pause, AnswerFlow], None],
        on_end: Callable[[Answer | None, Exception | None], None],
    ) -> AnswerFlow | None:
        """Ask without waiting. None: it has to be waited for (no connection yet, or sshd does not forward)."""
        told: list[AnswerFlow] = []

        def on_news() -> None:
            told[0].resume()

        is_exec = isinstance(order.check, ExecCheck)
        route = self._ways.route(timeout_seconds=order.timeout_seconds, on_news=on_news, to_engine=is_exec)
        if route is None:
            return None
        last = self._last(order)

        def on_answer(answer: Answer | None, error: Exception | None) -> None:
            self._end_overdue(last, answer)
            on_end(answer, error)

        flow = QuestionRun(_put(route, order, last), call_at=call_at, on_end=on_answer)
        told.append(flow)
        call_at(Pause(route.ends_at, route.ends_at), flow)
        flow.resume()
        return flow

    def keep(self, orders: Iterable[ProbeOrder]) -> None:
        """Only these probes will be asked from now on."""
        self._guard.retain(order.key for order in orders)

    def close(self) -> None:
        """Close idle streams; the link stays."""
        self._ways.close()
        self._guard.close()

    def _last(self, order: ProbeOrder) -> LastExec | None:
        return self._guard.last(order.key) if isinstance(order.check, ExecCheck) else None

    def _end_overdue(self, last: LastExec | None, answer: Answer | None) -> None:
        """A command that nobody saw ending although there is an answer has had its time."""
        if last is not None and last.exec_id and answer is not None:
            self._guard.end(last)


def _put(route: Route, order: ProbeOrder, last: LastExec | None) -> Question[Answer]:
    return put(route, order.container_id, order.check, last=last, passed_before=order.passed_before)


async def put(
    route: Route, container_id: str, check: Check, *, last: LastExec | None = None, passed_before: bool = False
) -> Answer:
    """The answer, with why it does not pass. Raises HostError when the question could not be put.

    last: the command that this probe began last; None for what is asked once.
    """
    try:
        match check:
            case ExecCheck():
                return await check_exec(route, last or LastExec(container_id), check, passed_before=passed_before)
            case HttpCheck():
                return await check_http(route, check)
            case GrpcCheck():
                return await check_grpc(route, check)
            case TcpCheck():
                (await route.to_pod(check.address, check.port)).close()
        return Answer(True)
    except NoAnswer as failure:
        return Answer(False, str(failure))


def run_hook(engine: Engine, container_id: str, check: Check, *, timeout_seconds: float) -> str:
    """Run a hook to its end; returns why it failed, '' when it did not. An HTTP hook needs an answer, of any status.

    Raises HostError when it could not be run.
    """
    route = WaitingRoute(engine, timeout_seconds=timeout_seconds)
    if not isinstance(check, HttpCheck):
        return run_waiting(put(route, container_id, check), route.clock).message
    try:
        run_waiting(fetch_head(route, check), route.clock)
    except NoAnswer as failure:
        return str(failure)
    return ""
