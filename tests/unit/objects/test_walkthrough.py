"""Every manifest of the walkthrough is read, and is valid; what is not acted on yet is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from objects.api.apps import DaemonSet, Deployment, StatefulSet
from objects.api.meta import KubeObject
from objects.api.pods import Pod
from objects.codec import decode, encode
from objects.convert import convert
from objects.defaults import default
from objects.honoured import Level, field_support
from objects.validation import validate

FOLDER = Path(__file__).parents[2] / "walkthrough"
FILES = sorted(FOLDER.glob("*.yaml"))


def read_file(path: Path) -> KubeObject:
    manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
    return default(decode(convert(manifest).manifest, server_fields=False))


def test_the_folder_is_complete() -> None:
    assert len(FILES) == 29


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in FILES])
def test_each_manifest_is_valid(path: Path) -> None:
    obj = read_file(path)
    assert validate(obj) == ()
    assert [notice for notice in field_support(obj) if notice.level is Level.REFUSED] == []
    assert decode(encode(obj, reveal=True)) == obj
    assert default(obj) is obj


def test_the_second_scheduler_is_asked_for() -> None:
    obj = read_file(FOLDER / "pod-second-scheduler.yaml")
    assert isinstance(obj, Pod)
    assert obj.spec.scheduler_name == "my-scheduler"
    assert obj.annotations == {}


def test_the_nginx_deployment_rolls_as_the_slides_say() -> None:
    obj = read_file(FOLDER / "deployment-nginx.yaml")
    assert isinstance(obj, Deployment)
    rolling = obj.spec.strategy.rolling_update
    assert rolling is not None
    assert (rolling.max_unavailable, rolling.max_surge, obj.spec.replicas) == (1, 1, 3)


def test_calico_has_the_ports_and_updates_of_its_time() -> None:
    obj = read_file(FOLDER / "daemonset-calico.yaml")
    assert isinstance(obj, DaemonSet)
    assert obj.spec.update_strategy.type == "OnDelete"
    assert obj.spec.template.spec.host_network


def test_cassandra_keeps_its_storage() -> None:
    obj = read_file(FOLDER / "statefulset-cassandra.yaml")
    assert isinstance(obj, StatefulSet)
    assert [claim.name for claim in obj.spec.volume_claim_templates] == ["cassandra-data"]
    assert obj.spec.service_name == "cassandra"
