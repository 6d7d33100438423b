"""What a node publishes: from its register and contract, signed, kept, and said again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from loans import CONTRACT, loans

from sealane.core.clock import ManualClock
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, RefusedError
from sealane.governance.catalog_statement import SignedPublication, SignedWithdrawal
from sealane.governance.publication import verify_publication, verify_withdrawal
from sealane.node.commands import Place, execute
from sealane.node.datasets import add_dataset
from sealane.node.grading import grade
from sealane.node.home import NodeHome
from sealane.node.publications import (
    Description,
    announcements,
    publish,
    published,
    unpublish,
    withdraw_if_published,
)
from sealane.node.register import Register


@pytest.fixture
def home(tmp_path: Path, keys: dict[str, SigningKey], clock: ManualClock) -> Iterator[NodeHome]:
    """A home whose identity is a key and a name."""
    register = Register(tmp_path / "node.sqlite", keys["north"].fingerprint, clock)
    loans(1, 137).to_csv(tmp_path / "loans.csv", index=False)
    add_dataset(register, "loans", str(tmp_path / "loans.csv"), CONTRACT, {}, now=clock())
    made = SimpleNamespace(path=tmp_path, register=register, clock=clock, identity=lambda: SimpleNamespace(
        name="north", signing_key=keys["north"], fingerprint=keys["north"].fingerprint))
    yield cast("NodeHome", made)
    register.close()


def test_what_is_published_comes_from_the_register_and_the_contract(home: NodeHome) -> None:
    entry = home.register.dataset("loans")
    said = verify_publication(publish(home, entry, Description(keywords=("credit",), terms=("Aggregates only.",),
                                                               steward="Data office", grade=3, minimum_count=25)))
    assert (said.node, said.dataset, said.contract, said.sector) == ("north", "loans", CONTRACT, "finance")
    assert (said.rows, said.rounded_to) == (125, 25)  # of 137
    assert said.dataset_version == entry.version
    assert [f.name for f in said.fields] == [n for n in loans(1, 1).columns if n in entry.mapping]
    assert "credit-risk" in said.purposes
    assert (said.grade, said.steward, said.terms) == (3, "Data office", ("Aggregates only.",))
    assert said.title == "Application for an instalment loan"


def test_a_column_that_is_not_filled_is_not_published(home: NodeHome, tmp_path: Path, clock: ManualClock) -> None:
    loans(1, 50).drop(columns=["grade"]).to_csv(tmp_path / "less.csv", index=False)
    add_dataset(home.register, "less", str(tmp_path / "less.csv"), CONTRACT, {}, now=clock())
    said = verify_publication(publish(home, home.register.dataset("less"), Description()))
    assert "grade" not in {field.name for field in said.fields}


def test_published_withdrawn_and_published_again(home: NodeHome, clock: ManualClock) -> None:
    entry = home.register.dataset("loans")
    first = verify_publication(publish(home, entry, Description()))
    second = verify_publication(publish(home, entry, Description(title="Anew")))
    assert second.sequence > first.sequence
    assert [one.title for one in published(home)] == ["Anew"]
    gone = unpublish(home, "loans")
    assert verify_withdrawal(gone).sequence > second.sequence
    assert published(home) == []
    assert announcements(home) == [gone]
    assert unpublish(home, "loans") == gone
    clock.advance(timedelta(days=-300))  # set back: the sequence goes on all the same
    third = publish(home, entry, Description())
    assert verify_publication(third).sequence > verify_withdrawal(gone).sequence
    assert announcements(home) == [third]


def test_what_was_never_published_cannot_be_withdrawn(home: NodeHome) -> None:
    with pytest.raises(RefusedError) as caught:
        unpublish(home, "loans")
    assert caught.value.code == "publication.none"
    assert withdraw_if_published(home, "loans") is None


def test_a_purpose_that_the_sector_does_not_know_is_refused(home: NodeHome) -> None:
    with pytest.raises(InputError):
        publish(home, home.register.dataset("loans"), Description(purposes=("marketing",)))
    assert announcements(home) == []


class Agent:
    """Notes what is posted."""

    def __init__(self, connected: bool) -> None:
        self.connected = connected
        self.posted: list[object] = []

    def post(self, message: object) -> None:
        self.posted.append(message)


def test_commands_tell_the_coordinator_at_once(home: NodeHome) -> None:
    agent: Any = Agent(connected=True)
    place = Place(home, None)
    object.__setattr__(place, "agent", agent)
    grade(home.register, "loans", accept=True)
    answer = execute(place, "dataset.publish", {"name": "loans", "terms": ["Aggregates only."]})
    assert (answer["sent"], answer["dataset"], answer["grade"]) == (True, "loans", 3)
    assert [one["current"] for one in execute(place, "dataset.published", {})] == [True]
    execute(place, "dataset.withdraw", {"name": "loans"})  # out of the register, so out of the catalog
    assert [type(one) for one in agent.posted] == [SignedPublication, SignedWithdrawal]
    with pytest.raises(InputError):
        execute(place, "dataset.publish", {"name": "loans"})
    with pytest.raises(InputError):
        execute(place, "dataset.publish", {"name": "loans", "rows": 3})
    agent.connected = False
    assert execute(place, "dataset.unpublish", {"name": "loans"})["sent"] is False
