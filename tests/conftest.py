"""Fixtures for all tests, and a quick collection."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.lab.fixtures"]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Nothing that is made while tests are collected is garbage before the end of the run: no search for any in it.

    Else the collector goes through millions of objects of thousands of tests again and again, later as well.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
