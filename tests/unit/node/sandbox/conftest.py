from __future__ import annotations

from collections.abc import Iterator

import pytest
from locked_in import LockedIn, locked_in

from sealane.node.sandbox.probe import probe


@pytest.fixture(scope="session")
def inside() -> Iterator[LockedIn]:
    """A sandbox at full strength."""
    offer = probe()
    if not offer.full:
        pytest.skip(f"this host offers no full sandbox: it lacks {', '.join(offer.lacking)}")
    with locked_in(offer) as made:
        yield made
