"""What each typology is, in words, and who describes it. Thresholds are the study's, not the sources'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

TITLES = {"fan_in": "fan-in", "fan_out": "fan-out", "structuring": "structuring", "rapid_movement": "rapid movement"}
SOURCES = {
    "fan_in": "Egmont Group, FIUs in action: 100 cases from the Egmont Group (2000); FATF, INTERPOL and Egmont Group, "
              "Illicit Financial Flows from Cyber-Enabled Fraud (2023), on collecting through mule accounts",
    "fan_out": "FATF, INTERPOL and Egmont Group, Illicit Financial Flows from Cyber-Enabled Fraud (2023), on layering "
               "through networks of accounts",
    "structuring": "31 U.S.C. 5324 and 31 CFR 1010.100(xx); FATF, Virtual Assets: Red Flag Indicators (2020), on "
                   "amounts under record-keeping and reporting thresholds",
    "rapid_movement": "FATF, Virtual Assets: Red Flag Indicators (2020), on funds passed on at once; FATF, INTERPOL "
                      "and Egmont Group, Illicit Financial Flows from Cyber-Enabled Fraud (2023)",
}


def in_words(name: str, rule: Mapping[str, Any], unit: str | None) -> str:
    """Return what flags an account, with the study's numbers."""
    money = f" {unit}" if unit else ""
    if name in ("fan_in", "fan_out"):
        way = "money in from" if name == "fan_in" else "money out to"
        least = f", {rule['amount']:,.0f}{money} and more together" if rule["amount"] else ""
        return f"{way} {rule['counterparties']} or more counterparties within {_days(rule)}{least}"
    if name == "structuring":
        way = {"in": "in", "out": "out", "both": "in or out"}[rule["direction"]]
        only = f", where {rule['column']} is {' or '.join(rule['levels'])}"[:200] if rule["column"] else ""
        return (f"{rule['transfers']} or more transfers {way} of {rule['floor'] * rule['threshold']:,.0f} to under "
                f"{rule['threshold']:,.0f}{money}, together no less than that, within {_days(rule)}{only}")
    share = rule["share"]
    return (f"{rule['amount']:,.0f}{money} or more in, and {share:.0%} to {2 - share:.0%} of it out, within "
            f"{_days(rule)}")


def band_names(edges: Sequence[float]) -> list[str]:
    """Return the names of the bands between edges."""
    texts = [f"{edge:,.0f}" if edge == round(edge) else f"{edge:,}" for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(texts)]
    return [f"under {texts[0]}", *between, f"from {texts[-1]}"]


def _days(rule: Mapping[str, Any]) -> str:
    return "a day" if rule["days"] == 1 else f"{rule['days']} days"
