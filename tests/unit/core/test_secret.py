"""The only way out of a secret is ``reveal``."""

from __future__ import annotations

import copy
import hmac
import json
import pickle
import traceback

import pytest

from sealane.core.secret import Secret
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.signing import SigningKey

VALUE = b"canary-8842-canary-8842-canary-8"


@pytest.mark.parametrize("show", [repr, str, ascii, "{}".format, "{!r:>60}".format, lambda secret: f"{[secret]}",
                                  lambda secret: str({"key": secret}), lambda secret: f"{secret} {secret!r}"])
def test_it_never_prints(show: object) -> None:
    assert callable(show)
    text = show(Secret(VALUE))
    assert "canary" not in text
    assert VALUE.hex() not in text
    assert "32 bytes" in text


def test_keys_made_of_it_do_not_print_either() -> None:
    for key in (SigningKey(Secret(VALUE)), AgreementKey(Secret(VALUE))):
        assert VALUE.hex() not in repr(key)
        assert "canary" not in repr(key)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_never_pickles(protocol: int) -> None:
    with pytest.raises(TypeError) as caught:
        pickle.dumps({"inside": [Secret(VALUE)]}, protocol)
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret(VALUE))


def test_it_has_no_hash_no_dict_and_no_json() -> None:
    with pytest.raises(TypeError):
        hash(Secret(VALUE))
    with pytest.raises(TypeError):
        {Secret(VALUE)}
    assert not hasattr(Secret(VALUE), "__dict__")
    with pytest.raises(TypeError):
        json.dumps(Secret(VALUE))
    with pytest.raises(TypeError):
        bytes(Secret(VALUE))  # type: ignore[call-overload]


def test_it_is_equal_by_value_and_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Secret(VALUE) == Secret(bytes(bytearray(VALUE)))
    assert Secret(VALUE) != Secret(VALUE[:-1] + b"9")
    assert Secret(VALUE) != Secret(VALUE[:-1])
    assert Secret(VALUE) != VALUE
    compared: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: bool(compared.append((one, other))))
    assert Secret(b"a") != Secret(b"b")
    assert compared == [(b"a", b"b")]


def test_reveal_gives_the_bytes_and_len_their_number() -> None:
    assert Secret(VALUE).reveal() == VALUE
    assert len(Secret(VALUE)) == 32
