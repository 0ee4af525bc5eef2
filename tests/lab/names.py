"""Every name and place that a lab uses, derived from the lab's own name.

Only what carries these names is ever removed, so several labs live side by side and leftovers are found without memory.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from tests.lab.errors import LabError

STATE_ROOT = Path("/var/lib/berth-lab")
RUNTIME_ROOT = Path("/run/berth-lab")
CGROUP_ROOT = "berth-lab"
DEFAULT_LAB = "berth"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
_HOST_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


def worker_lab(name: str, worker: str) -> str:
    """The lab of one worker of a parallel test run ('' when there is but one)."""
    return f"{name}-{worker}" if worker else name


def is_worker_lab(name: str, of: str) -> bool:
    """Whether a parallel test run that was given the lab `of` made the lab `name`."""
    return bool(re.fullmatch(rf"{re.escape(of)}-\d+", name))


def _shortened(name: str, length: int) -> str:
    """`name` if it fits into `length` characters, else its first letters and a hash of the whole."""
    if len(name) <= length:
        return name
    return name[: length - 4] + hashlib.sha256(name.encode()).hexdigest()[:4]


@dataclass(frozen=True)
class LabNames:
    """Names of one lab. Interface names stay within the kernel's 15 characters: `bl-` + 6 + `-` + 5."""

    lab: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.lab):
            raise LabError(f"lab name {self.lab!r}: use 1 to 20 of a-z, 0-9 and '-', a letter first")

    @property
    def state(self) -> Path:
        return STATE_ROOT / self.lab

    @property
    def runtime(self) -> Path:
        return RUNTIME_ROOT / self.lab

    @property
    def state_file(self) -> Path:
        return self.state / "lab.json"

    @property
    def made_by_tests(self) -> Path:
        """There while the lab is one that a run of tests brought up, not a person."""
        return self.state / "made-by-tests"

    @property
    def keys(self) -> Path:
        return self.state / "keys"

    @property
    def image_cache(self) -> Path:
        """Shared by all labs; the underscore keeps it out of the space of lab names."""
        return STATE_ROOT / "_images"

    @property
    def bridge(self) -> str:
        return f"bl-{_shortened(self.lab, 6)}-br"

    @property
    def firewall_comment(self) -> str:
        return f"berth-lab:{self.lab}"

    @property
    def cgroup(self) -> str:
        return f"{CGROUP_ROOT}/{self.lab}"

    @property
    def netns_prefix(self) -> str:
        return f"berth-lab.{self.lab}."

    def host(self, name: str) -> HostNames:
        if not _HOST_NAME.fullmatch(name):
            raise LabError(f"host name {name!r}: use 1 to 31 of a-z, 0-9 and '-', a letter first")
        return HostNames(self, name)


@dataclass(frozen=True)
class HostNames:
    """Names of one host of a lab."""

    lab: LabNames
    host: str

    @property
    def netns(self) -> str:
        return self.lab.netns_prefix + self.host

    @property
    def netns_path(self) -> Path:
        return Path("/run/netns") / self.netns

    @property
    def veth(self) -> str:
        """The outer end of the host's cable; the inner end is `eth0`."""
        return f"bl-{_shortened(self.lab.lab, 6)}-{_shortened(self.host.replace('host-', 'h'), 5)}"

    @property
    def cgroup(self) -> str:
        return f"{self.lab.cgroup}/{self.host}"

    @property
    def state(self) -> Path:
        return self.lab.state / "hosts" / self.host

    @property
    def root(self) -> Path:
        """The host's root file system, as seen from outside (its `/run` and engine data are mounted over it)."""
        return self.state / "root"

    @property
    def run(self) -> Path:
        """The host's `/run`, as seen from outside."""
        return self.lab.runtime / self.host / "run"

    @property
    def logs(self) -> Path:
        return self.lab.runtime / self.host / "log"

    @property
    def docker_socket(self) -> Path:
        return self.run / "docker.sock"
