"""Commits and trees as values."""

from __future__ import annotations

import pytest

from sources.git.revisions import (
    Tree,
    TreeEntry,
    parse_trailers,
    parse_tree,
    render_trailers,
)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("subject\n", (), id="subject-only"),
        pytest.param("fix: a thing\n", (), id="subject-that-looks-like-one"),
        pytest.param("subject\n\nA: 1\nB: two words\n", (("A", "1"), ("B", "two words")), id="two"),
        pytest.param("subject\n\nbody\n\nA: 1\n", (("A", "1"),), id="after-body"),
        pytest.param("subject\n\nbody A: 1\nmore\n", (), id="prose"),
        pytest.param("subject\n\nA: 1\nnot a trailer\n", (), id="mixed"),
        pytest.param("subject\n\nA: 1\n  goes on\n", (("A", "1 goes on"),), id="continued"),
        pytest.param("subject\n\nA: 1\n(cherry picked from commit ab)\nB: 2", (("A", "1"), ("B", "2")), id="picked"),
        pytest.param("subject\n\nA: 1\nA: 2\n", (("A", "1"), ("A", "2")), id="twice"),
        pytest.param("", (), id="empty"),
    ],
)
def test_trailers(message: str, expected: tuple[tuple[str, str], ...]) -> None:
    assert parse_trailers(message) == expected


def test_rendered_trailers_are_read_back() -> None:
    text = render_trailers("Status of x\n", {"Desired-Commit": "ab\ncd", "Health": "Good"})
    assert text == "Status of x\n\nDesired-Commit: ab cd\nHealth: Good\n"
    assert parse_trailers(text) == (("Desired-Commit", "ab cd"), ("Health", "Good"))


def test_a_listing_becomes_a_tree_and_a_part_of_it() -> None:
    listing = (
        b"040000 tree aa00       -\tapps\0"
        b"040000 tree bb00       -\tapps/web\0"
        b"100644 blob cc00      12\tapps/web/a b.yaml\0"
        b"120000 blob dd00       3\tapps/link\0"
        b"160000 commit ee00       -\tvendor\0"
    )
    tree = parse_tree("0000", listing)
    assert tree == Tree(
        "0000",
        {
            "apps/web/a b.yaml": TreeEntry(0o100644, "cc00", 12),
            "apps/link": TreeEntry(0o120000, "dd00", 3),
            "vendor": TreeEntry(0o160000, "ee00", 0),
        },
        {"apps": "aa00", "apps/web": "bb00"},
    )
    assert tree.subtree("apps/web") == Tree("bb00", {"a b.yaml": TreeEntry(0o100644, "cc00", 12)}, {})
    assert tree.subtree("") is tree
    assert tree.subtree("nothing") is None
    assert (tree.entries["apps/link"].is_symlink, tree.entries["vendor"].is_submodule) == (True, True)
