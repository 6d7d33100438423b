"""``sealane score``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sealane.cli.groups import SealaneGroup, noun
from sealane.cli.names import contract_ids, dataset_names, peer_names, score_models
from sealane.cli.node_call import call_node, tell_unsent
from sealane.cli.output import amount, facts, kilobytes, note, show, table
from sealane.cli.settings import settings_of
from sealane.errors import InputError, UnavailableError

MODEL = click.argument("model", shell_complete=score_models)


@noun("score", examples=("score model add default-risk --from card.json", "score grant default-risk --to south",
                         "score accept default-risk --from north",
                         "score ask default-risk --dataset applicants --out scores.parquet"))
def score() -> None:
    """Score rows with another institution's model; rows and model stay private."""


@score.group(name="model", cls=SealaneGroup, examples=("score model add default-risk --from card.json",
                                                       "score model list"))
def model_group() -> None:
    """Register the models that this node scores with for others."""


@model_group.command(name="add", examples=(
    "score model add default-risk --from card.json",
    "score model add default-risk --from fit.json --contract finance.credit-application/v1 --range annual_inc=0:5e5"))
@click.argument("name")
@click.option("--from", "source", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", help="The model as JSON: our own form, or a released glm.fit or glm.scorecard.")
@click.option("--contract", metavar="ID", shell_complete=contract_ids,
              help="Data contract that has the ranges of a regression's fields.")
@click.option("--range", "ranges", multiple=True, metavar="FIELD=LOWER:UPPER",
              help="Range of a field, before the contract's; a narrower one is scored more exactly.")
def add_model(name: str, source: Path, contract: str | None, ranges: tuple[str, ...]) -> None:
    """Register the model in FILE as NAME: a linear model, a scorecard, or a network with one layer of squares.

    Its numbers stay at this node. What an asker learns are its columns: fields, ranges, bins and levels.
    """
    found = call_node("score.model.add", name=name, path=str(source.absolute()), contract=contract,
                      ranges=dict(map(_range, ranges)))
    show(found, lambda: f"registered {name}: {found['form']}, {amount(len(found['fields']), 'field')}; "
                        f"{amount(found['revealed_by'], 'score')} determine it")


@model_group.command(name="list", examples=("score model list", "score model list --json"))
def list_models() -> None:
    """List the models that this node scores with."""
    found = call_node("score.model.list")
    show(found, lambda: table(("name", "form", "fields", "columns", "determined by", "added"), (
        (e["name"], e["form"], len(e["fields"]), e["columns"], e["revealed_by"], e["added_at"]) for e in found),
        empty="no model is registered: `sealane score model add NAME --from FILE`"))


@model_group.command(name="remove", examples=("score model remove default-risk",))
@click.argument("name", shell_complete=score_models)
def remove_model(name: str) -> None:
    """Forget a model: its grants are answered no more. Rows that were counted stay counted."""
    show(call_node("score.model.remove", name=name), f"removed {name}")


@score.command(examples=(
    "score grant default-risk --to south", "score grant default-risk --to south --rows 5 --days 30",
    "score grant default-risk --to south --rows 1000 --days 1 --total 100000 --may-reveal-model"))
@MODEL
@click.option("--to", "asker", required=True, shell_complete=peer_names, help="Who may ask: a verified node.")
@click.option("--rows", type=click.IntRange(1), help="Most rows in any --days; all of --total where none is given.")
@click.option("--days", type=click.IntRange(1, 3660), default=30, help="The period of --rows, rolling.")
@click.option("--total", type=click.IntRange(1), help="Most rows of this model and asker ever, earlier grants counted; "
              "one less than determine the model where none is given.")
@click.option("--for-days", type=click.IntRange(1, 3660), default=365, help="How long the grant lasts.")
@click.option("--may-reveal-model", is_flag=True,
              help="Allow a --total that is enough to compute the model from its scores.")
def grant(model: str, asker: str, rows: int | None, days: int, total: int | None, for_days: int,
          may_reveal_model: bool) -> None:
    """Sign a grant: who may have how many rows scored by MODEL.

    d + 1 scores determine a linear model of d columns. Without --may-reveal-model no grant allows so many.
    """
    found = call_node("score.grant", model=model, asker=asker, rows=rows, days=days, total=total, for_days=for_days,
                      may_reveal=may_reveal_model)
    show(found, lambda: _present(found))
    tell_unsent(found)


@score.command(examples=("score accept default-risk --from north",))
@MODEL
@click.option("--from", "owner", shell_complete=peer_names, help="Whose model it is, where more than one has it.")
def accept(model: str, owner: str | None) -> None:
    """Sign the acceptance of the newest grant of MODEL that reached this node."""
    found = call_node("score.accept", model=model, owner=owner)
    show(found, lambda: _present(found))
    tell_unsent(found)


@score.command(examples=("score end 3fa85f64",))
@click.argument("grant")
def end(grant: str) -> None:
    """End GRANT, given or received, for good; 8 digits or more of its hash name it."""
    found = call_node("score.end", grant=grant)
    show(found, lambda: _present(found))
    tell_unsent(found)


@score.command(name="list", examples=("score list", "score list --json"))
def list_grants() -> None:
    """List the grants given and received, with the rows that were counted at the owner."""
    found = call_node("score.list")
    show(found, lambda: table(("grant", "model", "owner", "asker", "standing", "used", "period", "total", "until"), (
        (e["grant"][:12], e["model"], e["owner"], e["asker"], e["standing"],
         "-" if e["used"] is None else e["used"]["ever"], f"{e['rows']} in {e['days']} d", e["total"], e["until"])
        for e in found), empty="no grant was given or received"))


@score.command(examples=("score ask default-risk --dataset applicants --rows 0:19 --out scores.parquet",
                         "score ask default-risk --from north --dataset applicants --json"))
@MODEL
@click.option("--dataset", required=True, shell_complete=dataset_names, help="Whose rows are scored; they stay here.")
@click.option("--from", "owner", shell_complete=peer_names, help="Whose model it is, where more than one has it.")
@click.option("--rows", metavar="FIRST:LAST", help="Rows from FIRST on, counted from 0, up to but without LAST.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the scores to a .parquet or .csv file.")
@click.option("--wait", "wait_s", type=click.FloatRange(1.0, 3600.0), default=300.0,
              help="Seconds to wait for each answer.")
def ask(model: str, dataset: str, owner: str | None, rows: str | None, out: Path | None, wait_s: float) -> None:
    """Have rows of a dataset scored by MODEL of another node: it sees ciphertexts, this node sees scores.

    Every row counts at the owner, whether its score is used or not.
    """
    if out is not None and out.suffix not in (".parquet", ".csv"):
        raise InputError("score.bad-out", "scores are written in one of two forms", got=out.name,
                         expected="a file that ends in .parquet or .csv")
    first, last = _rows(rows)
    found = call_node("score.ask", model=model, dataset=dataset, owner=owner, first=first, last=last, wait_s=wait_s)
    if out is not None:
        _write(found, out)
    show(found, lambda: _scored(found, out))
    if out is None and not settings_of().as_json:
        note("with --out FILE all scores are written")


def _range(text: str) -> tuple[str, list[float]]:
    name, _, ends = text.rpartition("=")
    try:
        lower, upper = map(float, ends.split(":"))
    except ValueError:
        name = ""
    if not name:
        raise InputError("score.bad-range", "a range is malformed", got=repr(text[:80]), expected="FIELD=LOWER:UPPER")
    return name, [lower, upper]


def _rows(text: str | None) -> tuple[int, int | None]:
    first, colon, last = (text or "0:").partition(":")
    if not colon or not all(part == "" or (part.isascii() and part.isdigit() and len(part) < 12)
                            for part in (first, last)):
        raise InputError("score.bad-rows", "the rows are malformed", got=repr((text or "")[:40]),
                         expected="FIRST:LAST, such as 0:20")
    return int(first or 0), int(last) if last else None


def _write(found: dict[str, Any], out: Path) -> None:
    import duckdb

    from sealane.node.scoring.python import frame_of

    frame = frame_of(found)
    if out.suffix == ".csv":
        frame.to_csv(out, index=False)
        return
    with duckdb.connect() as db:
        db.register("scores", frame)
        try:
            db.table("scores").write_parquet(str(out))
        except duckdb.Error as error:
            raise UnavailableError("score.not-written", "the scores were not written", got=type(error).__name__,
                                   hint=f"look at {out.parent}; they were counted: take them with --json") from None


def _present(found: dict[str, Any]) -> str:
    return facts([
        ("grant", found["grant"]), ("model", f"{found['model']} of {found['owner']}"), ("asker", found["asker"]),
        ("standing", found["standing"]), ("rows", f"{found['rows']:,} in any {found['days']} days"),
        ("total", f"{found['total']:,} ever; {found['revealed_by']:,} determine the model"
                  + (", which is allowed" if found["may_reveal"] else "")),
        ("until", found["until"]), ("fields", ", ".join(found["fields"]))])


def _scored(found: dict[str, Any], out: Path | None) -> str:
    scores = found["scores"]
    return facts([
        ("model", f"{found['model']} of {found['owner']}"), ("rows", f"{found['rows']:,} of {found['dataset']}"),
        ("scores", f"{min(scores):.6g} to {max(scores):.6g}"),
        ("largest error", f"{found['largest_error']:.3g}"), ("seconds", f"{found['seconds']:.2f}"),
        ("sent", kilobytes(found["bytes_sent"])), ("received", kilobytes(found["bytes_received"])),
        ("written to", out)])
