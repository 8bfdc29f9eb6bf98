"""``status()``: what the recorder does, and what it could not do."""

from __future__ import annotations

from typing import Any

from . import _select, args


def status() -> dict[str, Any]:
    """What the recorder is doing, as a dict. ``names_failed`` and ``names_capped`` are of ``timestamp_args``."""
    counts = args.counts()
    return {**_select.status(), "names_failed": counts["failed"], "names_capped": counts["capped"]}
