"""The recorder of ``Profiler`` in pure Python, where the compiled one cannot be had: the same counts.

Each call that is measured stands on the stack of its thread, of which each profiler has one. A generator or coroutine that
waits leaves it, and takes along what it has open. Only a thread itself writes to what it has; others read it.
"""

from __future__ import annotations

import sys
import threading
import time
from time import perf_counter_ns
from types import FrameType
from typing import Any, Callable, Dict, Iterable, List, Literal, Optional, Tuple, Type

from .._pure import _host, _problem
from . import _recorder, _wrapping
from ._places import Place, PlaceOf
from ._rows import Row, Sums, row_of, step_of

_KEPT = 256  # threads that ended and have rows of their own; older ones are summed up

_cpu_time = getattr(time, "thread_time_ns", time.process_time_ns)


class Call:
    """One that is measured: on a stack, or waiting."""

    def __init__(self, place: Place, ledger: Ledger, host: int, count: int = 0) -> None:
        self.place = place
        self.ledger = ledger
        self.host = host  # id of the frame that it is in
        self.below: Optional[Call] = None
        self.inside: List[Call] = []  # while it waits: what waits with it, the innermost first, and itself
        self.outermost = True
        self.bytes = count
        self.state = "runs"  # or "waits", "ended"
        self.began = self.cpu_began = 0  # of this stretch
        self.charged = 0  # since when `below` has not been told how long it took
        self.carried = self.cpu = 0  # ns of the stretches before this one
        self.children = 0  # ns of calls inside

    def resume(self, now: int, cpu: int) -> None:
        self.began = self.charged = now
        self.cpu_began = cpu
        self.state = "runs"

    def pause(self, now: int, cpu: int) -> None:
        self.carried += now - self.began
        self.cpu += cpu - self.cpu_began
        if self.below is not None:
            self.below.children += now - self.charged
        self.state = "waits"


class _Part:
    """Of one thread, in one ledger."""

    def __init__(self) -> None:
        self.ident = threading.get_ident()
        self.ended = False  # the thread
        self.top: Optional[Call] = None
        self.open: Dict[Place, int] = {}
        self.sums: Dict[Place, Sums] = {}
        self.histograms: Dict[Place, Dict[int, int]] = {}

    def push(self, call: Call) -> None:
        call.below = self.top
        self.top = call
        self._count(call.place, 1)

    def pop(self) -> None:
        call = self.top
        if call is not None:
            self.top = call.below
            call.below = None
            self._count(call.place, -1)

    def remove(self, call: Call) -> Optional[Call]:
        """From wherever it is. What is above it, and then has what was below it below; None: nothing, or it is not here."""
        above, one = None, self.top
        while one is not None and one is not call:
            above, one = one, one.below
        if one is None:
            return None
        self._count(call.place, -1)
        if above is None:
            self.top = call.below
        else:
            above.below = call.below
        return above

    def _count(self, place: Place, change: int) -> None:
        count = self.open.get(place, 0) + change
        if count:
            self.open[place] = count
        else:
            self.open.pop(place, None)

    def add(self, call: Call, raised: bool) -> None:
        histogram = self.histograms.setdefault(call.place, {})
        step = step_of(call.carried)
        histogram[step] = histogram.get(step, 0) + 1
        sums = self.sums.get(call.place) or Sums()
        own = call.carried - call.children
        self.sums[call.place] = sums.with_hit(call.carried, own, call.cpu, call.outermost, raised, call.bytes)

    def take_in(self, other: _Part) -> None:
        for place, sums in other.sums.items():
            self.sums[place] = self.sums.get(place, Sums()).plus(sums)
            mine = self.histograms.setdefault(place, {})
            for step, times in other.histograms[place].items():
                mine[step] = mine.get(step, 0) + times

    def copy(self) -> _Part:
        """Of a thread that goes on meanwhile."""
        copied = _Part()
        copied.ident = self.ident
        copied.sums = self.sums.copy()
        copied.histograms = {place: self.histograms[place].copy() for place in copied.sums}
        return copied

    def rows(self) -> Dict[Place, Row]:
        return {place: row_of(sums, self.histograms[place]) for place, sums in self.sums.items()}


class _End:
    """In a thread's own storage: goes when the thread does."""

    def __init__(self, part: _Part) -> None:
        self.part = part

    def __del__(self) -> None:
        self.part.ended = True


class _Here(threading.local):
    part: Optional[_Part] = None
    end: Optional[_End] = None


