"""Stock LightGBM in a thread of its own, driven call by call from outside.

LightGBM keeps its network for each thread apart, so several nodes of a simulation live in one process. It blocks in a
call until it is answered. Most answers need no sum, and are made in its own thread, for a call handed from thread to
thread and back costs more than they do; where one does, the computation's coroutine awaits the sum, and answers. Only
one of the two threads is ever at work. LightGBM never sees a row: its data set holds one invented row, and all that it
finds comes from the answers.
"""

from __future__ import annotations

import ctypes
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any, cast

import numpy as np

from sealane.computations.trees.bins import Bins
from sealane.computations.trees.calls import (
    MACHINES,
    MARK_FIRST,
    MARK_SECOND,
    OWN,
    Call,
    RootSums,
    harmless,
    read_gather,
    read_reduction,
)
from sealane.computations.trees.growth import Answering
from sealane.computations.trees.histograms import Terms
from sealane.computations.trees.reference import Reference, invent
from sealane.errors import InputError, ProtocolError, SealaneError

_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_int32
_LENGTHS = ctypes.POINTER(ctypes.c_int32)
_REDUCE = ctypes.CFUNCTYPE(None, _POINTER, _SIZE, ctypes.c_int, _LENGTHS, _LENGTHS, ctypes.c_int, _POINTER, _SIZE,
                           _POINTER)
_GATHER = ctypes.CFUNCTYPE(None, _POINTER, _SIZE, _LENGTHS, _LENGTHS, ctypes.c_int, _POINTER, _SIZE)


@dataclass(frozen=True, slots=True)
class Ended:
    """A round is over; ``finished`` where LightGBM found nothing to split in it."""

    finished: bool


@dataclass(frozen=True, slots=True)
class Stopped:
    """An answer that waits for the sum of ``terms``."""

    work: Answering[bytes]
    terms: Terms


def load() -> ModuleType:
    """Import LightGBM.

    Raises:
        InputError: it is not installed.
    """
    try:
        import lightgbm
    except (ImportError, OSError):
        raise InputError("trees.no-lightgbm", "LightGBM is not installed, or finds no OpenMP",
                         expected="the extra trees", hint="pip install 'sealane[trees]'") from None
    return lightgbm


