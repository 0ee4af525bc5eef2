"""The numbers of a rolling update: how many pods may be too many, how many may be missing. Pure.

Source of the rules: Kubernetes' deployment_util. Surge rounds up and unavailability down, so that a percentage never
means fewer pods than a person expects.
"""

from __future__ import annotations

import msgspec

from objects.api.apps import Deployment
from objects.api.meta import IntOrString
from objects.own.canary import BLUE_GREEN, strategy_of
from objects.values.intstr import scaled_value

DEFAULT_SHARE = "25%"


class Fenceposts(msgspec.Struct, frozen=True):
    """Pods allowed above and below the desired number."""

    max_surge: int
    max_unavailable: int


def resolve_fenceposts(
    max_surge: IntOrString | None, max_unavailable: IntOrString | None, *, desired: int
) -> Fenceposts:
    """Resolve surge and unavailability to whole pods.

    max_surge, max_unavailable: a number or "N%" of `desired`; None is 0. Raises InvalidInput for malformed text.
    Never both zero: then unavailable is 1, because surge may not fit the hosts and nothing could move.

    desired  surge  unavailable ->  surge  unavailable   first step
          2     0%           1%         0            1   stop one old
          1     1%          25%         1            0   start one new
         10    25%          25%         3            2   start three new, stop two old
    """
    surge = scaled_value(max_surge or 0, total=desired, round_up=True)
    unavailable = scaled_value(max_unavailable or 0, total=desired, round_up=False)
    if surge == 0 and unavailable == 0:
        return Fenceposts(0, 1)
    return Fenceposts(surge, unavailable)


def is_rolling(deployment: Deployment) -> bool:
    """Whether old and new pods may run side by side."""
    return deployment.spec.strategy.type != "Recreate"


def desired_replicas(deployment: Deployment) -> int:
    """What `spec.replicas` asks for; 1 when it says nothing."""
    return 1 if deployment.spec.replicas is None else deployment.spec.replicas


def fenceposts_of(deployment: Deployment) -> Fenceposts:
    """The fenceposts of a rolling update; both 0 for `Recreate`. Unavailable is never more than there are pods.

    Blue-green has all new pods beside all old ones.
    """
    if not is_rolling(deployment):
        return Fenceposts(0, 0)
    desired = desired_replicas(deployment)
    if strategy_of(deployment.annotations) == BLUE_GREEN:
        return Fenceposts(desired, 0)
    rolling = deployment.spec.strategy.rolling_update
    if rolling is None:
        posts = resolve_fenceposts(DEFAULT_SHARE, DEFAULT_SHARE, desired=desired)
    else:
        posts = resolve_fenceposts(rolling.max_surge, rolling.max_unavailable, desired=desired)
    return Fenceposts(posts.max_surge, min(posts.max_unavailable, desired))


def max_total(deployment: Deployment) -> int:
    """Pods of all revisions together that may be asked for at one time; terminating ones do not count."""
    return desired_replicas(deployment) + fenceposts_of(deployment).max_surge


def min_available(deployment: Deployment) -> int:
    """Available pods that a rolling update must leave standing; 0 for `Recreate`, which takes all down."""
    if not is_rolling(deployment):
        return 0
    return desired_replicas(deployment) - fenceposts_of(deployment).max_unavailable


def new_replicas(deployment: Deployment, *, new_size: int, total_size: int) -> int:
    """The size that the newest revision may have now. total_size: asked for by all revisions, `new_size` included.

    desired  surge  old  new -> new
          3      1    3    0      1   one above is allowed
          3      1    2    1      2
          3      1    0    2      3   never more than desired
          3      0    3    0      0   an old one has to go first
    """
    desired = desired_replicas(deployment)
    if not is_rolling(deployment) or new_size >= desired:
        return desired
    room = max_total(deployment) - total_size
    return new_size if room <= 0 else min(new_size + room, desired)
