"""`berth logs`: what containers write, read from Docker on their hosts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import click

from hosts.docker.engine import Engine as DockerEngine
from hosts.observe.pod_containers import (
    LogOptions,
    PodContainer,
    find_container,
    read_logs,
)
from objects.api.pods import Pod
from objects.errors import BerthError, InvalidInput, NotFound
from objects.selectors import parse_selector, requirements_match
from objects.values.durations import parse_duration
from reconciler.cli.common.exit_codes import FAILED, OK
from reconciler.cli.common.streams import masked_lines
from reconciler.cli.common.targets import container_names, find_container_name, find_pods
from reconciler.cli.common.viewing import LiveView, live_view, namespace_option
from reconciler.process.clock import utc_now
from reconciler.process.options import Options
from sources.words import Words

MAX_FOLLOWED = 20
"""Each follower holds a thread and a stream; more lines than these write, nobody reads."""

HELP = """Print what a container writes.

\b
berth logs web-x7k2p                  the last run of its first container
berth logs web-x7k2p -c proxy -f      go on as it writes
berth logs deploy/web --tail 20       of a pod of the Deployment
berth logs -l app=web --prefix -f     of several pods
berth logs web-x7k2p -p               of the runs before the last start
"""


class Source(NamedTuple):
    """A container whose log is wanted. prefix: before each line, '' for none. words: what is masked in it."""

    docker: DockerEngine
    container: PodContainer
    prefix: str
    words: Words


@click.command("logs", help=HELP)
@click.argument("what", nargs=-1, metavar="POD | KIND/NAME")
@namespace_option
@click.option("-c", "--container", default="", help="Which container. Default: the first.")
@click.option("--all-containers", is_flag=True, help="All containers of the pod.")
@click.option("-l", "--selector", default="", help="Pods with these labels.")
@click.option("-f", "--follow", is_flag=True, help="Go on until it ends, or Ctrl-C.")
@click.option("--tail", "tail", type=click.IntRange(min=-1), default=-1, help="Only so many lines from the end.")
@click.option("--since", default="", metavar="DURATION", help="Only what is newer, e.g. 90s, 5m, 2h.")
@click.option("-p", "--previous", is_flag=True, help="The runs before the last start of the container.")
@click.option("--timestamps", is_flag=True, help="The time before each line.")
@click.option("--prefix", is_flag=True, help="Pod and container before each line.")
@click.pass_obj
def command(
    options: Options,
    what: tuple[str, ...],
    namespace: str,
    container: str,
    selector: str,
    tail: int,
    since: str,
    *,
    all_containers: bool,
    follow: bool,
    previous: bool,
    timestamps: bool,
    prefix: bool,
) -> int:
    if bool(what) == bool(selector):
        raise click.UsageError("name a pod, or pods by -l")
    log_options = LogOptions(
        follow=follow,
        tail_lines=tail if tail >= 0 else None,
        since=parse_since(since, now=utc_now()) if since else None,
        timestamps=timestamps,
        previous=previous,
    )
    with live_view(options) as live:
        pods = _pods(live, what, selector, namespace)
        wanted = [
            (pod, name)
            for pod in pods
            for name in (container_names(pod) if all_containers else [find_container_name(pod, container)])
        ]
        if follow and len(wanted) > MAX_FOLLOWED:
            raise click.UsageError(f"{len(wanted)} containers are too many to follow, at most {MAX_FOLLOWED}")
        sources = [_source(live, pod, name, prefix=prefix) for pod, name in wanted]
        return _print_all(sources, log_options)


def parse_since(text: str, *, now: datetime) -> datetime:
    """`1h30m`, `90s`, `5m` before `now`. Raises UsageError."""
    try:
        return now - parse_duration(text)
    except (InvalidInput, OverflowError) as error:
        raise click.UsageError(f"--since {text!r} is not a duration like 90s, 5m or 2h") from error


def _pods(live: LiveView, what: Sequence[str], selector: str, namespace: str) -> list[Pod]:
    if not selector:
        return find_pods(live.store, what, namespace)[:1]
    requirements = parse_selector(selector)
    pods = [pod for pod in live.store.all_of(Pod, namespace) if requirements_match(requirements, pod.labels)]
    if not pods:
        raise NotFound(f"no pods with labels {selector} in namespace {namespace}")
    return pods


def _source(live: LiveView, pod: Pod, name: str, *, prefix: bool) -> Source:
    docker = live.docker(pod)
    container, words = find_container(docker, pod.uid, name), live.session.options.words
    return Source(docker, container, f"[pod/{pod.name}/{name}] " if prefix else "", words)


# --- printing ------------------------------------------------------------------------------------------------------


def _print_all(sources: Sequence[Source], options: LogOptions) -> int:
    """One after another; side by side when they are followed. One that breaks off does not end the others."""
    if not options.follow or len(sources) == 1:
        return max((_print_one(source, options, threading.Lock()) for source in sources), default=OK)
    lock, codes = threading.Lock(), []
    threads = [
        threading.Thread(target=lambda source=source: codes.append(_print_one(source, options, lock)), daemon=True)
        for source in sources
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(codes, default=OK)


def _print_one(source: Source, options: LogOptions, lock: threading.Lock) -> int:
    pieces = masked_lines(read_logs(source.docker, source.container, options), source.words)
    try:
        for block in _prefixed(pieces, source.prefix.encode()) if source.prefix else pieces:
            with lock:
                sys.stdout.buffer.write(block)
                sys.stdout.buffer.flush()
    except BerthError as error:
        click.echo(f"error: {source.prefix}{error}", err=True)
        return FAILED
    return OK


def _prefixed(pieces: Iterable[bytes], prefix: bytes) -> Iterator[bytes]:
    """Whole lines, each behind `prefix`; what comes in pieces is put together."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if lines:
            yield b"".join(prefix + line + b"\n" for line in lines)
    if rest:
        yield prefix + rest + b"\n"
