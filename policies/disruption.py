"""How many pods a PodDisruptionBudget still lets go. Pure arithmetic.

Source of the rules: Kubernetes' disruption controller. A budget speaks of the pods that its workloads ask for, not of
those that happen to exist: a lost pod uses the budget up.
"""

from __future__ import annotations

import msgspec

from objects.api.policy import PodDisruptionBudgetSpec
from objects.values.intstr import scaled_value


class Budget(msgspec.Struct, frozen=True):
    """Pods expected, those that must stay healthy, those that are, and how many may be disrupted now."""

    expected: int
    desired_healthy: int
    current_healthy: int
    disruptions_allowed: int


def budget_of(spec: PodDisruptionBudgetSpec, *, pods: int, asked_for: int, healthy: int) -> Budget:
    """The budget over its pods. pods: that match; asked_for: sum of the sizes of their workloads; healthy: ready ones.

    minAvailable  maxUnavailable  asked_for  healthy -> allowed
               2               -          3        3          1
           "50%"               -          3        3          1   half of three, rounded up, must stay
               -               1          3        3          1
               -               1          3        2          0   one is missing already
    """
    if spec.max_unavailable is not None:
        unavailable = scaled_value(spec.max_unavailable, total=asked_for, round_up=True)
        expected, desired = asked_for, max(0, asked_for - unavailable)
    elif isinstance(spec.min_available, int):
        expected, desired = pods, spec.min_available
    elif spec.min_available is not None:
        expected, desired = asked_for, scaled_value(spec.min_available, total=asked_for, round_up=True)
    else:
        expected, desired = pods, 1
    allowed = healthy - desired if expected > 0 and healthy > desired else 0
    return Budget(expected, desired, healthy, allowed)
