"""What lies before the participants already, so that an analyst does not ask them twice or under one name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from sealane.governance.study import Study, parse_study
from sealane.governance.study_state import is_live
from sealane.rpc.notices import StudyRecord


def pending(
    records: Iterable[StudyRecord], wished: Study, own: Callable[[str], bool], now: datetime
) -> StudyRecord | None:
    """Return the first live study that asks for the same as a wished one, its name and its end aside.

    Args:
        records: of the studies that the coordinator has.
        wished: what would be proposed.
        own: tells by its hash whether this analyst proposed a study: another's is not taken for one's own.
        now: the present moment.
    """
    for record in records:
        study = parse_study(record.study)
        same = study.model_copy(update={"name": wished.name, "expires": wished.expires}) == wished
        if same and own(study.hash) and is_live(study, record.statements, now):
            return record
    return None


def namesakes(records: Iterable[StudyRecord], study: Study, now: datetime) -> list[Study]:
    """Return the other live studies of a study's name."""
    found = [(parse_study(record.study), record.statements) for record in records]
    return [other for other, statements in found
            if other.name == study.name and other.hash != study.hash and is_live(other, statements, now)]


def free_name(records: Iterable[StudyRecord], name: str) -> str:
    """Return a name that no study has: the one given, or with the first number behind it that is free."""
    taken = {parse_study(record.study).name for record in records}
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
