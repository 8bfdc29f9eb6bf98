"""Which recorder serves the package: the compiled one where it loads, else the one in pure Python. Nobody else decides."""

from __future__ import annotations

import importlib
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

__all__ = ["core", "reason", "status"]


def _cannot_load(error: Exception) -> str:
    version = ".".join(str(part) for part in sys.version_info[:3])
    here = f"{sys.implementation.name} {version} on {sys.platform}"  # `platform` knows better names, but imports subprocess
    if isinstance(error, ModuleNotFoundError) and error.name == f"{__package__}._core":
        return f"the compiled recorder is not installed for {here}{_why_not_compiled()}"
    return f"the compiled recorder does not load in {here}: {error or type(error).__name__}"


def _why_not_compiled() -> str:
    """What the build of this installation had to say, if that was one without a compiled recorder."""
    try:
        reason: str = importlib.import_module("._not_compiled", __package__).REASON
    except ImportError:
        return ""
    return f"; its build said: {reason}"


def _choose() -> tuple[ModuleType, str]:
    """The recorder, and why it is not the compiled one ("": it is)."""
    if os.environ.get("TSCAP_PURE", "0") not in ("", "0"):
        why = "TSCAP_PURE is set"
    else:
        try:
            return importlib.import_module("._core", __package__), ""
        except Exception as error:  # whatever is wrong with it, the program goes on
            why = _cannot_load(error)
    from . import _pure

    return _pure, why


if TYPE_CHECKING:
    from . import _core as core

    reason: str
else:
    core, reason = _choose()
    if reason:
        core.set_reason(reason)


def status() -> dict[str, Any]:
    """What the recorder is doing, as a dict. "recorder": compiled or python; "reason": why it is not the compiled one."""
    return {**core.status(), "recorder": "python" if reason else "compiled", "reason": reason}
