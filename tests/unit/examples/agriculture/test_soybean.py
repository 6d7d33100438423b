"""R's data file read without R, and soybean plants in words, where Debian's r-cran-mlbench is installed."""

from __future__ import annotations

import lzma
import re
import struct
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sealane
from sealane.errors import InputError, UnavailableError
from sealane.node.conformance import check_rows
from sealane.sectors.registry import contract
from sealane_examples.agriculture import prepare, soybean
from sealane_examples.agriculture.r_data import data_frame
from sealane_examples.fold import HELD_OUT

ROOT = Path(__file__).resolve().parents[4]
ATTRIBUTED, TAGGED, OBJECT = 0x200, 0x400, 0x100


def ints(*values: int) -> bytes:
    return struct.pack(f">{len(values)}i", *values)


def text(value: str) -> bytes:
    return ints(9, len(value)) + value.encode()


def texts(*values: str) -> bytes:
    return ints(16, len(values)) + b"".join(map(text, values))


def pairs(tags: dict[str, bytes]) -> bytes:
    return b"".join(ints(2 | TAGGED, 1) + text(name) + item for name, item in tags.items()) + ints(254)


def written(frame: bytes, name: str = "Plants") -> bytes:
    """Return a file as R's ``save(..., version = 2, compress = "xz")`` writes it (R Internals, 1.8)."""
    return lzma.compress(b"RDX2\nX\n" + ints(2, 0x030000, 0x020300) + pairs({name: frame}))


FRAME = (ints(19 | ATTRIBUTED | OBJECT, 2)
         + ints(13 | ATTRIBUTED | OBJECT, 3, 2, 1, -(2**31)) + pairs({"levels": texts("leaf", "root"),
                                                                       "class": texts("factor")})
         + ints(14, 3) + struct.pack(">3d", 0.5, -1.0, 2.0)
         + pairs({"names": texts("place", "size"), "class": texts("data.frame"),
                  "row.names": ints(13, 2, -(2**31), -3)}))


def test_a_data_frame_of_r_is_read_without_r() -> None:
    found = data_frame(written(FRAME), "Plants")
    assert found.to_dict("list") == {"place": ["root", "leaf", None], "size": [0.5, -1.0, 2.0]}


@pytest.mark.parametrize("content", [
    b"", b"no xz at all", lzma.compress(b"RDX3\nX\n"), written(FRAME, "Others"), written(FRAME[:-20]),
    written(ints(19, 2**31 - 1)), written(ints(19, -1)), written(ints(3)), written(ints(255 | 9 << 8)),
], ids=["empty", "not packed", "another version", "another name", "cut off", "too long", "negative", "a closure",
        "no such symbol"])
def test_any_other_file_is_refused(content: bytes) -> None:
    with pytest.raises(InputError) as refused:
        data_frame(content, "Plants")
    assert refused.value.code == "example.source-changed"


def test_without_the_package_it_is_said_where_the_rows_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(soybean, "LIBRARIES", ())
    for name in ("R_LIBS", "R_LIBS_SITE", "R_LIBS_USER"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(UnavailableError) as refused:
        soybean.table()
    assert refused.value.code == "example.data-missing"
    assert "r-cran-mlbench" in (refused.value.hint or "")


def test_other_bytes_than_the_reviewed_are_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / soybean.ITEM
    path.parent.mkdir(parents=True)
    path.write_bytes(written(FRAME, "Soybean"))
    monkeypatch.setenv("R_LIBS", str(tmp_path))
    with pytest.raises(InputError) as refused:
        soybean.table()
    assert (refused.value.code, refused.value.expected) == ("example.source-changed", soybean.SHA256)


@pytest.fixture(scope="module")
def rows() -> dict[str, pd.DataFrame]:
    try:
        soybean.file()
    except UnavailableError:
        pytest.skip("r-cran-mlbench is not installed")
    return soybean.parts()


def test_plants_are_split_once_and_conform(rows: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    rules = contract(soybean.EXAMPLE.contract)
    assert sum(map(len, rows.values())) == 683
    assert {str(name) for name in pd.concat(rows.values())["disease"].unique()} == set(rules.field("disease").allowed)
    for part in rows.values():
        checked = check_rows(rules, {str(name): part[name].reset_index(drop=True) for name in part}, len(part))
        assert not checked.invalid.any()
    assert set(prepare.prepare("soybean", tmp_path)["institutions"]) == set(soybean.EXAMPLE.institutions)


@pytest.mark.parametrize(("disease", "symptom", "level"), [
    ("brown_stem_rot", "int_discolor", "brown"), ("charcoal_rot", "int_discolor", "black"),
    ("cyst_nematode", "roots", "galls_or_cysts"), ("powdery_mildew", "leaf_mild", "upper_surface"),
    ("downy_mildew", "leaf_mild", "lower_surface"), ("diaporthe_stem_canker", "stem_cankers", "above_second_node"),
])
def test_codes_became_the_right_words(
    rows: dict[str, pd.DataFrame], disease: str, symptom: str, level: str
) -> None:
    """What a disease is called by: were codes and words out of step, charcoal rot would not be black."""
    whole = pd.concat(rows.values())
    assert whole[whole["disease"] == disease][symptom].mode().tolist() == [level]


def test_the_study_reaches_what_the_page_says(rows: dict[str, pd.DataFrame]) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    study = tomllib.loads((ROOT / "examples" / "agriculture" / "study-soybean.toml").read_text(encoding="utf-8"))
    fold = rows[HELD_OUT]
    parts = {name: part.reset_index(drop=True) for name, part in rows.items() if name != HELD_OUT}
    rules = contract(study["data_contract"])
    terms = {key: study[key] for key in ("scheme", "minimum_cohort", "minimum_count", "colluding")}
    joint = sealane.simulate(parts, contract=rules).run(study["computation"], **terms, **study["parameters"])

    def share(names: Any) -> float:
        return float((pd.Series(names).to_numpy() == fold["disease"].to_numpy()).mean())

    def coded(part: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({name: pd.Categorical(part[name], categories=list(rules.field(name).allowed))
                             for name in soybean.SYMPTOMS})

    def stock(part: pd.DataFrame) -> float:
        known = list(rules.field("disease").allowed)
        data = lightgbm.Dataset(coded(part), [known.index(one) for one in part["disease"]])
        asked = study["parameters"]["params"] | {"num_class": len(known), "verbose": -1, "num_threads": 1,
                                                 "deterministic": True}
        model = lightgbm.train(asked, data, study["parameters"]["rounds"])
        return share([known[place] for place in model.predict(coded(fold)).argmax(axis=1)])

    page = (ROOT / "docs" / "agriculture-demo.md").read_text(encoding="utf-8")
    alone = sorted(map(stock, parts.values()))
    found = [alone[0], alone[-1], share(joint.predict(fold).idxmax(axis=1)), stock(pd.concat(parts.values()))]
    line = next(line for line in page.splitlines() if line.startswith("| soybean, share"))
    assert [float(one) for one in re.findall(r"0\.\d+", line)] == [round(one, 3) for one in found]
