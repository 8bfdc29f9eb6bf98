"""Which collector encloses the code that asks."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Optional

from ._select import core

if TYPE_CHECKING:
    from .collector import Timestamp_Collector

COLLECTOR_VAR_NAME = "_timestamp_collector_"


def find_timestamp_collector(max_depth: Optional[int] = None) -> Optional[Timestamp_Collector]:
    """The nearest collector: of the callers, the first that holds one in a variable named ``_timestamp_collector_``, or that
    entered one with ``with``. None if there is none, or none within ``max_depth`` callers."""
    entered = core._nearest(1)
    frame: Optional[types.FrameType] = sys._getframe(1)
    depth = 0
    while frame is not None and (max_depth is None or depth < max_depth):
        held = _variable(frame)
        if isinstance(held, core.Collector):
            return held  # type: ignore[return-value]
        if entered is not None and entered[1] == depth:
            return entered[0]  # type: ignore[return-value]
        frame = frame.f_back
        depth += 1
    return None


def _variable(frame: types.FrameType) -> object:
    """Without making a dict of all variables where it is not one of them."""
    code = frame.f_code
    if code.co_flags & 1 and not any(COLLECTOR_VAR_NAME in names for names in (code.co_varnames, code.co_cellvars, code.co_freevars)):
        return None
    return frame.f_locals.get(COLLECTOR_VAR_NAME)
