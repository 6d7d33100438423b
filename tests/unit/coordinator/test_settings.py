from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from sealane.coordinator.settings import Advertise, Settings, read_settings
from sealane.errors import InputError


def read(home: Path, text: str | bytes) -> Settings:
    (home / "settings.toml").write_bytes(text.encode() if isinstance(text, str) else text)
    return read_settings(home)


def test_what_it_writes_reads_back(tmp_path: Path) -> None:
    settings = Settings(advertise=Advertise(main="coord.example:7443", enrolment="10.0.0.1:7444",
                                            hosts=["alt.example"]))
    assert read(tmp_path, settings.to_toml()) == settings
    assert settings.server_hosts() == ["localhost", "127.0.0.1", "::1", "coord.example", "10.0.0.1", "alt.example"]


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    settings = read(tmp_path, "")
    assert settings == Settings()
    assert settings.certificate_life == timedelta(days=90)
    assert settings.invitation_life == timedelta(hours=24)


def test_an_unknown_field_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, '[listen]\nmian = "127.0.0.1:1"\n')
    assert caught.value.code == "settings.unknown-field"
    assert caught.value.got == "listen.mian"
    assert "main" in str(caught.value.hint)
    with pytest.raises(InputError) as caught:
        read(tmp_path, "[listne]\n")
    assert "listen" in str(caught.value.hint)


@pytest.mark.parametrize("text", [
    '[listen]\nmain = "nowhere"', "[lifetimes]\ncertificate_days = 0", "[deadlines]\nsilent_seconds = -1",
    '[listen]\nmain = "127.0.0.1:7444"', '[listen]\nmain = "0.0.0.0:7001"\nenrolment = "10.0.0.1:7001"',
    '[advertise]\nhosts = ["a b"]', "listen = 3", 'database = ""', "[deadlines]\nsilent_seconds = nan",
])
def test_values_out_of_range(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert caught.value.code == "settings.malformed"


def test_one_port_on_two_addresses_is_two_listeners(tmp_path: Path) -> None:
    listen = read(tmp_path, '[listen]\nmain = "10.0.0.1:7443"\nenrolment = "10.0.0.2:7443"').listen
    assert (listen.main, listen.enrolment) == ("10.0.0.1:7443", "10.0.0.2:7443")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_settings(tmp_path)
    assert caught.value.code == "settings.missing"
    for text, code in (("= 3", "settings.not-toml"), (b"\xff\xfe", "settings.not-toml"),
                       ("#" * 70_000, "settings.too-large")):
        with pytest.raises(InputError) as caught:
            read(tmp_path, text)
        assert caught.value.code == code
