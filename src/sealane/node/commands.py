"""What a node's operator and data steward can ask for, as plain functions over its home.

They run in the serving process, which hands in its agent, or in the command line's own where none serves.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from sealane.core.clock import to_text
from sealane.core.ids import check_fingerprint, check_name
from sealane.errors import InputError, RefusedError
from sealane.governance.agreement import verify_agreement
from sealane.governance.repair import load_repair
from sealane.governance.roles import Caller, check_verb
from sealane.governance.signed_statement import SignedAgreement, Statement
from sealane.governance.study import Study
from sealane.node import agreement_commands, statements
from sealane.node.dataset_commands import DATASET_COMMANDS
from sealane.node.datasets import add_dataset, check_dataset
from sealane.node.grading import phase
from sealane.node.ledger_commands import LEDGER_COMMANDS
from sealane.node.mapping import parse_mapping
from sealane.node.metering_commands import metering_show, metering_statement
from sealane.node.place import Place, checked
from sealane.node.publication_commands import dataset_publish, dataset_published, dataset_unpublish
from sealane.node.publications import withdraw_if_published
from sealane.node.register import DatasetEntry, Register, StudyEntry
from sealane.node.scoring.commands import SCORING_COMMANDS
from sealane.node.sources import parse_source
from sealane.node.stewardship import FRESH, check_request, read_signed
from sealane.sectors.registry import contract as find_contract
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
Command = Callable[..., Any]


def execute(
    place: Place, command: str, arguments: Mapping[str, Any], signed: Mapping[str, Any] | None = None
) -> Any:
    """Run a command and return its JSON-ready result.

    Args:
        place: where it runs.
        command: its name.
        arguments: what it is given.
        signed: a steward's signature under the request, if there is one.

    Raises:
        InputError: unknown command, or arguments that it does not take.
        RefusedError: it is for another role, or what the command refuses.
    """
    if command not in COMMANDS:
        raise InputError("control.unknown-command", "a node knows no such command", got=repr(command[:80]),
                         expected=", ".join(sorted(COMMANDS)))
    try:
        caller = _caller(place, command, arguments, signed)
        check_verb(command, caller, appointed=bool(place.register.stewards()))
    except RefusedError as error:
        log(_LOG, "control.refused", level=logging.WARNING, command=command, code=error.code)
        raise
    if caller.steward is not None:
        log(_LOG, "steward.command", command=command, steward=caller.steward)
    try:
        return COMMANDS[command](place, **arguments)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InputError("control.arguments", f"{command} does not take these arguments",
                         got=f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _caller(
    place: Place, command: str, arguments: Mapping[str, Any], signed: Mapping[str, Any] | None
) -> Caller:
    """Say who asks, once what was signed is checked and spent."""
    if signed is None:
        return Caller()
    read, now = read_signed(signed), place.home.clock()
    check_request(read, place.home.identity().fingerprint, command, arguments, now)
    stewards = {key: name for name, (key, _) in place.register.stewards().items()}
    if read.fingerprint not in stewards:
        raise RefusedError("steward.not-appointed", "the key is no appointed steward's", got=read.fingerprint,
                           expected=", ".join(sorted(stewards.values())) or "nobody is appointed yet",
                           hint="a steward appoints it: `sealane steward appoint NAME FINGERPRINT`")
    if not place.register.spend_nonce(read.nonce, read.at, forget_before=to_text(now - 2 * FRESH)):
        raise RefusedError("steward.replayed", "the steward's request was made before", got=read.at,
                           hint="a request is good once: repeat the command")
    return Caller(stewards[read.fingerprint])


@checked
def status(place: Place) -> dict[str, Any]:
    """Say who this node is and how it is doing."""
    identity = place.home.identity()
    certificate = identity.certificate
    agent = place.agent
    decisions = [_decision(place.register, entry.study) for entry in place.register.studies()]
    return {
        "name": identity.name, "role": identity.role, "fingerprint": identity.fingerprint,
        "home": str(place.home.path), "coordinator": identity.coordinator_address,
        "serving": agent is not None, "connected": agent is not None and agent.connected,
        "problem": agent.problem.to_dict() if agent is not None and agent.problem is not None else None,
        "runs": sorted(run_id for run_id, run in agent.runs.items() if run.alive) if agent is not None else [],
        "stewards": sorted(place.register.stewards()),
        "datasets": len(place.register.datasets()), "peers": len(place.register.verified()),
        "quarantined": place.register.standings.quarantined(),
        "studies": {word: decisions.count(word) for word in ("waiting", "approved", "refused")},
        "certificate": {"from": to_text(certificate.not_before), "to": to_text(certificate.not_after)},
    }


@checked
def dataset_add(place: Place, *, name: str, source: str, contract: str, mapping: list[str] | None = None,
                drop_invalid: bool = False, repair: str | None = None) -> dict[str, Any]:
    """Register a dataset; where its rows break the contract, return the whole report beside the error."""
    columns = parse_mapping(mapping or [])
    steps = None if repair is None else load_repair(repair.encode(), find_contract(contract))
    try:
        report = add_dataset(place.register, name, source, contract, columns, now=place.home.clock(),
                             drop_invalid=drop_invalid, repair=steps)
    except RefusedError as error:
        if error.code != "dataset.violates-contract":
            raise
        found = check_dataset(name, source, find_contract(contract), columns, drop_invalid=drop_invalid, repair=steps,
                              today=place.home.clock().date())
        return {"report": found.to_dict(), "error": error.to_dict()}
    if phase(place.register, name) != "published":
        _withdraw(place, name)  # what others read is of rows that are there no more
    return {"report": report.to_dict(), "error": None}


@checked
def dataset_list(place: Place) -> list[dict[str, Any]]:
    """List the registered datasets."""
    return [_dataset(entry) | {"phase": phase(place.register, entry.name)} for entry in place.register.datasets()]


@checked
def dataset_withdraw(place: Place, *, name: str) -> dict[str, Any]:
    """Forget a dataset: studies that were approved for it can run no more."""
    entry = place.register.dataset(name)
    place.register.remove_dataset(name)
    _withdraw(place, name)
    stopped = [study.study.name for study in place.register.studies()
               if _approved_dataset(place.register, study.study) == name]
    return {"withdrawn": _dataset(entry), "studies": stopped}


@checked
def peers(place: Place) -> list[dict[str, Any]]:
    """List the parties this node verified, and those the coordinator names, with what speaks against either."""
    verified = place.register.verified()
    named = {} if place.agent is None else {party.name: party for party in place.agent.directory.parties}
    own = place.home.identity().name
    listed = []
    for name in sorted((set(verified) | set(named)) - {own}):
        party, known = named.get(name), verified.get(name)
        listed.append({
            "name": name, "role": None if party is None else party.role,
            "fingerprint": known if party is None else party.fingerprint, "verified": known,
            "trust": trust_word(known, None if party is None else party.fingerprint),
            "connected": None if party is None or party.role != "node" else party.connected,
        })
    return listed


def trust_word(verified: str | None, named: str | None) -> str:
    """Return in one word how a verified fingerprint and the coordinator's go together."""
    if verified is None:
        return "unverified"
    return "verified" if named in (None, verified) else "differs"


