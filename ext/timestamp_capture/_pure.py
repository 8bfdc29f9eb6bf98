"""The recorder in pure Python: what ``_core`` is, where the compiled one cannot be had (``_core.pyi`` is the contract of both).

Collectors record by ``sys.setprofile``, in the thread that is inside one and only while it is; a profile function that is
there already goes on being called. Calls are exact. Times are longer than they would be with the compiled recorder, for
the interpreter calls us at each call of any function: what this takes in here is measured and taken out, the way here
is not. Sessions (``start()``, ``tscap``) are not recorded at all: ``start()`` says False.

What a thread has open is a mirror of its stack. A generator or coroutine that waits leaves the stack, and takes along what
it has open, blocks and collectors too: so tasks that take turns do not mix.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import types
import weakref
from opcode import opmap, opname
from time import perf_counter_ns, time_ns
from typing import Any, Callable, Dict, List, Literal, Optional, Sequence, TYPE_CHECKING, Tuple, Union

VERSION = "0.1.0"  # a test holds it equal to the compiled recorder's
_MAX_NAMES = 65536  # that one collector keeps
_SUSPENDS = 0x20 | 0x80 | 0x100 | 0x200  # co_flags of generators, coroutines, async generators
_ENTERS = frozenset(
    ("__enter__", "__aenter__", "enter_context", "enter_async_context", "<listcomp>", "<setcomp>", "<dictcomp>")
)
_RESUME = opmap.get("RESUME")

if TYPE_CHECKING:
    from typing_extensions import Self

_Profile = Optional[Callable[[types.FrameType, str, Any], Any]]


class _State:
    """Of the process."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a finalizer may leave a collector while this thread holds it
        self.reason = ""
        self.consumers = 0
        self.displaced = 0
        self.unmarked = 0
        self.unmarked_names: List[str] = []
        self.forks = 0


_state = _State()

# ---- decorated functions ----


class _Mark:
    """A code object whose calls are recorded."""

    def __init__(self, function: types.FunctionType, name: str) -> None:
        code = function.__code__
        self.name = name
        self.qualname = function.__qualname__
        self.bytes = b""
        self.first = _first_position(code)
        self.function = weakref.ref(function)
        self.code = weakref.ref(code, lambda _, key=id(code): _marks.pop(key, None))  # type: ignore[misc]


_marks: Dict[int, _Mark] = {}  # by id of the code: equal code objects are not the same


def _first_position(code: types.CodeType) -> int:
    """A generator's frame stands there or before when it starts, and further on when it is resumed."""
    if _RESUME is None or not code.co_flags & _SUSPENDS:
        return -1
    return next((i for i in range(0, len(code.co_code), 2) if code.co_code[i] == _RESUME), -1)


def decorate(function: types.FunctionType, name: Optional[str] = None, levels: int = 0) -> None:
    if type(function) is not types.FunctionType:
        raise TypeError(f"decorate() takes a Python function, not {type(function).__name__}")
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    name = function.__qualname__ if name is None else name
    mark = _marks.get(id(function.__code__))
    if mark and (mark.name, mark.qualname) == (name, function.__qualname__):
        mark.function = weakref.ref(function)
        return
    if mark or not _is_defined_by(function.__code__, sys._getframe(levels + 1).f_code):
        function.__code__ = function.__code__.replace()  # siblings that share the code stay as they are
    _marks[id(function.__code__)] = _Mark(function, name)


def _unmarked(name: Optional[str]) -> None:
    _state.unmarked += 1
    printable = "".join(c if c.isprintable() else "?" for c in name or "")
    if printable and printable not in _state.unmarked_names and len(_state.unmarked_names) < 16:
        _state.unmarked_names.append(printable)


def _is_defined_by(code: types.CodeType, definition: types.CodeType) -> bool:
    return any(constant is code for constant in definition.co_consts)


def _follow_replaced() -> None:
    """A function whose __code__ was replaced since (autoreloaders do that) is recorded under its old name and new code."""
    for mark in list(_marks.values()):
        function = mark.function()
        if function is not None and id(function.__code__) not in _marks:
            _marks[id(function.__code__)] = _Mark(function, mark.name)


# ---- what was recorded ----


