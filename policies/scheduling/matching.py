"""Which pods a term of pod affinity, a spread constraint or a controller speaks of, as hashable values.

Equal terms of different pods are one `PodMatcher`, so that their matches are counted once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from objects.api.meta import LabelSelector, LabelSelectorRequirement
from objects.selectors import requirements_match

Requirements = tuple[LabelSelectorRequirement, ...]


def hashable_selector(selector: LabelSelector | None) -> Requirements | None:
    """A selector as requirements in a fixed order. None (no selector) matches nothing, () everything."""
    if selector is None:
        return None
    exact = (
        LabelSelectorRequirement(key=key, operator="In", values=(value,))
        for key, value in selector.match_labels.items()
    )
    return in_order((*exact, *selector.match_expressions))


def in_order(requirements: Iterable[LabelSelectorRequirement]) -> Requirements:
    return tuple(sorted(requirements, key=lambda part: (part.key, part.operator, part.values)))


class PodMatcher(NamedTuple):
    """Pods in some namespaces with some labels.

    namespaces: by name. namespace_selector: further namespaces by their labels; None: no further ones.
    selector: None matches no pod.
    """

    namespaces: frozenset[str]
    namespace_selector: Requirements | None
    selector: Requirements | None

    def matches(self, namespace: str, namespace_labels: Mapping[str, str], labels: Mapping[str, str]) -> bool:
        if self.selector is None:
            return False
        in_scope = namespace in self.namespaces or (
            self.namespace_selector is not None and requirements_match(self.namespace_selector, namespace_labels)
        )
        return in_scope and requirements_match(self.selector, labels)
