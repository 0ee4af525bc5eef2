"""Manifests for tests: the smallest valid ones, and a way to change one place of them."""

from __future__ import annotations

import copy
from typing import Any

from objects.api.meta import KubeObject
from objects.codec import decode
from objects.convert import convert
from objects.defaults import default

Manifest = dict[str, Any]
Path = tuple[str | int, ...]

REMOVED = object()
"""Given as a value: take the field out."""


def edited(manifest: Manifest, *changes: tuple[Path, Any]) -> Manifest:
    """A copy of `manifest` with other values at some places; parents are made as mappings."""
    result = copy.deepcopy(manifest)
    for path, value in changes:
        place: Any = result
        for part in path[:-1]:
            place = place.setdefault(part, {}) if isinstance(place, dict) else place[part]
        if value is REMOVED:
            del place[path[-1]]
        elif isinstance(place, list) and path[-1] == len(place):
            place.append(value)
        else:
            place[path[-1]] = value
    return result


def read(manifest: Manifest) -> KubeObject:
    """As a file is read: converted, decoded, defaulted."""
    return default(decode(convert(manifest).manifest))


def pod(**spec: Any) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "web", "image": "nginx:1"}], **spec},
    }


def workload(kind: str, **spec: Any) -> Manifest:
    """A Deployment, ReplicaSet, DaemonSet or StatefulSet."""
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "nginx:1"}]},
            },
            **spec,
        },
    }


def job(**spec: Any) -> Manifest:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "work", "image": "busybox:1"}]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "work"},
        "spec": {"template": template, **spec},
    }


def cron_job(**spec: Any) -> Manifest:
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "work"},
        "spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": job()["spec"]}, **spec},
    }


def service(**spec: Any) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec},
    }


def autoscaler(**spec: Any) -> Manifest:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "maxReplicas": 10,
            **spec,
        },
    }


def claim(**spec: Any) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec},
    }


def persistent_volume(**spec: Any) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "data"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "nfs": {"server": "10.0.0.1", "path": "/data"},
            **spec,
        },
    }


def ingress(**spec: Any) -> Manifest:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {"rules": [{"host": "example.com", "http": {"paths": [path]}}], **spec},
    }


def network_policy(**spec: Any) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "web"},
        "spec": {"podSelector": {}, **spec},
    }


def simple(kind: str, api_version: str = "v1", **body: Any) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web"}, **body}


HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVKxsPTpv1yC1hKjaw6y2F3pGqCr9iCQkK5tT6vBLWe"


def host(**spec: Any) -> Manifest:
    return simple("Host", "berth.dev/v1alpha1", spec={"address": "10.0.0.1", "hostKey": HOST_KEY, **spec})


def cluster(**spec: Any) -> Manifest:
    return simple("Cluster", "berth.dev/v1alpha1", spec=spec)


def application(**spec: Any) -> Manifest:
    return simple("Application", "berth.dev/v1alpha1", spec={"path": "apps/web", **spec})
