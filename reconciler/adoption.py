"""Adoption: pods that are found running, but are not in the store, come back into it. Pure.

A fresh process has an empty store; its pods are in the labels of their containers, and their owners' uids are derived
from names. What cannot be found again is a ReplicaSet of an older revision: when the status branch does not know it
either, it is rebuilt from one of its pods, so that garbage collection does not take running pods for garbage.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from objects.apps import Deployment, ReplicaSet, ReplicaSetSpec
from objects.meta import LabelSelector, ObjectKey, ObjectMeta, controller_of, controller_reference
from objects.names import ANNOTATION_TEMPLATE_HASH, POD_TEMPLATE_HASH, stable_uid
from objects.pods import Pod, PodTemplateSpec
from reconciler.store import View


def is_from_git(pod: Pod) -> bool:
    """Whether the pod was written by a person and not made by a controller: Git alone decides whether it goes."""
    return controller_of(pod) is None and ANNOTATION_TEMPLATE_HASH in pod.annotations


def missing_replica_sets(view: View, pods: Iterable[Pod]) -> list[ReplicaSet]:
    """ReplicaSets that `pods` name as their controller and the store does not hold, one each, sized as found.

    Only for Deployments that exist: pods of a deleted one are garbage and stay so.
    """
    found: dict[str, list[Pod]] = {}
    for pod in pods:
        owner = controller_of(pod)
        if owner and owner.kind == "ReplicaSet" and view.get(ReplicaSet, pod.namespace, owner.name) is None:
            found.setdefault(owner.uid, []).append(pod)
    rebuilt = (_rebuild(view, members) for _, members in sorted(found.items()))
    return [replica_set for replica_set in rebuilt if replica_set is not None]


def _rebuild(view: View, pods: list[Pod]) -> ReplicaSet | None:
    pod = pods[0]
    owner = controller_of(pod)
    template_hash = pod.labels.get(POD_TEMPLATE_HASH, "")
    if owner is None or not template_hash or not owner.name.endswith(f"-{template_hash}"):
        return None
    deployment = view.get(Deployment, pod.namespace, owner.name.removesuffix(f"-{template_hash}"))
    key = ObjectKey("ReplicaSet", pod.namespace, owner.name)
    if deployment is None or deployment.spec.selector is None or owner.uid != stable_uid(key):
        return None
    selector = LabelSelector(
        match_labels={**deployment.spec.selector.match_labels, POD_TEMPLATE_HASH: template_hash},
        match_expressions=deployment.spec.selector.match_expressions,
    )
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels=pod.labels, annotations=pod.annotations),
        spec=msgspec.structs.replace(pod.spec, node_name=""),
    )
    return ReplicaSet(
        metadata=ObjectMeta(
            name=owner.name,
            namespace=pod.namespace,
            uid=owner.uid,
            labels=pod.labels,
            creation_timestamp=min(
                (p.metadata.creation_timestamp for p in pods if p.metadata.creation_timestamp), default=None
            ),
            owner_references=(controller_reference(deployment),),
        ),
        spec=ReplicaSetSpec(selector=selector, template=template, replicas=len(pods)),
    )
