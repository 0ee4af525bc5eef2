"""Packages of another Debian suite, downloaded by the machine's own apt from the mirror that the machine uses.

apt does the checking (signature of the suite, hash of each package); nothing of the machine's own apt state changes:
the suite's lists lie in a directory of their own. Proxies and the like are the machine's settings.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.errors import LabError
from tests.lab.processes import run

MIRROR_VARIABLE = "BERTH_LAB_MIRROR"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_TARGETS = ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(RELEASE)|$(REPO_URI)", "Created-By: Packages"]


@dataclass(frozen=True)
class Suite:
    """One suite, as `sid`, with its lists below `directory`."""

    name: str
    mirror: str
    directory: Path

    def update(self) -> None:
        """Fetch the suite's lists. Raises LabError saying what apt could not reach or did not believe."""
        for place in ("lists/partial", "archives/partial"):
            (self.directory / place).mkdir(parents=True, exist_ok=True)
        (self.directory / "source").write_text(f"deb [signed-by={_KEYRING}] {self.mirror} {self.name} main\n")
        try:
            self._apt("apt-get", "update", "--error-on=any", timeout_seconds=300)
        except LabError as error:
            raise LabError(
                f"Debian's suite {self.name} cannot be read from {self.mirror}: {_complaints(str(error))}; the lab "
                f"takes engines of other Debian releases from there (tests/lab/engines.toml); "
                f"another mirror can be named by {MIRROR_VARIABLE}=URL"
            ) from error

    def versions(self, packages: Sequence[str]) -> dict[str, list[str]]:
        """The versions that the suite has of each package, the newest first."""
        found: dict[str, list[str]] = {package: [] for package in packages}
        for line in self._apt("apt-cache", "madison", *packages).splitlines():
            package, version, *_ = (part.strip() for part in line.split("|"))
            if package in found and version not in found[package]:
                found[package].append(version)
        return found

    def download(self, versions: Mapping[str, str], into: Path) -> dict[str, Path]:
        """Download these packages; apt compares each with the hash in the signed index. Returns the file of each."""
        into.mkdir(parents=True, exist_ok=True)
        wanted = [f"{package}={version}" for package, version in versions.items()]
        self._apt("apt-get", "download", *wanted, directory=into, timeout_seconds=600)
        return {package: _file_of(package, version, into) for package, version in versions.items()}

    def _apt(self, program: str, *arguments: str, directory: Path | None = None, timeout_seconds: float = 60) -> str:
        options = {
            "Dir::Etc::SourceList": self.directory / "source",
            "Dir::Etc::SourceParts": "-",
            "Dir::State::Lists": self.directory / "lists",
            "Dir::Cache::Archives": self.directory / "archives",
            "Dir::Cache::pkgcache": self.directory / "pkgcache.bin",
            "Dir::Cache::srcpkgcache": self.directory / "srcpkgcache.bin",
            # Root's own directories: the user `_apt` may not write there, and says so each time.
            "APT::Sandbox::User": "root",
            "Acquire::Retries": 3,
            "Acquire::http::Timeout": 30,
            "Acquire::Languages": "none",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
        }
        settings = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        argv = [program, "-q", *settings, *arguments]
        # apt-get download puts files where it is started.
        moved = ["env", "-C", str(directory), *argv] if directory else argv
        return run(moved, timeout_seconds=timeout_seconds).stdout.decode(errors="replace")


def mirror_of_this_machine() -> str:
    """The address of the Debian mirror in the machine's apt configuration, or what `BERTH_LAB_MIRROR` names.

    Raises LabError where there is none, as on Ubuntu.
    """
    named = os.environ.get(MIRROR_VARIABLE, "")
    if named:
        return named
    targets = run(_TARGETS).stdout.decode()
    if "Debian|" not in targets:  # apt knows an origin only once it has fetched the lists
        run(["apt-get", "-q", "update"], check=False, timeout_seconds=300)
        targets = run(_TARGETS).stdout.decode()
    mirror = parse_mirror(targets)
    if not mirror:
        raise LabError(
            f"this machine's apt knows no Debian mirror, from which the lab takes engines of other Debian releases; "
            f"name one: {MIRROR_VARIABLE}=URL"
        )
    return mirror


def parse_mirror(targets: str) -> str:
    """The first archive of Debian itself among lines `origin|release|address`; "" if there is none.

    Security archives have other releases than the main one; so do the archives of third parties.
    """
    for line in targets.splitlines():
        origin, _, rest = line.partition("|")
        release, _, address = rest.partition("|")
        if origin == "Debian" and not release.endswith("-security"):
            return address.rstrip("/")
    return ""


def _complaints(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.startswith(("E:", "W:", "Err:"))]
    return " / ".join(lines[-3:]) or said[-300:]


def _file_of(package: str, version: str, directory: Path) -> Path:
    """apt writes `name_version_architecture.deb`, with the epoch's colon as %3a."""
    found = sorted(directory.glob(f"{package}_{version.replace(':', '%3a')}_*.deb"))
    if not found:
        raise LabError(f"apt-get download wrote no {package}_{version}_*.deb into {directory}")
    return found[-1]