class Ledger:
    """What was recorded since the last clear(). A call is of the one that it began in."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a finalizer may end a block while this thread holds it
        self.here = _Here()
        self.parts: List[_Part] = []
        self.older = _Part()  # of threads that ended long ago
        self.older.ident = 0

    def part(self) -> _Part:
        part = self.here.part
        if part is None:
            part = self.here.part = _Part()
            self.here.end = _End(part)
            with self.lock:
                self.parts.append(part)
                self._sum_up_older()
        return part

    def _sum_up_older(self) -> None:
        ended = [part for part in self.parts if part.ended]
        for part in ended[: max(0, len(ended) - _KEPT)]:
            self.older.take_in(part)
            self.parts.remove(part)

    def copies(self) -> List[_Part]:
        """Of all threads, in the order in which they came; first those that ended long ago, if there are any."""
        with self.lock:
            parts = [part.copy() for part in self.parts]
            return [self.older.copy(), *parts] if self.older.sums else parts


# ---- calls ----


def _is_around(call: Call, frame: Optional[FrameType]) -> bool:
    """Is it in that frame or one that called it? Else it is another task's or generator's, which takes turns with this one."""
    while frame is not None:
        if id(frame) == call.host:
            return True
        frame = frame.f_back
    return False


def _is_outermost(part: _Part, place: Place, frame: FrameType) -> bool:
    if place not in part.open:
        return True
    call = part.top
    while call is not None:
        if call.place is place and _is_around(call, frame):
            return False
        call = call.below
    return True


def begin(ledger: Ledger, place: Place, frame: FrameType, count: int = 0) -> Call:
    part = ledger.part()
    call = Call(place, ledger, id(frame), count)
    call.outermost = _is_outermost(part, place, frame)
    part.push(call)
    cpu = _cpu_time()
    call.resume(perf_counter_ns(), cpu)
    return call


def _take_off(part: _Part, call: Call) -> List[Call]:
    """It and what is above it wait, and leave the stack: the innermost first."""
    now, cpu = perf_counter_ns(), _cpu_time()
    taken: List[Call] = []
    one = part.top
    while one is not None and one is not call:
        taken.append(one)
        one = one.below
    if one is None:  # a stack that is switched behind our back: it alone
        call.pause(now, cpu)
        return [call]
    for one in [*taken, call]:
        one.pause(now, cpu)
        part.pop()
    return [*taken, call]


def suspend(call: Call) -> None:
    """A generator or coroutine waits."""
    call.inside = _take_off(call.ledger.part(), call)


def resume(call: Call, frame: FrameType) -> None:
    """It goes on, on whatever thread, called by what is on top there."""
    part = call.ledger.part()
    call.host = id(frame)
    goes_on = [one for one in reversed(call.inside) if one.state == "waits"]
    call.inside = []
    for one in goes_on:
        part.push(one)
    cpu = _cpu_time()
    now = perf_counter_ns()
    for one in goes_on:
        one.resume(now, cpu)


def end(call: Call, raised: bool) -> None:
    """A function has ended, and with it what it left open."""
    part = call.ledger.part()
    taken = _take_off(part, call) if call.state == "runs" else call.inside
    for one in taken:
        _finish(part, one, raised and one is call)


def end_block(call: Call, raised: bool) -> None:
    """What is above goes on without it: other tasks' and generators' blocks."""
    if call.state == "runs":
        now, cpu = perf_counter_ns(), _cpu_time()
        above = call.ledger.part().remove(call)
        if above is not None:
            call.children += now - above.charged
            above.charged = now
        call.pause(now, cpu)
    _finish(call.ledger.part(), call, raised)


def _finish(part: _Part, call: Call, raised: bool) -> None:
    if call.state != "ended":
        call.state = "ended"
        part.add(call, raised)


# ---- what a profiler has ----


def raises(exception: Optional[Type[BaseException]]) -> bool:
    """Closing a generator is no exception."""
    return exception is not None and not issubclass(exception, GeneratorExit)


class Block:
    """``with`` it: the enclosed code is measured. May be kept and entered again, also within itself and by several threads."""

    __slots__ = ("_recorder", "_place", "_bytes", "_open")

    def __init__(self, recorder: Recorder, place: Place, count: int) -> None:
        self._recorder = recorder
        self._place = place
        self._bytes = count
        self._open: Dict[int, List[Call]] = {}  # by thread: nobody else looks at its list

    def __enter__(self) -> None:
        frame = _host(sys._getframe(1))
        if self._recorder.wants(self._place):
            call = begin(self._recorder.ledger, self._place, frame, self._bytes)
        else:
            call = Call(self._place, self._recorder.ledger, id(frame))
            call.state = "ended"
        self._open.setdefault(threading.get_ident(), []).append(call)

    def __exit__(self, exception: Optional[Type[BaseException]], *_: object) -> Literal[False]:
        call = self._entered_by(sys._getframe(1))
        if call is not None and call.state != "ended":
            end_block(call, raises(exception))
        return False

    def _entered_by(self, frame: FrameType) -> Optional[Call]:
        """By that frame, else the last time; on this thread, else on another."""
        here = threading.get_ident()
        for ident in [here, *(other for other in list(self._open) if other != here)]:
            calls = self._open.get(ident)
            if calls:
                host = id(_host(frame))
                found = next((call for call in reversed(calls) if call.host == host), calls[-1])
                calls.remove(found)
                if not calls:
                    self._open.pop(ident, None)
                return found
        return None

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """As a decorator: the whole function is the block."""
        wrapper: Callable[..., Any] = _wrapping.wrap_in(self._recorder, self._place, function, self._bytes)
        return wrapper

    def __repr__(self) -> str:
        return f"<block {self._place.name!r} of track {self._place.track_idx!r}>"


class Recorder(_recorder.Recorder):
    """Of one profiler."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.running = False

    def run(self, on: bool) -> None:
        self.running = on and not _problem

    def select(self, places: Iterable[Place]) -> None:
        pass  # each call looks

    def wants(self, place: Place) -> bool:
        return self.running and place.enabled

    def track(self, target: Any, place_of: PlaceOf, name: Optional[str]) -> Any:
        return _wrapping.wrap_target(self, target, place_of, name)

    def block(self, place: Place, count: int) -> Block:
        return Block(self, place, count)

    def found_by(self, place: Place) -> None:
        return None

    def clear(self) -> None:
        self.ledger = Ledger()

    def in_child(self) -> None:
        self.ledger = Ledger()

    def rows(self) -> Dict[Place, Row]:
        total = _Part()
        for part in self.ledger.copies():
            total.take_in(part)
        return total.rows()

    def rows_of_threads(self) -> List[Tuple[int, Dict[Place, Row]]]:
        return [(part.ident, part.rows()) for part in self.ledger.copies() if part.sums]
