"""What has to lie in a pod's volumes: ConfigMaps, Secrets and fields of the pod as files, and open directories. Pure.

Files are laid out so that readers see the old or the new state of all of them: `..data` is a link to a directory named
after the content, and each visible name a link through it. Nothing is written through a link that a container could
have planted: the containers mount these volumes read-only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from differ.kubelet.actions import FileEntry
from differ.kubelet.containers.environment import (
    PodContext,
    find_config_map,
    find_secret,
    resolve_field,
    resolve_resource,
)
from differ.kubelet.files.volumes import is_empty_dir, is_file_volume
from objects.api.pods import Container, Pod
from objects.api.volumes import DownwardAPIVolumeFile, KeyToPath, Volume
from objects.errors import ContainerConfigError
from objects.hashing import content_hash
from objects.secrets import SecretValue

EMPTY_DIR_MODE = 0o777
SET_GROUP_ID = 0o2000
FILE_MODE = 0o644


class _File(NamedTuple):
    path: str
    mode: int
    content: SecretValue


def volume_entries(context: PodContext) -> tuple[FileEntry, ...]:
    """Everything to be written below the directory that holds the pod's volumes, in order.

    Raises ContainerConfigError, naming the volume, when something that is not optional does not exist.
    """
    group = _group(context.pod)
    entries: list[FileEntry] = []
    for volume in context.pod.spec.volumes:
        if is_empty_dir(volume):
            entries.append(empty_directory(context.pod, volume.name))
        elif is_file_volume(volume):
            try:
                files = _files(volume, context)
            except ContainerConfigError as error:
                raise ContainerConfigError(f'volume "{volume.name}": {error.message}') from error
            entries += _laid_out(volume.name, files, group)
    return tuple(entries)


def file_volumes_hash(pod: Pod, entries: Iterable[FileEntry]) -> str:
    """Tells one content of the pod's files from another; '' when it has none."""
    if not any(is_file_volume(volume) for volume in pod.spec.volumes):
        return ""
    return content_hash([(entry.path, entry.mode, entry.target) for entry in entries])


def data_directory(volume: str, context: PodContext) -> str:
    """The directory in a file volume that holds its present content (`..5f2c…`). Raises ContainerConfigError."""
    found = next(one for one in context.pod.spec.volumes if one.name == volume)
    return _directory_of(_files(found, context))


def empty_directory(pod: Pod, path: str) -> FileEntry:
    """Docker makes a volume's directory for root only; an `emptyDir` is everybody's, and `fsGroup`'s where that is
    set.
    """
    group = _group(pod)
    return FileEntry(path=path, mode=EMPTY_DIR_MODE | (SET_GROUP_ID if group else 0), owner=(0, group))


def _group(pod: Pod) -> int:
    security = pod.spec.security_context
    return (security.fs_group or 0) if security else 0


# --- layout -------------------------------------------------------------------------------------------------------


def _laid_out(volume: str, files: list[_File], group: int) -> list[FileEntry]:
    """The volume's directory, the content's directory, files with the directories they need, then the links."""
    data = _directory_of(files)
    entries = [FileEntry(path=volume, mode=0o755, owner=(0, group))]
    entries.append(FileEntry(path=f"{volume}/{data}", mode=0o755, owner=(0, group)))
    made: set[str] = set()
    for file in files:
        parts = file.path.split("/")
        for depth in range(1, len(parts)):
            directory = "/".join(parts[:depth])
            if directory not in made:
                made.add(directory)
                entries.append(FileEntry(path=f"{volume}/{data}/{directory}", mode=0o755, owner=(0, group)))
        mode = file.mode | (0o440 if group else 0)
        entries.append(
            FileEntry(path=f"{volume}/{data}/{file.path}", mode=mode, content=file.content, owner=(0, group))
        )
    entries.append(FileEntry(path=f"{volume}/..data", target=data))
    names = dict.fromkeys(file.path.split("/")[0] for file in files)
    return [*entries, *(FileEntry(path=f"{volume}/{name}", target=f"..data/{name}") for name in names)]


