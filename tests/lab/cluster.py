"""A cluster as its user has it: a repository on the lab's Git remote, `berth run` on it, eyes on the hosts past ssh.

Tests push commits and look at what hosts run. Every wait is for a condition and bounded; what was seen last is in the
message of one that failed.
"""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from differ.documents.compact_yaml import load
from objects import codec
from objects.api.pods import Pod
from objects.names import LABEL_CONTAINER, LABEL_MANAGED, LABEL_POD_NAME, LABEL_POD_NAMESPACE, LABEL_POD_UID
from reconciler.status.pod_files import POD_FILE, PodReader, is_pod_path
from tests.lab.berth_process import BerthProcess, running_berth
from tests.lab.errors import LabError
from tests.lab.gitserver import Clone
from tests.lab.host import LabHost
from tests.lab.lab import Lab
from tests.lab.processes import SEARCH_PATH, run, slowness

STATUS_BRANCH = "berth/status"
SANDBOX = "POD"
WAIT_SECONDS = 60.0
"""On an idle machine; a busy one has longer (`slowness`). A wait that succeeds costs nothing."""


class Found(NamedTuple):
    """One of Berth's containers, as its engine lists it. state: Docker's (`running`, `exited` …)."""

    host: str
    id: str
    container: str
    pod: str
    namespace: str
    uid: str
    state: str
    image: str
    name: str


def containers_of(hosts: Iterable[LabHost]) -> list[Found]:
    """All containers of Berth's on these hosts, sandboxes too, in any state."""
    found = []
    for host in hosts:
        for item in host.api().containers(all=True, filters={"label": LABEL_MANAGED}):
            labels = item["Labels"]
            found.append(
                Found(
                    host=host.name,
                    id=item["Id"],
                    container=labels.get(LABEL_CONTAINER, ""),
                    pod=labels.get(LABEL_POD_NAME, ""),
                    namespace=labels.get(LABEL_POD_NAMESPACE, ""),
                    uid=labels.get(LABEL_POD_UID, ""),
                    state=item["State"],
                    image=item["Image"],
                    name=item["Names"][0].lstrip("/") if item["Names"] else "",
                )
            )
    return found


