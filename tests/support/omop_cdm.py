"""Made-up tables of OMOP CDM 5.4, with every column of the published definition, and a cohort reckoned by hand."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FIELDS = Path(__file__).parents[3] / "shared" / "conformance" / "omop-cdm-5.4" / "OMOP_CDMv5.4_Field_Level.csv"
DIABETES, DIABETES_2, STROKE, GLUCOSE, MG_DL, MMOL_L, LESS = 201820, 201826, 381316, 3004501, 8840, 8753, 4171756
AS_OF = date(2024, 12, 31)
DEFINITION = f"""
as_of = 2024-12-31
follow_up_days = 1000
[cohort]
from = "condition_occurrence"
concepts = [{DIABETES}]
prior_days = 180
[outcome]
from = "condition_occurrence"
concepts = [{STROKE}]
descendants = false
[[columns]]
field = "person"
as = "person"
[[columns]]
field = "index_date"
as = "index_date"
[[columns]]
field = "age"
as = "age"
[[columns]]
field = "sex"
as = "sex"
[[columns]]
field = "time"
as = "time"
[[columns]]
field = "event"
as = "event"
[[columns]]
field = "event_kind"
as = "event_kind"
[[columns]]
field = "comorbidities"
from = "condition_occurrence"
concepts = [{STROKE}, {DIABETES}]
take = "count"
days = 365
[[columns]]
field = "creatinine"
from = "measurement"
concepts = [{GLUCOSE}]
take = "last"
days = 400
unit_concepts = [{MG_DL}]
convert = {{ {MMOL_L} = 18.0 }}
"""


def definitions() -> dict[str, dict[str, str]]:
    """Return type by column by table, as the Common Data Model's own files state them."""
    with FIELDS.open(encoding="utf-8-sig", newline="") as file:
        tables: dict[str, dict[str, str]] = {}
        for row in csv.DictReader(file):
            tables.setdefault(row["cdmTableName"].lower(), {})[row["cdmFieldName"].strip('"').lower()] = \
                row["cdmDatatype"].lower()
    return tables


EDGES = [
    # days of: begin and end of observation, entry, strokes, death
    (0, 2000, 400, [400], None),            # the outcome on the day of entry
    (0, 900, 400, [900], None),             # on the last day observed
    (0, 900, 400, [901], None),
    (0, 2000, 180, [], None),               # just long enough before
    (0, 2000, 179, [], None),
    (0, 2000, 400, [1400], None),           # on the last day of follow-up
    (0, 2000, 400, [1401], None),
    (0, 2000, 400, [800], 700),             # after death
    (0, 2000, 400, [700], 700),             # on the day of death
    (0, 2000, 400, [], 400),                # death on the day of entry
    (0, 2000, 400, [], 399),                # and before it
    (400, 2000, 400, [], None),
    (0, 400, 400, [], None),                # entry on the last day observed
    (401, 2000, 400, [], None),
]
"""Born on the day and month of entry, 50 years before."""


def day(number: int) -> str:
    return (date(2018, 1, 1) + timedelta(days=int(number))).isoformat()


def made_up(persons: int = 400, seed: int = 5) -> dict[str, pd.DataFrame]:
    """Return tables by name, only with the columns that mean something."""
    rng = np.random.default_rng(seed)
    ids = np.arange(1, persons + 1)
    begins = rng.integers(0, 900, persons)
    closes = begins + rng.integers(100, 2600, persons)
    dead = rng.random(persons) < 0.2
    conditions: list[tuple[int, int, str]] = []
    values: list[tuple[int, int, str, float | None, int | None, int | None]] = []
    for person in ids:
        for concept, share in ((DIABETES, 0.3), (DIABETES_2, 0.6), (STROKE, 0.4), (STROKE, 0.2), (999, 0.5)):
            if rng.random() < share:
                conditions.append((int(person), concept, day(rng.integers(0, 2700))))
        for _ in range(rng.integers(0, 6)):
            unit = rng.choice([MG_DL, MMOL_L, 8554, 0], p=[0.6, 0.2, 0.1, 0.1])
            values.append((int(person), GLUCOSE, day(rng.integers(0, 2700)), round(float(rng.uniform(1, 20)), 3),
                           None if unit == 0 else int(unit), None if rng.random() < 0.9 else LESS))
    tables = {
        "person": pd.DataFrame({
            "person_id": ids, "gender_concept_id": rng.choice([8507, 8532, 0], persons, p=[0.45, 0.45, 0.1]),
            "year_of_birth": rng.integers(1930, 2000, persons), "month_of_birth": rng.integers(1, 13, persons),
            "day_of_birth": rng.integers(1, 29, persons)}),
        "observation_period": pd.DataFrame({
            "person_id": ids, "observation_period_start_date": [day(n) for n in begins],
            "observation_period_end_date": [day(n) for n in closes]}),
        "condition_occurrence": pd.DataFrame(conditions, columns=[
            "person_id", "condition_concept_id", "condition_start_date"]).assign(
                condition_occurrence_id=lambda frame: np.arange(len(frame))),
        "measurement": pd.DataFrame(values, columns=[
            "person_id", "measurement_concept_id", "measurement_date", "value_as_number", "unit_concept_id",
            "operator_concept_id"]).assign(measurement_id=lambda frame: np.arange(len(frame))).astype(
                {"unit_concept_id": "Int64", "operator_concept_id": "Int64"}),
        "death": pd.DataFrame({"person_id": ids[dead], "death_date": [day(n) for n in closes[dead]]}),
        "concept_ancestor": pd.DataFrame({"ancestor_concept_id": [DIABETES, DIABETES],
                                          "descendant_concept_id": [DIABETES, DIABETES_2]}),
    }
    return with_edges(tables)


