"""Requests and limits."""

from __future__ import annotations

from collections.abc import Mapping

from objects.api.meta import QuantityLike
from objects.api.pods import ResourceRequirements
from objects.fields import FieldPath
from objects.syntax import domain_prefixed_key_problem
from objects.validation.found import Found
from objects.values.quantity import compare, nano_value

_NATIVE = ("cpu", "memory", "ephemeral-storage")
_NANOS = 10**9


def check_resources(found: Found, path: FieldPath, resources: ResourceRequirements) -> None:
    """Requests and limits of a container or pod: known names, readable, requests within limits."""
    if not resources.requests and not resources.limits:
        return
    check_resource_list(found, (*path, "limits"), resources.limits)
    # A request that defaulting copied from its limit is judged there, where the person wrote it.
    own = {name: amount for name, amount in resources.requests.items() if resources.limits.get(name) != amount}
    check_resource_list(found, (*path, "requests"), own)
    for name, request in resources.requests.items():
        limit = resources.limits.get(name)
        place = (*path, "requests", name)
        if not is_readable(request) or (limit is not None and not is_readable(limit)):
            continue
        if is_overcommittable(name):
            if limit is not None and compare(request, limit) > 0:
                found.add(place, f"must be at most the limit {limit}, not {request}")
        elif limit is None:
            found.add(place, f"{name} cannot be shared: it needs a limit that equals the request")
        elif compare(request, limit) != 0:
            found.add(place, f"{name} cannot be shared: request {request} must equal the limit {limit}")


def check_resource_list(found: Found, path: FieldPath, resources: Mapping[str, QuantityLike]) -> None:
    """Resources of a container: native, `hugepages-<size>` or extended (`example.com/gpu`), the latter whole."""
    for name, quantity in resources.items():
        place = (*path, name)
        if not found.quantity(place, quantity):
            continue
        if name in _NATIVE or name.startswith("hugepages-"):
            continue
        if not check_resource_name(found, place, name):
            continue
        if nano_value(quantity) % _NANOS:
            found.add(place, f"must be a whole number, not {quantity}")


def check_resource_name(found: Found, path: FieldPath, name: str) -> bool:
    """Whether containers can have such a resource; notes what is wrong with the name."""
    if name in _NATIVE or name.startswith("hugepages-"):
        return True
    problem = domain_prefixed_key_problem(name)
    if problem:
        hint = "did you mean 'memory'?" if name in ("mem", "ram", "Memory") else ""
        hint = hint or ("did you mean 'cpu'?" if name.lower() in ("cpus", "cpu") else "")
        allowed = "cpu, memory, ephemeral-storage, hugepages-<size> or an extended resource as example.com/gpu"
        found.add(path, f"is not a resource: allowed are {allowed}" if "/" not in name else problem, hint)
    return not problem


def is_overcommittable(name: str) -> bool:
    """Whether requests may be less than limits: native resources except huge pages."""
    is_native = "/" not in name or "kubernetes.io/" in name
    return is_native and not name.startswith("hugepages-")


def is_readable(quantity: QuantityLike) -> bool:
    """Whether a quantity can be compared: what cannot be read is noted elsewhere."""
    probe = Found()
    return probe.quantity((), quantity)
