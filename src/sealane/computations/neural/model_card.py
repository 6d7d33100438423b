"""A model card: what the model is for, what it rests on, and how it does. Markdown.

Source: Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019), for what a card says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealane.computations.neural.sending import in_words


def write_card(payload: Mapping[str, Any]) -> str:
    """Return the card of a payload."""
    asked, model = payload["parameters"], payload["parameters"]["model"]
    sizes = ", ".join(f"{name} {value}" for name, value in model.items() if name != "name")
    basis = payload["basis"]
    lines = [
        f"# {model['name']} for {payload['outcome']}", "",
        "## Model", "",
        f"- Task: {payload['task']}" + (f", classes {', '.join(payload['classes'])}" if payload["classes"] else ""),
        f"- Module: {model['name']} ({sizes})",
        f"- Inputs, in order: {', '.join(one['name'] for one in payload['features'])}",
        "- Numbers enter as (value - centre) / scale, missing ones as 0; levels by their place, 0 for all others.", "",
        "## Training", "",
        f"- {rows_told(payload)} of {basis['contributing']} of {basis['institutions']} institutions, which no "
        "institution gave away",
        f"- {asked['strategy']}, {payload['kept']} rounds, ended by: {payload['stopped']}",
        f"- Updates: {in_words(payload['sending'])}",
        *(f"- {line}" for line in promise_lines(payload) or ["Differential privacy: none"]), "",
        "## Measures", "", "| part | measure | value |", "|---|---|---|",
        *(f"| {part} | {name} | {value:.6g} |" for part, measures in payload["metrics"].items()
          for name, value in measures.items()), "",
        "## Limits", "",
        "- A network can remember single rows. Without differential privacy nothing bounds what it gives away of them.",
        "- Measures on training rows flatter the model. With differential privacy none are released.", "",
    ]
    return "\n".join(lines)


def rows_told(payload: Mapping[str, Any]) -> str:
    """Return how many rows were learned from, in words."""
    if payload["nobs"] is None:
        return "rows not counted"
    return f"{payload['nobs']} rows" if payload.get("privacy") is None else f"about {payload['nobs']} rows (noised)"


def promise_lines(payload: Mapping[str, Any]) -> list[str]:
    """Return what was promised and what it took; nothing without a promise."""
    kept = payload.get("privacy")
    if kept is None:
        return []
    whom = "row" if kept["protects"] == "record" else "institution, with all its rows"
    out = [f"Differential privacy: epsilon {payload['epsilon']:g}, delta {payload['delta']:g} for each {whom}",
           f"Noise: {kept['multiplier']:.4g} times the longest contribution, on {kept['sums']} sums"]
    if "noise" in kept:
        out.append(f"Noise in a mean update: {kept['noise']:.3g} times as long as that update can be"
                   + ("; it is mostly noise" if kept["noise"] > 1 else ""))
    return out
