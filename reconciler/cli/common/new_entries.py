"""The data of a new ConfigMap or Secret: from files, folders, literals and env files, as kubectl takes them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from objects.api.core import ConfigMap, Secret
from objects.errors import InvalidInput

MAX_BYTES = 2**20
"""Of all entries together, as in Kubernetes: they are held in memory and written to every host that needs them."""


def read_entries(files: Iterable[str], literals: Iterable[str], env_files: Iterable[Path]) -> dict[str, bytes]:
    """Key → content. Raises UsageError for what is malformed or said twice, InvalidInput for what cannot be read.

    --from-file=a.txt        key a.txt
    --from-file=k=a.txt      key k
    --from-file=folder       one key for each file directly in it
    --from-literal=k=v       key k
    """
    entries: dict[str, bytes] = {}
    pairs = [
        *(pair for text in files for pair in _of_file(text)),
        *(_of_literal(text) for text in literals),
        *(pair for path in env_files for pair in _of_env_file(path)),
    ]
    for key, content in pairs:
        if key in entries:
            raise click.UsageError(f"key {key!r} is given twice")
        entries[key] = content
    if sum(map(len, entries.values())) > MAX_BYTES:
        raise InvalidInput(f"its entries are larger than {MAX_BYTES // 2**20} MiB together")
    return entries


def _of_file(text: str) -> Iterator[tuple[str, bytes]]:
    key, sign, name = text.partition("=")
    path = Path(name if sign else text).expanduser()
    if sign and not key:
        raise click.UsageError(f"--from-file={text}: the key is missing")
    if path.is_dir():
        if sign:
            raise click.UsageError(f"--from-file={text}: a folder has no key of its own")
        yield from ((item.name, _read(item)) for item in sorted(path.iterdir()) if item.is_file())
    else:
        yield key if sign else path.name, _read(path)


def _of_literal(text: str) -> tuple[str, bytes]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        # Not quoted: it may be a password whose key was forgotten.
        raise click.UsageError("--from-literal is not KEY=VALUE")
    return key, value.encode()


def _of_env_file(path: Path) -> Iterator[tuple[str, bytes]]:
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, sign, value = line.partition("=")
        if not sign or not key.strip():
            raise InvalidInput(f"{path}:{number}: not KEY=VALUE")
        yield key.strip(), value.encode()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error


def _text(path: Path) -> str:
    try:
        return _read(path).decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text") from error


def configmap_manifest(name: str, entries: dict[str, bytes]) -> dict[str, Any]:
    """Texts into `data`, anything else into `binaryData`."""
    texts: dict[str, str] = {}
    binaries: dict[str, str] = {}
    for key, content in entries.items():
        try:
            texts[key] = content.decode()
        except UnicodeDecodeError:
            binaries[key] = base64.b64encode(content).decode()
    manifest: dict[str, Any] = {
        "apiVersion": ConfigMap.API_VERSION,
        "kind": ConfigMap.KIND,
        "metadata": {"name": name},
    }
    if texts:
        manifest["data"] = texts
    if binaries:
        manifest["binaryData"] = binaries
    return manifest


def secret_manifest(name: str, entries: dict[str, bytes], kind: str) -> dict[str, Any]:
    """All values in base64, as the API has them."""
    return {
        "apiVersion": Secret.API_VERSION,
        "kind": Secret.KIND,
        "metadata": {"name": name},
        "type": kind,
        **({"data": {key: base64.b64encode(value).decode() for key, value in entries.items()}} if entries else {}),
    }
