from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sealane.coordinator.authority import Authority
from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.errors import InputError
from sealane.rpc.invitation import Invitation, check_address, parse_invitation

TOKEN = bytes(range(32))


@pytest.fixture(scope="module")
def invitation() -> Invitation:
    ca = Authority.make(datetime(2026, 1, 1, tzinfo=UTC)).pem.decode()
    return Invitation("coord.example:7443", "coord.example:7444", ca, Secret(TOKEN), "north", "node",
                      Fingerprint("a" * 51 + "q"))


def fields(invitation: Invitation) -> dict[str, Any]:
    encoded = invitation.to_text().removeprefix("sealane-invite:v1:")
    return dict(json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))))


def spell(body: Any) -> str:
    data = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return "sealane-invite:v1:" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_it_is_one_line_that_reads_back(invitation: Invitation) -> None:
    text = invitation.to_text()
    assert "\n" not in text
    assert parse_invitation(text) == invitation
    assert fields(invitation)["token"] == TOKEN.hex()


def test_line_breaks_of_a_mail_program_do_no_harm(invitation: Invitation) -> None:
    text = invitation.to_text()
    wrapped = "\r\n  ".join(text[start:start + 76] for start in range(0, len(text), 76))
    assert parse_invitation(wrapped + "\n") == invitation


def test_its_repr_hides_the_token(invitation: Invitation) -> None:
    assert TOKEN.hex() not in repr(invitation)
    assert repr(TOKEN) not in repr(invitation)


@pytest.mark.parametrize("change", [
    {"role": "coordinator"}, {"role": 3}, {"token": "00"}, {"token": "G" * 64}, {"ca": "no"}, {"ca": "x" * 9000},
    {"extra": "field"}, {"name": None},
], ids=str)
def test_a_changed_field_is_refused_without_quoting_the_token(invitation: Invitation, change: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        parse_invitation(spell({**fields(invitation), **change}))
    assert caught.value.code in ("invitation.malformed", "invitation.too-large")
    assert TOKEN.hex() not in str(caught.value.to_dict())


def test_malformed_parts_have_codes_of_their_own(invitation: Invitation) -> None:
    for change, code in (({"address": "nowhere"}, "address.malformed"), ({"name": "North!"}, "name.malformed"),
                         ({"coordinator": "abc"}, "fingerprint.malformed")):
        with pytest.raises(InputError) as caught:
            parse_invitation(spell({**fields(invitation), **change}))
        assert caught.value.code == code


def test_text_that_is_no_invitation(invitation: Invitation) -> None:
    text = invitation.to_text()
    for wrong in ("", "hello", text[:200], text.replace("v1", "v2"), text + "!", "sealane-invite:v1:" + "A" * 8000,
                  "sealane-invite:v1:W10", "sealane-invite:v1:é"):
        with pytest.raises(InputError) as caught:
            parse_invitation(wrong)
        assert caught.value.code == "invitation.malformed"
    with pytest.raises(InputError) as caught:
        parse_invitation(text * 20)
    assert caught.value.code == "invitation.too-large"


def test_a_second_spelling_of_the_same_fields_is_refused(invitation: Invitation) -> None:
    loose = json.dumps(fields(invitation), indent=1).encode()
    with pytest.raises(InputError, match=r"invitation.malformed"):
        parse_invitation("sealane-invite:v1:" + base64.urlsafe_b64encode(loose).decode().rstrip("="))


@pytest.mark.parametrize("good", ["a:1", "127.0.0.1:65535", "[::1]:7443", "coord-1.example.org:443"])
def test_addresses(good: str) -> None:
    assert check_address(good) == good


@pytest.mark.parametrize("bad", ["", "a", "a:0", "a:65536", "a:b", "::1:7443", "http://a:1", "a b:1", "a:1\n", "a:١"])
def test_malformed_addresses(bad: str) -> None:
    with pytest.raises(InputError) as caught:
        check_address(bad)
    assert caught.value.code == "address.malformed"
