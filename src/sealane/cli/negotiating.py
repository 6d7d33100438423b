"""``sealane study review|counter|amend``: looking at what would be signed, and wishing for other terms."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from sealane.cli.groups import SealaneCommand
from sealane.cli.names import dataset_names, study_names
from sealane.cli.node_call import call_node, tell_unsent
from sealane.cli.output import facts, show, table
from sealane.cli.own_terms import given, own_term_options
from sealane.cli.settings import settings_of
from sealane.errors import InputError, RefusedError

if TYPE_CHECKING:
    from sealane.client.connection import Connection
    from sealane.governance.study import Study


@click.command(cls=SealaneCommand,
               examples=("study review joint-scorecard", "study review 3fa9c2d1 --rounds 50 --json"))
@click.argument("study", shell_complete=study_names)
@click.option("--dataset", shell_complete=dataset_names,
              help="Dataset whose ledger is looked at; may be left out where only one is under the study's contract.")
@own_term_options
def review(study: str, dataset: str | None, **own: Any) -> None:
    """Say in plain words what approving STUDY would allow and cost here, and how it differs from the defaults."""
    found = call_node("study.review", study=study, dataset=dataset, own=given(own))
    show(found, lambda: _review_text(found))


@click.command(cls=SealaneCommand, examples=(
    "study counter joint-scorecard --set minimum_count=20 --reason 'small towns'",
    "study counter 3fa9c2d1 --set rounds=50 --set parameters.confidence=0.9 --reason 'too many rounds'"))
@click.argument("study", shell_complete=study_names)
@click.option("--set", "changes", multiple=True, required=True, metavar="NAME=VALUE",
              help="What should differ: a field of the study, or parameters.NAME; may be given more than once.")
@click.option("--reason", required=True, help="For people; every participant sees it.")
def counter(study: str, changes: tuple[str, ...], reason: str) -> None:
    """Answer STUDY with other terms, signed. It decides nothing: whoever proposed it may propose an amended study."""
    parameters = call_node("study.show", study=study)["study"]["parameters"]
    found = call_node("study.counter", study=study, changes=read_changes(changes, parameters), reason=reason)
    show(found, f"countered {found['name']} ({found['hash'][:12]}): {_changes(found['changes'])}")
    tell_unsent(found)


@click.command(cls=SealaneCommand, examples=("study amend joint-scorecard --from south",))
@click.argument("study", shell_complete=study_names)
@click.option("--from", "node", required=True, help="Institution whose last counter-offer is taken up.")
def amend(study: str, node: str) -> None:
    """Propose STUDY again as an institution wished it. The new study names the one it replaces."""
    from sealane.cli.connecting import connect

    with connect(settings_of().home_of("analyst")) as connection:
        old, proposed, changes = take_up(connection, study, node)
    document = {"name": proposed.name, "hash": proposed.hash, "replaces": old.hash, "from": node,
                "changes": changes}
    show(document, lambda: f"proposed {proposed.name} as {node} wished\n" + facts([
        ("hash", proposed.hash), ("replaces", old.hash), ("changes", _changes(changes)),
        ("next", f"each approves with `sealane study approve {proposed.hash[:12]}`")]))


def take_up(connection: Connection, study: str, node: str) -> tuple[Study, Study, dict[str, Any]]:
    """Propose a study as an institution's last counter-offer wished it; return the old one, the new one, the changes.

    Raises:
        InputError: that institution has made no counter-offer.
        RefusedError: the study's results are not for this analyst.
    """
    from sealane.cli.study_view import find
    from sealane.governance.counter import amended, verify_counter
    from sealane.governance.signed_statement import SignedCounter
    from sealane.governance.study import parse_study

    record, old = find(connection.session, study)
    offers = [verify_counter(one, old) for one in record.statements if isinstance(one, SignedCounter)]
    own = [one for one in offers if one.node == node]
    if not own:
        raise InputError("counter.none", f"{node} has made no counter-offer to the study", got=old.name,
                         expected=", ".join(sorted({one.node for one in offers})) or "nobody has",
                         hint=f"see `sealane study show {old.hash[:12]}`")
    if all(r.fingerprint != connection.session.identity.fingerprint for r in old.recipients):
        raise RefusedError("study.not-a-recipient", "the proposer is not among the study's recipients",
                           got=connection.session.identity.name, hint="propose a study of your own")
    wished = amended(old, own[-1].changes).model_copy(update={"replaces": old.hash})
    return old, parse_study(connection.propose_study(wished).study), dict(own[-1].changes)


def read_changes(changes: tuple[str, ...], parameters: dict[str, Any]) -> dict[str, Any]:
    """Return changes as a counter-offer carries them; a value is JSON where it reads as such, else text.

    Raises:
        InputError: one has no name.
    """
    read: dict[str, Any] = {}
    for change in changes:
        name, mark, text = change.partition("=")
        if not mark or not name:
            raise InputError("counter.no-name", "a change has a name and a value", got=repr(change[:80]),
                             expected="NAME=VALUE, such as minimum_count=20", hint="--set takes one change")
        value = _value(text)
        if name.startswith("parameters."):
            read.setdefault("parameters", dict(parameters))[name.removeprefix("parameters.")] = value
        else:
            read[name] = value
    return read


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _review_text(found: dict[str, Any]) -> str:
    parts = [
        f"{found['name']} ({found['hash'][:12]}): approving it here would allow to",
        "\n".join(f"  - {line}" for line in found["allows"]),
        facts([("results go to", ", ".join(found["recipients"]) or "nobody"),
               ("kinds of result", ", ".join(found["outputs"])), ("privacy", found["privacy"]),
               ("other nodes also see", found["opens"]),
               *_ledger(found["ledger"]),
               ("parameters", "exactly these"),
               *((f"  {name}", json.dumps(value)) for name, value in found["parameters"].items())]),
        table(("term", "the study", "would be signed here"), (
            (name, _shown(both["study"]), _shown(both["here"])) for name, both in sorted(found["narrower"].items())),
            empty="defaults and options change nothing: the study's own terms would be signed"),
        *(f"note: {one}" for one in found["notes"]),
        *(_problem(one) for one in found["problems"]),
    ]
    return "\n\n".join(parts)


def _problem(error: dict[str, Any]) -> str:
    """Return in words why an approval would fail."""
    seen = "".join(f"; {name}: {error[name]}" for name in ("got", "expected") if error[name])
    hint = f"\n  hint: {error['hint']}" if error["hint"] else ""
    return f"warning: approving it would fail: {error['message']} [{error['code']}]{seen}{hint}"


def _ledger(found: dict[str, Any]) -> list[tuple[str, object]]:
    """Return what the ledger says of one run, in words."""
    seen = found["outlook"]
    if seen is None:
        return [("ledger", f"cannot say: {found['error']['message']} ({found['error']['got']})")]
    if seen["epsilon_alone"] is None:
        return [("ledger", f"{seen['runs']} exact releases are left of {seen['dataset']}: {seen['limit']}")]
    return [("one run costs", f"epsilon {seen['epsilon_alone']} at delta {seen['delta']}, of {seen['dataset']}"),
            *((f"  {cap['scope']} {cap['target']}".rstrip(),
               f"at most {cap['epsilon']} at delta {cap['delta']}: {cap['spent']} spent, {cap['reserved']} reserved, "
               f"{cap['left']} left") for cap in seen["caps"]),
            ("runs that fit", f"{seen['runs']}: {seen['limit']}")]


def _changes(changes: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {_shown(value)}" for name, value in sorted(changes.items()))


def _shown(value: Any) -> str:
    if value is None:
        return "no limit"
    return value if isinstance(value, str) else json.dumps(value)
