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
    epsilon = payload.get("epsilon")
    lines = [
        f"# {model['name']} for {payload['outcome']}", "",
        "## Model", "",
        f"- Task: {payload['task']}" + (f", classes {', '.join(payload['classes'])}" if payload["classes"] else ""),
        f"- Module: {model['name']} ({sizes})",
        f"- Inputs, in order: {', '.join(one['name'] for one in payload['features'])}",
        "- Numbers enter as (value - centre) / scale, missing ones as 0; levels by their place, 0 for all others.", "",
        "## Training", "",
        f"- {payload['nobs']} rows of {basis['contributing']} of {basis['institutions']} institutions, which no "
        "institution gave away",
        f"- {asked['strategy']}, {payload['kept']} rounds, ended by: {payload['stopped']}",
        f"- Updates: {in_words(payload['sending'])}",
        "- Differential privacy: " + ("none" if epsilon is None else f"epsilon {epsilon}, delta {payload['delta']}"),
        "",
        "## Measures", "", "| part | measure | value |", "|---|---|---|",
        *(f"| {part} | {name} | {value:.6g} |" for part, measures in payload["metrics"].items()
          for name, value in measures.items()), "",
        "## Limits", "",
        "- A network can remember single rows. Without differential privacy nothing bounds what it gives away of them.",
        "- Measures on training rows flatter the model.", "",
    ]
    return "\n".join(lines)