class Library:
    """One LightGBM instance. Not for two threads at once, its own apart."""

    def __init__(self, bins: Sequence[Bins], settings: dict[str, Any]) -> None:
        self._module = load()
        self._reference: Reference = invent(bins)
        self._settings = settings
        self._most_levels = int(settings["max_cat_threshold"])
        self._scores = int(settings.get("num_class", 1))
        self._orders: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._calls: queue.SimpleQueue[RootSums | Stopped | Ended | BaseException] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._previous: Call | None = None
        self._respond: Callable[[Call], Answering[bytes]] | None = None
        self._broken = False
        self._booster: Any = None
        self._thread = threading.Thread(target=self._work, name="lightgbm", daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Have LightGBM begin a round."""
        self._orders.put(True)

    def follow(self, respond: Callable[[Call], Answering[bytes]]) -> None:
        """Have what LightGBM asks of the tree that it begins answered in its thread, up to the next sum."""
        self._respond = respond

    def next(self) -> RootSums | Stopped | Ended:
        """Wait for a new tree, for an answer that needs a sum, or for the end of the round.

        Other coroutines of the loop wait too.

        Raises:
            ProtocolError: LightGBM asks for what is not known, or failed.
        """
        found = self._calls.get()
        if isinstance(found, BaseException):
            raise found
        return found

    def answer(self, data: bytes) -> None:
        """Answer what was asked."""
        self._answers.put(data)

    def leaves(self, tree: int, number: int) -> list[float]:
        """Return the outputs of a tree's leaves, between rounds."""
        return [float(self._booster.get_leaf_output(tree, leaf)) for leaf in range(number)]

    def text(self, rounds: int) -> str:
        """Return the model of the first so many rounds as LightGBM writes it, between rounds."""
        return str(self._booster.model_to_string(num_iteration=rounds))

    def close(self) -> None:
        """End the thread; a call that it waits in is answered with nothing."""
        self._broken = True
        self._answers.put(None)
        self._orders.put(False)
        self._thread.join(10.0)

    def _work(self) -> None:
        network = False
        library = self._module.basic._LIB  # the C functions under their own names; Python's do not offer this one
        try:
            data = self._data()
            # Held in names: LightGBM keeps the addresses only.
            reduce, gather = _REDUCE(self._reduce), _GATHER(self._gather)
            network = library.LGBM_NetworkInitWithFunctions(
                MACHINES, OWN, ctypes.cast(reduce, _POINTER), ctypes.cast(gather, _POINTER)) == 0
            self._booster = self._module.Booster(
                {**self._settings, **_FIXED, "tree_learner": "data", "num_machines": MACHINES}, data)
            first = np.full(self._scores, MARK_FIRST, np.float32)
            second = np.full(self._scores, MARK_SECOND, np.float32)
            while self._orders.get():
                self._previous = None
                finished = self._booster.update(fobj=lambda score, data: (first, second))
                if not self._broken:
                    self._calls.put(Ended(bool(finished)))
        except Exception as error:
            self._calls.put(error if isinstance(error, SealaneError) else ProtocolError(
                "trees.library-failed", "LightGBM failed", got=type(error).__name__,
                hint="install a version of LightGBM that docs/trees.md names"))
        finally:
            if network:
                library.LGBM_NetworkFree()

    def _data(self) -> Any:
        """Return the data set of one invented row with the agreed bins, made before there is a network."""
        reference = self._reference
        settings = {**_FIXED, "max_bin": max(reference.most), "max_bin_by_feature": reference.most,
                    "bin_construct_sample_cnt": len(reference.rows), "min_data_in_bin": 1}
        made = self._module.Dataset(reference.rows, label=np.zeros(len(reference.rows)), params=settings,
                                    categorical_feature=reference.categorical).construct()
        found = [made.feature_num_bin(column) for column in range(len(reference.expected))]
        if found != reference.expected:
            raise ProtocolError("trees.other-bins", "LightGBM made other bins than were agreed",
                                hint="install a version of LightGBM that docs/trees.md names")
        row = np.zeros((1, reference.rows.shape[1]))
        return made.create_valid(row, label=np.zeros(1), params=made.get_params()).construct()

    def _reduce(self, data: int, size: int, type_size: int, starts: Any, lengths: Any, blocks: int, out: int,
                out_size: int, reducer: int) -> None:
        own = tuple(lengths[k] for k in range(blocks))
        wanted = own[OWN] if len(own) == MACHINES else out_size
        try:
            call = read_reduction(type_size, own, self._reference.padding, self._reference.length, self._previous)
        except BaseException as error:
            self._fail(error)
            call = None
        answer = self._ask(call)
        ctypes.memmove(out, answer if answer is not None and len(answer) == wanted else harmless(wanted), wanted)

    def _gather(self, data: int, size: int, starts: Any, lengths: Any, blocks: int, out: int, out_size: int) -> None:
        try:
            call = read_gather(ctypes.string_at(data, size), tuple(lengths[k] for k in range(blocks)),
                               self._most_levels, self._previous)
        except BaseException as error:
            self._fail(error)
            call = None
        answer = self._ask(call)
        ctypes.memmove(out, answer if answer is not None and len(answer) == out_size else harmless(out_size), out_size)

    def _ask(self, call: Call | None) -> bytes | None:
        """Answer a call, or hand it over and wait; nothing is raised here, for C would have to catch it."""
        if call is None or self._broken:
            return None
        self._previous = call
        if isinstance(call, RootSums):
            self._calls.put(call)
            return self._answers.get()
        try:
            assert self._respond is not None
            work = self._respond(call)
            terms = work.send(None)
        except StopIteration as done:
            return cast(bytes, done.value)
        except BaseException as error:
            self._fail(error)
            return None
        self._calls.put(Stopped(work, terms))
        return self._answers.get()

    def _fail(self, error: BaseException) -> None:
        if not self._broken:
            self._broken = True
            with suppress(Exception):
                self._calls.put(error)


_FIXED: dict[str, Any] = {
    "objective": "none", "boosting": "gbdt", "verbosity": -1, "num_threads": 1, "enable_bundle": False,
    "feature_pre_filter": False, "is_enable_sparse": False, "force_col_wise": True, "pre_partition": True,
    "boost_from_average": False, "deterministic": True,
}
"""What LightGBM is always told: it bundles and drops no feature, and starts no thread."""