class _Sum:
    """Of the calls of one name. Times in ns."""

    __slots__ = ("calls", "inclusive", "exclusive", "least", "most", "elapsed", "elapsed_least", "elapsed_most", "ended")

    def __init__(self) -> None:
        self.calls = self.inclusive = self.exclusive = self.least = self.most = 0
        self.elapsed = self.elapsed_least = self.elapsed_most = 0  # with what calls waited
        self.ended = 0  # the first of them did as the collector's n-th of all; 0: none did

    def add(self, other: _Sum) -> None:
        self.calls += other.calls
        self.inclusive += other.inclusive
        self.exclusive += other.exclusive
        self.elapsed += other.elapsed
        if other.ended:
            self.least = min(self.least, other.least) if self.ended else other.least
            self.most = max(self.most, other.most)
            self.elapsed_least = min(self.elapsed_least, other.elapsed_least) if self.ended else other.elapsed_least
            self.elapsed_most = max(self.elapsed_most, other.elapsed_most)
            self.ended = min(self.ended or other.ended, other.ended)

    def note_end(self, ran: int, elapsed: int, place: int) -> None:
        """Of one call; the first of all that ended in the collector has place 1."""
        one = _Sum()
        one.least = one.most = ran
        one.elapsed_least = one.elapsed_most = elapsed
        one.ended = place
        self.add(one)


class _Part:
    """What one thread has recorded for a collector: nobody else writes to it."""

    def __init__(self, ledger: _Ledger, thread: _Thread, number: int) -> None:
        self.ledger = ledger
        self.number = number
        self.ident = threading.get_ident()
        self.shift = thread.cost  # entries leave out what the recorder took since
        self.sums: Dict[str, _Sum] = {}
        self.dropped = 0
        self.full = False

    def sum_of(self, name: str) -> _Sum:
        found = self.sums.get(name)
        if found is None:
            found = _Sum()
            if len(self.sums) < _MAX_NAMES:
                self.sums[name] = found
            else:
                self.full = True
        return found

    def note(self, name: str, event: str, when: int, depth: int, raised: bool = False, activation: int = 0) -> None:
        ledger = self.ledger
        if len(ledger.entries) < ledger.max_entries:
            number = next(ledger.numbers)
            ledger.entries.append((when + self.shift, number, name, event, self.ident, depth, self.number, raised, activation))
        else:
            self.dropped += 1


# when, number, name, event, thread, depth, number of the part, raised, number of the activation that waits or goes on, or 0
_Entry = Tuple[int, int, str, str, int, int, int, bool, int]
_activations = itertools.count(1)


class _Ledger:
    """What a collector has."""

    def __init__(self) -> None:
        self.max_entries = 1_000_000
        self.entries: List[_Entry] = []
        self.numbers = itertools.count()
        self.ends = itertools.count(1)
        self.parts_made = itertools.count()
        self.parts: Dict[_Thread, _Part] = {}  # of the threads inside
        self.sums: Dict[str, _Sum] = {}  # of those that left
        self.dropped = 0
        self.full = False

    def part(self, thread: _Thread) -> _Part:
        part = self.parts.get(thread)
        if part is None:
            part = self.parts[thread] = _Part(self, thread, next(self.parts_made))
        return part

    def take_in(self, thread: _Thread) -> None:
        """The thread left."""
        with _state.lock:
            part = self.parts.pop(thread, None)
            if part is None:
                return
            self.dropped += part.dropped
            self.full |= part.full
            for name, sums in part.sums.items():
                if name in self.sums or len(self.sums) < _MAX_NAMES:
                    self.sums.setdefault(name, _Sum()).add(sums)
                else:
                    self.full = True

    def now(self) -> Dict[str, _Sum]:
        with _state.lock:
            total: Dict[str, _Sum] = {}
            for sums in [self.sums, *(part.sums for part in self.parts.values())]:
                for name, sum_ in list(sums.items()):
                    total.setdefault(name, _Sum()).add(sum_)
            return total

    def dropped_now(self) -> int:
        return self.dropped + sum(part.dropped for part in list(self.parts.values()))


class _Open:
    """Something open on a thread: a call, a block, or a stay inside a collector. One that waits and goes on is added up in
    parts."""

    __slots__ = (
        "name", "frame", "owner", "parent", "same", "around", "depths", "begin", "children", "carried", "waited", "since", "activation"
    )

    def __init__(self, name: str, frame: Optional[types.FrameType], owner: object) -> None:
        self.name = name
        self.frame = frame  # whose call it is, or in which it was entered; None while it waits
        self.owner = owner  # the block, stay, or call by hand; None: a call
        self.parent: Optional[_Open] = None
        self.same: Optional[_Open] = None  # the nearest around it of the same name
        self.around: Tuple[_Part, ...] = ()  # of the collectors that enclose it, outermost first
        self.depths: Tuple[int, ...] = ()  # calls around it that they enclose
        self.begin = self.children = 0
        self.carried = 0  # ns that it ran before it waited
        self.waited = 0  # ns that it has waited
        self.since = 0  # when that began
        self.activation = 0  # number of one that has waited


