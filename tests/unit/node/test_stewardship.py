"""A steward's requests at a node: signed for this node, this command and this moment, and good once."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from made_identity import make_identity

from sealane.core.clock import system_clock
from sealane.errors import InputError, RefusedError, SealaneError
from sealane.node import control
from sealane.node.commands import Place, execute
from sealane.node.control import call
from sealane.node.home import open_home
from sealane.node.stewardship import KEY_FILE, Steward, load_steward, make_steward, sign_request

PEER = "a" * 51 + "q"
TRUST = {"name": "south", "fingerprint": PEER}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_identity(tmp_path / "north")
    return tmp_path / "north"


@pytest.fixture
def wei(tmp_path: Path, home: Path) -> Steward:
    made = make_steward(tmp_path / "wei", "wei")
    call(home, "steward.appoint", {"name": "wei", "fingerprint": made.key.fingerprint})
    return made


def refused(branch: type[SealaneError], *arguments: Any, **options: Any) -> str:
    with pytest.raises(branch) as caught:
        execute(*arguments, **options)
    return caught.value.code


def signed(of: Steward, place: Place, command: str = "trust", arguments: Any = None, **changes: Any) -> Any:
    now = changes.pop("now", place.home.clock())
    node = changes.pop("node", place.home.identity().fingerprint)
    return sign_request(of.key, node, command, TRUST if arguments is None else arguments, now) | changes


def test_a_key_of_its_own_home(tmp_path: Path) -> None:
    made = make_steward(tmp_path / "wei", "wei")
    assert load_steward(tmp_path / "wei").key.fingerprint == made.key.fingerprint
    assert stat.S_IMODE((tmp_path / "wei" / KEY_FILE).stat().st_mode) == 0o600
    with pytest.raises(RefusedError) as caught:
        make_steward(tmp_path / "wei", "wei")
    assert caught.value.code == "steward.key-exists"
    (tmp_path / "wei" / KEY_FILE).write_bytes(b"short")
    with pytest.raises(InputError) as malformed:
        load_steward(tmp_path / "wei")
    assert malformed.value.code == "steward.key-malformed"


def test_before_anybody_is_appointed_the_operator_decides(home: Path) -> None:
    assert call(home, "trust", TRUST)["trust"] == "verified"
    assert call(home, "status")["stewards"] == []


def test_then_only_a_steward_does(home: Path, wei: Steward, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for command, arguments in (("trust", TRUST), ("study.approve", {"study": "ab" * 32}),
                               ("steward.appoint", {"name": "mallory", "fingerprint": PEER}),
                               ("steward.dismiss", {"name": "wei"})):
        with pytest.raises(RefusedError) as caught:
            call(home, command, arguments)
        assert caught.value.code == "auth.steward-only"
    assert call(home, "steward.list")[0]["name"] == "wei"
    assert call(home, "peers") == []
    monkeypatch.setenv(control.STEWARD_VARIABLE, str(tmp_path / "wei"))
    assert call(home, "trust", TRUST)["trust"] == "verified"


def test_the_key_of_the_node_is_no_stewards(home: Path) -> None:
    own = open_home(home).identity().fingerprint
    with pytest.raises(InputError) as caught:
        call(home, "steward.appoint", {"name": "wei", "fingerprint": own})
    assert caught.value.code == "steward.key-of-node"
    assert call(home, "trust", TRUST)["trust"] == "verified"  # the operator still decides


def test_a_request_is_good_for_one_node_command_and_moment_and_once(home: Path, wei: Steward, tmp_path: Path) -> None:
    place = Place(open_home(home))
    good = signed(wei, place)
    stranger = make_steward(tmp_path / "mallory", "mallory")
    now = place.home.clock()
    cases = {
        "steward.not-appointed": signed(stranger, place),
        "steward.signature": signed(wei, place, node="b" * 51 + "q"),
        "steward.stale": signed(wei, place, now=now - timedelta(minutes=6)),
    }
    for code, request in cases.items():
        assert refused(RefusedError, place, "trust", TRUST, request) == code
    assert refused(RefusedError, place, "trust", TRUST | {"name": "west"}, good) == "steward.signature"
    assert refused(RefusedError, place, "distrust", TRUST, good) == "steward.signature"
    assert refused(RefusedError, place, "trust", TRUST, good | {"nonce": "00" * 16}) == "steward.signature"
    assert refused(RefusedError, place, "trust", TRUST, signed(wei, place, now=now + timedelta(minutes=6))
                   ) == "steward.stale"
    assert place.register.verified() == {}
    execute(place, "trust", TRUST, good)
    assert refused(RefusedError, place, "trust", TRUST, good) == "steward.replayed"
    place.register.close()
    again = Place(open_home(home))  # also after a restart
    assert refused(RefusedError, again, "trust", TRUST, good) == "steward.replayed"
    again.register.close()


@pytest.mark.parametrize("lie", [
    {}, {"public_key": "ab"}, {"at": "yesterday"}, {"nonce": "zz"}, {"nonce": "00"}, {"signature": 5}, {"more": "x"},
    {"signature": "ab" * 63}, {"public_key": "g" * 64},
])
def test_a_malformed_signature(home: Path, wei: Steward, lie: dict[str, Any]) -> None:
    place = Place(open_home(home))
    request = signed(wei, place) | lie if lie else {}
    assert refused(InputError, place, "trust", TRUST, request) == "steward.malformed"
    place.register.close()


def test_stewards_appoint_and_dismiss_each_other_but_never_the_last(home: Path, wei: Steward, tmp_path: Path) -> None:
    place, lin = Place(open_home(home)), make_steward(tmp_path / "lin", "lin")

    def ask(of: Steward, command: str, **arguments: Any) -> Any:
        return execute(place, command, arguments, signed(of, place, command, arguments))

    ask(wei, "steward.appoint", name="lin", fingerprint=lin.key.fingerprint)
    with pytest.raises(InputError) as taken:
        ask(wei, "steward.appoint", name="other", fingerprint=lin.key.fingerprint)
    assert taken.value.code == "steward.key-of-another"
    ask(lin, "steward.dismiss", name="wei")
    with pytest.raises(RefusedError) as caught:
        ask(lin, "steward.dismiss", name="lin")
    assert caught.value.code == "steward.last"
    with pytest.raises(InputError) as unknown:
        ask(lin, "steward.dismiss", name="wei")
    assert unknown.value.code == "steward.unknown"
    with pytest.raises(RefusedError) as gone:
        ask(wei, "trust", **TRUST)
    assert gone.value.code == "steward.not-appointed"
    place.register.close()


def test_refusals_are_logged(home: Path, wei: Steward, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RefusedError):
        call(home, "trust", TRUST, clock=system_clock)
    assert "control.refused" in caplog.text