@dataclass
class Cluster:
    """One repository and the hosts that it speaks of. berth: the `berth run` that runs now."""

    lab: Lab
    repository: str
    home: Path
    hosts: list[LabHost]
    clone: Clone
    berth: BerthProcess | None = None
    _runs: int = field(default=0)

    @classmethod
    def create(
        cls,
        lab: Lab,
        repository: str,
        home: Path,
        *,
        hosts: Sequence[LabHost] | None = None,
        settings: Mapping[str, Any] | None = None,
        files: Mapping[str, str | bytes | None] | None = None,
    ) -> Cluster:
        """A new repository with `berth.yaml`, a file a host and `files`, pushed. settings: into the Cluster's spec."""
        lab.git.create(repository)
        clone = lab.git.clone(repository, home / "clone")
        chosen = list(lab.hosts if hosts is None else hosts)
        cluster = cls(lab, repository, home, chosen, clone)
        common = {
            "berth.yaml": cluster_yaml(lab, settings or {}),
            **{f"hosts/{h.name}.yaml": host_yaml(h) for h in chosen},
        }
        cluster.push("Hosts", {**common, **(files or {})})
        return cluster

    # --- Git -----------------------------------------------------------------------------------------------------

    def push(self, message: str, files: Mapping[str, str | bytes | None] | None = None) -> str:
        """Commit and push; returns the commit. A value None removes the file."""
        return self.clone.commit_and_push(message, files)

    def revert(self) -> str:
        """`git revert` of the last commit, pushed."""
        self.clone.git("revert", "--no-edit", "HEAD")
        self.clone.push()
        return self.clone.git("rev-parse", "HEAD")

    def restore(self, commit: str) -> str:
        """A new commit with exactly the files of an earlier one, pushed; whatever lies in the checkout is dropped."""
        self.clone.git("read-tree", "--reset", "-u", commit)
        self.clone.git("clean", "--quiet", "--force", "-d")
        self.clone.git("commit", "--quiet", "--allow-empty", "--message", f"As in {commit[:10]}")
        self.clone.push()
        return self.clone.git("rev-parse", "HEAD")

    def remote_git(self, *arguments: str) -> str:
        """Output of git in the bare repository itself, past ssh; '' when it fails (the branch is not there yet)."""
        path = str(self.lab.git.path(self.repository))
        done = run(["git", "-c", "safe.directory=*", "-C", path, *arguments], check=False)
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""

    @property
    def status_commits(self) -> list[str]:
        """Hashes on the status branch, newest first."""
        return self.remote_git("log", "--format=%H", STATUS_BRANCH).split()

    @property
    def readme(self) -> str:
        """The overview on the status branch; '' before there is one."""
        return self.remote_git("show", f"{STATUS_BRANCH}:README.md")

    def status(self, kind: str, name: str, namespace: str = "default") -> dict[str, Any]:
        """What the status branch says of an object; {} while it says nothing."""
        if kind == Pod.KIND:
            return self.pods_said(namespace).get(name, {})
        text = self.remote_git("show", f"{STATUS_BRANCH}:objects/{namespace}/{kind.lower()}/{name}.yaml")
        return yaml.safe_load(text) if text else {}

    def pods_said(self, namespace: str = "default") -> dict[str, dict[str, Any]]:
        """Every pod of the status branch, by name: those with a file of their own, and those of controllers."""
        folder, reader = f"objects/{namespace}/", PodReader()
        # All of one commit: the next one may have other files.
        commit = self.remote_git("rev-parse", "--verify", "--quiet", STATUS_BRANCH)
        paths = self.remote_git("ls-tree", "-r", "--name-only", commit, folder).split() if commit else []
        pods: dict[str, dict[str, Any]] = {}
        for path in filter(is_pod_path, paths):
            document = load(self.remote_git("show", f"{commit}:{path}").encode())
            if document["kind"] == POD_FILE:
                pods |= {pod.name: codec.encode(pod) for pod in reader.read(document)}
            else:
                pods[document["metadata"]["name"]] = document
        return pods

    def trailers(self) -> dict[str, str]:
        """Trailers of the newest status commit."""
        text = self.remote_git("log", "-1", "--format=%(trailers:only,unfold)", STATUS_BRANCH)
        return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)

    # --- berth ---------------------------------------------------------------------------------------------------

    def arguments(self, *arguments: str) -> list[str]:
        """`berth`'s arguments with which this remote is reached."""
        key, known = str(self.lab.key_path), str(self.lab.known_hosts)
        common = ["--repo", self.lab.git.url(self.repository), "--ssh-key", key, "--git-known-hosts", known]
        return [*arguments, *common, "--cache-dir", str(self.home / "cache")]

    @contextmanager
    def running(self, *options: str, poll_seconds: float = 1, fresh_disk: bool = False) -> Iterator[BerthProcess]:
        """`berth run` while the block lasts; killed at its end. fresh_disk: with a cache of its own, empty."""
        self._runs += 1
        arguments = self.arguments("run", "--poll", f"{poll_seconds:g}", *options)
        if fresh_disk:
            arguments += ["--cache-dir", str(self.home / f"cache-{self._runs}")]
        log = self.home / f"berth-{self._runs}.log"
        with running_berth(*arguments, log=log, directory=self.home, environment=self.environment()) as berth:
            self.berth = berth
            try:
                yield berth
            finally:
                self.berth = None

    def environment(self) -> dict[str, str]:
        """Of a `berth` that works for this cluster."""
        # Not the caller's: neither its ssh agent nor its git settings may help.
        return {"PATH": SEARCH_PATH, "HOME": str(self.home), "LC_ALL": "C.UTF-8", **_python_settings()}

    # --- hosts ---------------------------------------------------------------------------------------------------

    def host(self, name: str) -> LabHost:
        return next(host for host in self.hosts if host.name == name)

    def containers(self, *, pod: str = "", container: str = "", state: str = "") -> list[Found]:
        """Berth's containers on all hosts. pod: beginning of the pod's name; container: its name in the manifest."""
        return [
            found
            for found in containers_of(self.hosts)
            if found.pod.startswith(pod) and container in ("", found.container) and state in ("", found.state)
        ]

    def running_pods(self, pod: str = "", *, image: str = "") -> list[Found]:
        """Running main containers of pods whose name begins so. image: only those that run it."""
        found = self.containers(pod=pod, state="running")
        return [item for item in found if item.container != SANDBOX and image in ("", item.image)]

    def wait_running(
        self, pod: str, count: int, *, image: str = "", timeout_seconds: float = WAIT_SECONDS
    ) -> list[Found]:
        """Wait until exactly `count` containers of these pods exist and all of them run (`image`)."""

        def is_so() -> bool:
            every = [item for item in self.containers(pod=pod) if item.container != SANDBOX]
            fit = [item for item in every if item.state == "running" and image in ("", item.image)]
            return len(every) == len(fit) == count

        self.wait(is_so, f"{count} running containers of {pod}* {image}", timeout_seconds=timeout_seconds, pod=pod)
        return self.running_pods(pod, image=image)

    def wait(
        self,
        condition: Callable[[], object],
        what: str,
        *,
        timeout_seconds: float = WAIT_SECONDS,
        pod: str = "",
    ) -> None:
        """Wait until `condition` holds. Raises LabError with what the hosts ran and what berth said last."""
        begun = time.monotonic()
        while not condition():
            waited = time.monotonic() - begun
            if self.berth is not None and not self.berth.is_running:
                raise LabError(f"berth ended while waiting for: {what}\n{self.picture(pod)}")
            if waited > timeout_seconds and waited > timeout_seconds * slowness():
                raise LabError(f"waited {waited:.3g} s in vain for: {what}\n{self.picture(pod)}")
            # A look costs processes and calls to engines: who waits for long looks more rarely.
            time.sleep(min(0.05 + waited / 20, 0.5))

    def wait_converged(self, commit: str, *, timeout_seconds: float = WAIT_SECONDS) -> None:
        """Wait until the status branch calls this commit healthy."""
        self.wait(
            lambda: self.trailers() == {"Desired-Commit": commit, "Health": "Healthy"},
            f"a status commit that calls {commit[:10]} healthy",
            timeout_seconds=timeout_seconds,
        )

    def picture(self, pod: str = "") -> str:
        """What is there now, for a person who reads a failed test."""
        lines = [f"  {c.host} {c.name} {c.state} {c.image}" for c in self.containers(pod=pod)]
        words = [f"  {line}" for line in self.words().splitlines()[-25:]]
        return "\n".join(["containers:", *lines, "berth:", *words, "status:", self.readme])

    def words(self) -> str:
        """All that the last `berth run` said."""
        log = self.home / f"berth-{self._runs}.log"
        return log.read_text(errors="replace") if log.exists() else ""


