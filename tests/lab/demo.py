"""`make demo`: a push, a rollout, a revert and a killed container on three real hosts; narrated, and checked.

Shows the commands that a user would type and what they answer. Ends with an error when anything that it tells of did
not happen. Everything that it makes carries the name of its own lab and is removed at the end.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.berth_process import REPOSITORY, berth_argv, running_berth
from tests.lab.errors import LabError
from tests.lab.gitserver import Clone
from tests.lab.lab import Lab, take_down
from tests.lab.processes import SEARCH_PATH, wait_until

LAB = "demo"
EXAMPLE = REPOSITORY / "examples-repo"
HOST_NAMES = ("alpha", "beta", "gamma")
STAND_INS = {"web:v1": "nginx:1.28", "web:v2": "nginx:1.29"}
"""The lab has no way out: small images of its own under the names that the example repository uses."""
OLD, NEW = STAND_INS.values()
NAT_CHAIN = "BERTH-POSTROUTING"
NEW_TOKEN = "s3cr3t-of-today"
PATIENCE_SECONDS = 40.0


@dataclass(frozen=True)
class Demo:
    """lab, clone and the environment that names repository, key and known hosts to `berth`."""

    lab: Lab
    clone: Clone
    environment: dict[str, str] = field(repr=False)

    # --- what a person types -----------------------------------------------------------------------------------------

    def berth(self, *arguments: str) -> str:
        """Show a command and its answer. Raises LabError when it fails."""
        say(f"$ berth {shlex.join(arguments)}", prompt=True)
        done = subprocess.run(
            berth_argv(*arguments),
            cwd=self.clone.path,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        print(done.stdout, end="", flush=True)
        if done.returncode != 0:
            raise LabError(f"berth {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def git(self, *arguments: str) -> str:
        """Show a git command and its answer."""
        say(f"$ git {shlex.join(arguments)}", prompt=True)
        answer = self.clone.git(*arguments)
        if answer:
            print(answer, flush=True)
        return answer

    # --- what is really there ----------------------------------------------------------------------------------------

    def running_images(self) -> list[str]:
        """Images of the containers called `web` on all hosts, asked of Docker, past Berth."""
        lines: list[str] = []
        for host in self.lab.hosts:
            format_ = "{{.Image}}"
            lines += host.docker("ps", "--filter", "label=berth.dev/container=web", "--format", format_).split()
        return lines

    def wait_for_images(self, image: str, count: int, *, what: str) -> float:
        """Wait until exactly `count` web containers run, all of `image`. Returns how long it took."""
        started = time.monotonic()
        self._wait(lambda: self.running_images() == [image] * count, what, self.running_images)
        return time.monotonic() - started

    def wait_for_healthy_status(self) -> None:
        """Wait until the newest status commit calls the newest commit healthy."""
        wanted = f"Status of {self.clone.git('rev-parse', 'HEAD')[:12]}: Healthy"
        self._wait(lambda: self._status_message() == wanted, "the status branch tells no success", self._status_message)

    def wait_for_overview(self, text: str) -> None:
        """Wait until the overview on the status branch holds the text."""
        self._wait(lambda: text in self._overview(), f"the status branch does not say {text!r}", self._overview)

    def _wait(self, holds: Callable[[], bool], what: str, look: Callable[[], object]) -> None:
        """Raises LabError with what is there instead when it does not come to hold."""
        try:
            wait_until(holds, what=what, timeout_seconds=PATIENCE_SECONDS, interval_seconds=0.1)
        except LabError as error:
            raise LabError(f"{error}; instead: {look()}") from error

    def _overview(self) -> str:
        return self.clone.git("show", "origin/berth/status:README.md") if self._status_message() else ""

    def _status_message(self) -> str:
        try:
            self.clone.git("fetch", "--quiet", "origin", "berth/status:refs/remotes/origin/berth/status")
        except LabError:
            return ""  # not there before the first status commit
        return self.clone.git("log", "-1", "--format=%s", "origin/berth/status")


def say(text: str, *, prompt: bool = False) -> None:
    """A line of the story, or of what is typed; bold on a terminal."""
    line = text if prompt else f"\n# {text}"
    print(f"\033[1m{line}\033[0m" if sys.stdout.isatty() else line, flush=True)


# --- the story -----------------------------------------------------------------------------------------------------


def review(demo: Demo) -> None:
    say("A repository with the manifests of three applications. Is it right? What would happen?")
    demo.berth("validate")
    say("Can the hosts do what pods need?")
    demo.berth("hosts", "check")
    demo.berth("plan")


def deploy(demo: Demo) -> None:
    seconds = demo.wait_for_images(OLD, 3, what="the pods were not started")
    say(f"Its pods run on three Docker hosts, {seconds:.1f} s later.")
    demo.wait_for_healthy_status()
    demo.berth("get", "pods", "--all-namespaces", "-o", "wide")
    demo.berth("hosts")


def roll_out(demo: Demo) -> None:
    say(f"A new version: {OLD} becomes {NEW}. That is a commit.")
    manifest = demo.clone.path / "apps/web/web.yaml"
    manifest.write_text(manifest.read_text().replace(OLD, NEW))
    demo.git("commit", "--quiet", "--all", "--message", f"web: {NEW}")
    demo.git("push", "--quiet", "origin", "main")
    seconds = demo.wait_for_images(NEW, 3, what="the new version was not rolled out")
    say(f"Rolled out, one pod after another, in {seconds:.1f} s.")
    demo.wait_for_healthy_status()
    demo.berth("get", "deployments,replicasets", "-o", "wide")
    demo.berth("events", "--for", "deploy/web")


def roll_back(demo: Demo) -> None:
    say("That was a mistake. Back to where we were:")
    demo.git("revert", "--no-edit", "HEAD")
    demo.git("push", "--quiet", "origin", "main")
    seconds = demo.wait_for_images(OLD, 3, what="the revert did not bring the old version back")
    say(f"The old version runs again after {seconds:.1f} s.")
    demo.berth("get", "pods", "-l", "app=web", "-o", "wide")


def heal(demo: Demo) -> None:
    say("Somebody kills a container on one of the hosts.")
    name, host = next(
        (name, host)
        for name, host in zip(HOST_NAMES, demo.lab.hosts, strict=True)
        if host.docker("ps", "-q", "--filter", "label=berth.dev/container=web")
    )
    victim = host.docker("ps", "--filter", "label=berth.dev/container=web", "--format", "{{.Names}}").split()[0]
    killed_at = time.monotonic()
    say(f"{name}$ docker kill {victim}", prompt=True)
    host.docker("kill", victim)
    demo.wait_for_images(OLD, 3, what="the killed container was not started again")
    say(f"It runs again {time.monotonic() - killed_at:.1f} s after its death.")
    demo.berth("get", "pods", "-l", "app=web")


def mend_the_firewall(demo: Demo) -> None:
    say("A firewall is reloaded and takes the rule with it by which pods get out.")
    name, host = HOST_NAMES[0], demo.lab.hosts[0]
    flush = ["iptables", "-t", "nat", "-F", NAT_CHAIN]
    say(f"{name}$ {shlex.join(flush)}", prompt=True)
    flushed_at = time.monotonic()
    host.exec(flush)

    def rules() -> list[str]:
        listed = host.exec(["iptables", "-t", "nat", "-S", NAT_CHAIN]).stdout.decode()
        return [line for line in listed.splitlines() if line.startswith("-A")]

    demo._wait(lambda: bool(rules()), "the rule did not come back", rules)
    say(f"It is back {time.monotonic() - flushed_at:.1f} s later.")


def rotate(demo: Demo) -> None:
    say("A password is changed on a branch. The plan says that, and not what it is.")
    manifest = demo.clone.path / "apps/web/config.yaml"
    manifest.write_text(manifest.read_text().replace("token: change-me", f"token: {NEW_TOKEN}"))
    demo.git("switch", "--quiet", "--create", "rotate")
    demo.git("commit", "--quiet", "--all", "--message", "web: another token")
    demo.git("push", "--quiet", "origin", "rotate")
    told = demo.berth("plan", "--branch", "rotate")
    if NEW_TOKEN in told or "Secret default/web" not in told:
        raise LabError("the plan of a changed Secret says too much or too little")
    demo.git("switch", "--quiet", "main")


def refuse(demo: Demo) -> None:
    say("A commit with a mistake in it is refused as a whole, with file and line; what runs keeps running.")
    manifest = demo.clone.path / "apps/web/web.yaml"
    manifest.write_text(manifest.read_text().replace("replicas: 3", "replcas: 5"))
    demo.git("commit", "--quiet", "--all", "--message", "web: more of it")
    demo.git("push", "--quiet", "origin", "main")
    demo.wait_for_overview("replcas")
    demo.git("show", "origin/berth/status:README.md")
    if demo.running_images() != [OLD] * 3:
        raise LabError(f"a refused commit changed what runs: {demo.running_images()}")


def look_back(demo: Demo) -> None:
    say("All of it can be read in Git: what was wanted, and what came of it.")
    demo.git("log", "--oneline", "main")
    demo.git("log", "--oneline", "origin/berth/status")


STORY: tuple[Callable[[Demo], None], ...] = (
    deploy,
    roll_out,
    roll_back,
    heal,
    mend_the_firewall,
    rotate,
    refuse,
    look_back,
)


# --- the stage -----------------------------------------------------------------------------------------------------


@contextmanager
def stage(folder: Path) -> Iterator[Demo]:
    """A lab with three hosts and an empty remote, and a clone with the example repository; gone at the end."""
    say("Three hosts with sshd and Docker Engine, a Git remote: a lab on this machine.")
    try:
        lab = Lab.up(LAB, len(HOST_NAMES), report=lambda line: print(line, flush=True))
        try:
            lab.clean()
            yield _furnish(lab, folder)
        finally:
            lab.close()
    finally:
        take_down(LAB, report=lambda line: print(f"\n{line}", flush=True))


def _furnish(lab: Lab, folder: Path) -> Demo:
    url = lab.git.create("cluster")
    clone = lab.git.clone("cluster", folder / "cluster")
    shutil.copytree(EXAMPLE, clone.path, dirs_exist_ok=True)
    settings = clone.path / "berth.yaml"
    settings.write_text(settings.read_text().replace("/etc/berth/id_ed25519", str(lab.key_path)))
    for host, name in zip(lab.hosts, HOST_NAMES, strict=True):
        manifest = clone.path / "hosts" / f"{name}.yaml"
        manifest.write_text(host_manifest(manifest.read_text(), host.address, host.port, host.user, host.host_key))
        for image, stand_in in STAND_INS.items():
            host.docker("tag", image, stand_in)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{SEARCH_PATH}",
        "HOME": str(folder),
        "TERM": os.environ.get("TERM", "dumb"),
        "BERTH_REPO": url,
        "BERTH_SSH_KEY": str(lab.key_path),
        "BERTH_GIT_KNOWN_HOSTS": str(lab.known_hosts),
        "BERTH_CACHE_DIR": str(folder / "cache"),
    }
    return Demo(lab, clone, environment)


def host_manifest(example: str, address: str, port: int, user: str, host_key: str) -> str:
    """The example's Host with the address and key of a real one; its name and labels stay."""
    head = example.split("spec:\n")[0]
    return f"{head}spec:\n  address: {address}\n  port: {port}\n  user: {user}\n  hostKey: {host_key}\n"


def main() -> int:
    """Run the story; the exit code says whether all of it came true."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="berth-demo-") as name:
        folder = Path(name)
        log = folder / "berth.log"
        try:
            with stage(folder) as demo:
                demo.clone.commit_and_push("Our applications")
                review(demo)
                say("The reconciler runs beside them; it is the only thing that Berth needs.")
                say("$ berth run --poll 1 &", prompt=True)
                with running_berth(
                    "run", "--poll", "1", log=log, directory=demo.clone.path, environment=demo.environment
                ) as reconciler:
                    for scene in STORY:
                        scene(demo)
                    if reconciler.stop() != 0:
                        raise LabError("berth run did not end well on SIGTERM")
        except (LabError, subprocess.SubprocessError) as error:
            print(f"\nThe demo failed: {error}", file=sys.stderr)
            if log.exists():
                print("The last words of berth run:", *log.read_text().splitlines()[-15:], sep="\n  ", file=sys.stderr)
            return 1
    say(f"All of it came true, in {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
