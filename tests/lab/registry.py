"""A real registry with a password, plain HTTP, on a host of its own; the engines list it as insecure."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from tests.lab.errors import LabError
from tests.lab.host import LabHost
from tests.lab.processes import kill_all, run, wait_until

PORT = 5000
# Not secrets: they guard a registry that only this machine can reach.
USER, PASSWORD = "berth", "lab-registry-password"

_CONFIG = f"""\
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: /var/lib/registry}}
  delete: {{enabled: true}}
http: {{addr: ":{PORT}"}}
auth:
  htpasswd: {{realm: berth-lab, path: /etc/docker/registry/htpasswd}}
"""


@dataclass(frozen=True)
class Registry:
    """host: the machine it runs on; `host.cut()` takes it off the network."""

    host: LabHost
    user: str = USER
    password: str = PASSWORD

    @property
    def address(self) -> str:
        """`10.x.0.3:5000`, the first part of an image's name."""
        return f"{self.host.address}:{PORT}"

    def start(self) -> None:
        """Start it if it does not run, and wait until it answers. After a boot of a fresh host it is empty."""
        if not self.host.machine.processes("docker-registry"):
            self.host.exec(["mkdir", "-p", "/etc/docker/registry", "/var/lib/registry"])
            line = run(["htpasswd", "-nbB", self.user, self.password]).stdout
            self.host.exec(["sh", "-c", "cat >/etc/docker/registry/htpasswd"], stdin=line)
            self.host.exec(["sh", "-c", "cat >/etc/docker/registry/config.yml"], stdin=_CONFIG.encode())
            self.host.machine.start_service("registry", ["docker-registry", "serve", "/etc/docker/registry/config.yml"])
        wait_until(lambda: self.status() == 401, what="the registry does not answer", timeout_seconds=10)

    def kill(self) -> None:
        kill_all(self.host.machine.processes("docker-registry"))

    def status(self, *, user: str = "", password: str = "", path: str = "/v2/") -> int:
        """HTTP status of a GET, as this user if given; 0 if nobody answers within 2 s."""
        request = urllib.request.Request(f"http://{self.address}{path}")
        if user:
            request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def push(self, image: str, *, through: LabHost, name: str = "") -> str:
        """Push an image that the host `through` has, under `name` (default: its own); returns the full reference."""
        repository, _, tag = (name or image).rpartition(":")
        reference = f"{self.address}/{repository}"
        through.api().tag(image, reference, tag)
        for line in through.api().push(reference, tag, auth_config=self.auth(), stream=True, decode=True):
            if "error" in line:
                raise LabError(f"push of {reference}:{tag} from {through.name}: {line['error']}")
        return f"{reference}:{tag}"

    def auth(self) -> dict[str, str]:
        """Credentials as the Docker SDK takes them."""
        return {"username": self.user, "password": self.password, "serveraddress": self.address}

    def docker_config(self) -> dict[str, Any]:
        """Content of a `~/.docker/config.json`, as in a `kubernetes.io/dockerconfigjson` Secret."""
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"auths": {self.address: {"username": self.user, "password": self.password, "auth": token}}}

    def pull_secret(self) -> str:
        return json.dumps(self.docker_config())
