"""The workloads of a simulated world: each draws how it looks, is changed by commits, and is good in the end."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from typing import ClassVar

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
    StatefulSetRetentionPolicy,
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
from objects.api.meta import (
    IntOrString,
    KubeObject,
    LabelSelector,
    ObjectMeta,
)
from objects.api.pods import (
    Container,
    EnvVar,
    EnvVarSource,
    Pod,
    PodSpec,
    PodTemplateSpec,
    ResourceRequirements,
    SecretKeySelector,
    Toleration,
    VolumeMount,
)
from objects.api.policy import PodDisruptionBudget, PodDisruptionBudgetSpec
from objects.api.storage import PersistentVolumeClaim
from objects.api.volumes import (
    EmptyDirVolumeSource,
    PersistentVolumeClaimSpec,
    SecretVolumeSource,
    Volume,
)
from objects.hashing import template_hash
from objects.names import ANNOTATION_TEMPLATE_HASH
from objects.own.canary import (
    BLUE_GREEN,
    CANARY,
    CANARY_STEPS,
    STRATEGY,
)
from objects.own.taints import NO_EXECUTE, NOT_READY, UNREACHABLE
from tests.simulation.programs import BROKEN, FAILING_WORK, FLAKY_WORK, INIT, SERVERS, SIDECAR, WORK

PRIORITIES = {"low": 10, "high": 1000}
SHARES: tuple[IntOrString, ...] = (0, 1, 2, "25%", "50%", "100%")


class Workload(ABC):
    """name: of its object and of its pods' label `app`. is_there: whether the newest commit holds it."""

    KIND: ClassVar[str]

    def __init__(self, name: str, source: random.Random) -> None:
        self.name = name
        self.is_there = True
        self.image = "app:v1"
        self.pod = PodShape(source)

    def __str__(self) -> str:
        return f"{self.KIND} {self.name} {self.image}" if self.is_there else f"no {self.KIND} {self.name}"

    def edit(self, source: random.Random) -> str:
        """Change something; returns what."""
        if not self.is_there or source.random() < 0.07:
            self.is_there = not self.is_there
        else:
            self.image = source.choice(BROKEN if source.random() < 0.25 else SERVERS)
            self.change(source)
        return str(self)

    def mend(self, source: random.Random) -> None:
        """As it shall be in the end: good, and small enough for any world."""
        self.is_there = True
        self.image = source.choice(SERVERS)
        self.settle(source)

    def metadata(self, template: PodTemplateSpec) -> ObjectMeta:
        hashed = template_hash(msgspec.to_builtins(template))
        return ObjectMeta(name=self.name, namespace="default", annotations={ANNOTATION_TEMPLATE_HASH: hashed})

    @property
    def selector(self) -> LabelSelector:
        return LabelSelector(match_labels={"app": self.name})

    def change(self, source: random.Random) -> None:  # noqa: B027 - not every kind has more to change
        """Besides the image."""

    def settle(self, source: random.Random) -> None:  # noqa: B027 - see change
        """Besides the image, in the end."""

    @abstractmethod
    def objects(self) -> list[KubeObject]: ...


class PodShape:
    """How the pods of one workload look: drawn once, so that commits change the image alone."""

    def __init__(self, source: random.Random) -> None:
        self.is_pair = source.random() < 0.35
        self.has_files = self.is_pair and source.random() < 0.5
        self.millis = source.choice((0, 50, 200, 400))
        self.grace_seconds = source.choice((0, 2, 5))
        self.priority = source.choice(("", "", *PRIORITIES))
        self.toleration_seconds = source.choice((None, None, 0, 20))

    def template(self, name: str, image: str, *, restart_policy: str = "Always") -> PodTemplateSpec:
        requests = {"cpu": f"{self.millis}m"} if self.millis else {}
        password = EnvVar(
            name="PASSWORD", value_from=EnvVarSource(secret_key_ref=SecretKeySelector(name="secret", key="password"))
        )
        main = Container(name="main", image=image, resources=ResourceRequirements(requests=requests), env=(password,))
        containers: tuple[Container, ...] = (main,)
        init: tuple[Container, ...] = ()
        volumes: tuple[Volume, ...] = ()
        if self.is_pair:
            init = (Container(name="init", image=INIT), Container(name="proxy", image=SIDECAR, restart_policy="Always"))
            volumes = (Volume(name="scratch", empty_dir=EmptyDirVolumeSource()),)
        if self.is_pair and restart_policy == "Always":
            containers = (main, Container(name="second", image="app:v1"))
        if self.has_files:
            volumes = (*volumes, Volume(name="keys", secret=SecretVolumeSource(secret_name="secret")))
        spec = PodSpec(
            containers=containers,
            init_containers=init,
            volumes=volumes,
            restart_policy=restart_policy,
            termination_grace_period_seconds=self.grace_seconds,
            priority_class_name=self.priority,
            tolerations=self._tolerations(),
        )
        return PodTemplateSpec(metadata=ObjectMeta(labels={"app": name}), spec=spec)

    def _tolerations(self) -> tuple[Toleration, ...]:
        if self.toleration_seconds is None:
            return ()
        return tuple(
            Toleration(key=key, operator="Exists", effect=NO_EXECUTE, toleration_seconds=self.toleration_seconds)
            for key in (NOT_READY, UNREACHABLE)
        )


