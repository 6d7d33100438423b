"""The commands of private scoring at a node, and the command line over them, where no stream is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import run as run_command
from expected_error import raises
from made_identity import make_identity
from score_models import CARD, LINEAR
from scoring_pair import ASKER, OWNER, Pair

from sealane.core.ids import Fingerprint
from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.governance.scoring_grant import Acceptance, End, sign
from sealane.node.control import call
from sealane.node.scoring import book
from sealane.node.scoring.owner import Owner
from sealane.node.scoring.parcels import make_parcel


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_identity(tmp_path / "north")
    call(tmp_path / "north", "trust", {"name": "south", "fingerprint": ASKER.fingerprint})
    return tmp_path / "north"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.close()


def refused(home: Path, code: str, branch: type[SealaneError], command: str, **arguments: Any) -> None:
    with raises(code, branch):
        call(home, command, arguments)


def test_models_and_grants(home: Path) -> None:
    added = call(home, "score.model.add", {"name": "risk", "text": json.dumps(LINEAR)})
    assert (added["form"], added["revealed_by"], "weights" in added) == ("linear", 5, False)
    call(home, "score.model.add", {"name": "risk", "text": json.dumps(LINEAR)})  # the same again
    refused(home, "score.model-exists", InputError, "score.model.add", name="risk", text=json.dumps(CARD))
    refused(home, "score.bad-model", InputError, "score.model.add", name="both")
    refused(home, "score.file-unreadable", UnavailableError, "score.model.add", name="none", path=str(home / "absent"))
    refused(home, "name.malformed", InputError, "score.model.add", name="../risk", text=json.dumps(CARD))
    given = call(home, "score.grant", {"model": "risk", "asker": "south"})
    assert (given["total"], given["standing"], given["sent"], given["used"]) == (
        4, "offered", False, {"period": 0, "ever": 0})
    refused(home, "score.unknown-model", InputError, "score.grant", model="other", asker="south")
    refused(home, "score.unknown-asker", InputError, "score.grant", model="risk", asker="west")
    refused(home, "score.which-grant", InputError, "score.accept", model="risk")  # it was given, not received
    refused(home, "score.which-grant", InputError, "score.end", grant="00000000")
    ended = call(home, "score.end", {"grant": given["grant"][:10]})
    assert ended["standing"] == "ended"
    refused(home, "score.not-serving", UnavailableError, "score.ask", model="risk", dataset="rows")
    assert call(home, "score.model.remove", {"name": "risk"})["name"] == "risk"
    assert call(home, "score.model.list") == []


def test_the_command_line(home: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    card.write_text(json.dumps(CARD))

    def run(*words: object) -> Any:
        return run_command("score", *words, "--home", home)

    assert "4 scores determine it" in run("model", "add", "card", "--from", card).out
    assert "scorecard" in run("model", "list").out
    given = run("grant", "card", "--to", "south", "--rows", 2)
    assert "2 in any 30 days" in given.out
    assert "3 ever; 4 determine the model" in given.out
    for words, code in ((("grant", "card", "--to", "south", "--total", 4), "score.reveals-model"),
                        (("ask", "card", "--dataset", "x", "--rows", "five"), "score.bad-rows"),
                        (("ask", "card", "--dataset", "x", "--out", "scores.xlsx"), "score.bad-out"),
                        (("model", "add", "b", "--from", card, "--range", "income"), "score.bad-range"),
                        (("ask", "card", "--dataset", "x", "--rows", "5:5"), "score.not-serving")):
        failed = run(*words)
        assert failed.code != 0
        assert code in failed.err
    large = tmp_path / "large.json"
    large.write_text(" " * (1 << 22) + "{}")
    assert "score.bad-model" in run("model", "add", "b", "--from", large).err
    assert given.code == 0
    grant = run("list", "--json").document[0]["grant"]
    assert "ended" in run("end", grant).out
    assert "removed card" in run("model", "remove", "card").out


def test_statements_about_anothers_grant(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = pair.grant(CARD)
    subject = bytes.fromhex(entry.hash)
    owned = pair.owner.register.scoring
    accepted = sign(OWNER, Acceptance(grant=entry.hash, asker=OWNER.fingerprint, accepted_at="2026-03-01T00:00:00Z"))
    with raises("score.statement-of-another", ProtocolError):  # the owner cannot accept for the asker
        pair.asker.receive(make_parcel(OWNER, ASKER.fingerprint, "acceptance", subject, accepted.to_bytes()))
    unknown = sign(ASKER, End(grant="0" * 64, by=ASKER.fingerprint, ended_at="2026-03-01T00:00:00Z"))
    with raises("score.unknown-grant", RefusedError):
        pair.owner.receive(make_parcel(ASKER, OWNER.fingerprint, "end", subject, unknown.to_bytes()))
    other = entry.grant.model_copy(update={"asker": "a" * 51 + "q"})
    with raises("score.grant-for-another", ProtocolError):
        pair.asker.receive(make_parcel(OWNER, ASKER.fingerprint, "grant", subject, sign(OWNER, other).to_bytes()))
    monkeypatch.setattr(book, "MAXIMUM_GRANTS", 1)
    with raises("score.too-many-grants", RefusedError):
        owned.put_grant(entry.grant.model_copy(update={"rows": 1}), sign(OWNER, entry.grant.model_copy(
            update={"rows": 1})))


def test_a_grant_of_another_asker_opens_nothing(pair: Pair) -> None:
    """A third party that got hold of a grant's text signs an acceptance of it, and is no party to it all the same."""
    from sealane.core.secret import Secret
    from sealane.crypto.signing import SigningKey
    from sealane.node.scoring.parcels import Request

    third = SigningKey(Secret(b"third".ljust(32, b".")))
    entry = pair.grant(CARD)
    accepted = sign(third, Acceptance(grant=entry.hash, asker=third.fingerprint, accepted_at="2026-03-01T00:00:00Z"))
    owner = Owner(pair.owner.register, OWNER, pair.clock)
    with raises("score.not-yours", RefusedError):
        owner.answer(Fingerprint(third.fingerprint), third.public_key, "0" * 64,
                     Request(accepted, b"public", b"features").to_bytes())


def test_an_owner_that_was_put_back_from_an_old_copy(pair: Pair) -> None:
    from loans import loans

    pytest.importorskip("tenseal")

    def forgot() -> None:
        raise RefusedError("node.rolled-back", "this node forgot")

    pair.owner.vouched = forgot
    with raises("node.rolled-back", RefusedError):
        pair.ask(pair.grant(CARD), loans(3, 1))


def test_an_owner_whose_fingerprint_nobody_verified(home: Path, tmp_path: Path) -> None:
    from sealane.node.home import open_home

    pair = Pair(tmp_path)
    opened = open_home(home)
    own = opened.identity().fingerprint
    grant = pair.grant(CARD).grant.model_copy(update={"asker": own})
    opened.register.scoring.put_grant(grant, sign(OWNER, grant))
    opened.close()
    pair.close()
    refused(home, "score.unverified-owner", RefusedError, "score.accept", model="risk")


def test_scores_that_cannot_be_written(tmp_path: Path) -> None:
    from sealane.cli.score import _write

    found = {"first": 0, "rows": 1, "scores": [1.0], "probabilities": None, "largest_error": 0.0, "seconds": 1.0,
             "bytes_sent": 1, "bytes_received": 1}
    with raises("score.not-written", UnavailableError):
        _write(found, tmp_path / "absent" / "scores.parquet")
    _write(found, tmp_path / "scores.csv")
    assert (tmp_path / "scores.csv").read_text() == "row,score\n0,1.0\n"