def with_edges(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Add the persons of EDGES."""
    more: dict[str, list[dict[str, Any]]] = {table: [] for table in tables}
    for number, (begins, closes, entry, strokes, death) in enumerate(EDGES):
        who, born = {"person_id": 100_000 + number}, date.fromisoformat(day(entry))
        more["person"].append(who | {"gender_concept_id": 8532, "year_of_birth": born.year - 50,
                                     "month_of_birth": born.month, "day_of_birth": born.day})
        more["observation_period"].append(who | {"observation_period_start_date": day(begins),
                                                 "observation_period_end_date": day(closes)})
        for concept, at in [(DIABETES_2, entry), *((STROKE, at) for at in strokes)]:
            more["condition_occurrence"].append(who | {
                "condition_concept_id": concept, "condition_start_date": day(at),
                "condition_occurrence_id": 100_000 + len(more["condition_occurrence"])})
        if death is not None:
            more["death"].append(who | {"death_date": day(death)})
    return {table: pd.concat([frame, pd.DataFrame(more[table], columns=frame.columns)], ignore_index=True)
            if more[table] else frame for table, frame in tables.items()}


def whole(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with all columns of the definition, in its order; those that mean nothing are empty."""
    columns = definitions()[table]
    assert set(frame.columns) <= set(columns)
    return pd.DataFrame({name: frame[name] if name in frame else pd.Series([None] * len(frame), dtype=object)
                         for name in columns})


def reckoned(tables: dict[str, pd.DataFrame]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return the cohort of DEFINITION person by person, in plain Python, and why others are not in it."""
    found: list[dict[str, Any]] = []
    reasons: dict[str, int] = {}
    periods = tables["observation_period"].set_index("person_id")
    deaths = dict(tables["death"].itertuples(index=False, name=None))
    for person in tables["person"].itertuples():
        name = person.person_id
        conditions = [(concept, date.fromisoformat(at)) for who, concept, at in tables["condition_occurrence"][
            ["person_id", "condition_concept_id", "condition_start_date"]].itertuples(index=False) if who == name
            and at <= AS_OF.isoformat()]
        entered = [at for concept, at in conditions if concept in (DIABETES, DIABETES_2)]
        if not entered:
            continue
        index = min(entered)
        begins, closes = (date.fromisoformat(periods.loc[name][f"observation_period_{end}_date"])
                          for end in ("start", "end"))
        died = date.fromisoformat(deaths[name]) if name in deaths and deaths[name] <= AS_OF.isoformat() else None
        strokes = [at for concept, at in conditions if concept == STROKE]
        reason = ("not-observed" if not begins <= index <= closes else "short-history" if (index - begins).days < 180
                  else "earlier-outcome" if any(at <= index for at in strokes)
                  else "ends-before-index" if died is not None and died < index else "used")
        reasons[reason] = reasons.get(reason, 0) + 1
        if reason != "used":
            continue
        end = min(closes, AS_OF, index + timedelta(days=1000), died or closes)
        event = bool(strokes) and min(strokes) <= end
        values = tables["measurement"][["person_id", "measurement_date", "value_as_number", "unit_concept_id",
                                        "operator_concept_id"]].itertuples(index=False)
        measured = sorted((at, number, value * (18.0 if unit == MMOL_L else 1.0))
                          for number, (who, at, value, unit, sign) in enumerate(values) if who == name
                          and pd.isna(sign) and not pd.isna(unit)
                          and unit in (MG_DL, MMOL_L) and 0 <= (index - date.fromisoformat(at)).days <= 400)
        birthday = (person.month_of_birth, person.day_of_birth) > (index.month, index.day)
        found.append({
            "person": str(name), "index_date": index.isoformat(), "age": index.year - person.year_of_birth - birthday,
            "sex": {8507: "male", 8532: "female"}.get(person.gender_concept_id, "unknown"),
            "time": ((min(strokes) if event else end) - index).days, "event": int(event),
            "event_kind": 1 if event else 2 if died is not None and died <= end else 0,
            "comorbidities": sum(concept in (STROKE, DIABETES, DIABETES_2) and 0 <= (index - at).days <= 365
                                 for concept, at in conditions),
            "creatinine": measured[-1][2] if measured else None,
        })
    return found, reasons
