"""Old Deployments, ReplicaSets, DaemonSets, StatefulSets and Jobs: what their versions meant by saying nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from objects.convert.raw import Raw, Warnings, mapping_at, mappings_in, set_default

_UNLIMITED = 2**31 - 1
"""How the API servers of old wrote "no limit" into their defaults."""


def selector_from_template(raw: Raw, warnings: Warnings) -> None:
    """Before apps/v1beta2 a missing selector was taken from the template's labels, and so were missing labels."""
    spec = mapping_at(raw, "spec")
    labels = mapping_at(raw, "spec", "template", "metadata", "labels")
    if spec is None or not labels:
        return
    if not spec.get("selector"):
        spec["selector"] = {"matchLabels": dict(labels)}
        place = ("spec", "template", "metadata", "labels")
        text = "spec.selector is taken from the labels of the template, as this old version did"
        warnings.move(place, ("spec", "selector", "matchLabels"), text)
    metadata = mapping_at(raw, "metadata")
    if metadata is not None and not metadata.get("labels"):
        metadata["labels"] = dict(labels)


def deployment_of_extensions(raw: Raw, warnings: Warnings) -> None:
    """extensions/v1beta1: 1 unavailable, 1 surge, all revisions kept, no deadline."""
    _rolling_update_defaults(raw, {"maxUnavailable": 1, "maxSurge": 1})
    set_default(raw, "revisionHistoryLimit", _UNLIMITED)
    set_default(raw, "progressDeadlineSeconds", _UNLIMITED)
    _without_rollback(raw, warnings)


def deployment_of_apps_beta1(raw: Raw, warnings: Warnings) -> None:
    """apps/v1beta1: today's numbers except that two revisions were kept."""
    set_default(raw, "revisionHistoryLimit", 2)
    _without_rollback(raw, warnings)


def _without_rollback(raw: Raw, warnings: Warnings) -> None:
    spec = mapping_at(raw, "spec")
    if spec is not None and spec.pop("rollbackTo", None) is not None:
        warnings.add("is left out: a rollback is a revert in Git", ("spec", "rollbackTo"))


def _rolling_update_defaults(raw: Raw, defaults: Raw) -> None:
    spec = mapping_at(raw, "spec")
    strategy = (spec.get("strategy") or {}) if spec is not None else None
    if spec is None or not isinstance(strategy, dict) or (strategy.get("type") or "RollingUpdate") != "RollingUpdate":
        return
    rolling = strategy.get("rollingUpdate") or {}
    if isinstance(rolling, dict):
        spec["strategy"] = {**strategy, "type": "RollingUpdate", "rollingUpdate": {**defaults, **rolling}}


def on_delete_by_default(raw: Raw, warnings: Warnings) -> None:
    """DaemonSets of extensions and StatefulSets of apps/v1beta1 were updated by hand unless they said otherwise."""
    spec = mapping_at(raw, "spec")
    if spec is None:
        return
    spec.pop("templateGeneration", None)
    strategy = spec.get("updateStrategy") or {}
    if isinstance(strategy, dict) and not strategy.get("type"):
        spec["updateStrategy"] = {**strategy, "type": "OnDelete"}
        warnings.add("spec.updateStrategy is OnDelete, the default of this old version", ("spec", "updateStrategy"))


def job_of_extensions(raw: Raw, _: Warnings) -> None:
    """extensions/v1beta1: a selector was the person's own unless `autoSelector` said otherwise."""
    spec = mapping_at(raw, "spec")
    if spec is None:
        return
    automatic = spec.pop("autoSelector", None)
    if spec.get("selector") and automatic is not True:
        spec.setdefault("manualSelector", True)


# --- what current versions may say too ----------------------------------------------------------------------------


def has_typed_claims(manifest: Mapping[str, Any]) -> bool:
    """Whether a claim template says that it is a claim, as `kubectl get -o yaml` and charts write it."""
    spec = mapping_at(manifest, "spec") or {}
    return any("apiVersion" in claim or "kind" in claim for claim in mappings_in(spec.get("volumeClaimTemplates")))


def claims_without_type(raw: Raw, warnings: Warnings) -> None:
    """A claim template is a PersistentVolumeClaim whatever its type says; the API server does not look at that."""
    spec = mapping_at(raw, "spec") or {}
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        if not isinstance(claim, dict):
            continue
        for field, only in (("apiVersion", "v1"), ("kind", "PersistentVolumeClaim")):
            said = claim.get(field, only)
            if isinstance(said, str):
                claim.pop(field, None)
            if isinstance(said, str) and said != only:
                place = ("spec", "volumeClaimTemplates", index, field)
                warnings.add(f"is not looked at: it can only be {only}", place)