class _Stay:
    """From entering a collector to leaving it."""

    def __init__(self, thread: _Thread, collector: Collector, host: types.FrameType) -> None:
        self.thread = thread
        self.collector = weakref.ref(collector)
        self.part = collector._ledger.part(thread)
        self.whole = True  # False: something of it was not recorded
        self.host = id(host)
        self.forks = _state.forks


class _ByHand:
    """A call that a collector's _begin() began."""

    def __init__(self, stay: _Stay) -> None:
        self.stay = stay


# ---- a thread ----


class _Thread:
    def __init__(self) -> None:
        self.open: List[_Open] = []
        self.innermost: Dict[str, _Open] = {}  # of `open`, by name
        self.frames: Dict[int, int] = {}  # id of a frame -> how many of `open` are its
        self.stays = 0  # of `open`; what comes while there are none is not recorded
        self.entered = 0  # stays that were not left, on the stack or not
        self.waiting: Dict[int, List[_Open]] = {}  # by id of a frame that is suspended
        self.left_elsewhere: List[_Stay] = []  # by other threads
        self.cost = 0  # ns of ours, that were taken out
        self.previous: Any = None  # the profile function that was there
        self.hook: _Profile = self._hook
        self.installed = False

    # -- the profile function --

    def install(self) -> bool:
        there = sys.getprofile()
        if there is self.hook:
            return True
        if self.installed:  # somebody took us out
            self.displaced()
        if there is not None and not callable(there):
            return False  # a profiler written in C: it would never be heard of again
        self.previous = there
        self.installed = True
        sys.setprofile(self.hook)
        return True

    def uninstall(self) -> None:
        if self.installed and sys.getprofile() is self.hook:
            sys.setprofile(self.previous)
        self.installed = False
        self.previous = None

    def displaced(self) -> None:
        _state.displaced += 1
        for entry in self.open:
            if isinstance(entry.owner, _Stay):
                entry.owner.whole = False

    def _hook(self, frame: types.FrameType, event: str, argument: Any) -> None:
        if event == "call":
            if id(frame.f_code) in _marks or id(frame) in self.waiting:
                self.called(frame)
        elif event == "return" and id(frame) in self.frames:
            self.returned(frame, argument)
        if self.left_elsewhere:
            self.bury()
        if self.previous is not None:
            self.previous(frame, event, argument)

    def called(self, frame: types.FrameType) -> None:
        now = perf_counter_ns()
        mark = _marks.get(id(frame.f_code))
        first = mark.first if mark else _first_position(frame.f_code)
        starts = not frame.f_code.co_flags & _SUSPENDS or frame.f_lasti <= first
        waiting = self.waiting.pop(id(frame), [])
        if starts:
            waiting = []
        for entry in waiting:
            if entry.frame is None and not isinstance(entry.owner, _ByHand):
                entry.frame = frame
        if mark is not None and self.stays and not (waiting and waiting[0].owner is None):
            self.push(_Open(mark.name, frame, None), now, "enter" if starts else "resume")
        self.put_back([entry for entry in waiting if entry.owner or self.stays], now)
        self.cost += perf_counter_ns() - now

    def returned(self, frame: types.FrameType, value: object) -> None:
        now = perf_counter_ns()
        first = len(self.open)
        while self.open[first - 1].frame is not frame:
            first -= 1  # what is above is of frames that wait, or was not seen to end
        while first and self.open[first - 1].frame is frame:
            first -= 1
        call = self.open[first]
        if frame.f_code.co_flags & _SUSPENDS and _may_go_on(frame):
            self.let_wait(frame, first, now)
        elif call.owner is not None:
            self.hand_over(frame, first, now)
        else:
            if _never_began(frame):
                self.uncount(call)
            self.cut(first + 1, now)
            self.pop(now, "exit", value is None and _raises(frame))
        self.cost += perf_counter_ns() - now

    def let_wait(self, frame: types.FrameType, first: int, now: int) -> None:
        """Its call and the collectors that it entered wait with it, and what is open within; else its blocks go on."""
        while first < len(self.open) and not (self.open[first].owner is None or isinstance(self.open[first].owner, _Stay)):
            first += 1
        waiting = self.cut(first, now, "suspend")
        for entry in waiting:
            if entry.frame is frame:
                entry.frame = None
        if waiting:
            self.waiting[id(frame)] = waiting

    def hand_over(self, frame: types.FrameType, first: int, now: int) -> None:
        """What a helper leaves open is its caller's; but a collector records only what is called by its frame."""
        stays = [i for i in range(first, len(self.open)) if isinstance(self.open[i].owner, _Stay) and self.open[i].frame is frame]
        for i in reversed(stays):
            self.remove(i, now)
        for entry in self.open[first:]:
            if entry.frame is frame:
                self.move(entry, frame.f_back)

    # -- what is open --

    def push(self, entry: _Open, now: int, event: str) -> None:
        below = self.open[-1] if self.open else None
        entry.parent = below
        if below:
            entry.around = below.around
            entry.depths = tuple(depth + 1 for depth in below.depths)
            if isinstance(below.owner, _Stay) and below.owner.part not in entry.around:
                entry.around += (below.owner.part,)
                entry.depths += (0,)
        else:
            entry.around, entry.depths = (), ()
        entry.same = self.innermost.get(entry.name)
        entry.begin = now - self.cost
        entry.children = 0
        self.innermost[entry.name] = entry
        self.stays += isinstance(entry.owner, _Stay)
        self.open.append(entry)
        self.keep(entry.frame, 1)
        resumes = event == "resume" and entry.activation
        wait = entry.begin - entry.since if resumes else 0
        entry.waited += wait
        for part, depth in zip(entry.around, entry.depths):
            part.note(entry.name, event, entry.begin, depth, activation=entry.activation if resumes else 0)
            if event == "enter":
                part.sum_of(entry.name).calls += 1
            elif entry.same is None or part not in entry.same.around:
                part.sum_of(entry.name).elapsed += wait

    def pop(self, now: int, event: str, raised: bool = False) -> None:
        entry = self.open.pop()
        now -= self.cost
        elapsed = now - entry.begin
        entry.carried += elapsed
        if event == "suspend":
            entry.since = now
            entry.activation = entry.activation or next(_activations)
        for part, depth in zip(entry.around, entry.depths):
            sum_ = part.sum_of(entry.name)
            if not sum_.calls and isinstance(entry.owner, _Stay):
                continue  # a collector that this one did not see being entered
            sum_.exclusive += elapsed - entry.children
            if entry.same is None or part not in entry.same.around:
                sum_.inclusive += elapsed
                sum_.elapsed += elapsed
            if event == "exit":
                sum_.note_end(entry.carried, entry.carried + entry.waited, sum_.ended or next(part.ledger.ends))
            part.note(entry.name, event, now, depth, raised, entry.activation if event == "suspend" else 0)
        if entry.parent:
            entry.parent.children += elapsed
        if entry.same:
            self.innermost[entry.name] = entry.same
        else:
            del self.innermost[entry.name]
        entry.parent = entry.same = None
        self.stays -= isinstance(entry.owner, _Stay)
        self.keep(entry.frame, -1)

    def uncount(self, entry: _Open) -> None:
        for part in entry.around:
            part.sum_of(entry.name).calls -= 1

    def keep(self, frame: Optional[types.FrameType], change: int) -> None:
        """How many of the entries are a frame's."""
        if frame is not None:
            count = self.frames.get(id(frame), 0) + change
            if count:
                self.frames[id(frame)] = count
            else:
                del self.frames[id(frame)]

    def move(self, entry: _Open, frame: Optional[types.FrameType]) -> None:
        self.keep(entry.frame, -1)
        self.keep(frame, 1)
        entry.frame = frame

    def cut(self, first: int, now: int, event: str = "exit") -> List[_Open]:
        """Takes all from `first` on off the stack."""
        entries = self.open[first:]
        while len(self.open) > first:
            self.pop(now, event)
        return entries

    def put_back(self, entries: List[_Open], now: int) -> None:
        for entry in entries:
            self.push(entry, now, "resume")

    def remove(self, position: int, now: int, raised: bool = False) -> None:
        """What is above goes on without it."""
        above = self.cut(position + 1, now, "suspend")
        self.pop(now, "exit", raised)
        if self.stays or any(isinstance(entry.owner, _Stay) for entry in above):
            self.put_back(above, now)

    def find(self, owner: object) -> int:
        """-1: it is not on the stack."""
        for position in range(len(self.open) - 1, -1, -1):
            if self.open[position].owner is owner:
                return position
        return -1

    def end(self, owner: object, raised: bool) -> None:
        now = perf_counter_ns()
        position = self.find(owner)
        if position >= 0:
            self.remove(position, now, raised)
        else:
            for key, entries in list(self.waiting.items()):
                entries[:] = [entry for entry in entries if entry.owner is not owner]
                if not entries:
                    del self.waiting[key]
        self.cost += perf_counter_ns() - now

    # -- blocks and collectors --

    def enter(self, entry: _Open, frame: types.FrameType) -> None:
        """`frame` helps the entry's frame to enter: what it has open itself is above."""
        now = perf_counter_ns()
        position = len(self.open)
        helper: Optional[types.FrameType] = frame
        while helper is not None and helper is not entry.frame:
            while position and self.open[position - 1].frame is helper:
                position -= 1
            helper = helper.f_back
        above = self.cut(position, now, "suspend")
        self.push(entry, now, "enter")
        self.put_back(above, now)
        self.cost += perf_counter_ns() - now

    def enter_collector(self, collector: Collector, frame: types.FrameType) -> _Stay:
        host = _host(frame)
        stay = _Stay(self, collector, host)
        self.entered += 1
        stay.whole = self.install()
        self.enter(_Open(collector.name, host, stay), frame)
        return stay

    def leave_collector(self, stay: _Stay, raised: bool = False) -> None:
        if self.installed and sys.getprofile() is not self.hook:
            self.displaced()
            stay.whole = False
        self.end_inside(stay)
        self.end(stay, raised)
        self.entered -= 1
        if not self.entered:
            self.open.clear()
            self.innermost.clear()
            self.waiting.clear()
            self.frames.clear()
            self.uninstall()

    def end_inside(self, stay: _Stay) -> None:
        """What was begun by hand ends with it, and blocks that were not left."""
        position = self.find(stay) + 1
        while 0 < position < len(self.open):
            owner = self.open[position].owner
            if not isinstance(owner, (timestamp_block, _ByHand)):
                break
            position += 1
        for entry in reversed(self.open[self.find(stay) + 1 : position] if position else []):
            self.end(entry.owner, False)

    def begin_by_hand(self, stay: _Stay, name: str) -> None:
        now = perf_counter_ns()
        self.push(_Open(name, None, _ByHand(stay)), now, "enter")
        self.cost += perf_counter_ns() - now

    def by_hand(self, stay: _Stay, name: str) -> Optional[_ByHand]:
        """The innermost one of that name."""
        for entry in reversed(self.open):
            if entry.name == name and isinstance(entry.owner, _ByHand) and entry.owner.stay is stay:
                return entry.owner
        return None

    def bury(self) -> None:
        """Stays that other threads left."""
        while self.left_elsewhere:
            self.leave_collector(self.left_elsewhere.pop())


