"""What the verbs that look have in common: options of kubectl, and a live view of the cluster that touches nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from objects.api.core import Event
from objects.api.pods import Pod
from objects.errors import InvalidInput, NotFound, SourceError
from objects.own.config import Host
from objects.selectors import parse_selector
from reconciler.cli.common.listing import Scope, parse_fields
from reconciler.cli.printing.table import Surroundings
from reconciler.process.clock import utc_now
from reconciler.process.compose import Session, open_session
from reconciler.process.options import Options
from reconciler.state.host_status import HostStatus
from reconciler.state.store import Store
from reconciler.status.event_file import (
    EVENTS_PATH,
    as_event,
    merged,
    read_events,
)

if TYPE_CHECKING:
    from hosts.docker.engine import Engine as DockerEngine
    from reconciler.core.engine import Engine
    from reconciler.process.daemon import Daemon

Function = TypeVar("Function", bound=Callable[..., Any])


class LiveView(NamedTuple):
    """The cluster as Git and the hosts say it is now. Hosts that did not answer have a HostStatus that says so."""

    session: Session
    daemon: Daemon

    @property
    def engine(self) -> Engine:
        return self.daemon.engine

    @property
    def store(self) -> Store:
        return self.daemon.engine.store

    def surroundings(self) -> Surroundings:
        return Surroundings(self.store, utc_now())

    def silent_hosts(self) -> dict[str, str]:
        """Host → why nothing is known of it now."""
        statuses = self.store.all_of(HostStatus)
        return {status.name: status.message or status.reason for status in statuses if not status.reachable}

    def take_newest_commit(self) -> None:
        """Hand a newer commit to the engine, if there is one. A remote that is gone or wrong is said once a look."""
        try:
            desired = self.session.commits.read()
        except (SourceError, InvalidInput) as error:
            click.echo(f"warning: {error}", err=True)
            return
        if desired is not None:
            self.daemon.tell(desired)

    def pod(self, namespace: str, name: str) -> Pod:
        """Raises NotFound."""
        found = self.store.get(Pod, namespace, name)
        if found is None:
            raise NotFound(f'pods "{name}" not found in namespace {namespace}')
        return found

    def docker(self, pod: Pod) -> DockerEngine:
        """The Docker Engine that runs the pod; its connection is the session's, nothing is to be closed.

        Raises NotFound for a pod that waits for a host, InvalidInput for a Host that cannot be addressed.
        """
        host = self.store.get(Host, "", pod.spec.node_name) if pod.spec.node_name else None
        if host is None:
            raise NotFound(f'pod "{pod.name}" is on no host yet', hint=f"why: berth describe pod {pod.name}")
        return self.session.open_docker(host, self.engine)

    def recorded_events(self) -> tuple[Event, ...]:
        """What the reconciler wrote to the status branch, and what was seen just now; oldest first."""
        files = self.session.status_branch(self.session.status_branch_name).read().files
        recorded = read_events(files.get(EVENTS_PATH, b""))
        return merged(recorded, [as_event(record) for record in self.engine.events])


@contextmanager
def live_view(options: Options) -> Iterator[LiveView]:
    """Read the repository, look at every host once, say on stderr which did not answer."""
    with open_session(options) as session, session.observe() as daemon:
        view = LiveView(session, daemon)
        for host, why in view.silent_hosts().items():
            click.echo(f"warning: host {host} does not answer, its pods are unknown: {why}", err=True)
        yield view


# --- options -------------------------------------------------------------------------------------------------------


def namespace_option(function: Function) -> Function:
    """`-n`: one namespace."""
    return click.option(
        "-n", "--namespace", default="default", envvar="BERTH_NAMESPACE", show_default=True, help="The namespace."
    )(function)


def scope_options(function: Function) -> Function:
    """`-n`, `-A`, `-l`, `--field-selector` as one argument `scope`."""

    @namespace_option
    @click.option("-A", "--all-namespaces", is_flag=True, help="Objects of all namespaces.")
    @click.option("-l", "--selector", default="", help="Labels, e.g. 'app=web,tier in (a,b),!old'.")
    @click.option("--field-selector", default="", help="Fields, e.g. 'status.phase=Running'.")
    @functools.wraps(function)
    def wrapped(
        *args: Any, namespace: str, all_namespaces: bool, selector: str, field_selector: str, **kwargs: Any
    ) -> Any:
        try:
            labels = parse_selector(selector) if selector else ()
            fields = parse_fields(field_selector)
        except InvalidInput as error:
            raise click.UsageError(str(error)) from error
        scope = Scope(None if all_namespaces else namespace, labels, fields)
        return function(*args, scope=scope, **kwargs)

    return wrapped  # type: ignore[return-value]
