"""`berth autoscale`: a HorizontalPodAutoscaler beside its workload's manifest, as a commit."""

from __future__ import annotations

from typing import Any

import click

from objects.api.autoscaling import HorizontalPodAutoscaler
from objects.api.meta import ObjectKey
from objects.errors import InvalidInput
from objects.kinds import BY_KIND
from reconciler.cli.common.committing import (
    Intent,
    change_cause,
    commit_edit,
    writing_options,
)
from reconciler.cli.common.naming import typed_name
from reconciler.cli.common.viewing import namespace_option
from reconciler.cli.common.written_objects import Target, find_targets
from reconciler.cli.verbs.scale import SCALABLE
from reconciler.editing.draft import Draft
from reconciler.process.options import Options

HELP = """Let load decide how many pods a workload has (a commit).

\b
berth autoscale deploy/php-apache --cpu-percent=50 --min=1 --max=10
"""


@click.command("autoscale", help=HELP)
@click.argument("what", nargs=-1, metavar="KIND NAME | KIND/NAME")
@click.option("--min", "least", type=click.IntRange(min=1), help="Fewest pods. Default: 1.")
@click.option("--max", "most", type=click.IntRange(min=1), required=True, help="Most pods.")
@click.option("--cpu-percent", type=click.IntRange(min=1), help="CPU to aim at, in percent of what is requested.")
@click.option("--name", default="", help="Name of the autoscaler. Default: the workload's.")
@namespace_option
@writing_options
@click.pass_obj
def command(
    options: Options,
    what: tuple[str, ...],
    least: int | None,
    most: int,
    cpu_percent: int | None,
    name: str,
    namespace: str,
    intent: Intent,
) -> int:
    if least is not None and least > most:
        raise click.UsageError(f"--min={least} is more than --max={most}")
    targets = find_targets(what, namespace, SCALABLE)
    if name and len(targets) > 1:
        raise click.UsageError("--name is for one workload")

    def edit(draft: Draft) -> list[str]:
        return [_autoscale(draft, target, name or target.key.name, least, most, cpu_percent) for target in targets]

    numbers = [("min", least), ("max", most), ("cpu-percent", cpu_percent)]
    words = ["autoscale", *(target.typed for target in targets)]
    words += [f"--{option}={value}" for option, value in numbers if value is not None]
    return commit_edit(options, intent, edit, cause=change_cause(words, namespace=namespace))


def _autoscale(draft: Draft, target: Target, name: str, least: int | None, most: int, cpu_percent: int | None) -> str:
    obj = draft.object(target.key, target.plural)
    info = BY_KIND[HorizontalPodAutoscaler.KIND]
    if ObjectKey(info.kind.KIND, obj.namespace, name) in draft.state.objects:
        raise InvalidInput(f'{info.plural}.autoscaling "{name}" already exists', hint=f"berth edit hpa {name}")
    folder = draft.folder_of(target.key)
    manifest = autoscaler_manifest(
        name,
        obj.API_VERSION,
        target.key,
        namespace="" if draft.namespace_of_application(target.key) == obj.namespace else obj.namespace,
        least=least,
        most=most,
        cpu_percent=cpu_percent,
    )
    draft.add(f"{folder}/{name}-autoscaler.yaml".lstrip("/"), manifest)
    return f"{typed_name(info, name)} autoscaled"


def autoscaler_manifest(
    name: str,
    api_version: str,
    target: ObjectKey,
    *,
    namespace: str,
    least: int | None,
    most: int,
    cpu_percent: int | None,
) -> dict[str, Any]:
    """The manifest of an autoscaler. namespace: '' when its Application gives it."""
    utilization = {"type": "Utilization", "averageUtilization": cpu_percent}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": utilization}}
    return {
        "apiVersion": HorizontalPodAutoscaler.API_VERSION,
        "kind": HorizontalPodAutoscaler.KIND,
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "spec": {
            "scaleTargetRef": {"apiVersion": api_version, "kind": target.kind, "name": target.name},
            **({"minReplicas": least} if least is not None else {}),
            "maxReplicas": most,
            **({"metrics": [metric]} if cpu_percent is not None else {}),
        },
    }
