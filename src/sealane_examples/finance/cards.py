"""Made-up card transactions of four banks over six months, with made-up fraud: nothing in them happened.

Nothing that is found in them says anything of fraud in the world, or of how well a model finds it there: what a model
can find is what was put in, and that is written down here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane_examples.example import Example

EXAMPLE = Example(
    name="card-fraud",
    sector="finance",
    title="Made-up card transactions of four banks, January to June 2025, with made-up fraud",
    source="Made up by sealane_examples.finance.cards: no card, payment, merchant or fraud behind it",
    licence="Apache-2.0, as Sealane",
    contract="finance.card-transaction/v1",
    institutions=("bank-1", "bank-2", "bank-3", "bank-4"),
    outcome="fraud",
    features=("amount", "hour", "card_present", "cross_border", "months_on_book", "count_1h", "count_7d",
              "amount_z_30d", "hours_since_last", "new_merchant"),
    categorical=(),
    purpose="anti-fraud",
)
RECIPE = b"""entity = "account_key"
time = "time"
features = [
  { field = "count_1h", make = "count", hours = 1 },
  { field = "count_7d", make = "count", days = 7 },
  { field = "amount_z_30d", make = "z", of = "amount", days = 30 },
  { field = "hours_since_last", make = "recency" },
  { field = "new_merchant", make = "new", of = "merchant_key" },
]
"""
"""Of the features: which look back over the account's earlier rows."""
ROWS, ACCOUNTS, MERCHANTS = 52_000, 900, 400
"""Of one bank."""
BEGIN, END = pd.Timestamp("2025-01-01"), pd.Timestamp("2025-07-01")
WATCHED_FROM = pd.Timestamp("2025-04-01")
"""What is earlier is learned from, what is later is watched."""
SHIFT = pd.Timestamp("2025-06-01")
"""From here on amounts are SHIFT_FACTOR times as large: the drift that a watch is to find."""
SHIFT_FACTOR = 1.6
FRAUD_RATE = 0.012
BURST = 4
"""Transactions of one fraud, within an hour and a half."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How frauds of one kind differ: shares abroad, without the card and at a new merchant; factor of the amount."""

    abroad: float
    online: float
    elsewhere: float
    factor: float


KINDS = (Kind(0.6, 0.3, 0.9, 2.5), Kind(0.1, 0.95, 0.8, 1.8), Kind(0.2, 0.1, 0.5, 5.0))
"""Skimmed abroad, stolen numbers online, large cash."""
MIXES = ((0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8), (0.4, 0.3, 0.3))
"""How much of each kind a bank meets: what one bank hardly sees another has learned."""


def transactions(bank: int, rows: int = ROWS) -> pd.DataFrame:
    """Return one bank's made-up transactions, in the order of time."""
    random = np.random.default_rng([2025, bank])
    bursts = round(rows * FRAUD_RATE / BURST)
    honest = rows - bursts * BURST
    accounts = max(ACCOUNTS * rows // ROWS, 20)
    level, opened = random.normal(3.3, 0.6, accounts), random.integers(3, 240, accounts)
    usual = frame(random, random.integers(0, accounts, honest), moments(random, honest), level)
    kind = random.choice(len(KINDS), bursts, p=MIXES[bank % len(MIXES)]).repeat(BURST)
    begun = BEGIN + pd.to_timedelta(random.uniform(0, (END - BEGIN).total_seconds() - 7200, bursts), unit="s")
    time = pd.DatetimeIndex(begun.repeat(BURST) + pd.to_timedelta(random.uniform(0, 5400, bursts * BURST), unit="s"))
    stolen = frame(random, random.integers(0, accounts, bursts).repeat(BURST), time, level)
    of = pd.DataFrame([(one.abroad, one.online, one.elsewhere, one.factor) for one in KINDS],
                      columns=["abroad", "online", "elsewhere", "factor"]).iloc[kind].reset_index(drop=True)
    chance = random.random((3, len(stolen)))
    stolen["cross_border"] = (chance[0] < of["abroad"]).astype("int64")
    stolen["card_present"] = (chance[1] >= of["online"]).astype("int64")
    anywhere = random.integers(0, MERCHANTS, len(stolen))
    stolen["merchant"] = np.where(chance[2] < of["elsewhere"], anywhere, stolen["merchant"])
    stolen["amount"] *= of["factor"]
    both = pd.concat([usual.assign(fraud=0), stolen.assign(fraud=1)], ignore_index=True)
    return finished(both.sort_values("time", kind="stable", ignore_index=True), opened)


def moments(random: np.random.Generator, number: int) -> pd.DatetimeIndex:
    """Return moments of honest payments: by day, few at night."""
    days = random.integers(0, (END - BEGIN).days, number)
    hours = np.clip(random.normal(14.5, 4.2, number), 0, 23.99)
    return pd.DatetimeIndex(BEGIN + pd.to_timedelta(days * 86_400 + hours * 3600, unit="s"))


def frame(random: np.random.Generator, account: NDArray[np.int64], time: pd.DatetimeIndex,
          level: NDArray[np.float64]) -> pd.DataFrame:
    """Return payments as an account makes them: at some merchants of its own, in amounts of its own."""
    number = len(account)
    own = (account * 7 + random.integers(0, 12, number) ** 2) % MERCHANTS
    merchant = np.where(random.random(number) < 0.85, own, random.integers(0, MERCHANTS, number))
    return pd.DataFrame({
        "account": account, "time": time, "merchant": merchant,
        "amount": np.exp(level[account] + random.normal(0, 0.8, number)),
        "card_present": (random.random(number) < 0.7).astype("int64"),
        "cross_border": (random.random(number) < 0.04).astype("int64"),
    })


def finished(rows: pd.DataFrame, opened: NDArray[np.int64]) -> pd.DataFrame:
    """Return the rows as the contract names them, amounts of the last month larger."""
    time = rows["time"].dt.floor("s")
    later = np.where(time >= SHIFT, SHIFT_FACTOR, 1.0)
    return pd.DataFrame({
        "account_key": "a" + rows["account"].astype(str), "merchant_key": "m" + rows["merchant"].astype(str),
        "time": time, "amount": (rows["amount"] * later).round(2).clip(upper=50_000.0),
        "card_present": rows["card_present"], "cross_border": rows["cross_border"],
        "hour": time.dt.hour.astype("int64"), "months_on_book": opened[rows["account"].to_numpy()],
        "fraud": rows["fraud"].astype("int64"),
    })
