"""The source loop: no commit, and nothing that follows from one, ends the watching of later ones."""

from __future__ import annotations

from objects.errors import BerthError
from reconciler.desired.source_loop import SourceLoop
from reconciler.state.messages import Desired

COMMIT = Desired(commit="c1", objects=())


def test_what_fails_after_a_commit_was_read_is_said_and_tried_again() -> None:
    said: list[BerthError | None] = []
    taken: list[Desired] = []

    def take(desired: Desired) -> None:
        if len(said) == 0:
            raise TypeError("a bug")
        taken.append(desired)

    loop = SourceLoop(lambda: COMMIT, on_desired=take, on_problem=said.append)
    loop.read_once()
    assert "internal error while reading the repository: TypeError" in str(said[0])
    loop.read_once()
    assert (taken, said[1:]) == ([COMMIT], [None])
