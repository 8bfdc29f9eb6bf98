"""``status()``: what the recorder does, and what it could not do."""

from __future__ import annotations

from . import _select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Of `timestamp_args`: calls whose name could not be formatted, and those whose name was one too many.
name_counts = {"failed": 0, "capped": 0}


def status() -> dict[str, Any]:
    """What the recorder is doing, as a dict. ``names_failed`` and ``names_capped`` are of ``timestamp_args``."""
    return {**_select.status(), "names_failed": name_counts["failed"], "names_capped": name_counts["capped"]}