def _directory_of(files: list[_File]) -> str:
    # Whoever can read this name, or the label with its hash, can read the files themselves.
    known = [(file.path, file.mode, file.content.reveal().hex()) for file in files]
    return f"..{content_hash(known)}"


# --- content ------------------------------------------------------------------------------------------------------


def _files(volume: Volume, context: PodContext) -> list[_File]:
    files: list[_File] = []
    if volume.config_map is not None:
        config_map = volume.config_map
        mode = _mode(config_map.default_mode)
        files = _of_config_map(config_map.name, config_map.items, bool(config_map.optional), mode, context)
    elif volume.secret is not None:
        secret = volume.secret
        mode = _mode(secret.default_mode)
        files = _of_secret(secret.secret_name, secret.items, bool(secret.optional), mode, context)
    elif volume.downward_api is not None:
        files = _of_fields(volume.downward_api.items, _mode(volume.downward_api.default_mode), context)
    elif volume.projected is not None:
        files = _projected(volume, context)
    return list({file.path: file for file in files}.values())


def _projected(volume: Volume, context: PodContext) -> list[_File]:
    assert volume.projected is not None
    mode = _mode(volume.projected.default_mode)
    files: list[_File] = []
    for source in volume.projected.sources:
        if source.config_map is not None:
            part = source.config_map
            files += _of_config_map(part.name, part.items, bool(part.optional), mode, context)
        elif source.secret is not None:
            secret = source.secret
            files += _of_secret(secret.name, secret.items, bool(secret.optional), mode, context)
        elif source.downward_api is not None:
            files += _of_fields(source.downward_api.items, mode, context)
        else:
            raise ContainerConfigError("service account tokens and trust bundles are not supported")
    return files


def _of_config_map(
    name: str, items: tuple[KeyToPath, ...], is_optional: bool, mode: int, context: PodContext
) -> list[_File]:
    config_map = find_config_map(name, is_optional, context)
    if config_map is None:
        return []
    values = {key: SecretValue(text.encode()) for key, text in config_map.data.items()}
    for key, text in config_map.binary_data.items():
        values[key] = SecretValue.from_base64(text)
    return _chosen(values, items, is_optional, mode, f'configmap "{name}"')


def _of_secret(
    name: str, items: tuple[KeyToPath, ...], is_optional: bool, mode: int, context: PodContext
) -> list[_File]:
    secret = find_secret(name, is_optional, context)
    return [] if secret is None else _chosen(secret.data, items, is_optional, mode, f'secret "{name}"')


def _chosen(
    values: Mapping[str, SecretValue], items: tuple[KeyToPath, ...], is_optional: bool, mode: int, holder: str
) -> list[_File]:
    """All keys under their own names, or the listed ones under the given paths."""
    if not items:
        return [_File(key, mode, values[key]) for key in sorted(values)]
    files = []
    for item in items:
        if item.key in values:
            files.append(_File(_checked(item.path), mode if item.mode is None else item.mode, values[item.key]))
        elif not is_optional:
            raise ContainerConfigError(f"{holder} has no key {item.key}")
    return files


def _of_fields(items: tuple[DownwardAPIVolumeFile, ...], mode: int, context: PodContext) -> list[_File]:
    files = []
    for item in items:
        text = ""
        if item.field_ref is not None:
            text = resolve_field(item.field_ref, context)
        elif item.resource_field_ref is not None:
            text = resolve_resource(item.resource_field_ref, Container(), context)
        files.append(_File(_checked(item.path), mode if item.mode is None else item.mode, SecretValue(text.encode())))
    return files


def _checked(path: str) -> str:
    if path.startswith(("/", "..")) or ".." in path.split("/"):
        raise ContainerConfigError(f"path {path} leads out of the volume")
    return path


def _mode(default: int | None) -> int:
    return FILE_MODE if default is None else default
