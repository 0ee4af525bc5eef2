"""Bound pods whose host is not known, yet or any more: they are counted when it is."""

from __future__ import annotations

from collections.abc import Iterable

from objects.api.pods import Pod


class HomelessPods:
    """By the host that each waits for."""

    def __init__(self) -> None:
        self._by_host: dict[str, dict[str, Pod]] = {}
        self._host_of: dict[str, str] = {}

    def add(self, host: str, pods: Iterable[Pod]) -> None:
        for pod in pods:
            self._by_host.setdefault(host, {})[pod.uid] = pod
            self._host_of[pod.uid] = host

    def forget(self, uid: str) -> None:
        """Pods that are not waited for are no error."""
        host = self._host_of.pop(uid, "")
        if host:
            del self._by_host[host][uid]
            if not self._by_host[host]:
                del self._by_host[host]

    def take(self, host: str) -> list[Pod]:
        """Those of a host that is known now; they are waited for no longer."""
        pods = self._by_host.pop(host, {})
        for uid in pods:
            del self._host_of[uid]
        return list(pods.values())
