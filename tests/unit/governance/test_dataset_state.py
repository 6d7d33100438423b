from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.errors import RefusedError
from sealane.governance.dataset_state import (
    Life,
    Phase,
    check_usable,
    graded,
    profiled,
    published,
    registered,
    unpublished,
    withdrawn,
)

# Written by hand from the diagram in DESIGN: phase, act -> phase; what is not here is refused.
TABLE = {
    ("registered", "profile"): "profiled", ("registered", "again"): "stale", ("registered", "withdraw"): "withdrawn",
    ("profiled", "profile"): "profiled", ("profiled", "grade"): "graded", ("profiled", "again"): "stale",
    ("profiled", "withdraw"): "withdrawn",
    ("graded", "profile"): "graded", ("graded", "grade"): "graded", ("graded", "publish"): "published",
    ("graded", "again"): "stale", ("graded", "withdraw"): "withdrawn",
    ("published", "profile"): "published", ("published", "grade"): "graded", ("published", "publish"): "published",
    ("published", "again"): "stale", ("published", "withdraw"): "withdrawn", ("published", "unpublish"): "graded",
    ("stale", "profile"): "stale+", ("stale", "again"): "stale", ("stale", "withdraw"): "withdrawn",
    ("stale+", "profile"): "stale+", ("stale+", "grade"): "graded", ("stale+", "again"): "stale",
    ("stale+", "withdraw"): "withdrawn",
    ("withdrawn", "again"): "registered",
}
ACTS = {"profile": profiled, "grade": graded, "publish": published, "unpublish": unpublished, "withdraw": withdrawn}


def word(life: Life) -> str:
    return life.phase.value + ("+" if life.phase is Phase.STALE and life.profiled else "")


@given(st.lists(st.sampled_from(["again", *ACTS]), max_size=30))
def test_every_path_follows_the_table_and_a_refusal_changes_nothing(acts: list[str]) -> None:
    life = registered(None, "v0")
    for number, act in enumerate(acts, 1):
        before = word(life)
        expected = TABLE.get((before, act))
        if expected is None:
            with pytest.raises(RefusedError) as caught:
                ACTS[act](life)
            assert caught.value.code == "dataset.illegal-move"
            assert word(life) == before
        else:
            life = registered(life, f"v{number}") if act == "again" else ACTS[act](life)
            assert word(life) == expected


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.WITHDRAWN])
def test_the_same_version_again_changes_nothing(phase: Phase) -> None:
    life = Life(phase, "v", profiled=True)
    assert registered(life, "v") == life


@pytest.mark.parametrize("phase", list(Phase))
def test_only_what_is_graded_or_published_in_that_version_is_usable(phase: Phase) -> None:
    life = Life(phase, "v", profiled=True)
    if phase in (Phase.GRADED, Phase.PUBLISHED):
        check_usable("loans", life, "v")
    for version, known in (("v", life if phase not in (Phase.GRADED, Phase.PUBLISHED) else None), ("w", life)):
        with pytest.raises(RefusedError) as caught:
            check_usable("loans", known, version)
        assert caught.value.code == "dataset.not-graded"