def _python_settings() -> dict[str, str]:
    """What this test run was told about Python (coverage, warnings) holds for its children too."""
    return {name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "COVERAGE"))}


def http_get(host: LabHost, address: str, port: int = 80, path: str = "/") -> str:
    """Body of an answer as this host gets it, '' when there is none in time. (busybox' wget dies of look-ups here.)"""
    request = f"GET {path} HTTP/1.0\r\n\r\n".encode()
    asked = host.exec(["busybox", "nc", "-w", "3", address, str(port)], stdin=request, check=False)
    return asked.stdout.decode(errors="replace").partition("\r\n\r\n")[2].strip()


# --- manifests -----------------------------------------------------------------------------------------------------


def cluster_yaml(lab: Lab, settings: Mapping[str, Any]) -> str:
    """`berth.yaml` for hosts of the lab. settings: merged into its spec, one level deep."""
    spec: dict[str, Any] = {"ssh": {"keyFiles": [str(lab.key_path)]}, "pauseImage": "pause:3.9"}
    for name, value in settings.items():
        spec[name] = {**spec.get(name, {}), **value} if isinstance(value, Mapping) else value
    document = {"apiVersion": "berth.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": "lab"}, "spec": spec}
    return yaml.safe_dump(document, sort_keys=False)


def host_yaml(host: LabHost, *, labels: Mapping[str, str] | None = None, **spec: Any) -> str:
    """A Host as it has to be written to reach this host of the lab. spec: more fields, in manifests' spelling."""
    fields: dict[str, Any] = {"address": host.address, "hostKey": host.host_key, "user": host.user, "port": host.port}
    if host.jump is not None:
        fields["jump"] = host.jump.name
    metadata = {"name": host.name, **({"labels": dict(labels)} if labels else {})}
    document = {"apiVersion": "berth.dev/v1alpha1", "kind": "Host", "metadata": metadata, "spec": {**fields, **spec}}
    return yaml.safe_dump(document, sort_keys=False)


def deployment(name: str, *, image: str = "web:v1", replicas: int = 3, strategy: str = "", **container: Any) -> str:
    """A Deployment of one container `web`. container: more fields of it. Its pods end at once on SIGTERM."""
    spec: dict[str, Any] = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {
                "terminationGracePeriodSeconds": 5,
                "containers": [{"name": "web", "image": image, **container}],
            },
        },
    }
    if strategy:
        spec["strategy"] = {"type": strategy}
    document = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
    return yaml.safe_dump(document, sort_keys=False)


def pod(name: str, spec: str, *, labels: Mapping[str, str] | None = None) -> str:
    """A bare Pod; spec: YAML of its spec, indented as one likes."""
    metadata = {"name": name, **({"labels": dict(labels)} if labels else {})}
    head = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
    return yaml.safe_dump({**head, "spec": yaml.safe_load(textwrap.dedent(spec))}, sort_keys=False)
