"""A plan as Markdown, for a pull request's comment. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from differ.documents.plan import Plan
from differ.documents.text import (
    SIGNS,
    capacity_line,
    field_line,
    summary,
)

MAX_COMMENT_CHARACTERS = 60_000
"""GitHub refuses comments above 65,536 characters."""


def render_markdown(plan: Plan) -> str:
    """The plan as a comment; what is too long for one is cut with a sentence that says so."""
    text = "\n".join(_lines(plan)) + "\n"
    if len(text) <= MAX_COMMENT_CHARACTERS:
        return text
    return text[:MAX_COMMENT_CHARACTERS] + "\n```\n\n… cut: the whole plan is longer than a comment may be.\n"


def _lines(plan: Plan) -> Iterator[str]:
    yield "### Berth plan"
    yield ""
    yield summary(plan)
    if plan.objects:
        yield ""
        yield "```diff"
        for change in plan.objects:
            yield f"{_diff_sign(change.action)} {change.key}"
            yield from (_diff_line(field_line(field)) for field in change.fields)
        yield "```"
    if plan.pods:
        yield ""
        yield "| | pod | host | of |"
        yield "|---|---|---|---|"
        for pod in plan.pods:
            of = f"{pod.owner}: {pod.why}" if pod.why else pod.owner
            yield f"| {pod.action} | {pod.namespace}/{pod.name} | {pod.host or '*no host fits*'} | {of} |"
    if plan.pods:
        yield ""
        yield "<details><summary>Left on the hosts afterwards</summary>"
        yield ""
        yield from (f"- {capacity_line(row)}" for row in plan.capacity)
        yield ""
        yield "</details>"
    for title, facts in (
        ("Will wait", [f"{item.subject}: {item.reason}" for item in plan.waiting]),
        ("Warnings", list(plan.warnings)),
        ("Hosts that were not reached", list(plan.unknown_hosts)),
        ("Deletions are held", [plan.held_deletions] if plan.held_deletions else []),
    ):
        if facts:
            yield ""
            yield f"**{title}**"
            yield ""
            yield from (f"- {fact}" for fact in facts)


def _diff_sign(action: str) -> str:
    return "!" if SIGNS[action] == "~" else SIGNS[action]


def _diff_line(line: str) -> str:
    """`~` means nothing to a diff viewer; `!` is shown as a change."""
    return f"!   {line[2:]}" if line.startswith("~") else f"{line[0]}   {line[2:]}"
