"""No field is forgotten: each is honoured, warned about or refused, and the tables agree with what runs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from objects.api.meta import LabelSelector
from objects.api.pods import PodSpec, PodTemplateSpec
from objects.honoured import FieldNotice, Level, field_support
from objects.honoured.kinds import KIND_SUPPORT
from objects.honoured.pods import POD_TABLE
from objects.honoured.table import Rule, covering_rule
from objects.kinds import BY_KIND
from reconciler.controllers import CONTROLLERS
from reconciler.controllers.base import own_key
from tests.unit.objects.manifests import Manifest, claim, edited, pod, read, simple, workload

WHOLE = (PodTemplateSpec, LabelSelector)
"""Parts that are honoured or not as a whole, or have a table of their own."""


TEMPLATES = ("spec.template", "spec.jobTemplate.spec.template")


def field_paths(kind: inspect.Type, path: str, seen: tuple[type, ...] = ()) -> Iterator[str]:
    """The paths of all fields that are no structs themselves."""
    match kind:
        case inspect.UnionType():
            for member in kind.types:
                if not isinstance(member, inspect.NoneType):
                    yield from field_paths(member, path, seen)
        case inspect.VarTupleType():
            yield from field_paths(kind.item_type, f"{path}[]", seen)
        case inspect.StructType() if kind.cls not in (*WHOLE, *seen):
            for field in kind.fields:
                below = f"{path}.{field.encode_name}" if path else field.encode_name
                yield from field_paths(field.type, below, (*seen, kind.cls))
        case inspect.StructType():
            pass
        case _:
            yield path


def uncovered(rules: tuple[Rule, ...], struct: type[msgspec.Struct], skipped: tuple[str, ...] = ()) -> list[str]:
    paths = dict.fromkeys(field_paths(inspect.type_info(struct), ""))
    return [path for path in paths if not path.startswith(skipped) and covering_rule(rules, path) is None]


def test_every_field_of_a_pod_is_in_the_table() -> None:
    assert uncovered(POD_TABLE.rules, PodSpec) == []


@pytest.mark.parametrize(
    "kind", [kind for kind, support in KIND_SUPPORT.items() if support.level is Level.HONOURED and kind != "Pod"]
)
def test_every_field_of_a_kind_is_in_its_table(kind: str) -> None:
    # `metadata` is the same for all kinds and tested below; `status` is never read from a file.
    rules = KIND_SUPPORT[kind].table.rules
    assert (
        uncovered(
            rules, BY_KIND[kind].kind, skipped=("metadata", "status", "spec.template", "spec.jobTemplate.spec.template")
        )
        == []
    )


def test_every_kind_that_can_be_read_has_its_level() -> None:
    assert KIND_SUPPORT.keys() == BY_KIND.keys()


def test_a_kind_with_a_controller_is_not_called_idle() -> None:
    acted_on = {kind for controller in CONTROLLERS for kind, keys in controller.watches.items() if keys is own_key}
    idle = {kind for kind, support in KIND_SUPPORT.items() if support.level is Level.WARNED}
    assert acted_on & idle == set()


def test_every_rule_names_a_field_that_exists() -> None:
    def is_field(root: type[msgspec.Struct], path: str) -> bool:
        current: Any = root
        for step in path.replace("[]", "").split("."):
            fields = structs_of_fields(current)
            if step not in fields:
                return False
            current = fields[step]
        return True

    tables = [(PodSpec, POD_TABLE), *((BY_KIND[kind].kind, one.table) for kind, one in KIND_SUPPORT.items())]
    assert [rule.path for root, table in tables for rule in table.rules if not is_field(root, rule.path)] == []


@cache
def structs_of_fields(struct: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct] | None]:
    """Field, as it is spelled in a file -> the struct in it, or that its list is of."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return {field.encode_name: _struct_in(field.type) for field in info.fields}


def _struct_in(found: inspect.Type) -> type[msgspec.Struct] | None:
    for member in found.types if isinstance(found, inspect.UnionType) else (found,):
        inner = member.item_type if isinstance(member, inspect.VarTupleType) else member
        if isinstance(inner, inspect.StructType):
            return inner.cls
    return None


CONTAINER = ("spec", "containers", 0)


