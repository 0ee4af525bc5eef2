"""The lab as a whole: up, attach, add a host, clean, down.

Every step starts from what is there, not from what was done: `up` over a running, half-made, half-removed or killed lab
makes exactly the missing parts.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from tests.lab import cgroups, engines, gitserver, network, registry, rootfs, sshd
from tests.lab.catalog import build_catalog, catalog_archive
from tests.lab.cleaning import ensure_images, remove_foreign_images, remove_workload, reset_host
from tests.lab.errors import LabError
from tests.lab.gitserver import GitServer
from tests.lab.host import LabHost
from tests.lab.hostspec import HostSpec, plain_hosts
from tests.lab.images import Image
from tests.lab.machine import Machine
from tests.lab.names import CGROUP_ROOT, DEFAULT_LAB, LabNames
from tests.lab.processes import require_root_and_programs, run
from tests.lab.registry import Registry
from tests.lab.state import LabState, blocks_of_other_labs, locked, read_state, write_state

Item = TypeVar("Item")
Result = TypeVar("Result")
Report = Callable[[str], None]

_SERVICES = {
    # Git's ssh connects anew for each question. With the exchange of keys that OpenSSH likes best this costs 0.2 s of
    # CPU, more than all else that a quiet `berth` does.
    network.GIT: HostSpec("git", user=gitserver.USER, has_engine=False, sshd_lines=("KexAlgorithms -sntrup*",)),
    network.REGISTRY: HostSpec("registry", has_engine=False),
}


def _silent(_: str) -> None:
    """No report."""


@dataclass
class Lab:
    """A running lab. Make one with `Lab.up` or `Lab.attach`; close it to let go of its clients, `take_down` ends it.

    machines: every host by name, those of the Git remote and the registry too.
    """

    names: LabNames
    state: LabState
    machines: dict[str, LabHost] = field(default_factory=dict)

    @classmethod
    def up(cls, name: str = DEFAULT_LAB, hosts: int | Sequence[HostSpec] = 3, *, report: Report = _silent) -> Lab:
        """Bring the lab up with exactly these hosts, or make what is missing; a host that runs is left alone.

        Raises LabError saying what is missing on this machine or what failed.
        """
        require_root_and_programs()
        specs = plain_hosts(hosts) if isinstance(hosts, int) else list(hosts)
        names = LabNames(name)
        with locked(name):
            with locked("addresses"):
                state = _plan_state(names, specs)
                lab = cls(names, state)
                network.ensure_bridge(names, state.block)
                write_state(names, state, {})
            lab._remove_strangers()
            sshd.ensure_key(lab.key_path, comment=f"berth-lab-{name}")
            for engine in sorted({spec.engine for spec in specs if spec.has_engine}):
                engines.ensure_layer(engine, report)
            lab._boot_missing(report)
            lab._save()
        return lab

    @classmethod
    def attach(cls, name: str = DEFAULT_LAB) -> Lab:
        """The handle on a lab that another process brought up."""
        names = LabNames(name)
        state = read_state(names)
        if state is None or not network.has_bridge(names):
            raise LabError(f"the lab {name!r} is not up; do: python -m tests.lab up --name {name}")
        lab = cls(names, state)
        lab.machines = lab._handles()
        return lab

    @property
    def name(self) -> str:
        return self.names.lab

    @property
    def key_path(self) -> Path:
        """The private key that opens every host and the Git remote."""
        return self.names.keys / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.names.keys / "known_hosts"

    @property
    def hosts(self) -> list[LabHost]:
        """The hosts with an engine, in the order of their numbers."""
        return [host for host in self.machines.values() if host.spec.has_engine]

    @property
    def git(self) -> GitServer:
        return GitServer(self.machines["git"])

    @property
    def registry(self) -> Registry:
        return Registry(self.machines["registry"])

    def host(self, name: str) -> LabHost:
        return self.machines[name]

    def add_host(self, spec: HostSpec) -> LabHost:
        """Boot one more host, until its engine answers and has the images."""
        if spec.name in self.machines:
            raise LabError(f"the lab {self.name!r} has a host {spec.name!r} already")
        with locked(self.name):
            self.state = replace(self.state, hosts=_number(self.state.hosts, [*self.state.hosts.values(), spec]))
            engines.ensure_layer(spec.engine, _silent)
            self.machines |= {name: host for name, host in self._handles().items() if name not in self.machines}
            self._bring_up(self.machines[spec.name])
            if spec.has_engine:
                ensure_images(self.machines[spec.name], *self._catalog)
            self._save()
        return self.machines[spec.name]

    def remove_host(self, name: str) -> None:
        """Power the host off and forget it and its disk."""
        with locked(self.name):
            host = self.machines.pop(name)
            host.close()
            host.power_off()
            remaining = {number: spec for number, spec in self.state.hosts.items() if spec.name != name}
            self.state = replace(self.state, hosts=remaining)
            run(["rm", "-rf", "--one-file-system", str(host.names.state), str(host.names.run.parent)])
            self._save()

    def clean(self) -> None:
        """Take back all faults on all hosts and remove everything that was started there."""
        images, archive = self._catalog
        in_parallel(lambda host: reset_host(host, images, archive), self.machines.values())
        self.registry.start()

    def close(self) -> None:
        for host in self.machines.values():
            host.close()

    def description(self) -> dict[str, Any]:
        """What the state file tells people and other tools."""
        return {
            "name": self.name,
            "key_path": str(self.key_path),
            "known_hosts": str(self.known_hosts),
            "hosts": [_describe(host) for host in self.machines.values()],
            "git": {"url": self.git.url("NAME")} if "git" in self.machines else {},
            "registry": {"address": self.registry.address, "user": registry.USER, "password": registry.PASSWORD}
            if "registry" in self.machines
            else {},
        }

    # -- inside

    @cached_property
    def _catalog(self) -> tuple[list[Image], bytes]:
        images = build_catalog()
        return images, catalog_archive(self.names.image_cache, images)

    def _handles(self) -> dict[str, LabHost]:
        handles: dict[str, LabHost] = {}
        # Jump hosts first: the hosts behind them need theirs.
        for number, spec in sorted(self.state.hosts.items(), key=lambda item: (item[1].behind != "", item[0])):
            if spec.behind and spec.behind not in handles:
                raise LabError(f"host {spec.name!r} is behind {spec.behind!r}, which is not a host of the lab")
            handles[spec.name] = LabHost(
                names=self.names.host(spec.name),
                spec=spec,
                address=network.link_address(self.state.block, number),
                bridge_address=network.docker_bridge(self.state.block, number),
                registry_address=f"{network.link_address(self.state.block, network.REGISTRY)}:{registry.PORT}",
                key_path=self.key_path,
                known_hosts=self.known_hosts,
                jump=handles[spec.behind] if spec.behind else None,
            )
        return handles

    def _remove_strangers(self) -> None:
        """Power off what carries this lab's name and is not wanted now: leftovers, or hosts of a larger lab."""
        wanted = self.state.numbers()
        for name in network.namespaces_of(self.names):
            if name not in wanted:
                Machine(self.names.host(name), HostSpec(name), "").power_off()

    def _boot_missing(self, report: Report) -> None:
        self.machines = self._handles()
        healthy = in_parallel(LabHost.is_healthy, self.machines.values())
        missing = [host for host, is_healthy in zip(self.machines.values(), healthy, strict=True) if not is_healthy]
        report(f"booting {', '.join(host.name for host in missing)}" if missing else "all hosts are running")
        images, archive = self._catalog

        def bring_up(host: LabHost) -> None:
            if host in missing:
                self._bring_up(host)
                report(f"{host.name} is up at {host.address}")
            # Also where only the end was missing, because an earlier run was killed just before it.
            if host.spec.has_engine:
                ensure_images(host, images, archive)

        in_parallel(bring_up, self.machines.values())
        self.registry.start()

    def _bring_up(self, host: LabHost) -> None:
        host.power_off()
        rootfs.build_root(host.names, host.spec, address=host.address, client_key=self.key_path)
        if not host.spec.has_engine:
            host.boot()
            return
        host.engine.write_config()
        host.power_on()
        remove_workload(host)
        remove_foreign_images(host, self._catalog[0])

    def _save(self) -> None:
        write_state(self.names, self.state, self.description())
        lines = [sshd.known_hosts_line(host.address, host.port, host.host_key) for host in self.machines.values()]
        self.known_hosts.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.known_hosts.write_text("".join(lines))


