from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import signed

from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError
from sealane.governance.counter import Counter, amended, sign_counter, verify_counter
from sealane.governance.study import Study

Build = Callable[..., Study]


def counter(about: Study, key: SigningKey, **fields: Any) -> Counter:
    return replace(Counter(about.hash, "north", key.fingerprint, {"minimum_count": 20}, "small towns", signed.AT),
                   **fields)


def test_it_comes_back_and_gives_another_study(build: Build, keys: dict[str, SigningKey]) -> None:
    study, key = build(), keys["north"]
    one = counter(study, key)
    assert verify_counter(sign_counter(key, one), study) == one
    wished = amended(study, one.changes)
    assert (wished.minimum_count, wished.hash == study.hash) == (20, False)
    assert wished.hash == build(minimum_count=20).hash


@pytest.mark.parametrize(("fields", "code"), [
    ({"study": "0" * 64}, "statement.other-study"), ({"node": "south"}, "statement.wrong-key"),
    ({"reason": "x" * 501}, "counter.malformed"), ({"changes": []}, "counter.malformed"),
    ({"changes": {}}, "counter.malformed"), ({"changes": {"minimum_count": 10}}, "counter.malformed"),
    ({"changes": {"participants": []}}, "counter.malformed"), ({"changes": {"minimum_count": -1}}, "counter.malformed"),
    ({"changes": {"parameters": {"a": "b" * 500, "c": ["d" * 500] * 30}}}, "counter.malformed"),
    ({"offered_at": "now"}, "statement.malformed"),
])
def test_what_no_study_can_say_or_another_signed(build: Build, keys: dict[str, SigningKey], fields: dict[str, Any],
                                                 code: str) -> None:
    study, key = build(), keys["north"]
    with pytest.raises(ProtocolError) as caught:
        verify_counter(sign_counter(key, counter(study, key, **fields)), study)
    assert caught.value.code == code


@pytest.mark.parametrize(("changes", "code"), [
    ({"recipients": []}, "counter.unknown-field"), ({"name": "other"}, "counter.unknown-field"),
    ({}, "counter.no-change"),
    ({"minimum_cohort": 9}, "study.too-few-participants"),
])
def test_only_terms_can_be_countered(build: Build, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(InputError) as caught:
        amended(build(), changes)
    assert caught.value.code == code
