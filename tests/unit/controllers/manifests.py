"""Objects for controller tests, as short as they can be said."""

from __future__ import annotations

from typing import Any

import msgspec

from objects.api.apps import (
    DaemonSet,
    DaemonSetSpec,
    DaemonSetUpdateStrategy,
    Deployment,
    DeploymentSpec,
    DeploymentStrategy,
    RollingUpdateDaemonSet,
    RollingUpdateDeployment,
    RollingUpdateStatefulSet,
    StatefulSet,
    StatefulSetSpec,
    StatefulSetUpdateStrategy,
)
from objects.api.batch import (
    CronJob,
    CronJobSpec,
    Job,
    JobSpec,
    JobTemplateSpec,
)
from objects.api.meta import IntOrString, LabelSelector, ObjectMeta
from objects.api.pods import Container, PodSpec, PodTemplateSpec
from objects.api.storage import PersistentVolumeClaim
from objects.hashing import template_hash
from objects.names import ANNOTATION_TEMPLATE_HASH


def template(image: str, **labels: str) -> PodTemplateSpec:
    return PodTemplateSpec(
        metadata=ObjectMeta(labels={"app": "web", **labels}),
        spec=PodSpec(containers=(Container(name="main", image=image),), restart_policy="Always"),
    )


def deployment(
    image: str = "web:1",
    *,
    name: str = "web",
    replicas: int = 3,
    surge: IntOrString = 1,
    unavailable: IntOrString = 1,
    recreate: bool = False,
    **spec: Any,
) -> Deployment:
    rolling = RollingUpdateDeployment(max_surge=surge, max_unavailable=unavailable)
    strategy = DeploymentStrategy(
        type="Recreate" if recreate else "RollingUpdate", rolling_update=None if recreate else rolling
    )
    return Deployment(
        metadata=ObjectMeta(
            name=name, namespace="default", annotations={ANNOTATION_TEMPLATE_HASH: template_hash({"image": image})}
        ),
        spec=DeploymentSpec(
            selector=LabelSelector(match_labels={"app": "web"}),
            template=template(image),
            replicas=replicas,
            strategy=strategy,
            **{"revision_history_limit": 10, "progress_deadline_seconds": 600, **spec},
        ),
    )


def revision_name(image: str, *, name: str = "web") -> str:
    """The name of the ReplicaSet that `deployment(image)` makes."""
    return f"{name}-{template_hash({'image': image})}"


def daemon_set(
    image: str = "web:1",
    *,
    surge: IntOrString = 0,
    unavailable: IntOrString = 1,
    strategy: str = "RollingUpdate",
    pod: dict[str, Any] | None = None,
    **spec: Any,
) -> DaemonSet:
    rolling = RollingUpdateDaemonSet(max_surge=surge, max_unavailable=unavailable)
    written = template(image)
    return DaemonSet(
        metadata=ObjectMeta(
            name="agent", namespace="default", annotations={ANNOTATION_TEMPLATE_HASH: template_hash({"image": image})}
        ),
        spec=DaemonSetSpec(
            selector=LabelSelector(match_labels={"app": "web"}),
            template=msgspec.structs.replace(written, spec=msgspec.structs.replace(written.spec, **(pod or {}))),
            update_strategy=DaemonSetUpdateStrategy(type=strategy, rolling_update=rolling),
            **spec,
        ),
    )


def stateful_set(
    image: str = "web:1",
    *,
    replicas: int = 3,
    parallel: bool = False,
    partition: int = 0,
    unavailable: IntOrString | None = None,
    strategy: str = "RollingUpdate",
    claims: tuple[str, ...] = (),
    **spec: Any,
) -> StatefulSet:
    rolling = RollingUpdateStatefulSet(partition=partition, max_unavailable=unavailable)
    return StatefulSet(
        metadata=ObjectMeta(
            name="db", namespace="default", annotations={ANNOTATION_TEMPLATE_HASH: template_hash({"image": image})}
        ),
        spec=StatefulSetSpec(
            selector=LabelSelector(match_labels={"app": "web"}),
            template=template(image),
            service_name="db",
            replicas=replicas,
            pod_management_policy="Parallel" if parallel else "OrderedReady",
            update_strategy=StatefulSetUpdateStrategy(type=strategy, rolling_update=rolling),
            volume_claim_templates=tuple(PersistentVolumeClaim(metadata=ObjectMeta(name=name)) for name in claims),
            **spec,
        ),
    )


def job(
    image: str = "work:1",
    *,
    completions: int | None = 1,
    parallelism: int = 1,
    indexed: bool = False,
    restart_policy: str = "Never",
    backoff_limit: int = 6,
    **spec: Any,
) -> Job:
    written = template(image)
    return Job(
        metadata=ObjectMeta(name="work", namespace="default"),
        spec=JobSpec(
            template=msgspec.structs.replace(
                written, spec=msgspec.structs.replace(written.spec, restart_policy=restart_policy)
            ),
            completions=completions,
            parallelism=parallelism,
            completion_mode="Indexed" if indexed else "NonIndexed",
            backoff_limit=backoff_limit,
            **spec,
        ),
    )


def cron_job(schedule: str = "*/10 * * * *", *, ttl_seconds_after_finished: int | None = None, **spec: Any) -> CronJob:
    work = msgspec.structs.replace(job().spec, ttl_seconds_after_finished=ttl_seconds_after_finished)
    return CronJob(
        metadata=ObjectMeta(name="tick", namespace="default"),
        spec=CronJobSpec(schedule=schedule, job_template=JobTemplateSpec(spec=work), **spec),
    )
