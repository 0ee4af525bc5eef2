"""Takes out of a pod's volumes what its ConfigMaps and Secrets no longer have: earlier contents, links of removed keys.

As the kubelet's atomic writer does, after the new content is in force. Files are written through a container, and so
they are listed; but Docker has no call that removes one. So root of the host removes them where we may be it; elsewhere
the engine puts an empty file in the place of each earlier content: a name stays, the values do not.
"""

from __future__ import annotations

import io
import posixpath
import shlex
import tarfile
from collections.abc import Iterable, Mapping

from differ.kubelet.actions import WriteFiles
from hosts.docker.engine import Engine
from hosts.runtime.files import FileToWrite, pack_files
from objects.errors import AuthenticationRefused, CommandFailed, HostError

REMOVE_SECONDS = 30.0
_MAX_LISTED_BYTES = 64 * 2**20


def remove_outdated(engine: Engine, action: WriteFiles) -> None:
    """Leave in the volumes that `action.tidied` names only what `action.entries` say. Raises HostError."""
    for volume in action.tidied:
        kept = _names_below(volume, (entry.path for entry in action.entries))
        place = posixpath.join(action.directory, volume)
        outdated = _listed(engine, action.id, place) - kept
        if outdated and not _removed_by_root(engine, action.id, place, outdated):
            _empty(engine, action.id, place, outdated)


def _names_below(volume: str, paths: Iterable[str]) -> set[str]:
    parts = (path.split("/") for path in paths)
    return {part[1] for part in parts if part[0] == volume and len(part) > 1}


def _listed(engine: Engine, container: str, place: str) -> set[str]:
    """The names in a directory of a container, by the archive that the engine makes of it."""
    pieces, _ = engine.api.get_archive(container, place)
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) > _MAX_LISTED_BYTES:
            raise HostError(f"{place} holds more than {_MAX_LISTED_BYTES >> 20} MiB", host=engine.host)
    top = posixpath.basename(place)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
        return _names_below(top, (member.name.strip("/") for member in tar))


def _removed_by_root(engine: Engine, container: str, place: str, names: set[str]) -> bool:
    """Whether the host's root removed them. The directory is the engine's own; its readers cannot write into it."""
    found: Mapping[str, object] = next(
        (one for one in engine.api.inspect_container(container)["Mounts"] if one.get("Destination") == place), {}
    )
    source = str(found.get("Source") or "")
    if not posixpath.isabs(source) or posixpath.basename(source) != "_data":
        return False
    paths = " ".join(shlex.quote(f"./{name}") for name in sorted(names))
    try:
        engine.link.run(
            f"cd {shlex.quote(source)} && rm -rf -- {paths}", timeout_seconds=REMOVE_SECONDS, root=True, check=True
        )
    except (AuthenticationRefused, CommandFailed):
        return False
    return True


def _empty(engine: Engine, container: str, place: str, names: set[str]) -> None:
    """An empty file in the place of each earlier content (`..5f2c…`), which goes with all that is in it.

    Links of removed keys lead nowhere then, and stay.
    """
    contents = sorted(name for name in names if name.startswith("..") and name != "..data")
    if not contents:
        return
    api = engine.api
    body = pack_files([FileToWrite(path=name, content=b"", mode=0) for name in contents])
    url = api.versioned(f"/containers/{container}/archive")
    api.check(api.put(url, params={"path": place}, data=body, timeout=engine.call_seconds))
