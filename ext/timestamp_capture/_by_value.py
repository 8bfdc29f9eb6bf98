"""Functions that are pickled by value, as joblib, Dask, Ray and Spark (cloudpickle) send those of ``__main__`` to their workers. The
worker makes a new function of the parts, which nobody decorates. Its ``__dict__`` is one of them: what ``@timestamp`` leaves there
decorates the new one, and imports us for it where that was not done."""

from __future__ import annotations

import types
from _weakref import ref

from ._select import core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ATTRIBUTE = "__timestamp__"

# A worker that does not have us must get its function all the same: what is pickled refers to nothing of ours. The attempt is
# compiled only where we are not loaded yet, for that takes longer than all the rest.
_EXPRESSION = "(getattr(__import__('sys').modules.get(ours), 'decorate_again', None) or exec(attempt) or found)(*copy)"
_ATTEMPT = """
try:
    from timestamp_capture._by_value import decorate_again as found
except Exception:
    found = lambda *copy: None
"""


class Mark(ref):  # type: ignore[type-arg]
    """In ``__dict__`` of a decorated function, and after functools.wraps() of those around it as well: so it knows whose it is."""

    name: str | None = None  # as it was given to the decorator

    def __reduce__(self) -> tuple[Any, ...]:
        function = self()
        if function is None:
            return eval, ("None",)
        copy = function, self.name, function.__qualname__, function.__module__
        return eval, (_EXPRESSION, {"ours": __name__, "attempt": _ATTEMPT, "copy": copy})


def leave_mark(function: types.FunctionType, name: str | None) -> Mark:
    mark = function.__dict__[_ATTRIBUTE] = Mark(function)
    if name is not None:
        mark.name = name
    return mark


def decorate_again(function: Any, name: str | None, qualname: str, module: str) -> Mark | None:
    """A function that was made of parts a moment ago, and has yet to get the attributes of the one that it is a copy of."""
    if not isinstance(function, types.FunctionType):
        return None
    function.__qualname__, function.__module__ = qualname, module
    try:
        core.decorate(function, name)
        return leave_mark(function, name)
    except Exception:  # whatever it is, the function came to be called
        return None