class DeploymentWorkload(Workload):
    KIND = "Deployment"

    def __init__(self, name: str, source: random.Random) -> None:
        super().__init__(name, source)
        self.is_recreate = source.random() < 0.15
        self.strategy = "" if self.is_recreate else source.choice(("", "", "", CANARY, BLUE_GREEN))
        self.min_ready_seconds = source.choice((0, 0, 3))
        self.budget = source.choice((None, None, 1, 2))
        self.is_paused = False
        self.change(source)

    def __str__(self) -> str:
        kind = "Recreate" if self.is_recreate else self.strategy
        said = (
            super().__str__(),
            f"x {self.replicas} +{self.surge} -{self.unavailable}",
            kind,
            self.is_paused * "paused",
        )
        return " ".join(word for word in said if word)

    def change(self, source: random.Random) -> None:
        self.replicas = source.randint(0, 5)
        self.surge, self.unavailable = source.choice(SHARES), source.choice(SHARES)
        self.is_paused = source.random() < 0.1
        self.steps = source.choice(("25%:2s,50%", "50%:5s", "50%:hold"))

    def settle(self, source: random.Random) -> None:
        self.replicas, self.is_paused, self.steps = source.randint(0, 3), False, "30%,60%:1s"

    def objects(self) -> list[KubeObject]:
        template = self.pod.template(self.name, self.image)
        rolling = RollingUpdateDeployment(max_surge=self.surge, max_unavailable=self.unavailable)
        strategy = DeploymentStrategy(type="Recreate") if self.is_recreate else None
        spec = DeploymentSpec(
            replicas=self.replicas,
            selector=self.selector,
            strategy=strategy or DeploymentStrategy(type="RollingUpdate", rolling_update=rolling),
            min_ready_seconds=self.min_ready_seconds,
            progress_deadline_seconds=30,
            paused=self.is_paused,
            template=template,
        )
        objects: list[KubeObject] = [Deployment(metadata=self._annotated(self.metadata(template)), spec=spec)]
        if self.budget is not None:
            budget = PodDisruptionBudgetSpec(selector=self.selector, min_available=self.budget)
            metadata = ObjectMeta(name=self.name, namespace="default")
            objects.append(PodDisruptionBudget(metadata=metadata, spec=budget))
        return objects

    def _annotated(self, metadata: ObjectMeta) -> ObjectMeta:
        said = {STRATEGY: self.strategy} if self.strategy else {}
        said |= {CANARY_STEPS: self.steps} if self.strategy == CANARY else {}
        return msgspec.structs.replace(metadata, annotations=metadata.annotations | said)


class DaemonWorkload(Workload):
    KIND = "DaemonSet"

    def __init__(self, name: str, source: random.Random) -> None:
        super().__init__(name, source)
        self.surge: IntOrString = 0
        self.unavailable: IntOrString = 1
        self.pod.millis = min(self.pod.millis, 200)

    def change(self, source: random.Random) -> None:
        # A node that may neither have two pods nor none could never be updated: validation refuses both and neither.
        if source.random() < 0.4:
            self.surge, self.unavailable = source.choice((1, "50%")), 0
        else:
            self.surge, self.unavailable = 0, source.choice((1, 2, "50%"))

    def objects(self) -> list[KubeObject]:
        template = self.pod.template(self.name, self.image)
        rolling = RollingUpdateDaemonSet(max_surge=self.surge, max_unavailable=self.unavailable)
        spec = DaemonSetSpec(
            selector=self.selector,
            template=template,
            update_strategy=DaemonSetUpdateStrategy(type="RollingUpdate", rolling_update=rolling),
        )
        return [DaemonSet(metadata=self.metadata(template), spec=spec)]


