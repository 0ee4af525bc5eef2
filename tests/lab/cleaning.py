"""Putting a host back to how it was after `up`: no faults, no containers, only the catalog's images."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import docker.errors

from tests.lab.host import LabHost
from tests.lab.images import Image

# Where Berth keeps its own files on a host; mounts below are undone first.
HOST_STATE_DIRECTORIES = ("/var/lib/berth", "/run/berth")
_REMOVE_STATE = """\
for directory in "$@"; do
    awk -v top="$directory" '$2 == top || index($2, top "/") == 1 { print $2 }' /proc/mounts | sort -r |
        while read -r place; do umount -l "$place"; done
    rm -rf --one-file-system "$directory"
done
"""


def reset_host(host: LabHost, images: Sequence[Image], archive: bytes) -> None:
    """Take back every fault, then remove all that tests made on the host. Works on a host in any state."""
    if host.machine.init() is None:
        host.power_on()
    host.restore()
    host.restore_host_key()
    host.start_sshd()
    if host.spec.has_engine:
        host.resume_engine()
        if host.spec.disk_bytes:
            host.free_disk()
        host.start_engine()
        remove_workload(host)
        remove_foreign_images(host, images)
        ensure_images(host, images, archive)
        host.exec(["sh", "-c", _REMOVE_STATE, "remove", *HOST_STATE_DIRECTORIES])


def remove_workload(host: LabHost) -> None:
    """Remove all containers, networks and volumes of the host's engine; a swarm is left, else it makes them anew."""
    api = host.api()
    if api.info()["Swarm"]["LocalNodeState"] != "inactive":
        api.leave_swarm(force=True)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda found: _remove_container(host, found["Id"]), api.containers(all=True)))
    for network in api.networks():
        if network["Name"] not in ("bridge", "host", "none"):
            api.remove_network(network["Id"])
    for volume in api.volumes()["Volumes"] or ():
        api.remove_volume(volume["Name"], force=True)


def remove_foreign_images(host: LabHost, images: Sequence[Image]) -> None:
    """Remove every image that is not one of these."""
    wanted = {tag for image in images for tag in image.tags}
    for image_id, tags in _present(host).items():
        for name in [tag for tag in tags if tag not in wanted] or ([] if tags else [image_id]):
            host.api().remove_image(name, force=True)


def ensure_images(host: LabHost, images: Sequence[Image], archive: bytes) -> None:
    """Load these images, packed in `archive`, if one of them is missing or altered."""
    wanted = {tag: image.image_id for image in images for tag in image.tags}
    present = {tag: image_id for image_id, tags in _present(host).items() for tag in tags}
    if any(present.get(tag) != image_id for tag, image_id in wanted.items()):
        host.load_archive(archive)


def _present(host: LabHost) -> dict[str, list[str]]:
    found = host.api().images(all=False)
    return {image["Id"]: [tag for tag in image["RepoTags"] or () if tag != "<none>:<none>"] for image in found}


def _remove_container(host: LabHost, container_id: str) -> None:
    try:
        host.api().remove_container(container_id, force=True, v=True)
    except docker.errors.NotFound:
        return  # an auto-removing container was faster
    except docker.errors.APIError as error:
        if "is already in progress" not in str(error):
            raise
