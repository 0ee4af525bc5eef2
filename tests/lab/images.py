"""Container images made on this machine: from a Debian package's program and the libraries it needs, in a second.

An image is content: the same files give the same image id on every machine and every run, so an engine that has the id
needs nothing. `build_image` makes one; `archive` packs several, with common layers once, for `docker load`.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import stat
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.lab.errors import LabError
from tests.lab.processes import SEARCH_PATH, run

# Docker wants a date; a fixed one keeps the image id a function of the content.
_CREATED = "2026-01-01T00:00:00Z"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Entry:
    """One file of a layer: content, or a link target, or a FIFO."""

    content: bytes = b""
    mode: int = 0o644
    link: str = ""
    is_fifo: bool = False


@dataclass(frozen=True)
class Layer:
    """An uncompressed layer tar and its digest in hex."""

    tar: bytes
    digest: str


@dataclass(frozen=True)
class Image:
    """tags: names as in `docker run`, the tag included. image_id: `sha256:...`, what the engine calls it."""

    tags: tuple[str, ...]
    layers: tuple[Layer, ...]
    config: bytes

    @property
    def image_id(self) -> str:
        return "sha256:" + hashlib.sha256(self.config).hexdigest()


def build_image(
    *tags: str,
    binaries: Iterable[str] = (),
    files: Mapping[str, bytes | str | Entry] | None = None,
    base: Image | None = None,
    entrypoint: Sequence[str] = (),
    command: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    working_directory: str = "/",
    user: str = "",
    ports: Sequence[str] = (),
) -> Image:
    """An image of `base`'s layers and one more.

    binaries: programs of this machine (name or path); each comes with the libraries that `ldd` lists.
    files: absolute path in the image -> text, bytes or Entry. ports: like "80/tcp".
    """
    entries: dict[str, Entry] = {}
    for binary in binaries:
        entries |= _program(binary)
    for path, content in (files or {}).items():
        entries[path] = content if isinstance(content, Entry) else Entry(_as_bytes(content))
    layers = (*(base.layers if base else ()), make_layer(entries))
    runtime: dict[str, Any] = {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        + [f"{key}={value}" for key, value in (environment or {}).items()],
        "Entrypoint": list(entrypoint) or None,
        "Cmd": list(command) or None,
        "WorkingDir": working_directory,
        "User": user,
        "ExposedPorts": {port: {} for port in ports},
    }
    config = {
        "architecture": _ARCHITECTURES.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "created": _CREATED,
        "config": runtime,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for layer in layers]},
        "history": [{"created": _CREATED, "created_by": "berth lab"} for _ in layers],
    }
    return Image(tuple(tags), layers, json.dumps(config, sort_keys=True).encode())


def archive(images: Iterable[Image], out: IO[bytes]) -> None:
    """Write the images in `docker load` format; a layer that several share is stored once."""
    manifest = []
    written: set[str] = set()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for image in images:
            names = []
            for layer in image.layers:
                names.append(f"{layer.digest}/layer.tar")
                if layer.digest not in written:
                    written.add(layer.digest)
                    _add_bytes(tar, names[-1], layer.tar)
            config_name = image.image_id.removeprefix("sha256:") + ".json"
            if config_name not in written:
                written.add(config_name)
                _add_bytes(tar, config_name, image.config)
            manifest.append({"Config": config_name, "RepoTags": list(image.tags), "Layers": names})
        _add_bytes(tar, "manifest.json", json.dumps(manifest).encode())


def make_layer(entries: Mapping[str, Entry]) -> Layer:
    """A layer tar with the parents of every path; sorted and without times, so equal content is an equal digest."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for directory in sorted({str(parent) for path in entries for parent in Path(path).parents} - {"/"}):
            info = tarfile.TarInfo(directory.lstrip("/"))
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if directory == "/tmp" else 0o755
            tar.addfile(info)
        for path, entry in sorted(entries.items()):
            info = tarfile.TarInfo(path.lstrip("/"))
            info.mode, info.size = entry.mode, len(entry.content)
            if entry.link:
                info.type, info.linkname = tarfile.SYMTYPE, entry.link
            elif entry.is_fifo:
                info.type = tarfile.FIFOTYPE
            tar.addfile(info, io.BytesIO(entry.content))
    content = out.getvalue()
    return Layer(content, hashlib.sha256(content).hexdigest())


def _program(name: str) -> dict[str, Entry]:
    """The program and every library that `ldd` lists, at the places where they are on this machine."""
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        raise LabError(f"program {name} is not installed here: no image can be made of it")
    entries = {found: _copy_of(found)}
    listed = run(["ldd", found], check=False)
    if listed.returncode == 0:  # else it is static
        for library in re.findall(r"(/\S+) \(0x", listed.stdout.decode()):
            entries[library] = _copy_of(library)
    return entries


def _copy_of(path: str) -> Entry:
    source = Path(path)
    return Entry(source.read_bytes(), stat.S_IMODE(source.stat().st_mode))


def _as_bytes(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
