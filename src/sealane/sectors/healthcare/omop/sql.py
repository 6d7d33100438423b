"""SQL for a cohort's definition, the same for DuckDB and PostgreSQL: reads only, and nothing in it but our own words.

Names of tables and columns are those of OMOP CDM 5.4; concepts, days and dates are integers and dates that the
definition's model checked. Column aliases are c0, c1, … so that no name from a file gets into a statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sealane.sectors.healthcare.omop.definition import ConceptSet, Definition, OmopColumn

USED = "used"
EQUAL = 4172703
"""Concept of the operator =, for values that are exact."""
FEMALE, MALE, OTHER = 8532, 8507, 8521
DOMAINS: dict[str, tuple[str, str, str]] = {
    "condition_occurrence": ("condition_occurrence_id", "condition_concept_id", "condition_start_date"),
    "drug_exposure": ("drug_exposure_id", "drug_concept_id", "drug_exposure_start_date"),
    "procedure_occurrence": ("procedure_occurrence_id", "procedure_concept_id", "procedure_date"),
    "measurement": ("measurement_id", "measurement_concept_id", "measurement_date"),
    "observation": ("observation_id", "observation_concept_id", "observation_date"),
    "device_exposure": ("device_exposure_id", "device_concept_id", "device_exposure_start_date"),
    "visit_occurrence": ("visit_occurrence_id", "visit_concept_id", "visit_start_date"),
    "death": ("person_id", "cause_concept_id", "death_date"),
}
"""By table: the key, the concept and the date of a record."""
COLUMNS: dict[str, dict[str, str]] = {
    "person": {"person_id": "BIGINT", "gender_concept_id": "BIGINT", "year_of_birth": "BIGINT",
               "month_of_birth": "BIGINT", "day_of_birth": "BIGINT"},
    "observation_period": {"person_id": "BIGINT", "observation_period_start_date": "DATE",
                           "observation_period_end_date": "DATE"},
    "concept_ancestor": {"ancestor_concept_id": "BIGINT", "descendant_concept_id": "BIGINT"},
    **{table: {"person_id": "BIGINT", key: "BIGINT", concept: "BIGINT", day: "DATE"}
       | ({"value_as_number": "DOUBLE", "unit_concept_id": "BIGINT"} if table in ("measurement", "observation") else {})
       | ({"operator_concept_id": "BIGINT"} if table == "measurement" else {})
       for table, (key, concept, day) in DOMAINS.items()},
}
"""Columns that are read, and their types, by table."""


@dataclass(frozen=True, slots=True)
class Statements:
    """What is asked of a database for one cohort.

    Attributes:
        table: one row per person of the cohort; columns c0, c1, … in the definition's order.
        reasons: persons by whether they are in the table, or why not.
        left_out: by reason, the number of records that could not be used.
    """

    table: str
    reasons: str
    left_out: Mapping[str, str]


def statements(definition: Definition, tables: Mapping[str, str]) -> Statements:
    """Return the SQL for a definition.

    Args:
        definition: of the cohort.
        tables: how each of its tables is written in the statement.
    """
    cohort = _judged(definition, tables)
    covariates = [(number, column) for number, column in enumerate(definition.columns) if column.domain]
    parts = [f"v{number} AS ({_covariate(column, tables)})" for number, column in covariates]
    wanted = ", ".join(f"{_expression(number, column)} AS c{number}"
                       for number, column in enumerate(definition.columns))
    joins = " ".join(f"LEFT JOIN v{number} ON v{number}.person_id = j.person_id" for number, _ in covariates)
    table = (f"WITH {', '.join([cohort, *parts])} SELECT {wanted} FROM judged j {joins} "
             f"WHERE j.reason = '{USED}' ORDER BY j.person_id")
    return Statements(table, f"WITH {cohort} SELECT reason, COUNT(*) FROM judged GROUP BY reason",
                      _left_out(definition, tables, cohort))


def _judged(definition: Definition, tables: Mapping[str, str]) -> str:
    """Return the CTEs that end in ``judged``: each person with a record of entry, and whether it is in the cohort."""
    entry, outcome = definition.cohort, definition.outcome
    last = f"DATE '{definition.as_of.isoformat()}'"
    reasons = [("j.begins IS NULL", "not-observed"), (f"j.index_date - j.begins < {entry.prior_days}", "short-history"),
               ("j.earlier", "earlier-outcome"), ("j.ends < j.index_date", "ends-before-index")]
    if definition.binary:
        reasons.append((f"NOT j.event AND j.ends - j.index_date < {definition.follow_up_days}", "short-follow-up"))
    cases = " ".join(f"WHEN {condition} THEN '{reason}'" for condition, reason in reasons)
    happened = _records(outcome, tables, last) if outcome else \
        f"SELECT person_id, death_date AS day FROM {tables['death']} WHERE FALSE"
    return f"""
