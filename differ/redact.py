"""The boundary that keeps secrets out of what is shown: diffs, plans, status. Pure.

Values of Secrets are `SecretValue`s and show a mask by themselves. What is left is text that people put elsewhere by
mistake: a value that also stands in a Secret is masked wherever it appears.
"""

from __future__ import annotations

from collections.abc import Iterable

from objects.core import Secret
from objects.secrets import MASK

MIN_LENGTH = 6
"""Shorter values (`true`, `admin`) would mask half of every text and are no secret worth the name."""


class Redactor:
    """Masks every occurrence of any value of the given Secrets in text."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        values = {
            value.reveal().decode("utf-8", "ignore").strip()
            for secret in secrets
            for value in (*secret.data.values(), *secret.string_data.values())
        }
        # Longest first: a value that contains another must go as a whole.
        self._values = sorted((value for value in values if len(value) >= MIN_LENGTH), key=lambda v: (-len(v), v))

    def __call__(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, MASK)
        return text
