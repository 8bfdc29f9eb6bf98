"""What records for a ``Profiler``: one of two, which count the same."""

from __future__ import annotations

import sys
import weakref
from abc import ABC, abstractmethod
from types import FrameType
from typing import Any, Callable, ContextManager, Dict, Iterable, List, Optional, Tuple

from .._select import core, reason
from ._places import Place, PlaceOf
from ._rows import Row
from .types import TrackId


class Recorder(ABC):
    """Of one profiler, which holds its lock in all of these."""

    @abstractmethod
    def run(self, on: bool) -> None:
        """What begins from now on is recorded, or is not, where the place is enabled."""

    @abstractmethod
    def select(self, places: Iterable[Place]) -> None:
        """Of these it has just been decided whether they are enabled."""

    def tell_switches(self, started: bool, everybody: bool) -> None:
        """For who looks from outside: the profiler's own switch, and that of all."""

    def tell_track(self, track_idx: TrackId, enabled: bool, name: Optional[str]) -> None:
        """The same of a track."""

    @abstractmethod
    def track(self, target: Any, place_of: PlaceOf, name: Optional[str]) -> Any:
        """Makes functions inside the target record themselves; returns what to use in its stead, best itself."""

    @abstractmethod
    def block(self, place: Place, count: int) -> ContextManager[None]:
        """A block that handles as many bytes."""

    @abstractmethod
    def found_by(self, place: Place) -> Any:
        """By what Profiler.block() finds it without us; None: it does not."""

    @abstractmethod
    def clear(self) -> None:
        """Forgets all that was recorded, and what is open."""

    @abstractmethod
    def in_child(self) -> None:
        """Of fork: what the parent recorded, and has open, is the parent's."""

    @abstractmethod
    def rows(self) -> Dict[Place, Row]:
        """Of all threads together, where there were hits."""

    @abstractmethod
    def rows_of_threads(self) -> List[Tuple[int, Dict[Place, Row]]]:
        """(its ident, its rows) of each thread that has some, in the order in which they came; 0: many that ended long ago."""

    def captured(self) -> Any:
        """The consumer, of which captures are made; None: it has none."""
        return None


def make_recorder(name: str, set_enabled: "weakref.WeakMethod[Callable[[TrackId, bool], None]]") -> Recorder:
    """The compiled one where it can record, else the one in pure Python. By `set_enabled` another process sets a track's switch."""
    if not reason and core.status()["available"]:
        from . import _compiled

        try:
            return _compiled.Recorder(name, set_enabled)
        except RuntimeError:  # there are too many profilers, say
            pass
    from . import _pure

    return _pure.Recorder()


Blocks = core._Blocks


def frame_of_user() -> FrameType:
    """Of who called block()."""
    frame = sys._getframe(2)
    return frame.f_back if frame.f_code is getattr(Blocks.block, "__code__", None) and frame.f_back else frame