# ---- what a frame does, as its position in the code tells ----


def _op(frame: types.FrameType, offset: int = 0) -> str:
    code, position = _bytes_of(frame.f_code), frame.f_lasti + offset
    return opname[code[position]] if 0 <= position < len(code) else ""


def _bytes_of(code: types.CodeType) -> bytes:
    mark = _marks.get(id(code))
    if mark is None:
        return code.co_code
    if not mark.bytes:
        mark.bytes = code.co_code  # from 3.11 on it is made anew each time
    return mark.bytes


def _may_go_on(frame: types.FrameType) -> bool:
    """It stands at a yield or await. So does one that an exception, thrown into it, has ended right there: it seems to wait."""
    if _never_began(frame):
        return False
    return _op(frame) in ("YIELD_VALUE", "YIELD_FROM", "RESUME") or _op(frame, 2) == "YIELD_FROM"


def _never_began(frame: types.FrameType) -> bool:
    """A generator that was thrown into first."""
    if not frame.f_code.co_flags & _SUSPENDS:
        return False
    mark = _marks.get(id(frame.f_code))
    return frame.f_lasti < max(mark.first if mark else _first_position(frame.f_code), 0)


def _raises(frame: types.FrameType) -> bool:
    """It ends and gives None, or an exception."""
    return not _op(frame).startswith("RETURN_")


