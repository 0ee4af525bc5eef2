"""A changed Secret is in the plan, and counts for its exit code."""

import pytest

from differ.documents.markdown import render_markdown
from differ.documents.plan import Plan
from differ.documents.text import render_text
from objects.api.core import Secret
from objects.api.meta import ObjectMeta
from objects.secrets import SecretValue
from reconciler.cli.common.plan_json import render_json
from reconciler.plan.plan import make_plan
from tests.unit.reconciler.cluster import FakeCluster


def secret(value: str) -> Secret:
    return Secret(metadata=ObjectMeta(name="db", namespace="default"), data={"password": SecretValue(value.encode())})


def planned(before: Secret, after: Secret) -> Plan:
    cluster = FakeCluster("a")
    base = cluster.desired(before)
    cluster.step(base)
    return make_plan(cluster.engine, {}, base, cluster.desired(after), now=cluster.now)


def test_another_value_is_a_change():
    plan = planned(secret("old-canary"), secret("new-canary"))
    assert not plan.is_empty
    assert "    ~ data.password: *** -> *** (changed)" in render_text(plan).splitlines()


@pytest.mark.parametrize("render", [render_text, render_markdown, render_json])
def test_no_form_shows_a_value(render):
    said = render(planned(secret("old-canary"), secret("new-canary")))
    assert "canary" not in said
    assert "data.password" in said


def test_the_same_value_is_none():
    assert planned(secret("canary"), secret("canary")).is_empty
