"""What a front end does itself is no part of the program: a decorator that keeps it out of the record."""

from __future__ import annotations

import functools
from typing import Any, Callable, TypeVar

from ._select import core

F = TypeVar("F", bound=Callable[..., Any])


hush: Callable[[bool], None] = core._hush


def hushed(function: F) -> F:
    """While it runs, nothing that its thread calls is recorded."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        hush(True)
        try:
            return function(*args, **kwargs)
        finally:
            hush(False)

    return wrapper  # type: ignore[return-value]
