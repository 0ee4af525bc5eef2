"""What a container left to say at its end (`terminationMessagePath`, `terminationMessagePolicy`), at most 4 KiB.

A file outlives its process only outside `/dev`, which is memory: what is written to the default `/dev/termination-log`
is gone with the container. So a label asks for a file elsewhere, or for the end of the log after a failure.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from hosts.docker.engine import Engine, translated
from hosts.observe.container_facts import parse_time
from hosts.observe.pod_containers import START_NOTED_WITHIN
from objects.errors import EngineError
from objects.names import LABEL_LAST_WORDS

MAX_BYTES = 4096
MAX_LOG_BYTES = 2048
MAX_LOG_LINES = 80
"""As in the kubelet."""
MAX_ARCHIVE_BYTES = 1024 * 1024
FALLBACK = "FallbackToLogsOnError"


def read_last_words(engine: Engine, details: Mapping[str, Any]) -> str:
    """details: of `GET /containers/{id}/json`. '' unless the container has ended, wants it read, and said something.

    Raises HostError.
    """
    state, labels = details["State"], details["Config"].get("Labels") or {}
    policy, _, path = labels.get(LABEL_LAST_WORDS, "").partition(":")
    if not policy or state.get("Status") not in ("exited", "restarting", "dead"):
        return ""
    said = _read_file(engine, str(details["Id"]), path) if path else ""
    if not said and policy == FALLBACK and int(state.get("ExitCode", 0)):
        return _read_log(engine, str(details["Id"]), parse_time(str(state.get("StartedAt", ""))))
    return said


def _read_file(engine: Engine, container_id: str, path: str) -> str:
    api = engine.api
    url = api.versioned(f"/containers/{container_id}/archive")
    response = api.get(url, params={"path": path}, stream=True, timeout=engine.call_seconds)
    try:
        api.check(response)
        with translated(engine.host):
            archive = _at_most(response.iter_content(16 * 1024), MAX_ARCHIVE_BYTES)
    except EngineError as error:
        if error.status == 404:
            return ""
        raise
    finally:
        response.close()
    return last_of_file(archive)


def _at_most(blocks: Iterator[bytes], size: int) -> bytes:
    got = bytearray()
    for block in blocks:
        got += block
        if len(got) >= size:
            break
    return bytes(got[:size])


def last_of_file(archive: bytes) -> str:
    """The end of the file in a tar, which may be cut off; '' when it holds something else. Pure."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            entry = tar.next()
            if entry is None or not entry.isfile():
                return ""
            content = archive[entry.offset_data : entry.offset_data + entry.size]
    except tarfile.TarError:
        return ""
    return content[-MAX_BYTES:].decode(errors="replace")


def _read_log(engine: Engine, container_id: str, started_at: datetime | None) -> str:
    """The end of what its last run wrote."""
    api = engine.api
    params = {"stdout": "1", "stderr": "1", "tail": str(MAX_LOG_LINES)}
    if started_at is not None:
        params["since"] = f"{(started_at - START_NOTED_WITHIN).timestamp():.6f}"
    url = api.versioned(f"/containers/{container_id}/logs")
    response = api.get(url, params=params, timeout=engine.call_seconds)
    api.check(response)
    return plain_log(response.content)[-MAX_LOG_BYTES:].decode(errors="replace")


def plain_log(stream: bytes) -> bytes:
    """A log without Docker's frames; one of a terminal has none. Pure."""
    said, rest = bytearray(), stream
    while len(rest) >= 8 and rest[0] in (0, 1, 2) and rest[1:4] == b"\0\0\0":
        size = int.from_bytes(rest[4:8], "big")
        said += rest[8 : 8 + size]
        rest = rest[8 + size :]
    return bytes(said + rest)
