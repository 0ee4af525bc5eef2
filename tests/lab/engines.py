"""Docker Engines of other Debian releases, as layers over the machine's `/usr`, one for each host that asks for one.

`engines.toml` pins packages by version and hash. A layer holds their programs only: dockerd, containerd, its shim and
the CLI run with the machine's libraries, runc brings the C library that it was built with. Downloads and layers are in
`/var/lib/berth-lab/_engines`, kept between runs; a damaged one is made anew. A host whose engine is the machine's own
needs no layer.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.lab.debian_archive import Suite, mirror_of_this_machine
from tests.lab.errors import LabError
from tests.lab.names import STATE_ROOT
from tests.lab.processes import run
from tests.lab.state import locked

PINS_FILE = Path(__file__).with_name("engines.toml")
STORE = STATE_ROOT / "_engines"
_RECIPE = 2
"""Goes up with each change of what a layer is made of, so that older ones are not taken."""
_PROGRAMS = ("dockerd", "docker", "docker-proxy", "containerd", "containerd-shim-runc-v2", "runc")
_OF_THE_ENGINE = ("docker.io", "docker-cli")
_CONTENTS = "layer.json"
_LOCK_SECONDS = 900.0
"""Two downloads of 70 MB over a slow line."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class Pin:
    version: str
    sha256: str


@dataclass(frozen=True)
class EnginePins:
    """engine: its version's first part or parts, as "28" or "20.10". packages: by name."""

    engine: str
    suites: tuple[str, ...]
    packages: Mapping[str, Pin]

    @property
    def digest(self) -> str:
        text = json.dumps([_RECIPE, sorted((name, pin.version, pin.sha256) for name, pin in self.packages.items())])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def read_pins(engine: str, *, architecture: str) -> EnginePins:
    """What `engines.toml` says of this engine. Raises LabError for an engine or architecture that it does not have."""
    table: dict[str, Any] = tomllib.loads(PINS_FILE.read_text())
    known = table.get(engine, {})
    packages = known.get(architecture, {})
    if not packages:
        raise LabError(f"{PINS_FILE.name} has no engine {engine!r} for {architecture}; it has {', '.join(table)}")
    return EnginePins(engine, tuple(known["suites"]), {name: Pin(*pin) for name, pin in packages.items()})


def layer_of(engine: str) -> Path | None:
    """The directory whose `usr/` is laid over the machine's; None where the machine's own engine is that version."""
    if not engine or is_version(machine_engine(), engine):
        return None
    return STORE / f"{engine}-{read_pins(engine, architecture=_architecture()).digest}"


def ensure_layer(engine: str, report: Report) -> Path | None:
    """Make the layer if it is missing or damaged.

    Raises LabError naming the suite that cannot be read or has that engine no more.
    """
    layer = layer_of(engine)
    if layer is None or is_whole(layer):
        return layer
    with locked("engines", timeout_seconds=_LOCK_SECONDS):
        if not is_whole(layer):
            pins = read_pins(engine, architecture=_architecture())
            report(f"engine {engine}: fetching it from Debian's suite {pins.suites[0]}")
            packages = _fetch(pins, report)
            _build(layer, packages)
    return layer


def is_whole(layer: Path) -> bool:
    """Whether all its files are there and have their sizes."""
    try:
        contents = json.loads((layer / _CONTENTS).read_text())
        return all((layer / name).stat().st_size == size for name, size in contents["files"].items())
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def is_version(version: str, engine: str) -> bool:
    """Whether "20.10.24+dfsg1" is an engine "20.10"; "28.5" is no engine "2"."""
    return version == engine or version.startswith(f"{engine}.")


@cache
def machine_engine() -> str:
    """The version of the machine's dockerd: "20.10.24+dfsg1"."""
    words = run(["dockerd", "--version"]).stdout.decode().split()
    return words[2].rstrip(",")


