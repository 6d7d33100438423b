"""What a study says of a Flower app: which one, which institution runs its server half, and how much it may do."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sealane.computations.base import Parameters
from sealane.core.ids import NAME

MOST_MESSAGE = 256 << 20
MOST_RESULT = 44 << 20
"""In base64, with what goes with it, the largest result that a run may give."""
MOST_SECONDS = 7 * 24 * 3600


class FlowerParameters(Parameters):
    """Parameters of ``flower.app``.

    Attributes:
        app: the app's name, as its pyproject.toml has it.
        code: hash of its Python and TOML files, as ``sealane flower check`` prints it.
        server: the participant whose node runs the server half. It sees every institution's messages by themselves.
        run_config: changes to the app's configuration.
        columns: of the study's contract that a ClientApp may read, as a CSV file; none by default.
        exchanges: most batches of messages that the server half sends; the study's ``rounds`` allow two for each, and
            one more.
        message_bytes: longest message of the app.
        result_bytes: largest model that is released.
        seconds: the app must be over after so long.
        tolerate: pass an error of a ClientApp on to the server half, as Flower does, rather than end the run.
    """

    app: Annotated[str, Field(min_length=1, max_length=100)]
    code: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    server: Annotated[str, Field(pattern=f"^(?:{NAME.pattern})$")]
    run_config: Annotated[dict[str, bool | int | float | str], Field(max_length=200)] = Field(default_factory=dict)
    columns: Annotated[tuple[str, ...], Field(max_length=500)] = ()
    exchanges: Annotated[int, Field(ge=1, le=10_000)] = 95
    message_bytes: Annotated[int, Field(ge=1024, le=MOST_MESSAGE)] = 64 << 20
    result_bytes: Annotated[int, Field(ge=0, le=MOST_RESULT)] = MOST_RESULT
    seconds: Annotated[int, Field(ge=1, le=MOST_SECONDS)] = 3600
    tolerate: bool = False
