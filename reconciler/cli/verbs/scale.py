"""`berth scale`: another number of pods, as a commit."""

from __future__ import annotations

import click

from objects.api.apps import (
    Deployment,
    ReplicaSet,
    ReplicationController,
    StatefulSet,
)
from objects.api.autoscaling import HorizontalPodAutoscaler
from objects.api.meta import ObjectKey
from objects.errors import InvalidInput
from reconciler.cli.common.committing import (
    Intent,
    change_cause,
    commit_edit,
    writing_options,
)
from reconciler.cli.common.viewing import namespace_option
from reconciler.cli.common.written_objects import Target, find_targets
from reconciler.editing.draft import Draft
from reconciler.process.options import Options

SCALABLE = (Deployment, ReplicaSet, StatefulSet, ReplicationController)

HELP = """Set how many pods a workload has (a commit).

\b
berth scale deploy/web --replicas=5
berth scale deploy web db --replicas=0 --current-replicas=1
"""


@click.command("scale", help=HELP)
@click.argument("what", nargs=-1, metavar="KIND NAME... | KIND/NAME...")
@click.option("--replicas", type=click.IntRange(min=0), required=True, help="The new number of pods.")
@click.option("--current-replicas", type=click.IntRange(min=0), help="Only if this is the number now.")
@namespace_option
@writing_options
@click.pass_obj
def command(
    options: Options,
    what: tuple[str, ...],
    replicas: int,
    current_replicas: int | None,
    namespace: str,
    intent: Intent,
) -> int:
    targets = find_targets(what, namespace, SCALABLE)

    def edit(draft: Draft) -> list[str]:
        return [scale(draft, target, replicas, current=current_replicas) for target in targets]

    words = ["scale", *(target.typed for target in targets), f"--replicas={replicas}"]
    return commit_edit(options, intent, edit, cause=change_cause(words, namespace=namespace))


def scale(draft: Draft, target: Target, replicas: int, *, current: int | None = None) -> str:
    """Returns what is said about it. Raises NotFound, InvalidInput when it is not of size `current` now."""
    obj = draft.object(target.key, target.plural)
    now = obj.spec.replicas  # type: ignore[attr-defined]
    now = 1 if now is None else now
    if current is not None and now != current:
        raise InvalidInput(f"expected {target.typed} to have {current} replicas, it has {now}")
    manifest = draft.manifest(target.key)
    draft.replace(target.key, {**manifest, "spec": {**(manifest.get("spec") or {}), "replicas": replicas}})
    autoscaler = _autoscaler_of(draft, target.key)
    warning = f"\nwarning: {autoscaler} decides the number of its pods" if autoscaler else ""
    return f"{target.typed} scaled{warning}"


def _autoscaler_of(draft: Draft, key: ObjectKey) -> str:
    for obj in draft.state.objects.values():
        if isinstance(obj, HorizontalPodAutoscaler) and obj.namespace == key.namespace:
            target = obj.spec.scale_target_ref
            if (target.kind, target.name) == (key.kind, key.name):
                return str(obj.key)
    return ""