@cache
def _architecture() -> str:
    return run(["dpkg", "--print-architecture"]).stdout.decode().strip()


# -- packages


def choose_versions(pins: EnginePins, offered: Mapping[str, Iterable[str]]) -> dict[str, str] | None:
    """Which version of each package to take: the pinned, else the newest that fits; None if there is no such engine.

    offered: versions of a suite by package, the newest first. The engine's own packages stay within its major version.
    """
    chosen = {}
    for name, pin in pins.packages.items():
        of_engine = name in _OF_THE_ENGINE
        fitting = [version for version in offered.get(name, ()) if not of_engine or is_version(version, pins.engine)]
        if not fitting:
            return None
        chosen[name] = pin.version if pin.version in fitting else fitting[0]
    return chosen


def _fetch(pins: EnginePins, report: Report) -> dict[str, Path]:
    """The package files, from the store where it has them."""
    kept = {name: kept_package(name, pin) for name, pin in pins.packages.items()}
    missing = [name for name, path in kept.items() if path is None]
    if not missing:
        return {name: path for name, path in kept.items() if path is not None}
    seen: list[str] = []
    for name in pins.suites:
        suite = Suite(name, mirror_of_this_machine(), STORE / "suites" / name)
        try:
            suite.update()
        except LabError:
            if name == pins.suites[0]:
                raise
            seen.append(f"{name} cannot be read")
            continue
        offered = suite.versions(list(pins.packages))
        seen.append(f"{name} has {', '.join(offered['docker.io']) or 'none'}")
        versions = choose_versions(pins, offered)
        if versions is not None:
            packages = _download(suite, pins, versions, report)
            shutil.rmtree(STORE / "suites")  # the lists are larger than what they led to, and soon stale
            return packages
    raise LabError(
        f"no suite has the packages of Docker Engine {pins.engine} any more ({'; '.join(seen)}): "
        f"pin another in {PINS_FILE.name}, or name a mirror that still has them"
    )


def _download(suite: Suite, pins: EnginePins, versions: Mapping[str, str], report: Report) -> dict[str, Path]:
    files = suite.download(versions, STORE / "packages")
    moved = []
    for name, path in files.items():
        pin = pins.packages[name]
        digest = _sha256(path)
        if versions[name] != pin.version:
            moved.append(f'{json.dumps(name) if "." in name else name} = ["{versions[name]}", "{digest}"]')
        elif digest != pin.sha256:
            path.unlink()
            raise LabError(
                f"{path.name} from {suite.mirror} is not the pinned file: its sha256 is {digest}, not {pin.sha256}"
            )
    if moved:
        report(
            f"engine {pins.engine}: {suite.name} has moved on from what {PINS_FILE.name} pins; taken instead:\n  "
            + "\n  ".join(moved)
        )
    return files


def kept_package(name: str, pin: Pin) -> Path | None:
    """The package's file, if an earlier run has left it whole; one that is not is removed."""
    for path in (STORE / "packages").glob(f"{name}_{pin.version.replace(':', '%3a')}_*.deb"):
        if _sha256(path) == pin.sha256:
            return path
        path.unlink()  # torn or altered: apt would take its size for the truth
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# -- the layer


