"""What a steward can ask of the node's privacy ledger; run like every command of ``commands.py``."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sealane.computations.pricing import price_of
from sealane.computations.registry import get, read_parameters
from sealane.errors import InputError, RefusedError
from sealane.governance.agreed_cap import agreed_cap
from sealane.governance.agreement import verify_agreement
from sealane.governance.signed_statement import SignedAgreement
from sealane.node.datasets import contract_of
from sealane.node.home import NodeHome
from sealane.node.place import checked
from sealane.node.statements import find_study
from sealane.privacy.acts import Request, Reserve, Scope
from sealane.privacy.amounts import parse_amount, parse_delta, text_of
from sealane.privacy.ledger import Ledger, make_cap
from sealane.privacy.overview import explain, forecast, overview


@checked
def ledger_cap(home: NodeHome, *, dataset: str, epsilon: str | None = None, delta: str | None = None,
               releases: int | None = None, recipient: str | None = None, study: str | None = None) -> dict[str, Any]:
    """Set a cap; what is not given stays as it was."""
    if recipient is not None and study is not None:
        raise InputError("ledger.bad-cap", "a cap is for a recipient or for a study", got="both",
                         expected="one of --recipient and --study, or neither", hint="set two caps: both will hold")
    home.register.dataset(dataset)
    scope, target, label = _target(home, recipient, study)
    amounts = (None if epsilon is None else parse_amount(epsilon, "epsilon"),
               None if delta is None else parse_delta(delta))
    with home.ledger.reading() as ledger:
        before = ledger.caps.get((dataset, scope, target))
    _check_agreed(home, dataset, scope, target, amounts)
    if before is not None:
        amounts = (amounts[0] or before.epsilon, amounts[1] or before.delta)
        releases = before.releases if releases is None else releases
    home.ledger.put_cap(make_cap(dataset, scope, target, label, *amounts, releases))
    return _overview(home, dataset)


@checked
def ledger_show(home: NodeHome, *, dataset: str | None = None) -> list[dict[str, Any]]:
    """Show caps, what was spent, is reserved and is left, of one dataset or of all."""
    with home.ledger.reading() as ledger:
        known = {entry.name for entry in home.register.datasets()} | {d for d, _, _ in ledger.caps} | {
            entry.request.dataset for entry in ledger.entries.values()}
    if dataset is not None and dataset not in known:
        home.register.dataset(dataset)  # says which there are
    return [_overview(home, name) for name in (sorted(known) if dataset is None else [dataset])]


@checked
def ledger_explain(home: NodeHome, *, dataset: str) -> dict[str, Any]:
    """List every entry of a dataset, and say how they compose."""
    moments = {line.act.request.run: line.at for line in home.ledger.lines() if isinstance(line.act, Reserve)}
    with home.ledger.reading() as ledger:
        version = _version(home, dataset, ledger)
        return explain(ledger, dataset, version, moments)


@checked
def ledger_forecast(home: NodeHome, *, dataset: str, computation: str, parameters: dict[str, Any],
                    minimum_cohort: int, colluding: int, recipient: str | None = None) -> dict[str, Any]:
    """Say how many more runs of a computation the caps of a dataset allow."""
    entry = home.register.dataset(dataset)
    if not colluding + 2 <= minimum_cohort:
        raise InputError("study.cohort-too-small", "the minimum cohort does not outnumber the colluding nodes",
                         got=f"minimum_cohort {minimum_cohort}", expected=f"at least {colluding + 2}",
                         hint="raise --minimum-cohort, or lower --colluding")
    found = get(computation)
    price = price_of(found, read_parameters(computation, parameters), contract_of(entry),
                     minimum_cohort - colluding)
    asked = () if recipient is None else ((recipient, _fingerprint(home, recipient)),)
    request = Request("", dataset, entry.version, "", asked, computation, price)
    with home.ledger.reading() as ledger:
        return {"computation": computation, **forecast(ledger, request)}


LEDGER_COMMANDS: dict[str, Callable[..., Any]] = {
    "ledger.cap": ledger_cap, "ledger.show": ledger_show, "ledger.explain": ledger_explain,
    "ledger.forecast": ledger_forecast,
}


def _overview(home: NodeHome, dataset: str) -> dict[str, Any]:
    with home.ledger.reading() as ledger:
        return overview(ledger, dataset, _version(home, dataset, ledger))


def _version(home: NodeHome, dataset: str, ledger: Ledger) -> str | None:
    """Return the version that is registered now; a dataset that was withdrawn has none, but still its entries."""
    for entry in home.register.datasets():
        if entry.name == dataset:
            return entry.version
    if not any(ledger.of(dataset)):
        home.register.dataset(dataset)  # says which there are
    return None


def _target(home: NodeHome, recipient: str | None, study: str | None) -> tuple[Scope, str, str]:
    if recipient is not None:
        return "recipient", _fingerprint(home, recipient), recipient
    if study is not None:
        found = find_study(home.register, study)
        return "study", found.hash, f"{found.name} ({found.hash[:12]})"
    return "dataset", "", ""


def _check_agreed(home: NodeHome, dataset: str, scope: Scope, target: str,
                  amounts: tuple[Decimal | None, Decimal | None]) -> None:
    """A cap by hand may be tighter than the one that was signed, never wider."""
    own = home.register.own_statement(target) if scope == "study" else None
    if not isinstance(own, SignedAgreement):
        return
    study = home.register.study(target)
    agreement = verify_agreement(own, study)
    cap = agreed_cap(agreement, study)
    if cap is None or agreement.dataset != dataset:
        return
    for name, wanted, agreed in (("epsilon", amounts[0], cap.epsilon), ("delta", amounts[1], cap.delta)):
        if wanted is not None and agreed is not None and wanted > agreed:
            raise RefusedError("ledger.cap-above-agreement", f"the agreement to the study allows less {name}",
                               got=text_of(wanted), expected=f"at most {text_of(agreed)}",
                               hint="for more, have another study proposed and sign it with another cap")


def _fingerprint(home: NodeHome, recipient: str) -> str:
    verified = home.register.verified()
    if recipient not in verified:
        raise InputError("ledger.unknown-recipient", "no recipient of that name was verified here",
                         got=repr(recipient[:80]), expected=", ".join(verified) or "none is verified",
                         hint=f"compare its fingerprint, then `sealane node trust {recipient[:63]} FINGERPRINT`")
    return verified[recipient]
