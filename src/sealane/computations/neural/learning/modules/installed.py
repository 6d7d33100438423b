"""A module out of an installed package: found by entry point, and only if its source is what the study names.

A package offers ``[project.entry-points."sealane.modules"]`` with a callable that takes ``numbers``, ``sizes``,
``outputs`` and the study's options by name, and returns a ``torch.nn.Module`` of numbers ``(n, numbers)`` and places of
levels ``(n, len(sizes))``. Its source is hashed before anything of it is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

from torch import nn

from sealane.computations.installed import module_hash
from sealane.computations.neural.model_parameters import Installed
from sealane.errors import InputError, RefusedError, SealaneError

GROUP = "sealane.modules"


def code_of(entry_point: str) -> str:
    """Return the hash of an installed module's source, as a study names it.

    Raises:
        InputError: nothing of that name is installed.
        UnavailableError: its source cannot be read.
    """
    return module_hash(_find(entry_point).module)


def build_installed(model: Installed, numbers: int, sizes: Sequence[int], outputs: int) -> nn.Module:
    """Return the module.

    Raises:
        InputError: nothing of that name is installed, or it makes no module of what the study says.
        RefusedError: its source is not what the study names.
    """
    entry = _find(model.entry_point)
    found = module_hash(entry.module)
    if found != model.code:
        raise RefusedError("neural.other-code", "the installed module's source is not what the study names",
                           got=found[:16], expected=model.code[:16],
                           hint="every institution installs the same version of the package")
    try:
        made = entry.load()(numbers=numbers, sizes=list(sizes), outputs=outputs, **model.options)
    except SealaneError:
        raise
    except Exception as error:
        raise InputError("neural.module-failed", "the installed module cannot be made of what the study says",
                         got=type(error).__name__, expected="options that it takes") from error
    if not isinstance(made, nn.Module):
        raise InputError("neural.module-failed", "the installed entry point makes no module", got=type(made).__name__,
                         expected="a torch.nn.Module")
    return made


def _find(name: str) -> EntryPoint:
    found = list(entry_points(group=GROUP, name=name))
    if len(found) != 1:
        raise InputError("neural.unknown-module", "no such module is installed here, or several", got=repr(name[:80]),
                         expected=f"one of {', '.join(sorted(e.name for e in entry_points(group=GROUP))) or 'none'}")
    return found[0]