entered AS (SELECT person_id, MIN(day) AS index_date FROM ({_records(entry, tables, last)}) r GROUP BY person_id),
happened AS ({happened}),
died AS (SELECT person_id, MIN(death_date) AS day FROM {tables['death']} WHERE death_date <= {last}
    GROUP BY person_id),
periods AS (SELECT e.person_id, MIN(o.observation_period_start_date) AS begins,
    MAX(o.observation_period_end_date) AS closes
    FROM entered e JOIN {tables['observation_period']} o ON o.person_id = e.person_id
    AND e.index_date BETWEEN o.observation_period_start_date AND o.observation_period_end_date GROUP BY e.person_id),
bounded AS (SELECT e.person_id, e.index_date, q.begins, d.day AS died,
    LEAST(q.closes, {last}, e.index_date + {definition.follow_up_days}, COALESCE(d.day, q.closes)) AS ends
    FROM entered e LEFT JOIN periods q ON q.person_id = e.person_id LEFT JOIN died d ON d.person_id = e.person_id),
followed AS (SELECT b.person_id, MIN(CASE WHEN h.day > b.index_date THEN h.day END) AS day,
    COALESCE(MAX(CASE WHEN h.day <= b.index_date THEN 1 ELSE 0 END), 0) = 1 AS earlier
    FROM bounded b LEFT JOIN happened h ON h.person_id = b.person_id GROUP BY b.person_id),
joined AS (SELECT b.*, f.earlier, f.day IS NOT NULL AND f.day <= b.ends AS event,
    LEAST(COALESCE(f.day, b.ends), b.ends) - b.index_date AS days,
    p.gender_concept_id AS gender, p.year_of_birth AS born_year, p.month_of_birth AS born_month,
    p.day_of_birth AS born_day
    FROM bounded b JOIN followed f ON f.person_id = b.person_id
    JOIN {tables['person']} p ON p.person_id = b.person_id),
judged AS (SELECT j.*, CASE {cases} ELSE '{USED}' END AS reason FROM joined j)"""


def _records(wanted: ConceptSet, tables: Mapping[str, str], last: str) -> str:
    _, concept, day = DOMAINS[wanted.domain]
    chosen = f" AND {_in_set(f'r.{concept}', wanted.concepts, wanted.descendants, tables)}" if wanted.concepts else ""
    return (f"SELECT r.person_id, r.{day} AS day FROM {tables[wanted.domain]} r "
            f"WHERE r.{day} <= {last}{chosen}")


def _in_set(column: str, concepts: list[int], descendants: bool, tables: Mapping[str, str]) -> str:
    listed = ", ".join(str(int(concept)) for concept in concepts)
    if not descendants:
        return f"{column} IN ({listed})"
    return (f"({column} IN ({listed}) OR {column} IN (SELECT a.descendant_concept_id FROM "
            f"{tables['concept_ancestor']} a WHERE a.ancestor_concept_id IN ({listed})))")


def _before(column: OmopColumn, tables: Mapping[str, str]) -> tuple[str, str, str]:
    """Return the FROM and WHERE of a covariate's records before the index date, and what orders them."""
    domain = column.domain or ""
    key, concept, day = DOMAINS[domain]
    chosen = _in_set(f"r.{concept}", column.concepts, column.descendants, tables)
    return (f"judged j JOIN {tables[domain]} r ON r.person_id = j.person_id",
            f"j.reason = '{USED}' AND r.{day} BETWEEN j.index_date - {column.days} AND j.index_date AND {chosen}",
            f"r.{day} {{}}, r.{key} {{}}")


