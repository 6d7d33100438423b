"""Made-up transfers that fit ``finance.transfer/v1``: most are ordinary, some accounts act out a typology."""

from __future__ import annotations

import numpy as np
import pandas as pd

CONTRACT = "finance.transfer/v1"
FIRST = np.datetime64("2026-01-01")
DAYS = 181


def transfers(seed: int, accounts: int = 60, each: int = 30, acting: int = 6) -> pd.DataFrame:
    """Return rows of one institution; of each of four typologies ``acting`` accounts."""
    rng = np.random.default_rng([7, seed])
    rows: list[tuple[str, str, str, int, float]] = []
    for account in range(accounts):
        rows += [(f"a{account}", f"c{rng.integers(0, 12)}", str(rng.choice(["in", "out"])), int(rng.integers(0, DAYS)),
                  round(float(rng.lognormal(5.0, 1.0)), 2)) for _ in range(each)]
    for number in range(acting):
        day = int(rng.integers(0, DAYS - 10))
        rows += [(f"in{number}", f"m{k}", "in", day + int(rng.integers(0, 6)), 900.0) for k in range(15)]
        rows += [(f"out{number}", f"m{k}", "out", day + int(rng.integers(0, 6)), 700.0) for k in range(14)]
        rows += [(f"smurf{number}", "c1", "in", day + 2 * k, 9000.0 + 100 * k) for k in range(4)]
        rows += [(f"mule{number}", "c2", "in", day, 40_000.0), (f"mule{number}", "c3", "out", day + 1, 38_000.0)]
    frame = pd.DataFrame(rows, columns=["account_key", "counterparty_key", "direction", "day", "amount"])
    frame["time"] = FIRST + frame.pop("day").to_numpy().astype("timedelta64[D]") + rng.integers(
        0, 86_400, len(frame)).astype("timedelta64[s]")
    frame["method"] = rng.choice(["cash", "wire"], len(frame))
    frame["customer_key"] = "p" + frame["account_key"]
    return frame.sample(frac=1.0, random_state=seed).reset_index(drop=True)
