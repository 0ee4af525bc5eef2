"""What hosts say, put into the store: looks at them, their pods, their failures, their silence."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

import msgspec

from objects.api.meta import ObjectKey, controller_of
from objects.api.pods import Pod, PodStatus
from objects.names import ANNOTATION_APPLICATION
from objects.observation.host import HostFacts
from objects.own.config import Host
from policies.host_support import refusal_of
from reconciler.assigning.addresses import Slice, slice_for_host
from reconciler.controllers.base import Occurrence
from reconciler.core.adoption import is_fragment, is_from_git, made_whole
from reconciler.core.isolation import INTERNAL_ERROR
from reconciler.core.memory import Memory
from reconciler.core.wanted import Wanted
from reconciler.core.writer import Writer
from reconciler.state import desired as desiring
from reconciler.state.host_status import HostStatus
from reconciler.state.messages import HostFailures, HostReport, HostSilent
from reconciler.state.pod_state import (
    terminating,
    with_past,
    with_reported_status,
    with_same_address,
    without_address,
)


class HostReports:
    """heard: hosts that answered or were found silent since the start. adopted: pods found since it was emptied.

    is_observer: hosts are told nothing, so they say of no pod that it is gone.
    """

    def __init__(self, writer: Writer, wanted: Wanted, memory: Memory, *, is_observer: bool) -> None:
        self._writer = writer
        self._wanted = wanted
        self._memory = memory
        self._is_observer = is_observer
        self.heard: set[str] = set()
        self.adopted: list[Pod] = []

    def take_report(self, message: HostReport, now: datetime) -> None:
        """A look at a host, whole or what changed since the last."""
        writer, store = self._writer, self._writer.store
        self.heard.add(message.host)
        known = store.get(HostStatus, "", message.host)
        if refusal_of(message.facts) is not None:
            self._take_refusal(message, known or self._unseen(message.host), now)
            return
        writer.put(self._status_of(message, known, now))
        here = {pod.uid: pod for pod in store.pods_on(message.host)}
        for uid, reported in message.statuses.items():
            if uid in here:
                self._take_status(here[uid], reported, now)
        for uid in message.gone:
            if uid in here:
                writer.remove(here[uid].key, now)
        if self._is_observer or (known is not None and not known.was_observed):
            self._forget_unseen(message, here.values(), now)
        for pod in message.unknown:
            writer.isolation.run("pod found on its host", pod.key, partial(self._take_found, pod, message.host), now)
        self._note_held(message, known, now)
        self._note_pod_events(message, now)

    def _take_refusal(self, message: HostReport, known: HostStatus, now: datetime) -> None:
        """A host that answers and is refused: what it is, is known; of its pods and volumes it says nothing."""
        volumes = known.facts or HostFacts()
        facts = msgspec.structs.replace(
            message.facts, claim_volumes=volumes.claim_volumes, pod_volumes=volumes.pod_volumes
        )
        status = msgspec.structs.replace(
            known,
            facts=facts,
            reachable=True,
            unreachable_since=None,
            reason="",
            message="",
            foreign=message.foreign,
            is_unobserved=not known.was_observed,
            held={},
            network_problem="",
        )
        self._writer.put(status)
        self._note_pod_events(message, now)

    def _status_of(self, message: HostReport, known: HostStatus | None, now: datetime) -> HostStatus:
        of_network = self._slice_for(message, known)
        return HostStatus(
            metadata=desiring.named(message.host),
            facts=message.facts,
            reachable=True,
            pod_subnet=of_network.subnet,
            network_reason=of_network.reason,
            network_message=of_network.message,
            foreign=message.foreign,
            is_reclaiming=message.is_reclaiming,
            reclaimed_at=now if known and known.is_reclaiming else known.reclaimed_at if known else None,
            failures=known.failures if known else (),
            held=dict(message.held),
            network_problem=message.network_problem,
            measured_at=known.measured_at if known else None,
        )

    def _note_held(self, message: HostReport, known: HostStatus | None, now: datetime) -> None:
        for uid, why in message.held.items() if known is None or known.held != message.held else ():
            obj = self._writer.store.by_uid(uid)
            key = obj.key if obj is not None else ObjectKey(Host.KIND, "", message.host)
            text = f"pod {uid} is left as it is: {why}"
            self._writer.note_event(Occurrence(key, "Warning", INTERNAL_ERROR, text), f"host/{message.host}", now)

    def _note_pod_events(self, message: HostReport, now: datetime) -> None:
        for happened in message.pod_events if not self._is_observer else ():
            said = Occurrence(happened.pod, happened.type, happened.reason, happened.message)
            self._writer.note_event(said, f"host/{message.host}", now)

    def take_failures(self, message: HostFailures) -> None:
        """What goes wrong on a host, again and again."""
        known = self._writer.store.get(HostStatus, "", message.host)
        if known is not None:
            self._writer.put(msgspec.structs.replace(known, failures=message.failures))

    def take_silence(self, message: HostSilent, now: datetime) -> None:
        """A host does not answer."""
        self.heard.add(message.host)
        known = self._writer.store.get(HostStatus, "", message.host) or self._unseen(message.host)
        silent = msgspec.structs.replace(
            known,
            reachable=False,
            unreachable_since=known.unreachable_since or now,
            reason=message.reason,
            message=message.message,
        )
        self._writer.put(silent)

    def _unseen(self, host: str) -> HostStatus:
        """What is known of a host of which nothing was seen yet."""
        return HostStatus(
            metadata=desiring.named(host),
            pod_subnet=self._memory.subnets.get(host, ""),
            may_hold_pods=self._memory.is_continued and not self._wanted.is_started,
            is_recorded=self._memory.is_ahead,
        )

    # --- the slice ---------------------------------------------------------------------------------------------------

    def _slice_for(self, message: HostReport, known: HostStatus | None) -> Slice:
        """Not asked again for a host that has what it had."""
        host = self._writer.store.get(Host, "", message.host)
        given = known.pod_subnet if known else ""
        has = message.pod_subnet or given
        is_settled = known is not None and known.was_observed and bool(has) and given == has
        if is_settled and (host is None or host.spec.pod_cidr in ("", has)):
            return Slice(has)
        return slice_for_host(
            host,
            message.host,
            message.pod_subnet,
            self._wanted.settings.network,
            self._writer.slices,
            is_in_use=self._is_slice_in_use,
            is_seen=self._was_observed,
            given=given,
            has_pods=self._has_pods_with_addresses(message),
        )

    def _has_pods_with_addresses(self, message: HostReport) -> bool:
        """Whether containers on the host have addresses of its pod network in their settings, and need them still."""
        assigned = (pod for pod in self._writer.store.pods_on(message.host) if pod.uid in message.statuses)
        found = (*assigned, *message.unknown)
        return bool(message.held) or any(not pod.spec.host_network and not pod.is_finished for pod in found)

    def _was_observed(self, host: str) -> bool:
        status = self._writer.store.get(HostStatus, "", host)
        return status is not None and status.was_observed

    def _is_slice_in_use(self, host: str) -> bool:
        status = self._writer.store.get(HostStatus, "", host)
        return bool(status.pod_subnet if status is not None else self._memory.subnets.get(host))

    # --- pods --------------------------------------------------------------------------------------------------------

    def _take_status(self, pod: Pod, reported: PodStatus, now: datetime) -> None:
        try:
            self._writer.put(with_reported_status(pod, reported))
        except Exception as error:  # noqa: BLE001 - one pod's bug must not hide the others of its host
            again = partial(self._take_status_again, pod, reported)
            self._writer.isolation.fail("status of pod", pod.key, error, again, now)

    def _take_status_again(self, pod: Pod, reported: PodStatus, _: datetime) -> None:
        live = self._writer.store.find(pod.key)
        if isinstance(live, Pod) and live.uid == pod.uid:
            self._writer.put(with_reported_status(live, reported))

    def _take_found(self, pod: Pod, host: str, now: datetime) -> None:
        """A pod on a host that was not assigned to it there."""
        live = self._writer.store.by_uid(pod.uid)
        if isinstance(live, Pod) and live.spec.node_name == host:
            # Where it was told nothing, the host knows the address.
            live = without_address(live) if pod.status.pod_ip else live
            self._put_found(with_reported_status(live, pod.status))
        else:
            self._adopt(pod, host, now)

    def _forget_unseen(self, message: HostReport, known: Iterable[Pod], now: datetime) -> None:
        """What a complete look does not show is gone, when the host was told nothing: it cannot say so itself.

        That is so for those who only look, and for a host that is seen for the first time: what is bound to it is only
        remembered. Finished pods stay: they are records, and their containers may be gone long before them.
        """
        seen = {pod.uid for pod in message.unknown} | message.held.keys()
        for pod in known:
            if pod.uid not in seen and not pod.is_finished:
                self._writer.remove(pod.key, now)
        for pod in message.unknown if self._is_observer else ():
            namesake = self._writer.store.find(pod.key)
            if isinstance(namesake, Pod) and namesake.uid == pod.uid and namesake.node_name not in ("", message.host):
                # A bare pod that moved: its old host has not been looked at since.
                self._writer.take_out(pod.key)

    def _adopt(self, pod: Pod, host: str, now: datetime) -> None:
        """A pod that runs on a host and is not bound to it in the store.

        The one that waits to be bound is found again. One that waits under this name with another uid has to wait until
        the found one is gone; beside one that is bound already the found one has to go.
        """
        if is_fragment(pod):
            known = self._writer.store.by_uid(pod.uid)
            pod = made_whole(pod, {pod.uid: known} if isinstance(known, Pod) else self._memory.pods, now=now)
        owner = controller_of(pod)
        if owner is not None and ObjectKey(owner.kind, pod.namespace, owner.name) in self._wanted.begun_jobs:
            pod = terminating(desiring.renamed_for_removal(pod), grace_seconds=None, now=now)
        pod = msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, node_name=host))
        namesake = self._writer.store.find(pod.key)
        if isinstance(namesake, Pod) and not namesake.spec.node_name:
            if namesake.uid == pod.uid:
                # Who was ending it may have been killed; it stays ended, and what Git says is made anew.
                metadata = msgspec.structs.replace(
                    namesake.metadata,
                    creation_timestamp=pod.metadata.creation_timestamp or now,
                    deletion_timestamp=pod.metadata.deletion_timestamp,
                    deletion_grace_period_seconds=pod.metadata.deletion_grace_period_seconds,
                )
                pod = msgspec.structs.replace(pod, metadata=metadata)
            else:
                self._writer.take_out(namesake.key)
        elif namesake is not None:
            pod = terminating(desiring.renamed_for_removal(pod), grace_seconds=None, now=now)
        self._put_found(pod)
        if isinstance(self._wanted.objects.get(pod.key), Pod):
            self._wanted.want(pod.key, now)
        elif is_from_git(pod):
            self._wanted.deployed.note_found(pod.key, pod.annotations.get(ANNOTATION_APPLICATION, ""))
        self.adopted.append(pod)

    def _put_found(self, pod: Pod) -> None:
        """A pod that its host has. One that is only remembered, and not there, gave its address on: it gets another."""
        pod = self._memory.shared(pod)
        for other in with_same_address(self._writer.store, pod):
            self._writer.put(without_address(other))
        self._writer.put(pod)

    def take_remembered(self, pod: Pod, now: datetime) -> None:
        """A pod of an earlier process. Those on silent hosts and those that wait: others are seen or gone.

        And those that have ended: their containers may be gone (evicted, or tidied away by somebody, or with their
        host), and nobody may start them again.
        """
        live = self._writer.store.find(pod.key)
        if isinstance(live, Pod) and live.uid == pod.uid:
            live = with_past(live, pod)
            self._writer.put(live)
        host = pod.spec.node_name
        if not host:
            self._wanted.bring_back(pod, now)
            return
        if isinstance(live, Pod) and live.spec.node_name:
            return
        status = self._writer.store.get(HostStatus, "", host)
        if pod.is_finished or (status is not None and not (status.reachable and status.was_observed)):
            self._adopt(pod, host, now)