def _covariate(column: OmopColumn, tables: Mapping[str, str]) -> str:
    source, condition, order = _before(column, tables)
    if not column.valued:
        return f"SELECT j.person_id, COUNT(*) AS found FROM {source} WHERE {condition} GROUP BY j.person_id"
    value = _converted(column)
    usable = f"{condition} AND r.value_as_number IS NOT NULL AND {_in_units(column)} AND {_exact(column)}"
    if column.take in ("first", "last"):
        way = "ASC" if column.take == "first" else "DESC"
        ranked = (f"SELECT j.person_id, {value} AS found, ROW_NUMBER() OVER (PARTITION BY j.person_id ORDER BY "
                  f"{order.format(way, way)}) AS place FROM {source} WHERE {usable}")
        return f"SELECT person_id, found FROM ({ranked}) ranked WHERE place = 1"
    made = {"minimum": "MIN", "maximum": "MAX", "mean": "AVG"}[column.take]
    return f"SELECT j.person_id, {made}({value}) AS found FROM {source} WHERE {usable} GROUP BY j.person_id"


def _converted(column: OmopColumn) -> str:
    value = "CAST(r.value_as_number AS DOUBLE PRECISION)"
    if not column.convert:
        return value
    cases = " ".join(f"WHEN {int(unit)} THEN {value} * {factor!r}" for unit, factor in sorted(column.convert.items()))
    return f"CASE r.unit_concept_id {cases} ELSE {value} END"


def _in_units(column: OmopColumn) -> str:
    units = [*column.unit_concepts, *map(int, column.convert)]
    if not units:
        return "TRUE"
    return f"COALESCE(r.unit_concept_id IN ({', '.join(str(int(unit)) for unit in units)}), FALSE)"


def _exact(column: OmopColumn) -> str:
    return "TRUE" if column.domain != "measurement" else \
        f"COALESCE(r.operator_concept_id, 0) IN (0, {EQUAL})"


def _expression(number: int, column: OmopColumn) -> str:
    match column.derived:
        case None:
            if column.take == "any":
                return f"CASE WHEN COALESCE(v{number}.found, 0) > 0 THEN 1 ELSE 0 END"
            return f"COALESCE(v{number}.found, 0)" if column.take == "count" else f"v{number}.found"
        case "person":
            return "CAST(j.person_id AS VARCHAR)"
        case "index_date":
            return "CAST(j.index_date AS VARCHAR)"
        case "age":
            return ("CAST(EXTRACT(YEAR FROM j.index_date) - j.born_year - CASE WHEN j.born_month > EXTRACT(MONTH FROM "
                    "j.index_date) OR (j.born_month = EXTRACT(MONTH FROM j.index_date) AND COALESCE(j.born_day, 1) > "
                    "EXTRACT(DAY FROM j.index_date)) THEN 1 ELSE 0 END AS INTEGER)")
        case "sex":
            return (f"CASE j.gender WHEN {FEMALE} THEN 'female' WHEN {MALE} THEN 'male' WHEN {OTHER} THEN 'other' "
                    "ELSE 'unknown' END")
        case "time":
            return "j.days"
        case "event" | "outcome":
            return "CASE WHEN j.event THEN 1 ELSE 0 END"
        case "event_kind":
            return "CASE WHEN j.event THEN 1 WHEN j.died <= j.ends THEN 2 ELSE 0 END"


def _left_out(definition: Definition, tables: Mapping[str, str], cohort: str) -> dict[str, str]:
    """Return statements that count records: values of other units or not exact, and records after the extract."""
    counted: dict[str, list[str]] = {}
    for column in (column for column in definition.columns if column.valued):
        source, condition, _ = _before(column, tables)
        valued = f"SELECT COUNT(*) AS n FROM {source} WHERE {condition} AND r.value_as_number IS NOT NULL"
        counted.setdefault("other-unit", []).append(f"{valued} AND NOT {_in_units(column)}")
        counted.setdefault("not-exact", []).append(f"{valued} AND {_in_units(column)} AND NOT {_exact(column)}")
    last = f"DATE '{definition.as_of.isoformat()}'"
    domains = {definition.cohort.domain} | ({definition.outcome.domain} if definition.outcome else set()) | {
        column.domain for column in definition.columns if column.domain}
    counted["future-date"] = [f"SELECT COUNT(*) AS n FROM {tables[domain]} r WHERE r.{DOMAINS[domain][2]} > {last}"
                              for domain in sorted(domains)]
    return {reason: f"WITH {cohort} SELECT SUM(n) FROM ({' UNION ALL '.join(parts)}) counted"
            for reason, parts in counted.items()}
