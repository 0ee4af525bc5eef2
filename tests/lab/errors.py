"""The one exception of the lab: a sentence for the person who started it."""

from __future__ import annotations


class LabError(Exception):
    """What failed, where, and what to do about it."""