class _Here(threading.local):
    thread: Optional[_Thread] = None


_here = _Here()


def _host(frame: types.FrameType) -> types.FrameType:
    """The frame that the `with` stands in: a context manager that has a collector or block inside, be it a class, an
    ExitStack or a generator that contextlib runs up to its yield, enters it for its caller."""
    caller = frame.f_back
    while caller is not None and (frame.f_code.co_name in _ENTERS or caller.f_code.co_name in _ENTERS):
        frame, caller = caller, caller.f_back
    return frame


# ---- the types ----


class timestamp_block:
    """Record the enclosed code under `name` while a collector is entered around it; else do nothing.

        with timestamp_block("parse"):
            ...

    Also a decorator: the whole function is the block. Where the code waits (a generator, a coroutine), its time is the
    time it ran.
    """

    __slots__ = ("_name", "__weakref__")

    _name: str

    def __new__(cls, name: str) -> Self:
        if not isinstance(name, str):
            raise TypeError(f"timestamp_block() argument 1 must be str, not {type(name).__name__}")
        self = super().__new__(cls)
        self._name = name
        return self

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    def __enter__(self) -> None:
        thread = _here.thread
        if thread is not None and thread.stays:
            frame = sys._getframe(1)
            thread.enter(_Open(self._name, _host(frame), self), frame)

    def __exit__(self, *exception: object) -> Literal[False]:
        thread = _here.thread
        if thread is not None and thread.entered:
            thread.end(self, exception[:1] not in ((), (None,)))
        return False

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        from ._decorators import wrap_in_block

        return wrap_in_block(self._name, function)

    def __repr__(self) -> str:
        return f"timestamp_block({self._name!r})"


