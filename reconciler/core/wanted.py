"""What the commit in force wants, put into the store; and what was deployed from Git and leaves with it."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from objects.api.batch import Job
from objects.api.meta import KubeObject, ObjectKey
from objects.api.pods import Pod
from objects.api.storage import PersistentVolume, PersistentVolumeClaim
from objects.own.config import Application, ClusterSpec, Host
from reconciler.controllers.base import Delete
from reconciler.controllers.garbage import orphaning
from reconciler.controllers.volumes.binding import marked_for_giving_up
from reconciler.core.admission import admit_pod
from reconciler.core.deployed import Deployed
from reconciler.core.memory import Memory
from reconciler.core.named_configuration import frees_any, named_configuration
from reconciler.core.writer import Writer
from reconciler.state import desired as desiring
from reconciler.state.autoscaled import Sizes, autoscaled_sizes
from reconciler.state.copies import find_stand_in
from reconciler.state.messages import Desired


class Wanted:
    """desired: what was read last; None before the first. objects: of it what belongs into the store.

    is_started: set once everything that can be known is known; a Job that is not there then is a new one. begun_jobs:
    Jobs that did not exist before: all their pods were made here, and one that turns up is of an earlier Job.
    """

    def __init__(self, writer: Writer, memory: Memory) -> None:
        self._writer = writer
        self._memory = memory
        self.desired: Desired | None = None
        self.settings = ClusterSpec()
        self.deployed = Deployed()
        self.objects: dict[ObjectKey, KubeObject] = {}
        self.sizes: Sizes = {}
        self.is_started = False
        self.begun_jobs: set[ObjectKey] = set()
        # Names of PersistentVolumes that commits gave up, until they are known.
        self._given_up: set[str] = set()
        writer.on_removed = self._note_removed

    def start_from(self, other: Wanted) -> None:
        """What the other one knows, for a store of its own."""
        self.desired, self.settings, self.is_started = other.desired, other.settings, other.is_started
        self.deployed, self.objects, self.sizes = other.deployed.copy(), dict(other.objects), other.sizes
        self.begun_jobs, self._given_up = set(other.begun_jobs), set(other._given_up)

    @property
    def cluster_key(self) -> ObjectKey:
        """What is held of the cluster as a whole is held under this name."""
        return desiring.cluster_of(self.desired.objects if self.desired else ()).key

    def take(self, message: Desired, now: datetime) -> None:
        """A commit: in force as a whole or not at all."""
        writer = self._writer
        in_force = self.desired.commit if self.desired else self._memory.commit
        application_of = self.desired.application if self.desired else {}
        brought = {key: application_of.get(key, "") for key in self.objects if writer.store.find(key) is not None}
        settings = desiring.cluster_of(message.objects).spec
        suspended = desiring.suspended_applications(message.objects)
        wanted = {
            obj.key: desiring.with_notes(obj, message.application.get(obj.key, ""))
            for obj in message.objects
            if message.application.get(obj.key, "") not in suspended or isinstance(obj, Application)
        }
        sizes = autoscaled_sizes(message.objects, self._memory.of_objects)
        # From here on nothing raises.
        self.deployed.take(message, in_force=in_force, brought=brought, wanted=wanted)
        self.desired, self.settings, self.objects, self.sizes = message, settings, wanted, sizes
        self._given_up |= message.given_up
        for key in wanted:
            writer.isolation.run("desired object", key, partial(self.want, key), now)
        for host in writer.store.all_of(Host):
            if host.spec.pod_cidr:
                writer.slices.reserve(host.name, host.spec.pod_cidr)
        writer.mark_hosts()

    def want(self, key: ObjectKey, now: datetime) -> None:
        """Put what the commit in force says of an object, if it says anything."""
        desired = self.objects.get(key)
        if desired is None:
            return
        writer = self._writer
        if (unread := find_stand_in(writer.store, key)) is not None and unread.key != key:
            writer.take_out(unread.key)
        live = writer.store.find(key)
        if live is not None and desiring.is_other_pod(live, desired):
            writer.apply(Delete(live.key, live.uid), now)
            return
        # Once: what is taken out of Git and comes back is another one, and has done nothing yet.
        memory = self._memory.remembered.pop(key, None)
        stored = desiring.stored_form(writer.store, desired, memory, now=now, sizes=self.sizes)
        if isinstance(stored, Job) and live is None and memory is None and self.is_started:
            self.begun_jobs.add(stored.key)
        writer.put(admit_pod(stored, writer.store) if isinstance(stored, Pod) and live is None else stored)

    def bring_back(self, obj: KubeObject, now: datetime) -> None:
        """An object of an earlier process, unless there is one of its name."""
        if self._writer.store.find(obj.key) is None:
            memory = self._memory.of_objects.get(obj.key)
            self._writer.put(obj if obj.uid else desiring.stored_form(self._writer.store, obj, memory, now=now))

    def _note_removed(self, key: ObjectKey, now: datetime) -> None:
        self.begun_jobs.discard(key)
        if isinstance(self.objects.get(key), Pod | PersistentVolumeClaim):
            self.want(key, now)

    def give_volumes_up(self) -> None:
        """Mark those that a commit names; their claims let go of them when no pod uses them (`controllers.claims`)."""
        for name in sorted(self._given_up):
            volume = self._writer.store.get(PersistentVolume, "", name)
            if volume is not None:
                self._writer.put(marked_for_giving_up(volume))
                self._given_up.discard(name)

    # --- what leaves -------------------------------------------------------------------------------------------------

    @property
    def is_named_freed(self) -> bool:
        """Whether something was changed in this step that named configuration which is gone from Git."""
        return frees_any(self._writer.changed, self.deployed.named.values())

    def prune(self, now: datetime) -> None:
        """Delete what was deployed from Git and is gone from it, as far as policy and budget allow."""
        assert self.desired is not None, "a commit was taken in, or a pod found that is to be judged by one"
        writer = self._writer
        named = named_configuration(writer.store, self.deployed.leaving(self.desired))
        plan = self.deployed.prune(self.desired, self.settings, named=named)
        for key in plan.delete:
            self._memory.remembered.pop(key, None)
            live = self._find_deployed(key)
            if live is not None:
                if self.deployed.goes_alone(key):
                    live = orphaning(live)
                    writer.put(live)
                writer.apply(Delete(live.key, live.uid), now)
        self.deployed.settle(plan, self.objects, is_there=lambda key: self._find_deployed(key) is not None)

    def hide_gone(self, now: datetime) -> None:
        """`prune` of who only looks. What goes is not shown any more; its pods are, as long as hosts have them."""
        assert self.desired is not None, "see `prune`"
        named = named_configuration(self._writer.store, self.deployed.leaving(self.desired))
        for key in self.deployed.prune(self.desired, self.settings, named=named).delete:
            if key.kind != Pod.KIND and (live := self._find_deployed(key)) is not None:
                self._writer.remove(live.key, now)
        self.deployed.inventory |= {key: self.desired.application.get(key, "") for key in self.objects}

    def _find_deployed(self, key: ObjectKey) -> KubeObject | None:
        """An object from Git, or what stands for it when nobody knows any more what it is."""
        return self._writer.store.find(key) or find_stand_in(self._writer.store, key)