class StatefulWorkload(Workload):
    KIND = "StatefulSet"

    def __init__(self, name: str, source: random.Random) -> None:
        super().__init__(name, source)
        self.is_parallel = source.random() < 0.4
        self.unavailable = source.choice((None, None, 2))
        self.replicas, self.partition = 3, 0
        self.has_claims = source.random() < 0.6
        self.retention = source.choice(("Retain", "Delete")), source.choice(("Retain", "Delete"))

    def __str__(self) -> str:
        kept = f", claims {self.retention[0]}/{self.retention[1]}" if self.has_claims else ""
        return f"{super().__str__()} x {self.replicas} from {self.partition}{kept}"

    def change(self, source: random.Random) -> None:
        self.replicas = source.randint(0, 4)
        self.partition = source.choice((0, 0, 0, 1, 2))
        if source.random() < 0.3:
            self.retention = source.choice(("Retain", "Delete")), source.choice(("Retain", "Delete"))

    def settle(self, source: random.Random) -> None:
        self.replicas, self.partition = source.randint(0, 3), 0

    def objects(self) -> list[KubeObject]:
        template = self.pod.template(self.name, self.image)
        claims: tuple[PersistentVolumeClaim, ...] = ()
        if self.has_claims:
            template = _with_mount(template)
            asked = PersistentVolumeClaimSpec(access_modes=("ReadWriteOnce",))
            claims = (PersistentVolumeClaim(metadata=ObjectMeta(name="data"), spec=asked),)
        when_deleted, when_scaled = self.retention
        rolling = RollingUpdateStatefulSet(partition=self.partition, max_unavailable=self.unavailable)
        spec = StatefulSetSpec(
            selector=self.selector,
            template=template,
            volume_claim_templates=claims,
            persistent_volume_claim_retention_policy=StatefulSetRetentionPolicy(
                when_deleted=when_deleted, when_scaled=when_scaled
            ),
            service_name=self.name,
            replicas=self.replicas,
            pod_management_policy="Parallel" if self.is_parallel else "OrderedReady",
            update_strategy=StatefulSetUpdateStrategy(type="RollingUpdate", rolling_update=rolling),
        )
        return [StatefulSet(metadata=self.metadata(template), spec=spec)]


def _with_mount(template: PodTemplateSpec) -> PodTemplateSpec:
    """The first container writes to the claim `data`."""
    main, *others = template.spec.containers
    mounted = msgspec.structs.replace(main, volume_mounts=(VolumeMount(name="data", mount_path="/data"),))
    spec = msgspec.structs.replace(template.spec, containers=(mounted, *others))
    return msgspec.structs.replace(template, spec=spec)


class JobWorkload(Workload):
    """A Job's template never changes: a commit puts another Job in its place."""

    KIND = "Job"

    def __init__(self, name: str, source: random.Random) -> None:
        super().__init__(name, source)
        self.base, self.number = name, 0
        self.pod.millis = min(self.pod.millis, 200)
        self.change(source)

    def change(self, source: random.Random) -> None:
        self.number += 1
        self.name = f"{self.base}{self.number}"
        self.image = source.choice((WORK, WORK, FLAKY_WORK, FAILING_WORK))
        self.completions = source.choice((1, 2, 4))
        self.parallelism = source.choice((1, 2, 3))
        self.is_indexed = source.random() < 0.5
        self.restart_policy = source.choice(("Never", "OnFailure"))

    def mend(self, source: random.Random) -> None:
        self.is_there = True

    def spec(self) -> JobSpec:
        return JobSpec(
            template=self.pod.template(self.name, self.image, restart_policy=self.restart_policy),
            completions=self.completions,
            parallelism=self.parallelism,
            completion_mode="Indexed" if self.is_indexed else "NonIndexed",
            backoff_limit=3,
        )

    def objects(self) -> list[KubeObject]:
        return [Job(metadata=ObjectMeta(name=self.name, namespace="default"), spec=self.spec())]


class CronWorkload(JobWorkload):
    KIND = "CronJob"

    def change(self, source: random.Random) -> None:
        super().change(source)
        self.name = self.base
        self.completions = self.parallelism = 1
        self.is_suspended = source.random() < 0.2
        self.concurrency = source.choice(("Allow", "Forbid", "Replace"))

    def mend(self, source: random.Random) -> None:
        self.is_there, self.is_suspended = True, True

    def objects(self) -> list[KubeObject]:
        spec = CronJobSpec(
            schedule="* * * * *",
            job_template=JobTemplateSpec(spec=self.spec()),
            concurrency_policy=self.concurrency,
            suspend=self.is_suspended,
        )
        return [CronJob(metadata=ObjectMeta(name=self.name, namespace="default"), spec=spec)]


class BarePod(Workload):
    KIND = "Pod"

    def objects(self) -> list[KubeObject]:
        template = self.pod.template(self.name, self.image)
        metadata = msgspec.structs.replace(self.metadata(template), labels=template.metadata.labels)
        return [Pod(metadata=metadata, spec=template.spec)]


_OTHERS: tuple[tuple[type[Workload], str], ...] = (
    (DeploymentWorkload, "api"),
    (DaemonWorkload, "agent"),
    (StatefulWorkload, "db"),
    (StatefulWorkload, "store"),
    (JobWorkload, "work"),
    (CronWorkload, "tick"),
    (BarePod, "lone"),
)


def draw_workloads(source: random.Random) -> list[Workload]:
    """A Deployment and some others: enough to meet, few enough for a fast history."""
    chosen = source.sample(_OTHERS, k=source.randint(2, 4))
    return [DeploymentWorkload("web", source), *(kind(name, source) for kind, name in chosen)]