class Collector:
    """Record what the enclosed code calls."""

    _name = "default"
    _ledger: _Ledger
    _stays: List[_Stay]
    _complete: bool
    _first: int  # when it was first entered
    _since: int  # when it was entered that it is inside of now
    _left: int
    _total: int  # of all stays that ended
    _realtime: int  # what time.time_ns() is more

    def __new__(cls, *arguments: Any, **named: Any) -> Collector:
        self = super().__new__(cls)
        self._ledger = _Ledger()
        self._stays = []
        self._complete = True
        self._first = self._since = self._left = self._total = self._realtime = 0
        return self

    def __init__(self, name: str = "default", max_entries: int = 1_000_000) -> None:
        if not isinstance(name, str):
            raise TypeError(f"Timestamp_Collector() argument 1 must be str, not {type(name).__name__}")
        if max_entries < 0:
            raise ValueError("max_entries must not be negative")
        self._name = name
        self._ledger.max_entries = max_entries

    @property
    def name(self) -> str:
        """The collector's name."""
        return self._name

    @property
    def complete(self) -> bool:
        """False: something of it could not be recorded."""
        return self._complete

    @property
    def start_time_ns(self) -> int:
        """When it was first entered, on the scale of time.perf_counter_ns(); 0: never."""
        return self._first

    @property
    def end_time_ns(self) -> int:
        """When it was last left, on the same scale; 0: never, or it is entered."""
        return 0 if self._stays else self._left

    @property
    def max_entries(self) -> int:
        """Entries that are kept at most; timings count all."""
        return self._ledger.max_entries

    @property
    def dropped(self) -> int:
        """Entries that were not kept."""
        return self._ledger.dropped_now()

    @property
    def _kept(self) -> int:
        return len(self._ledger.entries)

    def __enter__(self) -> Self:
        if _problem:
            raise RuntimeError(f"timestamp_capture cannot record: {_problem}")
        thread = _here.thread
        if thread is None:
            thread = _here.thread = _Thread()
        thread.bury()
        if not thread.entered:
            _follow_replaced()
        now = perf_counter_ns()
        if not self._first:
            self._first = now
            self._realtime = time_ns() - now
        if not self._stays:
            self._since = now
        with _state.lock:
            _state.consumers += 1
        self._stays.append(thread.enter_collector(self, sys._getframe(1)))
        return self

    _join = __enter__  # nobody else records here, for whom it would be another call

    def __exit__(self, *exception: object) -> Literal[False]:
        if self._stays:
            self._leave(self._stay_of(sys._getframe(1)), exception[:1] not in ((), (None,)))
        return False

    def __del__(self) -> None:
        try:
            while self._stays:  # dropped without being left: a generator that was collected inside
                self._leave(self._stays[-1], False)
        except Exception:  # the interpreter ends: modules are empty
            pass

    def _stay_of(self, frame: Optional[types.FrameType]) -> _Stay:
        """That of the nearest frame that has one here; else the last one of this thread; else the last one."""
        here = [stay for stay in self._stays if stay.thread is _here.thread]
        while frame is not None and len(here) > 1:
            found = next((stay for stay in reversed(here) if stay.host == id(frame)), None)
            if found is not None:
                return found
            frame = frame.f_back
        return (here or self._stays)[-1]

    def _leave(self, stay: _Stay, raised: bool) -> None:
        self._stays.remove(stay)
        if stay.forks != _state.forks:
            stay.whole = False
        elif stay.thread is _here.thread:
            stay.thread.leave_collector(stay, raised)
        else:
            stay.whole = False
            stay.thread.left_elsewhere.append(stay)
        if not any(other.thread is stay.thread for other in self._stays):
            self._ledger.take_in(stay.thread)
        self._left = perf_counter_ns()
        if not self._stays:
            self._total += self._left - self._since
        with _state.lock:
            self._complete &= stay.whole and not self._ledger.full
            _state.consumers -= stay.forks == _state.forks

    def _sums(self) -> List[Tuple[str, _Sum]]:
        rows = sorted(self._ledger.now().items(), key=lambda row: row[1].ended or sys.maxsize)
        return [(name, s) for name, s in rows if s.calls or s.inclusive]

    def timings(self) -> List[Tuple[str, int, int, int, int, int]]:
        """One tuple per name: (name, calls, inclusive ns, exclusive ns, shortest ns, longest ns), up to now. Calls count from
        their beginning, their time once they end. A recursive function's inclusive time is that of its outermost calls."""
        return [(name, s.calls, s.inclusive, s.exclusive, s.least, s.most) for name, s in self._sums()]

    def elapsed_times(self) -> List[Tuple[str, int, int, int]]:
        """One tuple per name, in the order of timings(): (name, elapsed ns, shortest ns, longest ns). A call's elapsed time is that
        from its first start to its return: what generators and coroutines waited in between is part of it."""
        return [(name, s.elapsed, s.elapsed_least, s.elapsed_most) for name, s in self._sums()]

    def total_duration_ns(self) -> int:
        """Nanoseconds inside, all stays together; while inside, up to now."""
        return self._total + (perf_counter_ns() - self._since if self._stays else 0)

    def entry_count(self) -> int:
        """Number of entries, also of those that were not kept."""
        return self._kept + self.dropped

    def is_active(self) -> bool:
        """True between entering and leaving."""
        return bool(self._stays)

    def _stay_here(self) -> Optional[_Stay]:
        thread = _here.thread
        return next((stay for stay in reversed(self._stays) if thread is not None and stay.thread is thread), None)

    def _begin(self, name: str, /) -> Optional[int]:
        """A block of that name begins: the number of its entry, -1 if it was not kept. None: not entered on this thread."""
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {type(name).__name__}")
        stay = self._stay_here()
        if stay is None or not stay.thread.stays:
            return None
        kept = self._kept
        stay.thread.begin_by_hand(stay, name)
        return self._number_since(kept, name, "enter")

    def _number_since(self, kept: int, name: str, event: str) -> int:
        found = [entry for entry in self._ledger.entries[kept:] if entry[2:5] == (name, event, threading.get_ident())]
        return found[-1][1] if found else -1

    def _end(self, name: str, /) -> Optional[int]:
        """The innermost block of that name that _begin() began ends: as _begin(). None: there is none."""
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {type(name).__name__}")
        stay = self._stay_here()
        begun = stay.thread.by_hand(stay, name) if stay else None
        if stay is None or begun is None:
            return None
        kept = self._kept
        stay.thread.end(begun, False)
        return self._number_since(kept, name, "exit")

    def _rows(self, start: int, stop: int, /) -> List[_Row]:
        """Entries [start, stop) by time: (name, event, timestamp ns, clock ns, thread, depth, number of the thread in here,
        whether it ended by an exception, number of the entry, number of the activation that waits or goes on, or 0)."""
        entries = sorted(self._ledger.entries[: self._ledger.max_entries])
        return [
            (name, event, when, when + self._realtime, thread, depth, part, raised, number, activation)
            for when, number, name, event, thread, depth, part, raised, activation in entries[max(start, 0) : stop]
        ]

    def _save(self, fd: int) -> None:
        raise _no_captures()

    def _convert(self, format: str, metric: str, invert: bool) -> bytes:
        raise _no_captures()


