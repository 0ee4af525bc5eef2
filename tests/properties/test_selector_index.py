"""The store's selector index says at every moment what a scan of all objects would say."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from objects.api.meta import (
    KubeObject,
    LabelSelector,
    LabelSelectorRequirement,
    ObjectMeta,
    OwnerReference,
    controller_of,
)
from objects.api.pods import Pod
from objects.api.policy import PodDisruptionBudget, PodDisruptionBudgetSpec
from objects.api.services import Service, ServiceSpec
from objects.selectors import labels_match, selector_matches
from reconciler.state.store import Store

KEYS = st.sampled_from(("app", "tier", "rev"))
VALUES = st.sampled_from(("a", "b", "1", "5"))
LABELS = st.dictionaries(KEYS, VALUES, max_size=3)
NAMESPACES = st.sampled_from(("one", "two"))
NAMES = st.sampled_from(("x", "y", "z", "w"))
OPERATORS = st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"))
REQUIREMENTS = st.builds(
    lambda key, operator, values: LabelSelectorRequirement(key=key, operator=operator, values=tuple(values)),
    KEYS,
    OPERATORS,
    st.lists(VALUES, min_size=1, max_size=2),
)
SELECTORS = st.none() | st.builds(
    lambda labels, parts: LabelSelector(match_labels=labels, match_expressions=tuple(parts)),
    LABELS,
    st.lists(REQUIREMENTS, max_size=2),
)
META = st.builds(
    lambda name, namespace, labels, owner: ObjectMeta(
        name=name,
        namespace=namespace,
        labels=labels,
        owner_references=(OwnerReference(kind="ReplicaSet", name="rs", uid=owner, controller=True),) if owner else (),
    ),
    NAMES,
    NAMESPACES,
    LABELS,
    st.sampled_from(("", "u1")),
)
OBJECTS = st.one_of(
    st.builds(lambda meta: Pod(metadata=meta), META),
    st.builds(
        lambda meta, selector: PodDisruptionBudget(metadata=meta, spec=PodDisruptionBudgetSpec(selector=selector)),
        META,
        SELECTORS,
    ),
    st.builds(lambda meta, labels: Service(metadata=meta, spec=ServiceSpec(selector=labels)), META, LABELS),
)
WRITES = st.lists(st.tuples(st.booleans(), OBJECTS), min_size=1, max_size=25)


def _selects(holder: KubeObject, obj: KubeObject) -> bool:
    if holder.namespace != obj.namespace:
        return False
    if isinstance(holder, Service):
        return bool(holder.spec.selector) and labels_match(holder.spec.selector, obj.labels)
    assert isinstance(holder, PodDisruptionBudget)
    return selector_matches(holder.spec.selector, obj.labels)


def _names(pods: object) -> list[str]:
    return sorted(pod.name for pod in pods)  # type: ignore[attr-defined]


@settings(max_examples=150, deadline=None)
@given(writes=WRITES, strange=OBJECTS)
def test_the_index_says_what_a_scan_would_say(writes: list[tuple[bool, KubeObject]], strange: KubeObject) -> None:
    store = Store()
    for is_removal, obj in writes:
        (store.remove if is_removal else store.put)(obj.key if is_removal else obj)  # type: ignore[operator]
        _check(store, strange)


def _check(store: Store, strange: KubeObject) -> None:
    pods = [obj for obj in store if isinstance(obj, Pod)]
    holders = [obj for obj in store if not isinstance(obj, Pod)]
    for pod in (*pods, *([strange] if isinstance(strange, Pod) else [])):
        for kind in (PodDisruptionBudget, Service):
            expected = [one for one in holders if isinstance(one, kind) and _selects(one, pod)]
            assert store.selecting(kind, pod) == sorted(expected, key=lambda one: one.key)
    for holder in (*holders, *([strange] if not isinstance(strange, Pod) else [])):
        mine = [pod for pod in pods if _selects(holder, pod)]
        assert store.selected(Pod, holder) == sorted(mine, key=lambda pod: pod.key)
        loose = [pod for pod in mine if controller_of(pod) is None]
        assert store.selected(Pod, holder, only_orphans=True) == sorted(loose, key=lambda pod: pod.key)
        summaries: list[list[str]] = [*store.selected_summaries(Pod, holder, _names)]
        assert sorted(name for part in summaries for name in part) == _names(mine)
        beside = [one for one in holders if isinstance(one, Service) and any(_selects(one, pod) for pod in mine)]
        assert store.selecting_beside(Service, holder) == sorted(beside, key=lambda one: one.key)
