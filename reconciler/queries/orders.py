"""What the metrics server is to be asked, from who needs to know. Pure.

Autoscalers with object and external metrics need answers all the time, a canary only while it is under way. One query
is asked once, whoever needs it.
"""

from __future__ import annotations

from collections.abc import Iterator

from objects.api.apps import Deployment
from objects.api.autoscaling import HorizontalPodAutoscaler
from objects.conditions import find_condition
from objects.errors import InvalidInput
from objects.own.canary import CANARY_CHECKS, checks_of
from objects.own.config import PrometheusSettings
from reconciler.controllers.autoscaling.metrics import query_of
from reconciler.controllers.rollout.progress import CANARY_FAILED, PROGRESSING
from reconciler.state.store import Reader


def queries_for(view: Reader, server: PrometheusSettings) -> frozenset[str]:
    """The queries to ask now; none without a server."""
    if not server.url:
        return frozenset()
    return frozenset((*_of_autoscalers(view, server), *_of_canaries(view)))


def _of_autoscalers(view: Reader, server: PrometheusSettings) -> Iterator[str]:
    for autoscaler in view.all_of(HorizontalPodAutoscaler):
        for metric in autoscaler.spec.metrics:
            if query := query_of(metric, autoscaler.namespace, server):
                yield query


def _of_canaries(view: Reader) -> Iterator[str]:
    for deployment in view.all_of(Deployment):
        if CANARY_CHECKS not in deployment.annotations or not is_under_way(deployment):
            continue
        try:
            yield from (check.query for check in checks_of(deployment.annotations).values())
        except InvalidInput:
            # Refused where manifests are read; what an older version let in must not stop the others.
            continue


def is_under_way(deployment: Deployment) -> bool:
    """Whether pods of the newest revision and of older ones are there, and no check has ended it."""
    progressing = find_condition(deployment.status.conditions, PROGRESSING)
    has_failed = progressing is not None and progressing.reason == CANARY_FAILED
    return not has_failed and deployment.status.replicas > deployment.status.updated_replicas > 0
