"""Carries out actions on a real host: Docker Engine over the host's SSH link.

Each action is one or two API calls, and asking for what is already so succeeds. Nothing is decided or repeated here.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from random import Random
from typing import Any

from msgspec import structs

from differ.kubelet.actions import (
    Action,
    ApplyHostPart,
    ContainerSpec,
    CreateContainer,
    EnsureNetwork,
    FileEntry,
    MarkCharge,
    PrepareVolume,
    PullImage,
    RemoveContainer,
    RemoveImage,
    RemoveVolume,
    RenameContainer,
    RunHook,
    SignalContainer,
    StartContainer,
    UnpauseContainer,
    UpdateContainer,
    WriteFiles,
)
from differ.kubelet.probes.probing import ProbeOrder
from hosts.docker.charge_markers import mark_charge
from hosts.docker.container_request import container_request, reveal, update_request
from hosts.docker.engine import Engine
from hosts.docker.events import CHARGE, ContainerEvent
from hosts.docker.images import pull_image, remove_image
from hosts.measure.host_figures import HostMeter
from hosts.measure.scraping import scrape_pods
from hosts.network.declared_state import HostState
from hosts.network.pod_network import ensure_pod_network
from hosts.observe.engine import Observer
from hosts.probes.checks import Asker, run_hook
from hosts.probes.prober import Prober
from hosts.runtime.hooks import HookRunner
from hosts.runtime.outdated_files import remove_outdated
from hosts.ssh.shell import LastingShell
from hosts.streams.engine_events import EngineEvents
from hosts.streams.engine_reading import EngineReading
from hosts.volumes.claims import prepare_volume
from objects.errors import ChargeInDoubt, ContainerConfigError, EngineError, HostError
from objects.names import LABEL_CONTAINER, LABEL_POD_UID, LABEL_SPEC_HASH
from objects.observation.figures import Measurement
from objects.observation.host import HostObservation
from objects.observation.metrics import Scrape, Scraped
from objects.own.charge import is_marker_name
from objects.secrets import MASK, SecretValue

NOT_FOUND, CONFLICT = 404, 409
POD_NETWORK = "berth-pods"


class DockerRuntime:
    """A `HostRuntime` over one engine. Closing it closes the engine's streams, not the SSH link."""

    def __init__(self, engine: Engine, *, random: Random) -> None:
        self._engine = engine
        self._random = random
        self._host_state = HostState(
            engine.link, on_change=self._woken, may_watch=lambda: engine.forwards_sockets is not False
        )
        self._shell = LastingShell(engine.link)
        self._reading = EngineReading(engine)
        self._observer = Observer(
            engine,
            network=POD_NETWORK,
            host_state=self._host_state,
            reading=self._reading,
            shell=self._shell,
            on_late=self._woken,
        )
        self._gauge = HostMeter(engine, self._shell)
        self._events: EngineEvents | None = None
        self._wake: Callable[[], None] = lambda: None
        steady = self._observer.steady_now
        self._asker = Asker(engine)
        self._prober = Prober(engine.host, asking=self._asker, steady_now=steady, wake=self._woken, random=random)
        self._hooks = HookRunner(engine.host, run=self._run_hook, steady_now=steady, wake=self._woken)
        self._hands: dict[type[Action], Callable[[Any], tuple[str, ...] | None]] = {
            EnsureNetwork: self._ensure_network,
            ApplyHostPart: lambda action: self._host_state.apply(action.part),
            PullImage: self._pull,
            RemoveImage: self._remove_image,
            CreateContainer: self._create,
            StartContainer: self._start,
            SignalContainer: self._signal,
            RunHook: self._hooks.begin,
            RemoveContainer: self._remove,
            RenameContainer: self._rename,
            UpdateContainer: self._update,
            UnpauseContainer: self._unpause,
            WriteFiles: self._write_files,
            PrepareVolume: self._prepare_volume,
            RemoveVolume: self._remove_volume,
            MarkCharge: self._mark_charge,
        }

    def observe(self) -> HostObservation:
        seen = self._observer.observe()
        if self._events is not None:
            self._events.tend()
        hooks = self._hooks.facts({container.id for container in seen.containers})
        return structs.replace(seen, probes=self._prober.facts(), hooks=hooks)

    def measure(self, *, containers: bool = False, disk: bool = False) -> Measurement:
        return self._gauge.read(containers=containers, disk=disk)

    def scrape(self, scrapes: Sequence[Scrape]) -> tuple[Scraped, ...]:
        return scrape_pods(self._engine.link, scrapes)

    def perform(self, action: Action) -> tuple[str, ...]:
        if (marker := self._observer.doubted_charge) and not isinstance(action, MarkCharge):
            raise ChargeInDoubt(f"{marker} appeared, which nobody has looked at", host=self._engine.host)
        container_id: str = getattr(action, "id", "")
        if not container_id or isinstance(action, SignalContainer):
            # What follows from a signal shows in the list; asking at once would wait for the process to end.
            return self._hands[type(action)](action) or ()
        with self._observer.acting_on(container_id):
            try:
                return self._hands[type(action)](action) or ()
            finally:
                # Also after an error: a lost answer may have had its effect.
                self._observer.invalidate(container_id)

    def keep_probing(self, orders: Sequence[ProbeOrder]) -> None:
        self._asker.keep(orders)
        self._prober.keep(orders)

    def watch(self, wake: Callable[[], None], wake_later: Callable[[], None]) -> None:
        self._wake = wake

        def on_event(event: ContainerEvent) -> None:
            if event.action == CHARGE:
                self._observer.invalidate_charges(event.name)
            else:
                self._observer.invalidate(event.container_id)
                if not event.may_be_ours and not self._observer.has_own(event.container_id):
                    wake_later()
                    return
            wake()

        def on_gap() -> None:
            self._observer.hear_of_charges(hears=True)
            self._observer.invalidate_all()
            wake()

        def on_lost(_: HostError) -> None:
            self._observer.hear_of_charges(hears=False)
            self._observer.invalidate_facts()  # an engine that ended may have other settings when it is back
            wake()  # the next look tells what is wrong

        self._events = EngineEvents(
            self._engine, on_event=on_event, on_gap=on_gap, on_lost=on_lost, tend_again=wake, random=self._random
        )

    def close(self) -> None:
        self._prober.close()
        self._asker.close()
        self._hooks.close()
        if self._events is not None:
            self._events.close()
        self._reading.close()
        self._shell.close()
        self._host_state.close()
        self._engine.close()

    def _woken(self) -> None:
        self._wake()

    def _run_hook(self, action: RunHook) -> str:
        return run_hook(self._engine, action.id, action.check, timeout_seconds=action.timeout_seconds)

    # --- one method an action ------------------------------------------------------------------------------------

    def _ensure_network(self, action: EnsureNetwork) -> None:
        try:
            ensure_pod_network(self._engine, action.network)
        finally:
            self._observer.invalidate_network()

    def _pull(self, action: PullImage) -> None:
        try:
            pull_image(self._engine, action)
        finally:
            self._observer.invalidate_facts()

    def _remove_image(self, action: RemoveImage) -> None:
        try:
            remove_image(self._engine, action)
        finally:
            self._observer.invalidate_facts()

    def _create(self, action: CreateContainer) -> tuple[str, ...]:
        spec = action.spec
        warnings: tuple[str, ...] = ()
        if spec.security.forbids_root:
            self._check_image_user(action)
        try:
            answer = self._post_json("/containers/create", {"name": spec.name}, container_request(spec))
            container_id, warnings = answer["Id"], warnings_of(answer, spec)
        except EngineError as error:
            if error.status == NOT_FOUND:
                # Its image or network has gone since we looked.
                self._observer.invalidate_facts()
                self._observer.invalidate_network()
            if error.status != CONFLICT:
                raise without_secrets(error, spec) from None
            container_id = self._adopt(action, error)
        if action.start:
            try:
                self._post(f"/containers/{container_id}/start")
            except EngineError as error:
                self._observer.doubt(container_id)
                raise without_secrets(error, spec, hint="; ".join(warnings)) from None
        return warnings

    def _adopt(self, action: CreateContainer, conflict: EngineError) -> str:
        """The id of the container that has our name already: the answer to an earlier create was lost."""
        details: dict[str, Any] = self._engine.api.inspect_container(action.spec.name)
        labels = details["Config"].get("Labels") or {}
        identity = (LABEL_POD_UID, LABEL_CONTAINER, LABEL_SPEC_HASH)
        if any(labels.get(label) != action.spec.labels.get(label) for label in identity):
            raise conflict
        container_id = str(details["Id"])
        self._observer.invalidate(container_id)
        return container_id

    def _check_image_user(self, action: CreateContainer) -> None:
        api = self._engine.api
        response = api.get(api.versioned(f"/images/{action.spec.image}/json"), timeout=self._seconds)
        api.check(response)
        image: dict[str, Any] = response.json()
        user = str((image.get("Config") or {}).get("User") or "").partition(":")[0]
        if user.isdigit() and int(user) > 0:
            return
        who = f"user {user!r}, which is no number" if user not in ("", "0", "root") else "root"
        raise ContainerConfigError(
            f"container {action.container} has runAsNonRoot, and image {action.spec.image} runs as {who}",
            host=self._engine.host,
            hint="set runAsUser",
        )

    def _start(self, action: StartContainer) -> None:
        if action.rename_to:
            self._post(f"/containers/{action.id}/rename", {"name": action.rename_to})
        self._post(f"/containers/{action.id}/start")

    def _signal(self, action: SignalContainer) -> None:
        with _already("no such container", "is not running"):
            self._post(f"/containers/{action.id}/kill", {"signal": action.signal})

    def _remove(self, action: RemoveContainer) -> None:
        api = self._engine.api
        with _already("no such container", "already in progress"):
            params = {"force": "true", "v": "true"}
            api.check(api.delete(api.versioned(f"/containers/{action.id}"), params=params, timeout=self._seconds))

    def _rename(self, action: RenameContainer) -> None:
        with _already("same name as its current name"):
            self._post(f"/containers/{action.id}/rename", {"name": action.name})

    def _update(self, action: UpdateContainer) -> None:
        body = update_request(action.restart_policy, action.resources)
        self._post_json(f"/containers/{action.id}/update", {}, body)

    def _unpause(self, action: UnpauseContainer) -> None:
        with _already("is not paused"):
            self._post(f"/containers/{action.id}/unpause")

    def _write_files(self, action: WriteFiles) -> None:
        api = self._engine.api
        url = api.versioned(f"/containers/{action.id}/archive")
        body = pack(action.entries, modified=self._observer.host_now())
        api.check(api.put(url, params={"path": action.directory}, data=body, timeout=self._seconds))
        remove_outdated(self._engine, action)

    def _prepare_volume(self, action: PrepareVolume) -> None:
        try:
            prepare_volume(self._engine, action)
        finally:
            self._observer.invalidate_facts()

    def _remove_volume(self, action: RemoveVolume) -> None:
        try:
            with _already("no such volume"):
                self._engine.api.remove_volume(action.volume)
        finally:
            if is_marker_name(action.volume):
                self._observer.invalidate_charges()
            elif not action.pod_uid:
                self._observer.invalidate_facts()

    def _mark_charge(self, action: MarkCharge) -> None:
        try:
            mark_charge(self._engine, action.charge)
        finally:
            self._observer.invalidate_charges()

    # --- calls ---------------------------------------------------------------------------------------------------

    @property
    def _seconds(self) -> float:
        return self._engine.call_seconds

    def _post(self, path: str, params: Mapping[str, str] | None = None) -> None:
        api = self._engine.api
        api.check(api.post(api.versioned(path), params=dict(params or {}), timeout=self._seconds))

    def _post_json(self, path: str, params: Mapping[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
        api = self._engine.api
        response = api.post(api.versioned(path), params=dict(params), json=body, timeout=self._seconds)
        api.check(response)
        answer: dict[str, Any] = response.json()
        return answer


@contextmanager
def _already(*reasons: str) -> Iterator[None]:
    """Take the engine's refusal for success when it says that things are so already.

    reasons: parts of its message in small letters: engines begin their messages with a capital or in the midst of one.
    """
    try:
        yield
    except EngineError as error:
        if not any(reason in error.message.lower() for reason in reasons):
            raise


def without_secrets(error: EngineError, spec: ContainerSpec, *, hint: str = "") -> EngineError:
    """The error with every secret value of the container masked: the engine quotes command lines. Pure.

    hint: where the error has none, as what the engine warned of before: an image made for other processors.
    """
    message = _masked(error.message, spec)
    return EngineError(message, status=error.status, host=error.host, obj=error.obj, hint=error.hint or hint)


def _masked(words: str, spec: ContainerSpec) -> str:
    for value in (*(value for _, value in spec.environment), *(spec.entrypoint or ()), *(spec.command or ())):
        if isinstance(value, SecretValue) and reveal(value):
            words = words.replace(reveal(value), MASK)
    return words


_OF_THE_KERNEL = "Your kernel does not support "


def warnings_of(answer: Mapping[str, Any], spec: ContainerSpec) -> tuple[str, ...]:
    """What the engine warns of in its answer to `/containers/create`, secret values masked. Pure.

    What the host's kernel lacks is left out: that is said of the host, where it matters (`policies.host_support`), and
    not of each pod.
    """
    said = (str(one).strip() for one in answer.get("Warnings") or ())
    return tuple(_masked(one, spec) for one in said if one and not one.startswith(_OF_THE_KERNEL))


def pack(entries: tuple[FileEntry, ...], *, modified: datetime) -> bytes:
    """A tar of the entries in their order. modified: their time; programs tell by it that a file is new. Pure."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            info = tarfile.TarInfo(entry.path)
            info.mode = entry.mode
            info.mtime = int(modified.timestamp())
            info.uid, info.gid = entry.owner
            content = b""
            if entry.content is not None:
                content = entry.content.reveal()
                info.size = len(content)
            elif entry.target:
                info.type, info.linkname = tarfile.SYMTYPE, entry.target
            else:
                info.type = tarfile.DIRTYPE
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
