"""What an example says about itself, without loading any data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A data set split over institutions, and the question to ask of it.

    Args:
        name: the word after ``sealane demo``, and the first argument of ``python -m sealane_examples``.
        sector: the sector pack that it belongs to.
        title: one line for a report.
        source: where the rows come from.
        licence: what is known of the terms, for a reader.
        contract: identifier of the data contract that every institution's table conforms to.
        institutions: names of the institutions; each gets ``NAME.parquet``.
        outcome: the 0/1 column that is modelled: for a survival study, whether the event happened.
        features: columns of the model, in order.
        categorical: those of ``features`` that are categories.
        purpose: one of the sector pack's, for the study.
        duration: the column of times, for a survival study.
    """

    name: str
    sector: str
    title: str
    source: str
    licence: str
    contract: str
    institutions: tuple[str, ...]
    outcome: str
    features: tuple[str, ...]
    categorical: tuple[str, ...]
    purpose: str
    duration: str | None = None