_Row = Tuple[str, str, int, int, int, int, int, bool, int, int]


def _nearest(levels: int) -> Optional[Tuple[Collector, int]]:
    """(collector, distance): the nearest one that a frame on the stack entered, and how many frames away from the caller's
    `levels`-th that is; None: there is none."""
    thread = _here.thread
    hosts = {id(entry.frame): entry.owner for entry in thread.open if isinstance(entry.owner, _Stay)} if thread else {}
    frame: Optional[types.FrameType] = sys._getframe(1)
    level = -levels
    while frame is not None and hosts:
        if id(frame) in hosts:
            collector = hosts[id(frame)].collector()
            return (collector, level) if collector is not None else None
        frame, level = frame.f_back, level + 1
    return None


def _wanted() -> bool:
    """Would a call made from here be recorded now?"""
    return _here.thread is not None and _here.thread.stays > 0


# ---- sessions: there are none ----


def _ask_labels(callable: Optional[Callable[[], int]]) -> None:
    """Of sessions of all functions, which this recorder does not have."""


def _obey_switches(function: Callable[[List[Tuple[int, int, bool]]], object]) -> None:
    """Nobody can give orders: there is no listener."""


def _hush(on: bool) -> None:
    """Of sessions, too."""


def _thread_class(tid: int) -> str:
    """"": not known."""
    return ""


