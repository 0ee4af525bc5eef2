"""Docker Engines as recorded answers: what one of 26.1 says, behind as many Unix sockets as there are hosts.

For what many hosts cost the reconciler, on a machine that could not run their engines. Each socket has containers and a
network of its own, which are kept as they were asked for and never run; events are told as Docker tells them.

    python -m tests.bench.recorded_engine FOLDER COUNT [INFO]   sockets FOLDER/0000.sock …, until its input ends;
                                                                INFO: JSON, what /info tells otherwise than recorded
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

IMAGE = "web:v1"
IMAGE_ID = "sha256:" + "ab" * 32
VERSION = {
    "Version": "26.1.5+dfsg1",
    "ApiVersion": "1.45",
    "MinAPIVersion": "1.24",
    "Components": [{"Name": "Engine"}],
    "Os": "linux",
    "Arch": "amd64",
}
INFO = {
    "Name": "recorded",
    "NCPU": 4,
    "MemTotal": 8 << 30,
    "OperatingSystem": "Debian GNU/Linux 13 (trixie)",
    "KernelVersion": "6.12.0",
    "DockerRootDir": "/",
    "CgroupVersion": "2",
    "MemoryLimit": True,
    "CpuCfsQuota": True,
    "CPUShares": True,
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
    "DriverStatus": [["Backing Filesystem", "extfs"]],
}
NEVER = "0001-01-01T00:00:00Z"

Answer = tuple[int, Any]


def socket_path(folder: Path, number: int) -> Path:
    return folder / f"{number:04}.sock"


class RecordedEngine:
    """One engine: its containers by id, its network, who follows its events."""

    def __init__(self) -> None:
        self._containers: dict[str, dict[str, Any]] = {}
        self._network: dict[str, Any] | None = None
        self._volumes: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)
        self.followers: set[asyncio.StreamWriter] = set()

    def answer(self, method: str, path: list[str], query: dict[str, list[str]], body: dict[str, Any]) -> Answer:
        """(status, JSON) of one request; path: without the version."""
        match method, *path:
            case _, "_ping":
                return 200, "OK"
            case _, "version":
                return 200, VERSION
            case _, "info":
                return 200, {**INFO, "SystemTime": _now()}
            case _, "images", "json":
                return 200, [{"Id": IMAGE_ID, "RepoTags": [IMAGE], "RepoDigests": [], "Size": 10 << 20}]
            case "GET", "networks":
                return 200, [self._network] if self._network else []
            case "GET", "networks", _:
                return (200, self._network) if self._network else (404, {"message": "network not found"})
            case "POST", "networks", "create":
                self._network = {**body, "Id": "cd" * 32, "Containers": {}}
                return 201, {"Id": "cd" * 32}
            case _, "volumes", *rest:
                return self._answer_volumes(method, rest, body)
            case _, "containers", *rest:
                return self._answer_containers(method, rest, query, body)
        return 404, {"message": f"page not found: {method} {'/'.join(path)}"}

    def _answer_volumes(self, method: str, path: list[str], body: dict[str, Any]) -> Answer:
        match method, *path:
            case ("GET",):
                return 200, {"Volumes": list(self._volumes.values())}
            case "POST", "create":
                self._volumes[body["Name"]] = {**body, "CreatedAt": _now(), "Scope": "local"}
                return 201, self._volumes[body["Name"]]
            case "DELETE", name:
                self._volumes.pop(name, None)
                return 204, None
        return 404, {"message": "no such volume"}

    def _answer_containers(
        self, method: str, path: list[str], query: dict[str, list[str]], body: dict[str, Any]
    ) -> Answer:
        match method, *path:
            case "GET", "json":
                return 200, [_summary(one) for one in self._containers.values()]
            case "POST", "create":
                return self._create(query["name"][0], body)
        found = self._containers.get(path[0]) if path else None
        if found is None:
            return 404, {"message": "No such container"}
        match method, *path[1:]:
            case "GET", "json":
                return 200, found
            case "POST", "start":
                found["State"] = {**found["State"], "Status": "running", "Running": True, "StartedAt": _now()}
                self._tell(found, "start")
                return 204, None
            case ("DELETE",):
                del self._containers[found["Id"]]
                self._tell(found, "destroy")
                return 204, None
        return 404, {"message": "page not found"}

    def _create(self, name: str, body: dict[str, Any]) -> Answer:
        container_id = f"{next(self._numbers):064x}"
        endpoints = (body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
        networks = {
            network: {"IPAddress": ((one or {}).get("IPAMConfig") or {}).get("IPv4Address", "")}
            for network, one in endpoints.items()
        }
        found: dict[str, Any] = {
            "Id": container_id,
            "Name": f"/{name}",
            "Created": _now(),
            "Image": IMAGE_ID,
            "RestartCount": 0,
            "State": {"Status": "created", "Running": False, "ExitCode": 0, "StartedAt": NEVER, "FinishedAt": NEVER},
            "Config": body,
            "HostConfig": body.get("HostConfig") or {},
            "NetworkSettings": {"Networks": networks, "Ports": {}},
            "Mounts": [],
        }
        self._containers[container_id] = found
        self._tell(found, "create")
        return 201, {"Id": container_id, "Warnings": []}

    def foreign_event(self, number: int) -> None:
        """Tell of a container of somebody else, which comes and goes."""
        one = {"Id": f"{number:064x}", "Name": "/somebody-elses", "Config": {"Image": "job:v1", "Labels": {"of": "ci"}}}
        self._tell(one, "create" if number % 2 else "destroy")

    def _tell(self, container: dict[str, Any], action: str) -> None:
        attributes = {"name": container["Name"][1:], "image": container["Config"].get("Image", "")}
        event = {
            "Type": "container",
            "Action": action,
            "Actor": {"ID": container["Id"], "Attributes": attributes | (container["Config"].get("Labels") or {})},
            "timeNano": time.time_ns(),
        }
        line = json.dumps(event).encode() + b"\n"
        for writer in self.followers:
            writer.write(b"%x\r\n%s\r\n" % (len(line), line))


def _summary(container: dict[str, Any]) -> dict[str, Any]:
    state = container["State"]["Status"]
    return {
        "Id": container["Id"],
        "Names": [container["Name"]],
        "Image": container["Config"]["Image"],
        "ImageID": container["Image"],
        "Labels": container["Config"].get("Labels") or {},
        "State": state,
        "Status": "Up 2 minutes" if state == "running" else "Created",
        "Created": int(datetime.fromisoformat(container["Created"]).timestamp()),
        "HostConfig": {"NetworkMode": container["HostConfig"].get("NetworkMode", "")},
        "NetworkSettings": {"Networks": container["NetworkSettings"]["Networks"]},
    }


def _now() -> str:
    return datetime.now(UTC).isoformat()


async def _serve(engine: RecordedEngine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, target, _ = head.split(" ", 2)
            length = next((line for line in head.lower().split("\r\n") if line.startswith("content-length:")), "")
            content = await reader.readexactly(int(length.partition(":")[2] or 0))
            address = urlsplit(target)
            path = [word for word in address.path.split("/") if word]
            path = path[1:] if path[0].startswith("v1.") else path
            if path == ["events"]:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
                engine.followers.add(writer)
                await reader.read()
                return
            body = json.loads(content) if content else {}
            status, answer = engine.answer(method, path, parse_qs(address.query), body)
            said = b"" if answer is None else json.dumps(answer).encode()
            kind = "Content-Type: application/json\r\n" if said else ""
            writer.write(f"HTTP/1.1 {status} X\r\n{kind}Content-Length: {len(said)}\r\n\r\n".encode() + said)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        engine.followers.discard(writer)
        writer.close()


async def _run(folder: Path, count: int) -> None:
    engines = [RecordedEngine() for _ in range(count)]
    for number, engine in enumerate(engines):
        await asyncio.start_unix_server(partial(_serve, engine), socket_path(folder, number))
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    # Lines are orders: "churn SECONDS RATE" has so many events a second told to the first host's followers.
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        _, seconds, rate = line.split()
        for number in range(int(float(seconds) * float(rate))):
            engines[0].foreign_event(number)
            await asyncio.sleep(1 / float(rate))
        print("done", flush=True)


if __name__ == "__main__":
    INFO |= json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    asyncio.run(_run(Path(sys.argv[1]), int(sys.argv[2])))
