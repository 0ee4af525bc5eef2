"""How long a pod stays bound to a host that is not ready or does not answer, unless it says so itself.

Source of the rule: Kubernetes' admission plug-in DefaultTolerationSeconds.
"""

from __future__ import annotations

import msgspec

from objects.api.pods import PodSpec, Toleration
from objects.own.taints import NO_EXECUTE, NOT_READY, UNREACHABLE

DEFAULT_TOLERATION_SECONDS = 300
"""Long enough for a reboot of the host, so that a restart of a machine moves nothing."""


_DEFAULT = tuple(
    Toleration(key=taint, operator="Exists", effect=NO_EXECUTE, toleration_seconds=DEFAULT_TOLERATION_SECONDS)
    for taint in (NOT_READY, UNREACHABLE)
)
"""The same for all pods that say nothing: so they hold it in common."""


def with_default_tolerations(spec: PodSpec) -> PodSpec:
    """`spec` tolerating `not-ready` and `unreachable` for five minutes each, where it does not speak of that taint.

    Idempotent.
    """
    if spec.tolerations is _DEFAULT:
        return spec
    if not spec.tolerations:
        return msgspec.structs.replace(spec, tolerations=_DEFAULT)
    missing = tuple(
        default for default in _DEFAULT if not any(_speaks_of(one, default.key) for one in spec.tolerations)
    )
    if not missing:
        return spec
    return msgspec.structs.replace(spec, tolerations=(*spec.tolerations, *missing))


def _speaks_of(toleration: Toleration, taint: str) -> bool:
    return toleration.key in ("", taint) and toleration.effect in ("", NO_EXECUTE)
