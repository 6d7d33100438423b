from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.governance.study import Participant, Study, make_study

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def keys() -> dict[str, SigningKey]:
    names = ["east", "north", "south", "west"]
    return {name: SigningKey(Secret(bytes([index]) * 32)) for index, name in enumerate(names)}


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def build(keys: dict[str, SigningKey]) -> Callable[..., Study]:
    def make(**changes: Any) -> Study:
        fields: dict[str, Any] = {
            "name": "scorecard", "sector": "finance", "purpose": "credit-risk",
            "data_contract": "finance.credit-application/v1", "computation": "glm.fit",
            "parameters": {"outcome": "bad", "features": ["annual_inc"], "ridge": 0.5},
            "expires": "2026-07-01T00:00:00Z",
            "participants": [Participant(name=name, fingerprint=key.fingerprint) for name, key in keys.items()],
        }
        return make_study(**(fields | changes))
    return make