@checked
def trust(place: Place, *, name: str, fingerprint: str) -> dict[str, Any]:
    """Remember a fingerprint that was verified out of band."""
    plain = check_fingerprint(fingerprint)
    if check_name(name) == place.home.identity().name:
        raise InputError("trust.own-name", "a node needs no trust in itself", got=name, expected="a peer's name")
    place.register.trust(name, plain)
    parties = () if place.agent is None else place.agent.directory.parties
    named = next((party.fingerprint for party in parties if party.name == name), None)
    return {"name": name, "fingerprint": plain, "coordinator_says": named, "trust": trust_word(plain, named)}


@checked
def distrust(place: Place, *, name: str) -> dict[str, Any]:
    """Forget a peer's fingerprint."""
    if not place.register.distrust(name):
        raise InputError("trust.unknown", "no fingerprint of that name is known here", got=repr(name[:80]),
                         expected=", ".join(place.register.verified()) or "none is known")
    return {"name": name, "trust": "unverified"}


@checked
def study_list(place: Place) -> list[dict[str, Any]]:
    """List the studies that reached this node, oldest first."""
    return [_study(place.register, entry) for entry in place.register.studies()]


@checked
def study_show(place: Place, *, study: str) -> dict[str, Any]:
    """Show a study as it is signed, and what was said about it."""
    found = statements.find_study(place.register, study)
    entry = next(one for one in place.register.studies() if one.study.hash == found.hash)
    return {**_study(place.register, entry), "study": found.model_dump(mode="json"),
            "statements": [statements.describe(one, found) for one in place.register.statements(found.hash)],
            "negotiation": statements.standings(found, place.register.statements(found.hash), _replaced(place, found))}


