"""``sealane demo healthcare``: a risk model at four hospitals and a survival study over four cohorts."""

from __future__ import annotations
