"""Children of multiprocessing end by os._exit(), which runs no atexit handlers: their segments would stay as if they had
crashed. multiprocessing.util.Finalize is what it runs instead."""

from __future__ import annotations

import os
import sys

from ._select import core


def _end_cleanly(_: object) -> None:
    from multiprocessing import util

    util.Finalize(None, core._at_exit, exitpriority=-1000)


def _in_child() -> None:
    """A child of multiprocessing forgets the parent's finalizers first and runs these hooks then (Process._bootstrap)."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(core, _end_cleanly)


def watch() -> None:
    """From now on, in every child made by fork; and in this process, if it is such a child that imports us late."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        _end_cleanly(None)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_in_child)
