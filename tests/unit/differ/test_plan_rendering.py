"""Plans as text and Markdown: whole results, and no secret in any of them."""

from differ.documents.markdown import MAX_COMMENT_CHARACTERS, render_markdown
from differ.documents.objects import FieldChange
from differ.documents.plan import (
    Capacity,
    ObjectChange,
    Plan,
    PodChange,
    Waiting,
)
from differ.documents.text import render_text
from objects.api.meta import ObjectKey

PLAN = Plan(
    from_commit="a" * 40,
    to_commit="b" * 40,
    objects=(
        ObjectChange(
            key=ObjectKey("Deployment", "shop", "web"),
            action="update",
            application="shop",
            fields=(
                FieldChange(path="spec.replicas", old=3, new=5),
                FieldChange(path="spec.paused", old=None, new=True),
            ),
        ),
        ObjectChange(key=ObjectKey("ConfigMap", "shop", "old"), action="delete"),
    ),
    pods=(
        PodChange(name="web-1", namespace="shop", action="create", owner="Deployment shop/web", host="a"),
        PodChange(name="web-2", namespace="shop", action="create", owner="Deployment shop/web"),
        PodChange(name="web-0", namespace="shop", action="place", owner="Deployment shop/web", host="a"),
    ),
    waiting=(Waiting(subject="Pod shop/web-2", reason="0/3 hosts fit: 3 insufficient memory"),),
    warnings=("apps/web.yaml:3: extensions/v1beta1 is converted to apps/v1",),
    capacity=(
        Capacity(
            host="a",
            cpu_requested=1500,
            cpu_allocatable=4000,
            memory_requested=2 * 2**30,
            memory_allocatable=8 * 2**30,
            pods=12,
            max_pods=110,
        ),
    ),
    unknown_hosts=("c",),
)

TEXT = """\
~ Deployment shop/web  [shop]
    ~ spec.replicas: 3 -> 5
    + spec.paused: true
- ConfigMap shop/old

Pods:
  + shop/web-1  create on a  (Deployment shop/web)
  + shop/web-2  create finds no host  (Deployment shop/web)
  > shop/web-0  place on a  (Deployment shop/web)

Will wait:
  Pod shop/web-2: 0/3 hosts fit: 3 insufficient memory

Warnings:
  apps/web.yaml:3: extensions/v1beta1 is converted to apps/v1

Hosts that were not reached (what they run is unknown):
  c

Left on the hosts afterwards:
  a  cpu 2.5 of 4, memory 6.0Gi of 8.0Gi, 98 of 110 pods

Plan: 0 to create, 1 to update, 1 to delete; pods: 2 created, 0 deleted, 0 restarted, 1 placed.
"""


def test_text():
    assert render_text(PLAN) == TEXT


def test_an_empty_plan_says_so():
    assert render_text(Plan(from_commit="a", to_commit="b")) == (
        "No changes.\n\nPlan: 0 to create, 0 to update, 0 to delete; pods: 0 created, 0 deleted, 0 restarted.\n"
    )


def test_markdown_has_a_diff_block_and_a_table_of_pods():
    lines = render_markdown(PLAN).splitlines()
    assert lines[4:10] == [
        "```diff",
        "! Deployment shop/web",
        "!   spec.replicas: 3 -> 5",
        "+   spec.paused: true",
        "- ConfigMap shop/old",
        "```",
    ]
    assert "| create | shop/web-2 | *no host fits* | Deployment shop/web |" in lines


def test_markdown_is_cut_to_what_a_comment_may_hold():
    many = Plan(from_commit="a", to_commit="b", warnings=tuple(f"warning {n} " + "x" * 100 for n in range(2000)))
    text = render_markdown(many)
    assert MAX_COMMENT_CHARACTERS < len(text) < MAX_COMMENT_CHARACTERS + 200
    assert text.endswith("longer than a comment may be.\n")
