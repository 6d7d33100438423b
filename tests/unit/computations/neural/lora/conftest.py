"""A package with a tiny frozen model, made here with random weights; and made-up notes of three offices.

Every sentence is made up by template: no note was ever written by anybody.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PACKAGE = "tiny-frozen-model"
LATE = ["late", "lost", "missing", "delayed", "broken"]
PAID = ["charged", "refund", "card", "invoice", "paid"]
FILLING = ["the", "my", "parcel", "order", "was", "is", "again", "today", "please", "help", "account", "box"]
WORDS = [*LATE, *PAID, *FILLING]
SPECIAL = ["[PAD]", "[UNK]"]


def make_package(root: Path, seed: int = 0) -> None:
    """Write a package that pip would have installed: a BERT of two layers and a tokenizer of whole words."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    folder = root / "tiny_frozen_model" / "model"
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    config = transformers.BertConfig(vocab_size=len(SPECIAL) + len(WORDS), hidden_size=32, num_hidden_layers=2,
                                     num_attention_heads=2, intermediate_size=64, max_position_embeddings=32)
    transformers.BertModel(config).save_pretrained(folder)
    vocabulary = {word: place for place, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    about = root / "tiny_frozen_model-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
    files = [one.relative_to(root).as_posix() for one in (*folder.iterdir(), about / "METADATA")]
    (about / "RECORD").write_text("".join(f"{name},,\n" for name in files))


def notes(n: int = 240, seed: int = 5) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    kind = random.choice(["delivery", "payment"], n)
    rows = []
    for one in kind:
        words = [*random.choice(FILLING, random.integers(3, 7)), *random.choice(LATE if one == "delivery" else PAID, 2)]
        if random.random() < 0.15:
            words.append("unheard")
        rows.append(" ".join(random.permutation(words)) + f" {'x' * (len(rows) % 3 + 1)}{len(rows)}")
    return pd.DataFrame({"note": rows, "kind": kind})


def by_office(frame: pd.DataFrame, skewed: bool = False) -> dict[str, pd.DataFrame]:
    """Spread rows over three offices: in turn, or nearly all deliveries at one and payments at another."""
    if not skewed:
        return {name: frame.iloc[k::3].reset_index(drop=True) for k, name in enumerate(("east", "south", "west"))}
    random = np.random.default_rng(8)
    odds = np.where((frame.kind == "delivery").to_numpy()[:, None], [0.65, 0.05, 0.3], [0.05, 0.65, 0.3])
    at = np.array([random.choice(3, p=row) for row in odds])
    return {name: frame[at == k].reset_index(drop=True) for k, name in enumerate(("east", "south", "west"))}


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    root = tmp_path_factory.mktemp("installed")
    make_package(root)
    sys.path.insert(0, str(root))
    yield root
    sys.path.remove(str(root))


@pytest.fixture(scope="session")
def base(package):
    """What a study says of it, hashed here by other code than Sealane's."""
    folder = package / "tiny_frozen_model" / "model"
    files = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in folder.iterdir()}
    said = json.dumps(files, sort_keys=True, separators=(",", ":")).encode()
    return {"package": PACKAGE, "content": hashlib.sha256(said).hexdigest()}
