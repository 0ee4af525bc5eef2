"""Answers of Docker Engine that have no end or two directions: lines that are followed, commands inside containers.

Both are ended from another thread by `close()`. For followed logs, the SDK's own `api.logs(stream=True, follow=True)`
works and can be closed the same way.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

import requests

from hosts.docker.channel_socket import ChannelReader, EngineSocket, TakenOverStream
from hosts.docker.engine import Engine, translated
from hosts.ssh.commands import MAX_OUTPUT_BYTES, CommandResult
from objects.errors import DeadlineExceeded, EngineUnavailable, HostError

STDOUT, STDERR = 1, 2
_FRAME_HEADER = struct.Struct(">BxxxL")


class LineStream:
    """Lines of an answer that goes on: iterate in one thread, `close` from any."""

    def __init__(self, response: requests.Response, host: str) -> None:
        self._response = response
        self._host = host
        self._sock = _socket_of(response)
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        """Ends when the engine ends the answer or `close` was called; raises HostUnreachable, EngineUnavailable."""
        try:
            with translated(self._host):
                yield from self._response.iter_lines(chunk_size=None)
        except HostError:
            if not self._is_closed:
                raise

    def close(self) -> None:
        self._is_closed = True
        self._sock.shutdown(2)


def _socket_of(response: requests.Response) -> EngineSocket:
    # As the SDK does: http.client's answer holds the reader, and that holds the stream.
    reader = getattr(response.raw._fp, "fp", None)
    assert isinstance(reader, ChannelReader)
    return reader.raw.sock


def follow_lines(engine: Engine, path: str, params: Mapping[str, str]) -> LineStream:
    """GET `path` and follow the answer for as long as it goes on. Its beginning has the usual deadline."""
    api = engine.api
    response = api.get(api.versioned(path), params=dict(params), stream=True, timeout=engine.call_seconds)
    api.check(response)
    stream = LineStream(response, engine.host)
    _socket_of(response).settimeout(None)
    return stream


class ExecSession:
    """A command running inside a container, with its input and output. Not thread-safe, apart from `close`."""

    def __init__(self, engine: Engine, exec_id: str, stream: TakenOverStream, *, tty: bool) -> None:
        self._engine = engine
        self._exec_id = exec_id
        self._stream = stream
        self._tty = tty

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """What the command writes, as (STDOUT or STDERR, bytes), until it ends. With a tty all is STDOUT."""
        if self._tty:
            while block := self._stream.recv(16384):
                yield STDOUT, block
            return
        while header := self._read(_FRAME_HEADER.size):
            number, size = _FRAME_HEADER.unpack(header)
            yield number, self._read(size)

    def _read(self, size: int) -> bytes:
        """Exactly `size` bytes, b"" at the end of the stream. Raises EngineUnavailable when it ends in between."""
        got = bytearray()
        while len(got) < size:
            block = self._stream.recv(size - len(got))
            if not block and got:
                raise EngineUnavailable("the output of a command broke off", host=self._engine.host)
            if not block:
                return b""
            got += block
        return bytes(got)

    def wait_at_most(self, seconds: float | None) -> None:
        """How long the next frame may take (None: for ever); DeadlineExceeded when it takes longer."""
        self._stream.settimeout(seconds)

    def send(self, block: bytes) -> None:
        self._stream.sendall(block)

    def end_input(self) -> None:
        """The command reads the end of its input."""
        self._stream.shutdown(1)

    def resize(self, *, rows: int, columns: int) -> None:
        self._engine.api.exec_resize(self._exec_id, height=rows, width=columns)

    def exit_code(self) -> int | None:
        """None while the command runs."""
        code = self._engine.api.exec_inspect(self._exec_id)["ExitCode"]
        return None if code is None else int(code)

    def close(self) -> None:
        """Let go of the command. Docker cannot end it: it goes on until it notices."""
        self._stream.close()


def start_exec(
    engine: Engine,
    container_id: str,
    command: Sequence[str],
    *,
    tty: bool = False,
    with_input: bool = False,
    user: str = "",
    working_dir: str = "",
    environment: Mapping[str, str] | None = None,
) -> ExecSession:
    """Start a command inside a running container. Raises EngineError (404 no such container, 409 not running)."""
    created = engine.api.exec_create(
        container_id,
        list(command),
        tty=tty,
        stdin=with_input,
        user=user,
        workdir=working_dir or None,
        environment=dict(environment or {}),
    )
    stream = engine.api.exec_start(created["Id"], tty=tty, socket=True)
    assert isinstance(stream, TakenOverStream)
    stream.settimeout(None)
    return ExecSession(engine, created["Id"], stream, tty=tty)


def run_exec(engine: Engine, container_id: str, command: Sequence[str], *, timeout_seconds: float) -> CommandResult:
    """Run a command inside a container to its end (probes, hooks).

    Raises DeadlineExceeded when it takes longer; it then goes on inside the container, Docker has no way to end it.
    """
    clock = engine.link.clock
    deadline = clock() + timeout_seconds
    late = DeadlineExceeded(f"a command took longer than {timeout_seconds:.3g} s", host=engine.host)
    output = {STDOUT: bytearray(), STDERR: bytearray()}
    with engine.deadline(timeout_seconds):
        session = start_exec(engine, container_id, command)
        try:
            session.wait_at_most(max(0.001, deadline - clock()))
            for number, block in session.frames():
                output[number] += block
                if sum(map(len, output.values())) > MAX_OUTPUT_BYTES:
                    raise HostError(f"a command said more than {MAX_OUTPUT_BYTES >> 20} MiB", host=engine.host)
                session.wait_at_most(max(0.001, deadline - clock()))
            code = session.exit_code()
        except DeadlineExceeded as error:
            raise late from error
        finally:
            session.close()
    if code is None:  # it closed its outputs and runs on
        raise late
    return CommandResult(code, bytes(output[STDOUT]), bytes(output[STDERR]))