def start(subprocesses: bool = False) -> bool:
    """False: this recorder has no sessions, only collectors; status() says why."""
    return False


def stop() -> bool:
    """False: nothing was being recorded."""
    return False


def is_running() -> bool:
    """False."""
    return False


def _no_captures() -> RuntimeError:
    return RuntimeError(f"captures and conversions need the compiled recorder: {_problem or _state.reason}")


def _save(fd: int) -> None:
    raise _no_captures()


def _convert(format: str, metric: str, invert: bool) -> bytes:
    raise _no_captures()


def reset() -> None:
    """There is no session that would have anything to forget; it takes nothing from collectors."""


# ---- other consumers: there are none, either ----


class _Consumer:
    """Who wants records of all threads: here nobody can."""

    name = number = is_running = property(lambda self: None)

    def __new__(cls, kind: str, name: str, *, everything: bool = False) -> "Self":
        raise RuntimeError(status()["problem"])

    def begin(self) -> bool:
        return False

    def end(self) -> bool:
        return False

    def clear(self) -> None:
        pass

    def remove(self) -> None:
        pass

    def select(self, rules: str) -> None:
        pass

    def select_site(self, site: int) -> None:
        pass

    def select_sites(self, sites: Sequence[int]) -> None:
        pass

    def deselect_site(self, site: int) -> None:
        pass

    def deselect_sites(self, sites: Sequence[int]) -> None:
        pass

    def tell_switches(self, started: bool, everybody: bool) -> None:
        pass

    def tell_track(self, id: str, is_word: bool, enabled: bool, name: Optional[str]) -> int:
        return 0

    def change_track(self, track: int, is_word: bool, enabled: bool, name: Optional[str]) -> None:
        pass

    def tell_place(self, track: int, site: int, name: str) -> int:
        return 0

    def tables(self, known: Union[bytes, bytearray], pairs: bool = True) -> Tuple[bytes, bytes, bytes, bytes, List[str], bool]:
        return b"", b"", b"", b"", [], False

    def read(self, *, threads: bool = False, pairs: bool = False) -> Dict[str, Any]:
        return {}

    def _save(self, fd: int, tids: Optional[Sequence[int]] = None) -> None:
        raise _no_captures()

    def _convert(self, format: str, metric: str, invert: bool, tids: Optional[Sequence[int]] = None) -> bytes:
        raise _no_captures()


class _Place:
    """What blocks that consumers want are called: there are none here."""

    site = property(lambda self: 0)

    def __new__(cls, track_idx: object, name: str, file: str, line: int, track: int) -> "Self":
        raise RuntimeError(status()["problem"])


class _Block:
    """A block that consumers want: there are none here."""

    def __new__(cls, place: _Place) -> "Self":
        raise RuntimeError(status()["problem"])

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> Literal[False]:
        return False

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function


class _Blocks:
    """What a Profiler derives from."""

    def block(self, track_idx: Any, name: str, *, bytes: int = 0) -> Any:
        """``with`` it: the enclosed code is a hit of ``name``. ``bytes``: how many it handles, for MB/s.

        It may be kept and entered again, also within itself and by several threads. Also a decorator: the whole function is
        the block.
        """
        return self._new_block(track_idx, name, bytes=bytes)  # type: ignore[attr-defined]

    def _remember_block(self, place: _Place) -> None:
        pass


def _place(function: types.FunctionType, name: Optional[str] = None, levels: int = 0, track: int = 0) -> int:
    raise RuntimeError(status()["problem"])


def set_reason(reason: str) -> None:
    """Why this is not the compiled recorder."""
    _state.reason = reason


_problem = "TSCAP_DISABLE is set" if os.environ.get("TSCAP_DISABLE", "0") not in ("", "0") else ""  # nothing at all is recorded


def status() -> Dict[str, Any]:
    """What the recorder is doing, as a dict."""
    return {
        "available": False,
        "problem": _problem or f"sessions are not recorded, only collectors: {_state.reason}",
        "version": VERSION,
        "hook": "sys.setprofile",
        "segment": "",
        "running": False,
        "functions": len(_marks),
        "consumers": _state.consumers,
        "armed": _state.consumers > 0,
        "paused": 0,
        "displaced": _state.displaced,
        "unmarked": _state.unmarked,
        "unmarked_names": list(_state.unmarked_names),
    }


def _in_child() -> None:
    """A forked child inherits the stays, not the recording."""
    thread = _here.thread
    _state.lock = threading.RLock()
    _state.consumers = 0
    _state.forks += 1
    _here.thread = None
    if thread is not None:
        thread.uninstall()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
