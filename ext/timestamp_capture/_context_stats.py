"""Statistics of contexts: the threads, or the greenlets, of a session."""

from __future__ import annotations

from typing import Any, ClassVar, Hashable, Mapping, TypeVar

from ._hushed import hushed
from ._later import Later
from ._yappi_error import YappiError
from ._ystats import YStat, YStats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import _current
else:
    _current = Later("_current")

Self = TypeVar("Self", bound="_YContextStats[Any]")


class _YContextStat(YStat):
    __slots__ = ("id", "name", "sched_count", "ttot")

    name: str  # of its class
    id: int  # in the statistics of functions: ctx_id
    ttot: float  # seconds: on the CPU, or from its beginning in the session to its end
    sched_count: int  # how often it came to run

    def _identity(self) -> Hashable:
        return self.id

    def _cells(self) -> Mapping[str, object]:
        return {"name": self.name, "id": self.id, "ttot": self.ttot, "scnt": self.sched_count}


class YThreadStat(_YContextStat):
    """A thread."""

    __slots__ = ("tid",)
    _KEYS: ClassVar[Mapping[str, int]] = {"name": 0, "id": 1, "tid": 2, "ttot": 3, "sched_count": 4}

    tid: int  # as the kernel numbers it: that of ``ps -L`` and ``threading.Thread.native_id``

    def _cells(self) -> Mapping[str, object]:
        return {**super()._cells(), "tid": self.tid}


class YGreenletStat(_YContextStat):
    """A greenlet."""

    __slots__ = ()
    _KEYS: ClassVar[Mapping[str, int]] = {"name": 0, "id": 1, "ttot": 3, "sched_count": 4}


Context = TypeVar("Context", bound=_YContextStat)

_SORT_TYPES = {"name": "name", "id": "id", "totaltime": "ttot", "schedcount": "sched_count", "ttot": "ttot", "scnt": "sched_count"}


class _YContextStats(YStats[Context]):
    _BACKEND: ClassVar[str]
    _STAT_CLASS: ClassVar[Any]

    @hushed
    def get(self: Self, *args: Any, **kwargs: Any) -> Self:
        """The session's contexts as they are now, in the place of these rows. Raises YappiError when the backend is another."""
        backend = _current.backend()
        if backend != self._BACKEND:
            raise YappiError(f"Cannot retrieve stats for '{self._BACKEND.lower()}' when backend is set as '{backend.lower()}'")
        rows, clock_type = _current.contexts()
        self.clear()
        for row in rows:
            self.append(self._STAT_CLASS(row))
        self._clock_type = clock_type
        return super().get()

    def strip_dirs(self) -> None:
        """Nothing: contexts have no files."""


class YThreadStats(_YContextStats[YThreadStat]):
    """Threads."""

    _BACKEND = "NATIVE_THREAD"
    _STAT_CLASS = YThreadStat
    _SORT_TYPES = {**_SORT_TYPES, "tid": "tid"}
    _COLUMNS = ("name", "id", "tid", "ttot", "scnt")
    _DEFAULT_COLUMNS = {0: ("name", 13), 1: ("id", 5), 2: ("tid", 15), 3: ("ttot", 8), 4: ("scnt", 10)}


class YGreenletStats(_YContextStats[YGreenletStat]):
    """Greenlets."""

    _BACKEND = "GREENLET"
    _STAT_CLASS = YGreenletStat
    _SORT_TYPES = _SORT_TYPES
    _COLUMNS = ("name", "id", "ttot", "scnt")
    _DEFAULT_COLUMNS = {0: ("name", 13), 1: ("id", 5), 2: ("ttot", 8), 3: ("scnt", 10)}
