"""A pack about a run that never was: honest witnesses cosign whatever log is consistent, so the verifier must look."""

from __future__ import annotations

import pytest
from told_run import NAMES, Story

from sealane.errors import ProtocolError


def test_an_honest_story_is_believed() -> None:
    assert Story().verify().endorsed == 3


@pytest.mark.parametrize(("story", "code"), [
    (Story(members=("sybil",)), "audit.cohort-differs"),
    (Story(members=(*NAMES, "sybil")), "audit.cohort-differs"),
    (Story(members=("north", "south")), "audit.cohort-differs"),
    (Story(agreed=("north", "south")), "audit.cohort-differs"),
    (Story(joined_for="r-bbbbbbbbbbbbbbbb"), "signature.invalid"),
    (Story(endorsed_attempt=2), "audit.endorsements-differ"),
    (Story(transcripts={"north": b"u" * 32}), "audit.endorsements-differ"),
])
def test_an_invented_run_is_not(story: Story, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        story.verify()
    assert caught.value.code == code
