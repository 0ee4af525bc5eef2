"""What running revisions name outlives its removal from Git until nothing names it; a fresh process knows it, too."""

import msgspec
import pytest

from differ.documents.text import render_text
from objects.api.apps import Deployment
from objects.api.core import ConfigMap, Secret
from objects.api.meta import KubeObject, ObjectMeta
from objects.api.pods import ConfigMapEnvSource, EnvFromSource, SecretEnvSource
from objects.secrets import SecretValue
from reconciler.plan.plan import make_plan
from reconciler.status.content import (
    INVENTORY_PATH,
    dump,
    inventory_document,
    render_files,
    render_readme,
    restore,
)
from tests.unit.reconciler.cluster import FakeCluster, deployment


def config_map(name: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data={"COLOR": name})


def secret(name: str) -> Secret:
    return Secret(metadata=ObjectMeta(name=name, namespace="default"), data={"p": SecretValue(name.encode())})


def web(revision: int) -> Deployment:
    """Names settings-REVISION and login-REVISION."""
    plain = deployment(f"web:v{revision}")
    template = plain.spec.template
    (main,) = template.spec.containers
    sources = (
        EnvFromSource(config_map_ref=ConfigMapEnvSource(name=f"settings-{revision}")),
        EnvFromSource(secret_ref=SecretEnvSource(name=f"login-{revision}")),
    )
    main = msgspec.structs.replace(main, env_from=sources)
    spec = msgspec.structs.replace(template.spec, containers=(main,))
    template = msgspec.structs.replace(template, spec=spec)
    return msgspec.structs.replace(plain, spec=msgspec.structs.replace(plain.spec, template=template))


def commit(revision: int) -> tuple[KubeObject, ...]:
    return config_map(f"settings-{revision}"), secret(f"login-{revision}"), web(revision)


def configuration(cluster: FakeCluster) -> list[str]:
    kinds = (ConfigMap, Secret)
    return sorted(obj.name for kind in kinds for obj in cluster.engine.store.all_of(kind, "default"))


FIRST, SECOND = ["login-1", "settings-1"], ["login-2", "settings-2"]
BOTH = sorted([*FIRST, *SECOND])


@pytest.fixture
def cluster() -> FakeCluster:
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(*commit(1)))
    assert configuration(cluster) == FIRST
    return cluster


def stuck(cluster: FakeCluster) -> None:
    """The second revision comes, and its pods never run."""
    cluster.ends = {}
    cluster.silent = set(cluster.hosts)
    cluster.step(cluster.desired(*commit(2), commit="c2"))
    for _ in range(3):
        cluster.step(*map(cluster.report, cluster.hosts))


def test_it_stays_while_the_old_revision_serves_and_goes_with_it(cluster):
    cluster.step(cluster.desired(*commit(2), commit="c2"))
    assert configuration(cluster) == BOTH
    for _ in range(30):
        cluster.step(*map(cluster.report, cluster.hosts))
    assert configuration(cluster) == SECOND
    assert cluster.engine.deployed.named == {}


def test_what_stays_is_said_with_the_reason(cluster):
    stuck(cluster)
    assert configuration(cluster) == BOTH
    readme = render_readme(
        cluster.engine.store, cluster.engine.inventory, commit="c2", named=cluster.engine.deployed.named
    ).decode()
    assert "ConfigMap default/settings-1: gone from Git, and stays until nothing names it: Pod default/web-" in readme
    assert "Secret default/login-1: gone from Git" in readme


def test_what_nothing_names_goes_at_once():
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(config_map("settings-1"), secret("login-1")))
    cluster.step(cluster.desired(commit="c2"))
    assert configuration(cluster) == []


def test_what_goes_with_its_workload_goes_at_once(cluster):
    cluster.step(cluster.desired(commit="c2"))
    assert configuration(cluster) == []


def test_a_fresh_process_keeps_it_and_lets_it_go(cluster):
    stuck(cluster)
    engine = cluster.engine
    document = inventory_document(engine.store, engine.inventory, kept=engine.deployed.kept)
    files = render_files(engine.store, engine.inventory) | {INVENTORY_PATH: dump(document)}
    # As `CommitReader.with_kept_objects` does: Git and the copies say what they are.
    memory = restore(files.items())
    assert {key.name for key in memory.kept} == set(FIRST)
    memory = msgspec.structs.replace(
        memory, commit="c2", objects=(*memory.objects, config_map("settings-1"), secret("login-1"))
    )
    cluster.restart()
    cluster.step(memory, cluster.desired(*commit(2), commit="c2"), *map(cluster.report, cluster.hosts))
    assert configuration(cluster) == BOTH
    cluster.silent = set()
    for _ in range(30):
        cluster.step(*map(cluster.report, cluster.hosts))
    assert configuration(cluster) == SECOND


def test_the_deletion_budget_does_not_count_it(cluster):
    """Held is what a person would miss, not what goes by itself once nothing needs it."""
    stuck(cluster)
    assert cluster.engine.deployed.held == ""


def test_the_end_of_a_rollout_lets_it_go_in_a_plan(cluster):
    base = cluster.desired(*commit(1))
    plan = make_plan(cluster.engine, {}, base, cluster.desired(*commit(2), commit="c2"), now=cluster.now)
    assert "stays until nothing names it" in render_text(plan)
