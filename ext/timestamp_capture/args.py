"""``@timestamp_args``: names that tell the arguments."""

from __future__ import annotations

import inspect
from typing import Any, Callable, TypeVar

from ._decorators import wrap
from ._select import core
from ._status import name_counts

F = TypeVar("F", bound=Callable[..., Any])

MAX_NAMES = 1000


class _Names:
    """The names of one decorated function."""

    def __init__(self, function: Callable[..., Any], template: str, max_names: int) -> None:
        self.signature = inspect.signature(function)
        self.template = template
        self.max_names = max_names
        self.seen: set[str] = set()

    def block(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> core.timestamp_block:
        return core.timestamp_block(self.name(args, kwargs))

    def name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The template itself for what cannot be formatted, and for what there is too much of."""
        try:
            bound = self.signature.bind(*args, **kwargs)
            bound.apply_defaults()
            name = self.template.format(**bound.arguments)
            name.encode()
        except Exception:  # of the arguments' own __format__, too: it must not reach who calls
            name_counts["failed"] += 1
            return self.template
        if name not in self.seen:
            if len(self.seen) >= self.max_names:
                name_counts["capped"] += 1
                return self.template
            self.seen.add(name)
        return name


def timestamp_args(*, name: str, max_names: int = MAX_NAMES) -> Callable[[F], F]:
    """Record each call under a name made of its arguments, as str.format() makes it:

        @timestamp_args(name="query.{table}")
        def query(table, limit=100): ...

    The name is made only while somebody records. What cannot be formatted is recorded under the template itself, and so are
    names beyond the first ``max_names`` of a function; ``status()`` counts both. Unlike ``@timestamp`` this wraps the function,
    which costs a call while nobody records.

    Raises ValueError for an empty name, or one without ``{``: that is what ``@timestamp(name)`` is for.
    """
    if not name:
        raise ValueError("timestamp_args requires a name parameter")
    if "{" not in name:
        raise ValueError("timestamp_args name must contain {arg} placeholders. Use @timestamp for static names.")
    if max_names < 0:
        raise ValueError(f"max_names must not be negative: {max_names}")

    def decorator(function: F) -> F:
        return wrap(function, _Names(function, name, max_names).block)  # type: ignore[return-value]

    return decorator