def notices(manifest: Manifest) -> list[tuple[str, Level]]:
    return [(".".join(map(str, notice.path)), notice.level) for notice in field_support(read(manifest))]


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param(pod(), [], id="plain-pod"),
        pytest.param(workload("Deployment"), [], id="plain-deployment"),
        pytest.param(
            edited(pod(), ((*CONTAINER, "livenessProbe"), {"tcpSocket": {"port": 80}})),
            [],
            id="probe",
        ),
        pytest.param(
            edited(pod(), ((*CONTAINER, "terminationMessagePath"), "/dev/shm/words")),
            [("spec.containers.0.terminationMessagePath", Level.WARNED)],
            id="last-words-that-are-lost",
        ),
        pytest.param(
            edited(
                pod(), ((*CONTAINER, "lifecycle"), {"stopSignal": "SIGINT", "preStop": {"tcpSocket": {"port": 80}}})
            ),
            [("spec.containers.0.lifecycle.preStop.tcpSocket", Level.REFUSED)],
            id="hook-that-only-connects",
        ),
        pytest.param(
            edited(
                workload("Deployment"),
                (("spec", "template", "spec", "containers", 0, "terminationMessagePath"), "/dev/other"),
            ),
            [("spec.template.spec.containers.0.terminationMessagePath", Level.WARNED)],
            id="in-a-template",
        ),
        pytest.param(pod(volumes=[{"name": "a", "emptyDir": {"sizeLimit": "1Gi"}}]), [], id="limit-on-disk"),
        pytest.param(
            pod(volumes=[{"name": "a", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}]), [], id="limit-in-memory"
        ),
        pytest.param(
            pod(volumes=[{"name": "a", "nfs": {"server": "a", "path": "/b"}}]),
            [("spec.volumes.0.nfs", Level.REFUSED)],
            id="nfs",
        ),
        pytest.param(
            pod(volumes=[{"name": "a", "persistentVolumeClaim": {"claimName": "b"}}]), [], id="use-of-a-claim"
        ),
        pytest.param(claim(), [("spec.resources.requests", Level.WARNED)], id="claim"),
        pytest.param(
            claim(accessModes=["ReadWriteMany"], volumeMode="Block", dataSource={"kind": "Snapshot", "name": "a"}),
            [
                ("spec.accessModes", Level.WARNED),
                ("spec.volumeMode", Level.REFUSED),
                ("spec.resources.requests", Level.WARNED),
                ("spec.dataSource", Level.REFUSED),
            ],
            id="claim-for-more-than-a-directory",
        ),
        pytest.param(
            simple("StorageClass", "storage.k8s.io/v1", provisioner="docker.berth.dev", reclaimPolicy="Retain"),
            [("volumeBindingMode", Level.WARNED)],
            id="class-of-docker-volumes",
        ),
        pytest.param(
            simple("StorageClass", "storage.k8s.io/v1", provisioner="a.b/c", volumeBindingMode="WaitForFirstConsumer"),
            [("provisioner", Level.WARNED), ("reclaimPolicy", Level.WARNED)],
            id="class-of-something-else",
        ),
        pytest.param(pod(hostUsers=True), [], id="host-users"),
        pytest.param(pod(hostUsers=False), [("spec.hostUsers", Level.REFUSED)], id="user-namespaces"),
        pytest.param(pod(runtimeClassName="gvisor"), [("spec.runtimeClassName", Level.REFUSED)], id="runtime-class"),
        pytest.param(pod(os={"name": "linux"}), [], id="linux"),
        pytest.param(pod(os={"name": "windows"}), [("spec.os", Level.REFUSED)], id="windows"),
        pytest.param(
            edited(pod(), ((*CONTAINER, "resources"), {"limits": {"hugepages-2Mi": "4Mi", "nvidia.com/gpu": 1}})),
            [
                ("spec.containers.0.resources.limits.hugepages-2Mi", Level.REFUSED),
                ("spec.containers.0.resources.limits.nvidia.com/gpu", Level.WARNED),
                ("spec.containers.0.resources.requests.hugepages-2Mi", Level.REFUSED),
            ],
            id="special-resources",
        ),
        pytest.param(
            edited(
                pod(volumes=[{"name": "a"}, {"name": "b", "configMap": {"name": "b"}}]),
                (
                    (*CONTAINER, "volumeMounts"),
                    [
                        {"name": "a", "mountPath": "/a", "subPath": "x"},
                        {"name": "b", "mountPath": "/b", "subPath": "x"},
                    ],
                ),
            ),
            [("spec.containers.0.volumeMounts.0.subPath", Level.REFUSED)],
            id="sub-path",
        ),
        pytest.param(pod(initContainers=[{"name": "a", "image": "b", "restartPolicy": "Always"}]), [], id="sidecar"),
        pytest.param(
            edited(pod(), ((*CONTAINER, "restartPolicy"), "Always")),
            [("spec.containers.0.restartPolicy", Level.REFUSED)],
            id="restart-policy-of-a-container",
        ),
        pytest.param(simple("Service", spec={"ports": [{"port": 80}]}), [("kind", Level.WARNED)], id="service"),
        pytest.param(simple("Node"), [("kind", Level.REFUSED)], id="node"),
        pytest.param(
            edited(simple("Namespace"), (("metadata", "labels", "pod-security.kubernetes.io/enforce"), "restricted")),
            [("metadata.labels.pod-security.kubernetes.io/enforce", Level.WARNED)],
            id="pod-security",
        ),
        pytest.param(
            edited(simple("Namespace"), (("metadata", "namespace"), "a")),
            [("metadata.namespace", Level.WARNED)],
            id="namespace-of-a-namespace",
        ),
        pytest.param(
            edited(workload("Deployment"), (("spec", "template", "metadata", "name"), "a")),
            [("spec.template.metadata.name", Level.WARNED)],
            id="name-of-a-template",
        ),
        pytest.param(
            simple("Application", "berth.dev/v1alpha1", spec={"path": "a", "selfHeal": False}),
            [],
            id="self-heal-off",
        ),
    ],
)
def test_what_is_used_and_not_given_is_said(manifest: Manifest, expected: list[tuple[str, Level]]) -> None:
    assert notices(manifest) == expected


def test_a_notice_says_why() -> None:
    manifest = pod(volumes=[{"name": "a", "nfs": {"server": "a", "path": "/b"}}])
    assert field_support(read(manifest)) == (
        FieldNotice(("spec", "volumes", 0, "nfs"), Level.REFUSED, "this kind is not supported yet"),
    )