@checked
def steward_list(place: Place) -> list[dict[str, Any]]:
    """List the appointed stewards."""
    return [{"name": name, "fingerprint": key, "appointed_at": at}
            for name, (key, at) in place.register.stewards().items()]


@checked
def steward_appoint(place: Place, *, name: str, fingerprint: str) -> dict[str, Any]:
    """Appoint a steward: the first by the operator, every further one by a steward."""
    plain = check_fingerprint(fingerprint)
    if plain == place.home.identity().fingerprint:
        raise InputError("steward.key-of-node", "that is this node's own key, and no request is signed with it",
                         got=plain, expected="a key of the steward's own",
                         hint="the steward makes one with `sealane steward init` and tells you its fingerprint")
    holder = next((one for one, (key, _) in place.register.stewards().items() if key == plain), name)
    if holder != name:
        raise InputError("steward.key-of-another", "the key is another steward's already", got=holder, expected=name)
    place.register.appoint(name, plain)
    return {"name": name, "fingerprint": plain}


@checked
def steward_dismiss(place: Place, *, name: str) -> dict[str, Any]:
    """Dismiss a steward. The last one cannot be: the operator alone would decide again, unseen."""
    known = place.register.stewards()
    if name not in known:
        raise InputError("steward.unknown", "there is no such steward", got=repr(name[:80]),
                         expected=", ".join(known) or "nobody is appointed")
    if len(known) == 1:
        raise RefusedError("steward.last", "the last steward cannot be dismissed", got=name,
                           hint="appoint another first")
    place.register.dismiss(name)
    return {"name": name, "dismissed": True}


def at_home(command: Callable[..., Any]) -> Command:
    """Return a command over a home as one over a place."""
    return lambda place, **arguments: command(place.home, **arguments)


COMMANDS: dict[str, Command] = {
    "steward.list": steward_list, "steward.appoint": steward_appoint, "steward.dismiss": steward_dismiss,
    "status": status, "dataset.add": dataset_add, "dataset.list": dataset_list, "dataset.withdraw": dataset_withdraw,
    "peers": peers, "trust": trust, "distrust": distrust, "study.list": study_list, "study.show": study_show,
    **agreement_commands.COMMANDS, **SCORING_COMMANDS,
    **{name: at_home(command) for name, command in (DATASET_COMMANDS | LEDGER_COMMANDS).items()},
    "dataset.publish": checked(dataset_publish), "dataset.unpublish": checked(dataset_unpublish),
    "dataset.published": checked(dataset_published),
    "metering.show": checked(metering_show), "metering.statement": checked(metering_statement),
}


def _dataset(entry: DatasetEntry) -> dict[str, Any]:
    return {"name": entry.name, "source": str(parse_source(entry.source)), "contract": entry.contract_id,
            "version": entry.version, "rows": entry.rows, "excluded": entry.excluded,
            "drop_invalid": entry.drop_invalid, "mapping": dict(entry.mapping), "added_at": entry.added_at,
            "repair": json.loads(entry.repair) if entry.repair else None}


def _study(register: Register, entry: StudyEntry) -> dict[str, Any]:
    study = entry.study
    return {"hash": study.hash, "name": study.name, "sector": study.sector, "purpose": study.purpose,
            "computation": study.computation, "proposer": entry.proposer, "received_at": entry.received_at,
            "expires": study.expires, "decision": _decision(register, study),
            "approvals": len(register.agreements(study.hash)), "participants": len(study.participants)}


def _replaced(place: Place, study: Study) -> tuple[Study, list[Statement]] | None:
    if study.replaces is None or all(entry.study.hash != study.replaces for entry in place.register.studies()):
        return None
    return place.register.study(study.replaces), place.register.statements(study.replaces)


def _decision(register: Register, study: Study) -> str:
    own = register.own_statement(study.hash)
    if own is None:
        return "waiting"
    return "approved" if isinstance(own, SignedAgreement) else "refused"


def _withdraw(place: Place, name: str) -> None:
    withdrawn = withdraw_if_published(place.home, name)
    if withdrawn is not None and place.agent is not None:
        place.agent.post(withdrawn)


def _approved_dataset(register: Register, study: Study) -> str | None:
    own = register.own_statement(study.hash)
    return verify_agreement(own, study).dataset if isinstance(own, SignedAgreement) else None
