"""A settlement statement as text, and its events as CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from sealane.cli.output import facts, table

COLUMNS = ("run", "ended_at", "dataset", "rows", "rounds", "bytes_sent", "cpu_us", "wall_us", "epsilon", "outcome")


def present(statement: dict[str, Any]) -> str:
    """Return a statement for people."""
    from sealane.governance.agreed_tariff import origin

    currency = statement["tariff"]["currency"]
    return "\n".join([
        facts([("study", f"{statement['study_name']} ({statement['study'][:12]})"),
               ("provided by", statement["node"]["name"]), ("used by", statement["recipient"]["name"]),
               ("period", f"{statement['period_from']} to {statement['period_to']}"),
               ("tariff from", origin(statement["agreement"])),
               ("runs", f"{statement['totals']['runs']}, of which {statement['charged']['runs']} completed")]), "",
        table(("for", "quantity", f"price {currency}", f"amount {currency}"), (
            *((line["what"], line["quantity"], line["price"], line["amount"]) for line in statement["lines"]),
            ("due", "", "", statement["due"])))])


def write_csv(file: Path, statement: dict[str, Any]) -> None:
    """Write a statement's events and, in the last row, their totals."""
    with file.open("w", newline="", encoding="utf-8") as opened:
        rows = csv.DictWriter(opened, COLUMNS, extrasaction="ignore")
        rows.writeheader()
        rows.writerows(statement["events"])
        rows.writerow({**statement["totals"], "run": "total"})
