from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from journals import RUN, SEED, STUDY
from stage import probe, stage  # noqa: F401 - fixtures

from sealane.core.clock import ManualClock
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.governance.contract import Contract, load_contract
from sealane.governance.study import Participant, Study, make_study
from sealane.node import datasets
from sealane.node.datasets import Report, add_dataset
from sealane.node.journal import Journal
from sealane.node.mapping import Mapped
from sealane.node.register import Register
from sealane.sectors import registry

Add = Callable[..., Report]
CONTRACT = load_contract(b"""
id = "test.loans/v1"
[[fields]]
name = "bad"
type = "boolean"
[[fields]]
name = "income"
type = "number"
unit = "USD"
minimum = 0
maximum = 1e6
[[fields]]
name = "loans"
type = "integer"
minimum = 0
maximum = 100
nullable = true
[[fields]]
name = "grade"
type = "category"
allowed = ["A", "B", "NA"]
[[fields]]
name = "opened"
type = "date"
nullable = true
[[fields]]
name = "note"
type = "text"
nullable = true
""")


@pytest.fixture
def contract(monkeypatch: pytest.MonkeyPatch) -> Contract:
    def find(contract_id: str) -> Contract:
        return CONTRACT if contract_id == CONTRACT.id else registry.contract(contract_id)
    monkeypatch.setattr(datasets, "find_contract", find)
    return CONTRACT


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 6, 1, 12, tzinfo=UTC))


@pytest.fixture(scope="session")
def keys() -> dict[str, SigningKey]:
    return {name: SigningKey(Secret(bytes([index]) * 32)) for index, name in enumerate(["north", "south", "west"])}


@pytest.fixture
def register(tmp_path: Path, keys: dict[str, SigningKey], clock: ManualClock) -> Iterator[Register]:
    opened = Register(tmp_path / "node.sqlite", keys["north"].fingerprint, clock)
    yield opened
    opened.close()


@pytest.fixture
def make(keys: dict[str, SigningKey]) -> Callable[..., Study]:
    def build(**changes: object) -> Study:
        fields: dict[str, object] = {
            "name": "scorecard", "sector": "finance", "purpose": "credit-risk", "data_contract": CONTRACT.id,
            "computation": "glm.fit", "parameters": {"outcome": "bad", "features": ["income"], "family": "binomial"},
            "expires": "2026-07-01T00:00:00Z",
            "participants": [Participant(name=name, fingerprint=key.fingerprint) for name, key in keys.items()],
        }
        return make_study(**(fields | changes))
    return build


@pytest.fixture
def add(register: Register, contract: Contract, clock: ManualClock) -> Add:
    def run(source: object, mapping: dict[str, Mapped] | None = None, *, drop_invalid: bool = False) -> Report:
        return add_dataset(register, "loans", str(source), contract.id, mapping or {}, now=clock(),
                           drop_invalid=drop_invalid)
    return run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite"


@pytest.fixture
def journal(path: Path) -> Journal:
    made = Journal(path)
    made.join(RUN, STUDY, SEED)
    return made
