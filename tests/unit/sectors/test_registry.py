from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest

from sealane.errors import InputError
from sealane.sectors import registry
from sealane.sectors.finance import PACK
from sealane.sectors.pack import SectorPack


@pytest.fixture(autouse=True)
def _fresh() -> object:
    registry.packs.cache_clear()
    yield
    registry.packs.cache_clear()


def with_entry_points(monkeypatch: pytest.MonkeyPatch, *found: tuple[str, str]) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [
        EntryPoint(name, value, group) for name, value in found if group == registry.GROUP])


def code_of(name: str) -> str:
    with pytest.raises(InputError) as caught:
        registry.pack(name)
    return caught.value.code


def test_finance_is_known_with_and_without_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    with_entry_points(monkeypatch)
    assert registry.pack("finance") is PACK
    registry.packs.cache_clear()
    with_entry_points(monkeypatch, ("finance", "sealane.sectors.finance:PACK"))
    assert registry.pack("finance") is PACK


def test_unknown_names_say_what_there_is() -> None:
    assert code_of("finanze") == "sector.unknown"
    with pytest.raises(InputError) as caught:
        registry.contract("finance.credit-aplication/v1")
    assert caught.value.code == "contract.unknown"
    assert "finance.credit-application/v1" in (caught.value.hint or "")


def test_purposes() -> None:
    registry.check_purpose("finance", "credit-risk")
    with pytest.raises(InputError) as caught:
        registry.check_purpose("finance", "marketing")
    assert caught.value.code == "study.unknown-purpose"
    assert "credit-risk" in (caught.value.expected or "")


OTHER = replace(PACK, title="An impostor")
RIVAL = SectorPack("rival", "Holds a contract of another", PACK.contracts, {})


@pytest.mark.parametrize(("name", "value", "code"), [
    ("broken", "no.such.module:PACK", "sector.broken"),
    ("odd", "sealane.sectors.registry:GROUP", "sector.broken"),
    ("misnamed", "sealane.sectors.finance:PACK", "sector.ambiguous"),
])
def test_a_broken_pack_is_never_skipped(monkeypatch: pytest.MonkeyPatch, name: str, value: str, code: str) -> None:
    with_entry_points(monkeypatch, (name, value))
    assert code_of("finance") == code


def test_two_packs_never_share_a_name_or_a_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    here = registry.__name__
    monkeypatch.setattr(registry, "OTHER", OTHER, raising=False)
    monkeypatch.setattr(registry, "RIVAL", RIVAL, raising=False)
    for entry in (("finance", f"{here}:OTHER"), ("rival", f"{here}:RIVAL")):
        registry.packs.cache_clear()
        with_entry_points(monkeypatch, ("finance", "sealane.sectors.finance:PACK"), entry)
        assert code_of("finance") == "sector.ambiguous"


def test_a_pack_s_own_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with_entry_points(monkeypatch, ("empty", "sealane.sectors.registry:_refusing.PACK"))
    monkeypatch.setattr(registry, "_refusing", Refusing(), raising=False)
    with pytest.raises(InputError) as caught:
        registry.packs()
    assert (caught.value.code, caught.value.got) == ("sector.broken", "field 3")
    assert "empty does not load: contract is malformed" in caught.value.message


class Refusing:
    @property
    def PACK(self) -> SectorPack:
        raise InputError("sector.malformed", "contract is malformed", got="field 3")
