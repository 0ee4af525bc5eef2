"""What must not be forgotten over the lives of reconcilers: which pods were made, which Jobs are done, which ticks ran.

What a killed reconciler had no way to leave behind (nothing on the status branch, its witnesses on hosts that are
silent or were meddled with) is struck out precisely when it dies: Kubernetes promises nothing then either.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import TypeAlias

from objects.api.batch import CronJob, CronJobStatus, Job
from objects.api.meta import ObjectKey, controller_of
from objects.api.pods import Pod
from objects.conditions import is_true
from objects.names import claim_volume_generation
from reconciler.controllers.jobs.indexes import index_of
from reconciler.state.messages import Restored

Place: TypeAlias = tuple[str, int]
"""A host, and how often it was installed anew."""


class Ledger:
    """pods: uids ever made. tampered: uids of pods whose containers people touched.

    given_up: by Job, pods that were ended for another cause (drain, preemption, a lost host) or forgotten by a killed
    reconciler: each may run to its end beside its successor. worked: by Job, pods whose work was really done.
    """

    def __init__(self) -> None:
        self.pods: set[str] = set()
        self._mounted: dict[tuple[str, str], tuple[str, Place]] = {}
        self._newest: dict[str, int] = {}
        self.tampered: set[str] = set()
        self.given_up: defaultdict[ObjectKey, set[str]] = defaultdict(set)
        self.worked: defaultdict[ObjectKey, set[str]] = defaultdict(set)
        self._from_git: set[ObjectKey] = set()
        self._completions: dict[ObjectKey, int] = {}
        self._job_of: dict[str, ObjectKey] = {}
        self._done: dict[ObjectKey, str] = {}
        self._ticks: set[ObjectKey] = set()
        self._left: Restored | None = None
        self._lost: dict[str, Pod] = {}
        # Jobs that went in the life of this reconciler: what was known of them.
        self._struck: dict[ObjectKey, tuple[set[str], set[str], set[str]]] = {}

    # --- claims --------------------------------------------------------------------------------------------------

    def claim_mounted(self, pod: str, claim: str, volume: str, place: Place, is_lost: Callable[[Place], bool]) -> None:
        """A container of a pod was made with this volume of a claim (`namespace/name`).

        A pod whose host is certainly gone may begin anew elsewhere, under the same uid if it was remembered as waiting.
        """
        before, where = self._mounted.get((pod, claim), (volume, place))
        assert before == volume or is_lost(where), f"{claim}: pod {pod} was on {before} and gets {volume}"
        self._mounted[pod, claim] = volume, place
        generation = claim_volume_generation(volume)[1]
        assert generation >= self._newest.get(claim, 0), f"{claim} goes back to {volume}"
        self._newest[claim] = generation

    # --- jobs ----------------------------------------------------------------------------------------------------

    def tick_made(self, cron_job: ObjectKey, name: str) -> None:
        """A CronJob made the Job of one of its times."""
        key = ObjectKey(Job.KIND, cron_job.namespace, name)
        assert key not in self._ticks, f"{name} is run a second time"
        self._ticks.add(key)

    def job_changed(self, job: Job) -> None:
        for kind in ("Complete", "Failed"):
            if is_true(job.status.conditions, kind):
                self._done[job.key] = kind

    def job_gone(self, key: ObjectKey) -> None:
        """What comes back under this name is another one."""
        self._done.pop(key, None)
        uids = {uid for uid, job in self._job_of.items() if job == key}
        struck = self._struck.setdefault(key, (set(), set(), set()))
        for known, more in zip(struck, (self.worked.pop(key, set()), self.given_up.pop(key, set()), uids), strict=True):
            known |= more
        self._job_of = {uid: job for uid, job in self._job_of.items() if job != key}

    def jobs_in_git(self, keys: set[ObjectKey]) -> None:
        """A reconciler that acts was told that Git holds these and no others, and may be killed before it shows."""
        for key in self._from_git - keys:
            self._from_git.discard(key)
            self.job_gone(key)

    def ran_to_its_end(self, uid: str) -> None:
        """On some machine, whatever anybody knows of it. Each success that is wanted is worked for once."""
        key = self._job_of.get(uid)
        if key is None or uid in self.worked[key]:
            return
        self.worked[key].add(uid)
        done, wanted, spare = len(self.worked[key]), self._completions[key], len(self.given_up[key])
        assert done <= wanted + spare, f"{key}: {done} pods did its work, {wanted} were wanted ({spare} given up)"

    def judge_job(self, job: Job, made: list[Pod], pods: list[Pod]) -> None:
        """Pods of `job` were made. pods: all that it has."""
        assert job.key not in self._done, f"{job.name} is over ({self._done[job.key]}) and gets another pod"
        if controller_of(job) is None:
            self._from_git.add(job.key)
        self._completions[job.key] = job.spec.completions or 1
        self._job_of.update((pod.uid, job.key) for pod in made)
        active = [pod for pod in pods if not pod.is_finished and not pod.is_terminating]
        done = [pod for pod in pods if pod.status.phase == "Succeeded"]
        is_indexed = job.spec.completion_mode == "Indexed"
        succeeded = len({index_of(pod) for pod in done}) if is_indexed else len(done)
        parallelism, completions = job.spec.parallelism or 1, job.spec.completions or 1
        assert len(active) <= parallelism, f"{job.name} runs {len(active)} pods, {parallelism} may run"
        together = len(active) + succeeded
        assert together <= completions, f"{job.name}: {together} pods run or succeeded, {completions} are wanted"
        if is_indexed:
            busy = Counter(index_of(pod) for pod in pods if pod in active or pod.status.phase == "Succeeded")
            anew = max((busy[index_of(pod)] for pod in made if pod in active), default=0)
            assert anew <= 1, f"{job.name}: an index is worked on again: {busy}"

    def pod_given_up(self, pod: Pod) -> None:
        """It was ended for another reason than its Job: it may succeed yet, beside its successor."""
        self.given_up[_owner_key(pod)].add(pod.uid)

    def status_written(self, status: Restored) -> None:
        """Whoever comes next learns of the Jobs that have gone by now."""
        self._struck = {key: known for key, known in self._struck.items() if key in status.inventory}

    # --- a reconciler dies ---------------------------------------------------------------------------------------

    def reconciler_died(self, left: Restored, pods: list[Pod]) -> None:
        """left: the status branch as it is. pods: all that the dead one knew."""
        self._left = left
        self._lost.update({pod.uid: pod for pod in pods})
        for key, (worked, given_up, uids) in self._struck.items():
            # The next one may see it in Git again, and never learns that it was away.
            if key in left.inventory and key not in self._from_git:
                self._from_git.add(key)
                self.worked[key] |= worked
                self.given_up[key] |= given_up
                self._job_of.update(dict.fromkeys(uids, key))
        self._struck = {}

    def another_began(self, found: set[str]) -> None:
        """The next one has looked at every host that answers. found: uids of the pods it found there."""
        left, pods = self._left, list(self._lost.values())
        if left is None:
            return
        self._left, self._lost = None, {}
        on_branch = {obj.uid for obj in left.objects if isinstance(obj, Pod) and obj.is_finished}
        seen = (found - self.tampered) | on_branch
        for pod in pods:
            if pod.uid not in seen:
                self.pod_given_up(pod)
        known = {key for key, memory in left.remembered.items() if _is_over(memory.status)}
        known |= {obj.key for obj in left.objects if isinstance(obj, Job) and _is_over(obj.status)}
        for key, kind in list(self._done.items()):
            witnesses = [pod for pod in pods if _is_of(pod, key)]
            # Failures are counted over pods that were taken away for them: only the branch can tell of those.
            # Nor can those tell that were taken away after their work: the rest must be enough.
            enough = sum(pod.status.phase == "Succeeded" for pod in witnesses) >= self._completions.get(key, 1)
            is_shown = kind == "Complete" and enough and all(pod.uid in seen for pod in witnesses)
            if key not in known and not is_shown:
                del self._done[key]
                self.given_up[key] |= self.worked[key] - seen  # done, and nothing is left that tells
        self._ticks = {key for key in self._ticks if self._is_remembered(key, left, pods, seen)}

    def _is_remembered(self, tick: ObjectKey, left: Restored, pods: list[Pod], seen: set[str]) -> bool:
        """Whether it can be known that this Job was made: it, its pods, or what came after it are there to be seen."""
        cron_job, _, minute = tick.name.rpartition("-")
        memory = left.remembered.get(ObjectKey(CronJob.KIND, tick.namespace, cron_job))
        if memory is not None and isinstance(memory.status, CronJobStatus):
            last = memory.status.last_schedule_time
            if last is not None and last.timestamp() >= int(minute) * 60:
                return True
        later = {key for key in self._ticks if key.name.rpartition("-")[0] == cron_job and key.name >= tick.name}
        made = {obj.key for obj in left.objects if isinstance(obj, Job)}
        return bool(later & made) or any(_is_of(pod, key) for key in later for pod in pods if pod.uid in seen)


def _is_of(pod: Pod, key: ObjectKey) -> bool:
    return _owner_key(pod) == key


def _owner_key(pod: Pod) -> ObjectKey:
    owner = controller_of(pod)
    return ObjectKey(owner.kind, pod.namespace, owner.name) if owner is not None else pod.key


def _is_over(status: object) -> bool:
    conditions = getattr(status, "conditions", ())
    return any(c.type in ("Complete", "Failed") and c.status == "True" for c in conditions)