def _build(layer: Path, packages: Mapping[str, Path]) -> None:
    """Unpack the packages and keep their programs, each where the machine has its own of that name."""
    draft, unpacked = layer.with_name(f"{layer.name}.draft"), layer.with_name(f"{layer.name}.unpacked")
    for directory in (draft, unpacked):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    for name, path in packages.items():
        # The libraries apart: nothing of theirs gets into the layer but what runc needs.
        run(["dpkg-deb", "--extract", str(path), str(unpacked / ("lib" if name.startswith("lib") else "programs"))])
    for program in _PROGRAMS:
        source = _program(unpacked / "programs", program)
        if source is None:
            raise LabError(f"the packages of {layer.name} hold no {program}: {', '.join(packages)}")
        target = draft / _place_of(program, default=f"usr/{source.parent.name}/{program}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        if Path("/usr/local/bin", program).exists():  # a person's own would come first in the PATH
            (draft / "usr/local/bin").mkdir(parents=True, exist_ok=True)
            (draft / "usr/local/bin" / program).symlink_to(f"/{target.relative_to(draft)}")
    _give_own_libraries(draft, unpacked / "lib", layer.name)
    _add_missing_libraries(draft, unpacked / "lib")
    _check(draft)
    files = {
        str(path.relative_to(draft)): path.stat().st_size
        for path in draft.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    contents = {"packages": sorted(path.name for path in packages.values()), "files": files}
    (draft / _CONTENTS).write_text(json.dumps(contents, indent=2) + "\n")
    shutil.rmtree(unpacked)
    # A layer that lies under a running host is moved away, not removed from under it.
    if layer.exists():
        layer.rename(layer.with_name(f"{layer.name}.damaged-{len([*layer.parent.glob(f'{layer.name}.damaged-*')])}"))
    draft.rename(layer)


def _place_of(program: str, *, default: str) -> str:
    """Where the machine's own program of that name is, relative to /: the layer's has to hide it."""
    for place in (f"usr/sbin/{program}", f"usr/bin/{program}"):
        if Path("/", place).is_file():
            return place
    return default


def _give_own_libraries(draft: Path, libraries: Path, name: str) -> None:
    """runc is linked with a C library that may be newer than the machine's: it gets its own, beside its own loader."""
    runc = _program(draft, "runc")
    assert runc is not None
    place = Path("/usr/lib/berth-lab") / name
    (draft / place.relative_to("/")).mkdir(parents=True)
    loader = run(["patchelf", "--print-interpreter", str(runc)]).stdout.decode().strip()
    needed = run(["patchelf", "--print-needed", str(runc)]).stdout.decode().split()
    for wanted in {Path(loader).name, "libc.so.6", *needed}:
        found = _find(libraries, wanted)
        if found is None:
            raise LabError(f"the packages of {name} hold no {wanted}, which its runc needs")
        shutil.copy(found, draft / place.relative_to("/") / wanted)
    run(["patchelf", "--set-interpreter", str(place / Path(loader).name), "--set-rpath", str(place), str(runc)])


def _add_missing_libraries(draft: Path, libraries: Path) -> None:
    """What the other programs need and the machine has not: libdevmapper of an older engine, on a newer Debian."""
    known = {line.split()[0] for line in run(["ldconfig", "-p"]).stdout.decode().splitlines()[1:]}
    for program in ("dockerd", "docker", "containerd"):
        needed = run(
            ["patchelf", "--print-needed", str(_program(draft, program))], check=False
        )  # fails for a static one
        for library in set(needed.stdout.decode().split()) - known:
            found = _find(libraries, library)
            if found is None:
                raise LabError(
                    f"{program} of {draft.name} needs {library}, which neither this machine nor its packages have"
                )
            place = _library_directory(draft)
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, place / library)


def _library_directory(draft: Path) -> Path:
    """Debian's own, where the loader looks without being told."""
    triplet = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}.get(_architecture(), "")
    return draft / "usr/lib" / triplet


def _check(draft: Path) -> None:
    """That the programs run on this machine at all. Raises LabError with the words of the one that does not."""
    for program in ("dockerd", "docker", "containerd"):
        path = _program(draft, program)
        try:
            run(["env", f"LD_LIBRARY_PATH={_library_directory(draft)}", str(path), "--version"])
        except LabError as error:
            raise LabError(f"a program of another Debian release does not run on this machine: {error}") from error


def _program(directory: Path, name: str) -> Path | None:
    return next(directory.glob(f"usr/*bin/{name}"), None)


def _find(directory: Path, name: str) -> Path | None:
    return min((path for path in directory.rglob(name) if path.is_file()), default=None)
