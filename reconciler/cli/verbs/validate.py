"""`berth validate`: check manifests offline, exactly as a commit would be checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from objects.errors import BerthError
from objects.fields import show_path
from objects.own.config import Cluster
from reconciler.cli.common.exit_codes import INVALID, OK
from reconciler.process.options import Options
from sources.errors import ManifestError
from sources.reading.manifests import ManifestWarning
from sources.reading.validate import Report, validate_path
from sources.words import Words


@click.command("validate", help="Check manifests without touching a host or a remote.")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing when all is well.")
@click.pass_obj
def command(options: Options, path: Path, output: str, *, strict: bool, quiet: bool) -> int:
    """PATH: a repository, a folder of manifests or one file. Exit code 3 when something is wrong."""
    report = _report(path, options.words, as_json=output == "json")
    report = report._replace(warnings=(*report.warnings, *profile_warnings(report)))
    is_valid = not report.errors and not (strict and report.warnings)
    if output == "json":
        click.echo(json.dumps(as_document(report, is_valid=is_valid), indent=2, ensure_ascii=False))
    elif not (quiet and is_valid and not report.warnings):
        click.echo("\n".join(as_lines(report, path)))
    return OK if is_valid else INVALID


def _report(path: Path, words: Words, *, as_json: bool) -> Report:
    """What cannot be read at all is an error like any other where a program reads the answer."""
    try:
        return validate_path(path, words=words)
    except ManifestError as error:
        return Report((), (error,), (), 1)
    except BerthError as error:
        if not as_json:
            raise
        return Report((), (ManifestError(error.message, file=str(path), hint=error.hint),), (), 1)


def profile_warnings(report: Report) -> list[ManifestWarning]:
    """Scheduler profiles that name what does not exist here. No errors: a plug-in may be installed where `run` is."""
    found: list[ManifestWarning] = []
    for obj, origin in report.objects:
        if isinstance(obj, Cluster) and obj.spec.scheduling.profiles:
            from policies.scheduling.profiles import sound_profiles
            from reconciler.process.plugins import load_rules

            _, wrong = sound_profiles(obj.spec.scheduling.profiles, load_rules())
            place = ("spec", "scheduling", "profiles")
            found += (
                ManifestWarning(
                    origin.file, origin.line, place, f"{problem}: pods of scheduler {name} would wait", str(obj.key)
                )
                for name, problem in wrong.items()
            )
    return found


def as_lines(report: Report, path: Path) -> list[str]:
    """`error file:line: path: message` for each finding in order of its place, then one line that sums up."""
    findings: list[tuple[str, int, str, ManifestError | ManifestWarning]] = [
        *((error.file, error.line, "error", error) for error in report.errors),
        *((warning.file, warning.line, "warning", warning) for warning in report.warnings),
    ]
    lines = [f"{level}: {found}" for _, _, level, found in sorted(findings, key=lambda item: item[:3])]
    counts = [_count(len(report.warnings), "warning")] if report.warnings else []
    if report.errors:
        number = max(report.error_count, len(report.errors))
        if number > len(report.errors):
            lines.append(f"and {_count(number - len(report.errors), 'more error')}")
        return [*lines, f"{path}: not valid: " + ", ".join([_count(number, "error"), *counts])]
    return [*lines, f"{path}: valid: " + ", ".join([_count(len(report.objects), "object"), *counts])]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def as_document(report: Report, *, is_valid: bool) -> dict[str, Any]:
    """The same as JSON: `valid` (as the exit code says), `objects` by kind, namespace and name with their places,
    `errors`, `warnings`."""
    return {
        "valid": is_valid,
        "objects": [
            {"kind": obj.KIND, "namespace": obj.namespace, "name": obj.name, "file": origin.file, "line": origin.line}
            for obj, origin in report.objects
        ],
        "errors": [{**_place(error), "hint": error.hint} for error in report.errors],
        "errorCount": max(report.error_count, len(report.errors)),
        "warnings": [_place(warning) for warning in report.warnings],
    }


def _place(found: ManifestError | ManifestWarning) -> dict[str, Any]:
    return {
        "file": found.file,
        "line": found.line,
        "object": found.obj,
        "path": show_path(found.path),
        "message": found.message,
    }