def take_down(name: str = DEFAULT_LAB, *, purge: bool = False, report: Report = _silent) -> None:
    """End the lab and remove all that it made, by name, however much of it is there.

    What makes the next start fast stays (keys, engines' images); `purge` removes that too. Nothing there is no error.
    """
    require_root_and_programs()
    names = LabNames(name)
    with locked(name):
        found = set(network.namespaces_of(names))
        if names.runtime.exists():  # each host has its directory there before it has anything else
            found |= {entry.name for entry in names.runtime.iterdir()}
        machines = [Machine(names.host(host), HostSpec(host), "") for host in sorted(found)]
        in_parallel(Machine.power_off, machines)
        network.remove_bridge(names)
        cgroups.remove_group(names.cgroup)
        cgroups.remove_if_empty(CGROUP_ROOT)
        shutil.rmtree(names.runtime, ignore_errors=True)
        if purge and names.state.exists():
            run(["rm", "-rf", "--one-file-system", str(names.state)])
        report(f"the lab {name!r} is down" + (", and nothing of it is left" if purge else ""))


def in_parallel(action: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Do it for all at once, results in order; all are tried, then the first failure is raised."""
    todo = list(items)
    if not todo:
        return []
    with ThreadPoolExecutor(len(todo)) as pool:
        futures = [pool.submit(action, item) for item in todo]
    return [future.result() for future in futures]


def _plan_state(names: LabNames, specs: Sequence[HostSpec]) -> LabState:
    """Which block and which numbers the hosts get; those that they have are kept."""
    known = read_state(names)
    if known is not None and network.has_bridge(names):
        block = known.block
    else:
        remembered = known.block if known else None
        block = network.choose_block(names.lab, taken=blocks_of_other_labs(names), remembered=remembered)
    return LabState(block, _number(known.hosts if known else {}, [*_SERVICES.values(), *specs]))


def _number(known: dict[int, HostSpec], specs: Sequence[HostSpec]) -> dict[int, HostSpec]:
    """Give each host a number, from which its address follows: services have fixed ones, a known host keeps its own."""
    if len({spec.name for spec in specs}) != len(specs):
        raise LabError(f"two hosts of one name: {', '.join(spec.name for spec in specs)}")
    fixed = {spec.name: number for number, spec in _SERVICES.items()}
    kept = {spec.name: number for number, spec in known.items()} | fixed
    taken = {kept[spec.name] for spec in specs if spec.name in kept}
    numbered = {}
    for spec in specs:
        number = kept.get(spec.name)
        if number is None:
            number = next(free for free in range(network.FIRST_HOST, 100) if free not in taken)
            taken.add(number)
        numbered[number] = spec
    return dict(sorted(numbered.items()))


def _describe(host: LabHost) -> dict[str, Any]:
    return {
        "name": host.name,
        "address": host.address,
        "port": host.port,
        "user": host.user,
        "host_key": host.host_key,
        "docker_socket": str(host.docker_socket) if host.spec.has_engine else "",
        "behind": host.spec.behind,
    }
