"""Sector packs on the command line: what is installed, what is in order, and a new one that overwrites nothing."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from command_line import refused, run, run_well

from sealane.sectors.names import SECTOR
from sealane.sectors.registry import packs


def test_installed_packs_are_listed() -> None:
    found = {one["name"]: one for one in run_well("sector", "list")}
    assert {"finance", "healthcare", "manufacturing", "transport", "energy"} <= set(found)
    assert found["transport"]["contracts"] == ["transport.flight/v1"]
    assert found["transport"]["example"] == "flight-delay"
    assert found["finance"]["package"].startswith("sealane ")
    assert found["finance"]["code_systems"] == ["iso-18245", "iso-3166", "iso-4217"]
    text = run("sector", "list").out
    assert all(contract in text for pack in packs().values() for contract in pack.contracts)


def test_a_pack_in_order_and_one_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_well("sector", "check", "energy") == {"ok": True, "name": "energy", "faults": []}
    assert "energy is in order: 1 contract, 4 purposes" in run("sector", "check", "energy").out
    refused("sector.unknown", 2, "sector", "check", "enrgy")
    monkeypatch.setattr("sealane.sectors.checks.faults", lambda pack: ["size: give a unit"])
    done = run("sector", "check", "energy", "--json")
    assert (done.code, json.loads(done.out)["faults"]) == (2, ["size: give a unit"])
    assert run("sector", "check", "energy").out == "size: give a unit\n"


def test_a_new_pack_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    title = 'Wind @module@ & "sun" \\ 🌾'
    done = run_well("sector", "new", "wind-power", "--title", title)
    assert done["folder"] == "sealane-sector-wind-power"
    folder = tmp_path / done["folder"]
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == done["files"]
    declared = tomllib.loads((folder / "src/sealane_sector_wind_power/sector.toml").read_text(encoding="utf-8"))
    assert (declared["name"], declared["title"]) == ("wind-power", title)
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "sealane-sector-wind-power"
    assert project["entry-points"]["sealane.sectors"] == {"wind-power": "sealane_sector_wind_power:PACK"}
    text = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file())
    assert not [mark for mark in ("@name@", "@distribution@", "@title@", "@quoted-title@") if mark in text]

    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    refused("sector.folder-exists", 3, "sector", "new", "wind-power", "--out", folder)
    refused("sector.folder-exists", 3, "sector", "new", "wind-power", "--out", folder / "README.md")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    (tmp_path / "empty").mkdir()
    refused("sector.folder-exists", 3, "sector", "new", "wind-power", "--out", tmp_path / "empty")
    assert not list((tmp_path / "empty").iterdir())
    deep = tmp_path / "a" / "b"
    assert run_well("sector", "new", "wind-power", "--out", deep)["folder"] == str(deep)


@pytest.mark.parametrize("name", [
    "Wind", "wind_power", "wind power", "-wind", "wind-", "wind--power", "1wind", "", ".", "../wind", "w/x", "ветер",
    "w" * 33, "wind\n"])
def test_names_are_checked_before_anything_is_written(name: str, tmp_path: Path) -> None:
    done = run("sector", "new", "--json", "--out", tmp_path / "made", "--", name)
    assert (done.code, done.error["code"]) == (2, "sector.malformed-name")
    assert SECTOR.fullmatch(done.error["hint"].removeprefix("such as "))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("title", ["", " Wind", "Wind\n", "W" * 201, "Wind\x00"])
def test_titles_are_checked_before_anything_is_written(title: str, tmp_path: Path) -> None:
    refused("sector.malformed-title", 2, "sector", "new", "wind", "--title", title, "--out", tmp_path / "made")
    assert not list(tmp_path.iterdir())


def test_an_installed_name_is_refused(tmp_path: Path) -> None:
    error = refused("sector.name-taken", 2, "sector", "new", "finance", "--out", tmp_path / "made")
    assert "transport" in error["expected"]
    assert not list(tmp_path.iterdir())


def test_half_a_pack_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    whole = Path.write_text

    def full(path: Path, *arguments: object, **options: object) -> int:
        written.append(path)
        if len(written) == 4:
            raise OSError(28, "No space left on device", str(path))
        return whole(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", full)
    assert run("sector", "new", "wind", "--json", "--out", tmp_path / "made").error["code"] == "system.refused"
    assert not list(tmp_path.iterdir())
