"""What lies before the participants already."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import signed
from circle import seed_of

from sealane.client.proposals import free_name, namesakes, pending
from sealane.crypto.signing import SigningKey
from sealane.governance.study import Participant, Study, make_study
from sealane.rpc.notices import StudyRecord

KEYS = {name: SigningKey(seed_of("proposals", name)) for name in ("north", "south", "west")}
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def study(name: str = "card", **changes: Any) -> Study:
    fields: dict[str, Any] = {
        "name": name, "sector": "finance", "purpose": "credit-risk", "data_contract": "test.rows/v1",
        "computation": "statistics.describe", "parameters": {"columns": ["x"]}, "expires": "2026-07-01T00:00:00Z",
        "participants": [Participant(name=n, fingerprint=k.fingerprint) for n, k in KEYS.items()]}
    return make_study(**fields | changes)


def record(of: Study, refused: bool = False) -> StudyRecord:
    said = (signed.refusal(of, KEYS["west"], "west"),) if refused else ()
    return StudyRecord(of.canonical(), "iris", "2026-05-01T00:00:00Z", said)


def test_the_same_is_found_whatever_its_name_and_its_end() -> None:
    wished = study(expires="2026-07-09T00:00:00Z")
    same = record(study("card-4"))
    assert pending([record(study(purpose="fraud-detection")), same], wished, lambda _: True, NOW) == same
    assert pending([same], wished, lambda _: False, NOW) is None
    for other in (record(study(), refused=True), record(study(expires="2026-06-01T00:00:00Z")),
                  record(study(runs=9)), record(study(parameters={"columns": ["y"]})),
                  record(study(replaces="ab" * 32))):
        assert pending([other], wished, lambda _: True, NOW) is None


def test_live_studies_of_one_name() -> None:
    new, old = study(), study(runs=3)
    assert namesakes([record(new), record(old), record(study("other"))], new, NOW) == [old]
    gone = [record(study(runs=4), refused=True), record(study(expires="2026-06-01T00:00:00Z"))]
    assert namesakes([record(new), *gone], new, NOW) == []


def test_a_name_that_nothing_has() -> None:
    records = [record(study("card")), record(study("card-2")), record(study("card-4"), refused=True)]
    assert free_name(records, "card") == "card-3"
    assert free_name(records, "cards") == "cards"
