"""Which objects a selector selects, and which selectors select an object: kept up to date by each write.

Objects with one namespace and one set of labels form a class, and a selector is matched against classes, once: a pod
that only changes its status costs nothing here, and a workload's ten thousand pods are one comparison. Neither a new
class nor a new selector is compared with all others: both find the other side through the labels that they name.

Not here: what is a selector of which kind (`reconciler.state.store`), and the syntax of selectors
(`objects.selectors`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from objects.api.meta import KubeObject, LabelSelector, ObjectKey
from objects.selectors import selector_matches

S = TypeVar("S")

_Labels = frozenset[tuple[str, str]]
_Anchor = tuple[str, str, str | None]
"""(namespace, label, value): a label that an object must have. value: None means any."""


class ClassName(NamedTuple):
    """What members of a class have in common. is_loose: no controller owns them."""

    kind: str
    namespace: str
    labels: _Labels
    is_loose: bool


class _Class:
    """Objects that no selector tells apart. summaries: see `SelectorIndex.summaries`."""

    __slots__ = ("labels", "members", "name", "selectors", "summaries")

    def __init__(self, name: ClassName) -> None:
        self.name = name
        self.labels = dict(name.labels)
        self.members: dict[ObjectKey, KubeObject] = {}
        self.selectors: set[ObjectKey] = set()
        self.summaries: dict[object, object] = {}


class _Selector:
    __slots__ = ("anchors", "classes", "selector")

    def __init__(self, selector: LabelSelector, anchors: tuple[_Anchor, ...]) -> None:
        self.selector = selector
        self.anchors = anchors
        self.classes: set[ClassName] = set()


class SelectorIndex:
    """Owned by a store. Selectors go by the key of the object that holds them, and reach its namespace only."""

    def __init__(self) -> None:
        self._classes: dict[ClassName, _Class] = {}
        self._selectors: dict[ObjectKey, _Selector] = {}
        self._anchored: dict[_Anchor, dict[ObjectKey, None]] = {}
        self._unanchored: dict[str, dict[ObjectKey, None]] = {}
        self._labelled: dict[_Anchor, dict[ClassName, None]] = {}
        self._of_namespace: dict[str, dict[ClassName, None]] = {}

    # --- reads ---------------------------------------------------------------------------------------------------

    def selecting(self, namespace: str, labels: dict[str, str]) -> Iterable[ObjectKey]:
        """Keys of those whose selector fits these labels, in no order."""
        shared = frozenset(labels.items())
        for kind, is_loose in _VARIANTS:
            known = self._classes.get(ClassName(kind, namespace, shared, is_loose))
            if known is not None:
                return known.selectors
        return self._find_selectors(namespace, labels)

    def selected(
        self, holder: ObjectKey, selector: LabelSelector | None, kind: str, *, only_loose: bool = False
    ) -> Iterator[tuple[ObjectKey, Any]]:
        """The objects of a kind that `holder` selects by `selector`, in no order."""
        for found in self._classes_of(holder, selector, kind):
            if found.name.is_loose or not only_loose:
                yield from found.members.items()

    def summaries(
        self, holder: ObjectKey, selector: LabelSelector | None, kind: str, summarise: Callable[[Iterable[Any]], S]
    ) -> Iterator[S]:
        """What `summarise`, a function of a module, says of each class that `holder` selects by `selector`.

        Remembered until a member of that class changes: who counts all pods of a namespace after a change of one pod
        counts one class.
        """
        for found in self._classes_of(holder, selector, kind):
            if summarise not in found.summaries:
                found.summaries[summarise] = summarise(found.members.values())
            yield found.summaries[summarise]  # type: ignore[misc]

    def beside(self, holder: ObjectKey, selector: LabelSelector | None, kind: str) -> set[ObjectKey]:
        """All that select an object of a kind which `holder` selects by `selector`; `holder` may be among them."""
        return {other for found in self._classes_of(holder, selector, kind) for other in found.selectors}

    def _classes_of(self, holder: ObjectKey, selector: LabelSelector | None, kind: str) -> Iterator[_Class]:
        """One that is not known with this selector, since it is gone or was another one, is looked up anew."""
        known = self._selectors.get(holder)
        if known is None or known.selector != selector:
            known = None if selector is None else self._make_selector(holder.namespace, selector)
        for name in known.classes if known is not None else ():
            if name.kind == kind:
                yield self._classes[name]

    # --- writes --------------------------------------------------------------------------------------------------

    def put(self, name: ClassName, key: ObjectKey, obj: KubeObject) -> None:
        """`obj` is a member of a class, new or in a new state."""
        known = self._classes.get(name)
        if known is None:
            known = self._classes[name] = self._make_class(name)
        known.members[key] = obj
        known.summaries.clear()

    def remove(self, name: ClassName, key: ObjectKey) -> None:
        known = self._classes[name]
        del known.members[key]
        known.summaries.clear()
        if not known.members:
            self._drop_class(known)

    def set_selector(self, holder: ObjectKey, selector: LabelSelector | None) -> None:
        """What `holder` selects from now on; None: nothing."""
        known = self._selectors.get(holder)
        if (known.selector if known is not None else None) == selector:
            return
        if known is not None:
            self._drop_selector(holder, known)
        if selector is None:
            return
        fresh = self._selectors[holder] = self._make_selector(holder.namespace, selector)
        for anchor in fresh.anchors:
            self._anchored.setdefault(anchor, {})[holder] = None
        if not fresh.anchors:
            self._unanchored.setdefault(holder.namespace, {})[holder] = None
        for name in fresh.classes:
            self._classes[name].selectors.add(holder)

    def _make_selector(self, namespace: str, selector: LabelSelector) -> _Selector:
        fresh = _Selector(selector, self._choose_anchors(namespace, selector))
        candidates = self._candidates(namespace, fresh)
        fresh.classes = {name for name in candidates if selector_matches(selector, self._classes[name].labels)}
        return fresh

    def _choose_anchors(self, namespace: str, selector: LabelSelector) -> tuple[_Anchor, ...]:
        """Labels of which everything that is selected has at least one, rare ones; () when the selector names none."""
        exact = [(namespace, label, value) for label, value in selector.match_labels.items()]
        if exact:
            return (min(exact, key=lambda one: len(self._anchored.get(one, ())) + len(self._labelled.get(one, ()))),)
        for part in selector.match_expressions:
            if part.operator == "In":
                return tuple((namespace, part.key, value) for value in dict.fromkeys(part.values))
        for part in selector.match_expressions:
            if part.operator in ("Exists", "Gt", "Lt"):
                return ((namespace, part.key, None),)
        return ()

    def _candidates(self, namespace: str, selector: _Selector) -> Iterable[ClassName]:
        if not selector.anchors:
            return self._of_namespace.get(namespace, {})
        return {name: None for anchor in selector.anchors for name in self._labelled.get(anchor, ())}

    def _drop_selector(self, holder: ObjectKey, known: _Selector) -> None:
        for name in known.classes:
            self._classes[name].selectors.discard(holder)
        for anchor in known.anchors:
            _discard(self._anchored, anchor, holder)
        if not known.anchors:
            _discard(self._unanchored, holder.namespace, holder)
        del self._selectors[holder]

    def _make_class(self, name: ClassName) -> _Class:
        made = _Class(name)
        self._of_namespace.setdefault(name.namespace, {})[name] = None
        for label, value in name.labels:
            self._labelled.setdefault((name.namespace, label, value), {})[name] = None
            self._labelled.setdefault((name.namespace, label, None), {})[name] = None
        made.selectors = self._find_selectors(name.namespace, made.labels)
        for holder in made.selectors:
            self._selectors[holder].classes.add(name)
        return made

    def _drop_class(self, known: _Class) -> None:
        name = known.name
        for holder in known.selectors:
            self._selectors[holder].classes.discard(name)
        _discard(self._of_namespace, name.namespace, name)
        for label, value in name.labels:
            _discard(self._labelled, (name.namespace, label, value), name)
            _discard(self._labelled, (name.namespace, label, None), name)
        del self._classes[name]

    def _find_selectors(self, namespace: str, labels: dict[str, str]) -> set[ObjectKey]:
        found: set[ObjectKey] = set()
        candidates = [self._unanchored.get(namespace, {})]
        for label, value in labels.items():
            candidates.append(self._anchored.get((namespace, label, value), {}))
            candidates.append(self._anchored.get((namespace, label, None), {}))
        for holders in candidates:
            found.update(one for one in holders if selector_matches(self._selectors[one].selector, labels))
        return found


_VARIANTS = (("Pod", False), ("Pod", True))
"""Classes where the selectors of labels are looked up first: those of pods, which change most."""


def _discard(index: dict[Any, dict[Any, None]], group: object, member: object) -> None:
    members = index[group]
    del members[member]
    if not members:
        del index[group]
