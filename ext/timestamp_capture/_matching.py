"""Is a row of statistics that of a given function, or of a given module? Told by where its code stands, so of loaded files, too."""

from __future__ import annotations

import os
import types
from typing import Any, Callable, List, Optional, Tuple

from ._func_stats import _Function
from ._hushed import hushed
from ._yappi_error import YappiError

Place = Tuple[bool, str, int, str]  # C function?, file or module, line, name


def _check(stat: object, items: object, what: str) -> None:
    if not isinstance(stat, _Function):
        raise YappiError(f"Argument 'stat' shall be a YStat object. ({stat})")
    if not isinstance(items, list):
        raise YappiError(f"Argument '{what}' is not a list object. ({items})")
    if not items:
        raise YappiError(f"Argument '{what}' cannot be empty.")


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _place_of(function: Any) -> Optional[Place]:
    """Where a function or method is defined."""
    code = getattr(function, "__code__", None)
    if isinstance(code, types.CodeType):
        return False, code.co_filename, code.co_firstlineno, code.co_name
    name = getattr(function, "__name__", None)
    if not isinstance(name, str):
        return None
    owner = getattr(function, "__objclass__", None)
    if owner is not None:  # a method of a built-in type
        return True, owner.__module__, 0, f"{owner.__qualname__}.{name}"
    return True, getattr(function, "__module__", None) or "builtins", 0, getattr(function, "__qualname__", name)


def _place(stat: _Function) -> Place:
    return stat.builtin, stat.module, stat.lineno, stat.name if stat.builtin else _last(stat.name)


@hushed
def func_matches(stat: Any, funcs: List[Callable[..., Any]]) -> bool:
    """Is this row of one of these functions, methods, C functions? Raises YappiError for what is none."""
    _check(stat, funcs, "funcs")
    for function in funcs:
        if not callable(function):
            raise YappiError(f"Non-callable item in 'funcs'. ({function})")
    return _place(stat) in [_place_of(function) for function in funcs]


@hushed
def module_matches(stat: Any, modules: List[types.ModuleType]) -> bool:
    """Is this row of a function of one of these modules? Raises YappiError for what is none."""
    _check(stat, modules, "modules")
    for module in modules:
        if not isinstance(module, types.ModuleType):
            raise YappiError(f"Non-module item in 'modules'. ({module})")
    if stat.builtin:
        return any(module.__name__ == stat.module for module in modules)
    return any(_same_file(getattr(module, "__file__", None), stat.module) for module in modules)


def _same_file(path: Optional[str], other: str) -> bool:
    return path is not None and os.path.abspath(path) == os.path.abspath(other)
