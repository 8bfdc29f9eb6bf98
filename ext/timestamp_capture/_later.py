"""What is loaded when it is first used. ``import timestamp_capture`` stands in programs that nobody may ever look at: it brings the
decorator and the recorder; collectors, reports and exports come with the first of them."""

from __future__ import annotations

import importlib
import os
import sys
from _thread import RLock

TYPE_CHECKING = False  # `typing` takes longer to load than all of this
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

# A child of fork never gets the lock of a module that another thread was loading: so there is no fork meanwhile.
_loading = RLock()


# Code in Python, in which pending calls are made. The recorder has one for what may not be before fork() has returned; its hook
# comes after this one, for we are imported first.
def _after_fork() -> None:
    try:
        _loading.release()
    except RuntimeError:  # never taken: we were loaded when this fork had begun
        pass


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_loading.acquire, after_in_parent=_after_fork, after_in_child=_after_fork)


def load(module: str) -> ModuleType:
    """A module of the package. Raises AttributeError when the interpreter ends and loads nothing any more."""
    with _loading:
        try:
            return importlib.import_module(f"{__package__}.{module}")
        except ImportError:
            if getattr(sys, "meta_path", None) is not None:
                raise
            raise AttributeError(f"timestamp_capture.{module} was not used before, and cannot be loaded now that the interpreter ends") from None


class Later:
    """Stands for a module of the package and loads it when something in it is asked for; which no module may do while it is loaded
    itself, for then two threads can wait for each other."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(load(self._module), name)
        setattr(self, name, value)
        return value
