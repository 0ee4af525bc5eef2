"""The verbs of `berth`, by name: where each lives and what it is for, without importing it.

`berth --help` must answer at once, so the table repeats the first line of each verb's help; a test holds them together.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Verb(NamedTuple):
    """module: below `reconciler.cli.verbs`, with the command as attribute `command`. help: one line."""

    module: str
    help: str


SECTIONS: Final[dict[str, dict[str, Verb]]] = {
    "Deploy": {
        "run": Verb("run", "Keep the hosts as the repository says, until stopped (the daemon)."),
        "apply": Verb("apply", "Make the hosts as the repository says, once, and wait until they are."),
        "plan": Verb("plan", "Show what would happen, and change nothing."),
        "validate": Verb("validate", "Check manifests without touching a host or a remote."),
        "init": Verb("init", "Make the skeleton of a new GitOps repository."),
    },
    "Look": {
        "get": Verb("get", "List objects as kubectl does."),
        "describe": Verb("describe", "Show one object with its conditions, events and what it waits for."),
        "events": Verb("events", "Show what happened, newest last."),
        "hosts": Verb("hosts", "List hosts with their state and capacity."),
        "top": Verb("top", "Show how much of hosts is promised and used, and what pods use."),
        "explain": Verb("explain", "Say where a pod fits, and why: every predicate and score."),
    },
    "Change (each is a commit)": {
        "set": Verb("set_fields", "Set the image or the environment of containers (a commit)."),
        "scale": Verb("scale", "Set how many pods a workload has (a commit)."),
        "autoscale": Verb("autoscale", "Let load decide how many pods a workload has (a commit)."),
        "rollout": Verb("rollout", "Watch, look back at, undo, pause or restart the update of a workload."),
        "create": Verb("create", "Create a ConfigMap or Secret from files and literals (a commit)."),
        "edit": Verb("edit", "Edit an object's manifest in your editor (a commit)."),
        "patch": Verb("patch", "Change fields of an object's manifest (a commit)."),
        "delete": Verb("delete", "Delete objects: their manifests go from Git (a commit)."),
        "cordon": Verb("cordon", "Let a host take no new pods (a commit on its Host)."),
        "drain": Verb("drain", "Empty a host, within disruption budgets (a commit on its Host)."),
        "uncordon": Verb("uncordon", "Let a host take pods again (a commit on its Host)."),
    },
    "Debug": {
        "logs": Verb("logs", "Print what a container writes."),
        "exec": Verb("exec", "Run a command inside a container."),
    },
    "Other": {
        "lab": Verb("lab", "A lab of real hosts on this machine: up, status, down."),
        "version": Verb("version", "Print the version."),
    },
}

ELSEWHERE: Final[dict[str, str]] = {
    "annotate": "berth edit or berth patch changes an object's annotations, as a commit",
    "api-resources": "docs/features.md lists the kinds",
    "attach": "berth logs -f follows what a container writes, berth exec runs a command in it",
    "config": "settings are the Cluster in Git and the options of berth --help",
    "cp": "docker cp on the pod's host; berth get pod NAME -o wide names the host",
    "diff": "berth plan shows what a commit would change, and where",
    "expose": "write a Service into Git",
    "kustomize": "kustomize is not rendered yet; commit what `kustomize build` prints",
    "label": "berth edit or berth patch changes an object's labels, as a commit",
    "port-forward": "ssh -L PORT:POD_ADDRESS:PORT to the pod's host; berth get pod NAME -o wide names both",
    "replace": "commit the manifest; berth edit opens it",
    "taint": "berth edit host NAME, spec.taints",
    "wait": "berth rollout status waits for a workload, berth apply for everything",
}
"""Commands that people know from kubectl and that Berth has under another name, or not: what to type instead."""

VERBS: Final[dict[str, Verb]] = {name: verb for verbs in SECTIONS.values() for name, verb in verbs.items()}
