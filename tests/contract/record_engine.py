"""Records what a real Docker Engine answers, so that unit tests read it with our own parsers where it cannot run.

    python -m tests.contract.record_engine 28 --engine 28
    python -m tests.contract.record_engine 29 --dockerd PATH     # built by hand: tests/contract/recorded/README.md

It runs in a lab of its own (root; see docs/lab.md), which is removed at the end. The answers go to
`tests/contract/recorded/NAME.json`: by what was asked, status and body. Nothing in them is made up or made fit; what
speaks of the machine (names, kernel, paths) is left out.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from differ.kubelet.assignment import PodNetwork
from hosts.network.pod_network import network_request
from objects.names import LABEL_MANAGED
from tests.lab.host import LabHost
from tests.lab.hostspec import HostSpec
from tests.lab.lab import Lab, take_down

RECORDED = Path(__file__).parent / "recorded"
LAB = "record"
PORT = "18080"
NETWORK = PodNetwork(subnet="10.244.3.0/24", cluster_cidr="10.244.0.0/16")
_OF_INFO = (
    *("CPUShares", "CgroupDriver", "CgroupVersion", "CpuCfsQuota", "Driver", "DriverStatus", "MemoryLimit"),
    *("OSType", "SecurityOptions", "ServerVersion", "SwapLimit", "Warnings"),
)
_OF_THE_MACHINE = {
    *("GraphDriver", "HostnamePath", "HostsPath", "KernelVersion", "LogPath", "ResolvConfPath", "Storage"),
    *("AppArmorProfile", "BuildTime", "GoVersion", "GitCommit", "MaskedPaths", "ReadonlyPaths"),
}


class Recorder:
    """Asks one engine by its socket and keeps the answers, in the order of the questions."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path
        self._prefix = ""
        self.answers: dict[str, dict[str, Any]] = {}

    def speak(self, version: str) -> None:
        """The API version of all questions from now on."""
        self._prefix = f"/v{version}"

    def ask(self, label: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer's body, also kept under `label`."""
        status, text = self._exchange(method, self._prefix + path, body)
        answer = [json.loads(line) for line in text.splitlines()] if path.startswith("/events") else _parsed(text)
        if path == "/info":
            answer = {name: answer[name] for name in _OF_INFO if name in answer}
        self.answers[label] = {"status": status, "body": _without_machine(answer)}
        return answer

    def _exchange(self, method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("docker", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(60)
        connection.sock.connect(str(self._socket_path))
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"Content-Type": "application/json"} if sent else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def _parsed(text: str) -> Any:
    return json.loads(text) if text.strip() else None


def _without_machine(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_machine(item) for key, item in value.items() if key not in _OF_THE_MACHINE}
    return [_without_machine(item) for item in value] if isinstance(value, list) else value


def record(recorder: Recorder) -> None:
    """All questions, of which each leaves behind what the next one is about."""
    begun = int(time.time())
    version = recorder.ask("version", "GET", "/version")
    recorder.speak(version["ApiVersion"])
    recorder.ask("info", "GET", "/info")
    _record_network(recorder, str(version["Version"]))
    _record_life(recorder)
    _record_taken_port(recorder)
    _record_refusals(recorder)
    recorder.ask("events", "GET", f"/events?since={begun}&until={int(time.time()) + 1}")
    recorder.ask("networks", "GET", "/networks")


def _record_network(recorder: Recorder, version: str) -> None:
    request = network_request(NETWORK, engine_version=version)
    recorder.ask("create network", "POST", "/networks/create", request)
    recorder.ask("create network again", "POST", "/networks/create", request)
    recorder.ask("inspect network", "GET", f"/networks/{NETWORK.name}")
    recorder.ask("inspect no network", "GET", "/networks/nowhere")


def _container(**settings: Any) -> dict[str, Any]:
    """A request as ours: with limits, labels, the pod network; settings go into `HostConfig`."""
    host = {"NetworkMode": NETWORK.name, "RestartPolicy": {"Name": "no"}, "Memory": 32 << 20, "MemorySwap": 32 << 20}
    host |= {"CpuShares": 256, "CpuPeriod": 100_000, "CpuQuota": 50_000, "ContainerIDFile": "made-by"}
    labels = {LABEL_MANAGED: "true"}
    command = ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done"]
    return {"Image": "busybox", "Entrypoint": command, "Labels": labels, "HostConfig": {**host, **settings}}


def _published(port: str = PORT) -> dict[str, Any]:
    return {"80/tcp": [{"HostIp": "", "HostPort": port}]}


def _record_life(recorder: Recorder) -> None:
    address = {"EndpointsConfig": {NETWORK.name: {"IPAMConfig": {"IPv4Address": "10.244.3.9"}}}}
    body = {**_container(PortBindings=_published()), "ExposedPorts": {"80/tcp": {}}, "NetworkingConfig": address}
    recorder.ask("create", "POST", "/containers/create?name=life", body)
    recorder.ask("list created", "GET", "/containers/json?all=1")
    recorder.ask("inspect created", "GET", "/containers/life/json")
    recorder.ask("start", "POST", "/containers/life/start")
    recorder.ask("start again", "POST", "/containers/life/start")
    recorder.ask("list running", "GET", "/containers/json?all=1")
    recorder.ask("inspect running", "GET", "/containers/life/json")
    recorder.ask("pause", "POST", "/containers/life/pause")
    recorder.ask("inspect paused", "GET", "/containers/life/json")
    recorder.ask("unpause", "POST", "/containers/life/unpause")
    recorder.ask("unpause again", "POST", "/containers/life/unpause")
    recorder.ask("rename to its name", "POST", "/containers/life/rename?name=life")
    recorder.ask("name taken", "POST", "/containers/create?name=life", _container())


def _record_taken_port(recorder: Recorder) -> None:
    """Of a container whose port was taken at its first start: what its second start gives (moby#51758)."""
    body = {**_container(PortBindings=_published()), "ExposedPorts": {"80/tcp": {}}}
    recorder.ask("create late", "POST", "/containers/create?name=late", body)
    recorder.ask("start on a taken port", "POST", "/containers/late/start")
    recorder.ask("inspect on a taken port", "GET", "/containers/late/json")
    recorder.ask("signal", "POST", "/containers/life/kill?signal=TERM")
    recorder.ask("wait", "POST", "/containers/life/wait")
    recorder.ask("inspect exited", "GET", "/containers/life/json")
    recorder.ask("signal an ended one", "POST", "/containers/life/kill?signal=TERM")
    recorder.ask("start when the port is free", "POST", "/containers/late/start")
    recorder.ask("inspect when the port is free", "GET", "/containers/late/json")
    recorder.ask("remove late", "DELETE", "/containers/late?force=true&v=true")


def _record_refusals(recorder: Recorder) -> None:
    recorder.ask("no image", "POST", "/containers/create?name=none", {**_container(), "Image": "nowhere:v1"})
    recorder.ask("no network", "POST", "/containers/create?name=lost", _container(NetworkMode="nowhere"))
    recorder.ask("start without a network", "POST", "/containers/lost/start")
    recorder.ask("create misspelt", "POST", "/containers/create?name=odd", {**_container(), "Entrypoint": ["/nowhere"]})
    recorder.ask("start misspelt", "POST", "/containers/odd/start")
    recorder.ask("inspect misspelt", "GET", "/containers/odd/json")
    of_host = {**_container(NetworkMode="host", PortBindings=_published("18081")), "ExposedPorts": {"80/tcp": {}}}
    recorder.ask("create with a warning", "POST", "/containers/create?name=warned", of_host)
    recorder.ask("remove", "DELETE", "/containers/life?force=true&v=true")
    recorder.ask("inspect removed", "GET", "/containers/life/json")
    recorder.ask("remove again", "DELETE", "/containers/life?force=true&v=true")


def exchange_dockerd(host: LabHost, program: Path) -> None:
    """Let the host run another dockerd than its packages have, over the same containerd, and give it the images.

    Its storage is what it takes by itself (nothing in daemon.json): that is what people get who install it.
    """
    host.stop_engine()
    place = host.root / "opt/dockerd"
    place.parent.mkdir(exist_ok=True)
    shutil.copy(program, place)
    host.exec(["sh", "-c", "rm -rf /var/lib/docker/*"])
    host.machine.start_service("dockerd", ["/opt/dockerd"])
    host.engine.wait_ready(timeout_seconds=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the file: the engine's major version")
    parser.add_argument("--engine", default="28", help="of tests/lab/engines.toml; its containerd and runc at least")
    parser.add_argument("--dockerd", type=Path, help="a dockerd to run in place of that engine's")
    parser.add_argument("--note", default="", help="where a dockerd of one's own came from")
    wanted = parser.parse_args()
    try:
        own = {} if wanted.dockerd is None else {"storage-driver": None}
        lab = Lab.up(LAB, [HostSpec("recorded", engine=wanted.engine, engine_settings=own)])
        host = lab.host("recorded")
        if wanted.dockerd is not None:
            exchange_dockerd(host, wanted.dockerd)
            lab.clean()
        recorder = Recorder(host.docker_socket)
        record(recorder)
        lab.close()
    finally:
        take_down(LAB, purge=True)
    document = {"note": wanted.note, "answers": recorder.answers}
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / f"{wanted.name}.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
