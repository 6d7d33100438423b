"""Patients with competing causes of death, for tests of survival studies."""

from __future__ import annotations

import numpy as np
import pandas as pd

CAUSES = ("alive", "cancer", "heart")


def draw(n: int = 900, seed: int = 11) -> pd.DataFrame:
    """Return patients who die of cancer or of the heart, or are alive when last seen; some enter late."""
    random = np.random.default_rng(seed)
    arm, age = random.choice(["control", "new"], n, p=[0.6, 0.4]), random.normal(60, 10, n).round(1)
    cancer = random.exponential(250 * np.where(arm == "new", 1.5, 1.0))
    heart = random.exponential(400 * np.exp(-0.03 * (age - 60)))
    follow = random.uniform(50, 600, n)
    days = np.minimum(np.minimum(cancer, heart), follow)
    cause = np.where(days == follow, "alive", np.where(days == cancer, "cancer", "heart"))
    entered = np.where(random.random(n) < 0.5, 0.0, np.floor(random.uniform(0, 40, n)))
    days = np.ceil(days)
    return pd.DataFrame({"days": days, "cause": pd.Categorical(cause, categories=list(CAUSES)), "arm": arm, "age": age,
                         "entered": np.minimum(entered, days - 1)})
