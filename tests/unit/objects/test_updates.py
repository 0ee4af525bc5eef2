"""What may not change between two versions of an object."""

from __future__ import annotations

from typing import Any

import pytest

from objects.validation import validate_update
from tests.unit.objects.manifests import (
    Manifest,
    claim,
    edited,
    job,
    persistent_volume,
    read,
    service,
    simple,
    workload,
)

HINT = " (give the object another name, or delete it in one commit and create it in the next)"


def problems(old: Manifest, new: Manifest) -> list[str]:
    return [str(error) for error in validate_update(read(old), read(new))]


FROZEN = simple("ConfigMap", data={"a": "b"}, immutable=True)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(workload("Deployment"), workload("Deployment", replicas=5), [], id="scale"),
        pytest.param(
            workload("Deployment"),
            workload("Deployment", selector={"matchLabels": {"app": "web", "tier": "front"}}),
            ["spec.selector: cannot be changed"],
            id="deployment-selector",
        ),
        pytest.param(
            workload("StatefulSet", serviceName="a"),
            workload("StatefulSet", serviceName="b"),
            ["spec.serviceName: cannot be changed"],
            id="service-name",
        ),
        pytest.param(
            workload("StatefulSet"),
            edited(workload("StatefulSet"), (("spec", "template", "spec", "containers", 0, "image"), "nginx:2")),
            [],
            id="statefulset-image",
        ),
        pytest.param(
            job(),
            edited(job(), (("spec", "template", "spec", "containers", 0, "image"), "busybox:2")),
            ["spec.template: cannot be changed"],
            id="job-template",
        ),
        pytest.param(job(parallelism=1, completions=3), job(parallelism=3, completions=3), [], id="job-parallelism"),
        pytest.param(
            job(parallelism=1, completions=3),
            job(parallelism=1, completions=4),
            ["spec.completions: cannot be changed"],
            id="job-completions",
        ),
        pytest.param(
            job(parallelism=3, completions=3, completionMode="Indexed"),
            job(parallelism=5, completions=5, completionMode="Indexed"),
            [],
            id="elastic-job",
        ),
        pytest.param(FROZEN, simple("ConfigMap", data={"a": "b"}, immutable=True), [], id="immutable-unchanged"),
        pytest.param(
            FROZEN,
            simple("ConfigMap", data={"a": "c"}),
            ["immutable: cannot be changed", "data: cannot be changed"],
            id="immutable-config-map",
        ),
        pytest.param(
            simple("Secret", data={"a": "Yg=="}, immutable=True),
            simple("Secret", data={"a": "Yw=="}, immutable=True),
            ["data: cannot be changed"],
            id="immutable-secret",
        ),
        pytest.param(
            simple("Secret"), simple("Secret", type="other/type"), ["type: cannot be changed"], id="secret-type"
        ),
        pytest.param(claim(), claim(resources={"requests": {"storage": "2Gi"}}), [], id="claim-grows"),
        pytest.param(claim(volumeName="pv1"), claim(volumeName="pv1"), [], id="claim-bound"),
        pytest.param(claim(), claim(volumeName="pv1"), [], id="claim-becomes-bound"),
        pytest.param(
            claim(),
            claim(volumeMode="Block"),
            ["spec: cannot be changed, except for a larger storage request"],
            id="claim-mode",
        ),
        pytest.param(
            persistent_volume(),
            persistent_volume(nfs={"server": "10.0.0.2", "path": "/data"}),
            ["spec.nfs: cannot be changed"],
            id="volume-source",
        ),
        pytest.param(service(clusterIP="10.96.0.1"), service(), [], id="address-kept"),
        pytest.param(
            service(clusterIP="10.96.0.1"),
            service(clusterIP="10.96.0.2"),
            ["spec.clusterIP: cannot be changed"],
            id="address",
        ),
    ],
)
def test_update(old: Manifest, new: Manifest, expected: list[str]) -> None:
    assert problems(old, new) == [text + HINT for text in expected]


def test_a_claim_does_not_shrink() -> None:
    smaller: dict[str, Any] = {"requests": {"storage": "512Mi"}}
    assert problems(claim(), claim(resources=smaller)) == [
        "spec.resources.requests.storage: cannot shrink from 1Gi to 512Mi"
    ]
