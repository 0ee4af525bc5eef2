"""Files of ConfigMaps, Secrets and fields: layout, modes, what is missing."""

from __future__ import annotations

import pytest

from differ.kubelet.actions import FileEntry
from differ.kubelet.containers.environment import PodContext
from differ.kubelet.files.content import file_volumes_hash, volume_entries
from objects.api.core import ConfigMap, Secret
from objects.api.meta import ObjectMeta
from objects.api.pods import PodSecurityContext, ResourceRequirements
from objects.api.volumes import (
    ConfigMapProjection,
    ConfigMapVolumeSource,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    KeyToPath,
    ObjectFieldSelector,
    ProjectedVolumeSource,
    ResourceFieldSelector,
    SecretProjection,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from objects.errors import ContainerConfigError
from objects.secrets import SecretValue
from tests.unit.differ.building import assign, container, make_pod

CONFIG_MAP = ConfigMap(
    metadata=ObjectMeta(name="c", namespace="default"), data={"b": "bee", "a": "ay"}, binary_data={"bin": "AAE="}
)
SECRET = Secret(metadata=ObjectMeta(name="s", namespace="default"), data={"p": SecretValue(b"pass")})
LIMITED = ResourceRequirements(limits={"cpu": "500m"})


def context(*volumes: Volume, **spec: object) -> PodContext:
    pod = make_pod(container(resources=LIMITED), volumes=volumes, **spec)
    return PodContext(pod, assign(pod, config_maps={("default", "c"): CONFIG_MAP}, secrets={("default", "s"): SECRET}))


def shown(entries: tuple[FileEntry, ...]) -> list[str]:
    """One line an entry: mode, owner, path, and what it is; the content's directory is `..#`."""
    hashed = next((e.target for e in entries if e.path.endswith("/..data")), "..#")
    lines = []
    for entry in entries:
        if entry.content is not None:
            what = f"= {entry.content.reveal()!r}"
        elif entry.target:
            what = f"-> {entry.target}"
        else:
            what = "/"
        owner = f" {entry.owner[1]}" if entry.owner[1] else ""
        lines.append(f"{entry.mode:o}{owner} {entry.path} {what}".replace(hashed, "..#"))
    return lines


def test_all_keys_of_a_config_map() -> None:
    assert shown(volume_entries(context(Volume(name="v", config_map=ConfigMapVolumeSource(name="c"))))) == [
        "755 v /",
        "755 v/..# /",
        "644 v/..#/a = b'ay'",
        "644 v/..#/b = b'bee'",
        "644 v/..#/bin = b'\\x00\\x01'",
        "644 v/..data -> ..#",
        "644 v/a -> ..data/a",
        "644 v/b -> ..data/b",
        "644 v/bin -> ..data/bin",
    ]


def test_items_paths_modes_and_group() -> None:
    items = (KeyToPath(key="a", path="etc/x/a.conf", mode=0o600), KeyToPath(key="b", path="etc/b.conf"))
    volume = Volume(name="v", config_map=ConfigMapVolumeSource(name="c", items=items, default_mode=0o400))
    entries = volume_entries(context(volume, security_context=PodSecurityContext(fs_group=7)))
    assert shown(entries) == [
        "755 7 v /",
        "755 7 v/..# /",
        "755 7 v/..#/etc /",
        "755 7 v/..#/etc/x /",
        "640 7 v/..#/etc/x/a.conf = b'ay'",
        "440 7 v/..#/etc/b.conf = b'bee'",
        "644 v/..data -> ..#",
        "644 v/etc -> ..data/etc",
    ]


def test_a_projection_of_everything() -> None:
    sources = (
        VolumeProjection(config_map=ConfigMapProjection(name="c", items=(KeyToPath(key="a", path="a"),))),
        VolumeProjection(secret=SecretProjection(name="s")),
        VolumeProjection(
            downward_api=DownwardAPIProjection(
                items=(
                    DownwardAPIVolumeFile(path="name", field_ref=ObjectFieldSelector(field_path="metadata.name")),
                    DownwardAPIVolumeFile(
                        path="cpu",
                        resource_field_ref=ResourceFieldSelector(
                            container_name="main", resource="limits.cpu", divisor="1m"
                        ),
                    ),
                )
            )
        ),
        VolumeProjection(config_map=ConfigMapProjection(name="none", optional=True)),
    )
    volume = Volume(name="v", projected=ProjectedVolumeSource(sources=sources, default_mode=0o440))
    assert [line for line in shown(volume_entries(context(volume))) if "=" in line] == [
        "440 v/..#/a = b'ay'",
        "440 v/..#/p = b'pass'",
        "440 v/..#/name = b'web'",
        "440 v/..#/cpu = b'500'",
    ]


def test_an_empty_dir_is_everybodys() -> None:
    volume = Volume(name="v", empty_dir=EmptyDirVolumeSource())
    assert shown(volume_entries(context(volume))) == ["777 v /"]
    grouped = context(volume, security_context=PodSecurityContext(fs_group=7))
    assert shown(volume_entries(grouped)) == ["2777 7 v /"]


def test_an_optional_volume_may_be_empty() -> None:
    volume = Volume(name="v", secret=SecretVolumeSource(secret_name="none", optional=True))
    assert shown(volume_entries(context(volume))) == ["755 v /", "755 v/..# /", "644 v/..data -> ..#"]


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        pytest.param(
            Volume(name="v", config_map=ConfigMapVolumeSource(name="none")),
            'volume "v": configmap "none" not found',
            id="config-map",
        ),
        pytest.param(
            Volume(name="v", secret=SecretVolumeSource(secret_name="s", items=(KeyToPath(key="k", path="k"),))),
            'volume "v": secret "s" has no key k',
            id="key",
        ),
        pytest.param(
            Volume(name="v", config_map=ConfigMapVolumeSource(name="c", items=(KeyToPath(key="a", path="../a"),))),
            'volume "v": path ../a leads out of the volume',
            id="path",
        ),
        pytest.param(
            Volume(
                name="v",
                downward_api=DownwardAPIVolumeSource(
                    items=(DownwardAPIVolumeFile(path="f", field_ref=ObjectFieldSelector(field_path="status.phase")),)
                ),
            ),
            'volume "v": unsupported fieldPath: status.phase',
            id="field",
        ),
        pytest.param(
            Volume(
                name="v",
                projected=ProjectedVolumeSource(
                    sources=(VolumeProjection(service_account_token=ServiceAccountTokenProjection(path="t")),)
                ),
            ),
            'volume "v": service account tokens and trust bundles are not supported',
            id="token",
        ),
    ],
)
def test_what_is_missing_is_said(volume: Volume, message: str) -> None:
    with pytest.raises(ContainerConfigError) as caught:
        volume_entries(context(volume))
    assert caught.value.message == message


def test_hash_follows_content_and_shows_no_value() -> None:
    one = context(Volume(name="v", secret=SecretVolumeSource(secret_name="s")))
    other_secret = Secret(metadata=SECRET.metadata, data={"p": SecretValue(b"other")})
    other = PodContext(one.pod, assign(one.pod, secrets={("default", "s"): other_secret}))
    hashes = [file_volumes_hash(c.pod, volume_entries(c)) for c in (one, one, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert "pass" not in repr(volume_entries(one))
    plain = context(Volume(name="v", empty_dir=EmptyDirVolumeSource()))
    assert file_volumes_hash(plain.pod, volume_entries(plain)) == ""
