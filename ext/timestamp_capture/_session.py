"""A session: a consumer of the recorder that wants all functions, and what it read of them."""

from __future__ import annotations

import os
import struct
import threading
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from . import _select
from ._hushed import hushed
from ._labels import NO_LABEL, Label, Labels
from ._stretches import Stretches
from ._thread_clocks import NOTHING, Thread_Clocks, Used

_PYTHON, _AND_C = "all\n", "all\nbuiltins\n"  # functions that are selected
_LABELS = "labels\n"  # others are told of to who gives calls their labels
_BUILTIN = 4  # kind of a site: a C function
_LANE, _FUNCTION, _PAIR, _SITE = (struct.Struct(f"={words}Q") for words in (8, 8, 9, 5))


# How a site is called: name (of a method with its class before it), module (the file; of a C function, the module's name), line, is it a C
# function, full name, number (counts the session's functions).
Function = Tuple[str, str, int, bool, str, int]


# A row of a function: site, lane of its thread, calls, primitive calls; nanoseconds in all and of its own, by the real and by the CPU
# clock. Of a pair: the caller's site, and then such a row of the callee.
Row = Tuple[int, ...]
REAL, CPU = 4, 6
PAIR_CALLEE = 1
ROW_BYTES = _FUNCTION.size
PIECE = 1_000  # rows: after as many of thousands the interpreter's lock is free for a moment


def unpacked(rows: bytes) -> Iterator[Row]:
    return _FUNCTION.iter_unpack(rows)


def full_name(builtin: bool, module: str, lineno: int, name: str) -> str:
    return f"{module}.{name}" if builtin else f"{module}:{lineno} {name}"


class Context(NamedTuple):
    """A thread."""

    id: int  # 0: the main thread's
    name: str  # of its class
    tid: int
    real: int  # ns from its beginning in the session to its end
    cpu: int  # ns
    turns: int  # how often it came to run


class Labelled:
    """What a session's callbacks have said."""

    def __init__(self, variants: Dict[int, Tuple[int, Label]], names: Dict[int, Optional[str]], only: Optional[int]) -> None:
        self.variants = variants  # by site: the function's site, and the label of the calls that it counts
        self.names = names  # of contexts
        self.only = only  # the one context that is wanted; None: all

    def __bool__(self) -> bool:
        return bool(self.variants) or self.only is not None

    def of(self, site: int) -> Tuple[int, Label]:
        return self.variants.get(site) or (site, NO_LABEL)


class Reading:
    """What was counted by a certain moment. Rows are made of packed numbers, when they are asked for."""

    def __init__(
        self,
        functions: Dict[int, Function],
        contexts: Dict[int, Tuple[int, str, int]],
        rows: bytes,
        pairs: bytes,
        complete: bool = True,
        labelled: Optional[Labelled] = None,
    ) -> None:
        self.functions = functions  # by site
        self.contexts = contexts  # by lane: id, name and tag of calls without a label
        self.labelled = labelled
        self.packed, self._pairs = rows, pairs
        self.complete = complete  # nothing is known to be missing

    def rows(self) -> Iterator[Row]:
        return unpacked(self.packed)

    def pairs(self) -> Iterator[Row]:
        return _PAIR.iter_unpack(self._pairs)


class _Lane(NamedTuple):
    """A thread's, in the recorder."""

    number: int
    key: int  # no other thread has had it
    tid: int
    began: int  # ns of CLOCK_MONOTONIC
    ended: int  # 0: it lives
    calls: int
    real: int  # ns in calls
    cpu: int


# The fields of a named tuple are set by generated code, which would be recorded as the program's: ours are made by this.
_made = tuple.__new__


class _Alone:
    """Within it nobody else works on the session. A forked child has none of its parent's: neither what was counted, nor who held the
    lock."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> None:
        if self._session._pid != os.getpid():
            self._session._lock = threading.RLock()
            self._session._forget()
        self._session._lock.acquire()

    def __exit__(self, *exception: object) -> None:
        self._session._lock.release()


NOTHING_READ = Reading({}, {}, b"", b"")


class Session:
    """Begins, ends and is cleared at any time, from any thread. Raises RuntimeError where recording is not possible."""

    def __init__(self, kind: str, name: str) -> None:
        self._kind, self._name = kind, name
        self.labels = Labels()
        self._lock = threading.RLock()
        self._forget()

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._consumer: Any = None  # made when it is first started
        self._only: Optional[int] = None  # the one context that is recorded
        self._tids: Optional[Set[int]] = set()  # the threads that are recorded; None: all
        self._clocks = Thread_Clocks()
        self._zero()

    def _zero(self) -> None:
        self._functions: Dict[int, Function] = {}  # by site
        self._known = bytearray()  # a bit a site: it is in there
        self._ids = _Ids()
        self._variants: Dict[int, Tuple[int, Label]] = {}  # by site
        self.labels.forget()
        self._ran = Stretches()
        self._counted = False

    # ---- running ----

    @hushed
    def start(self, *, builtins: bool = False, everyone: bool = True) -> None:
        """While it runs nothing changes. ``everyone``: all threads, or only those that call this."""
        with self._here():
            if self.is_running():
                return
            consumer = self._consumer_now()
            self.builtins, self.everyone = builtins, everyone
            self._selected = self._to_select()
            consumer.select(self._selected)
            self._tids = None if everyone else {*(self._tids or ()), threading.get_native_id()}
            self._clocks.begin()
            self._only = self.labels.context_now() if not everyone else None
            self._ran.begin(time.monotonic_ns())
            self._ask_labels(True)  # the first call has one
            try:
                consumer.begin()
            finally:
                self.ask_labels()
            self._counted = True

    @hushed
    def stop(self) -> None:
        with self._here():
            if self.is_running():
                self._consumer.end()
                self.ask_labels()
                self.labels.end()
                self._ran.end(time.monotonic_ns())
                self._clocks.end()

    @hushed
    def clear(self) -> None:
        with self._here():
            if not self._is_there():
                return self._forget()
            self._zero()
            self.ask_labels()  # what calls were told before is out of date; those that begin until the next line do not count
            self._consumer.clear()
            self._clocks.clear()
            if self.is_running():
                self._ran.begin(time.monotonic_ns())

    def _to_select(self) -> str:
        return (_AND_C if self.builtins else _PYTHON) + (_LABELS if self.labels.at_c_functions else "")

    def ask_labels(self) -> None:
        """The recorder asks for them while this runs and there are callbacks."""
        running = self.is_running()
        if running and self._selected != self._to_select():
            self._consumer.select(self._to_select())
            self._selected = self._to_select()
        self._ask_labels(running)

    def _ask_labels(self, runs: bool) -> None:
        _select.core._ask_labels(self.labels if self.labels and runs else None)

    def is_running(self) -> bool:
        return self._is_there() and bool(self._consumer.is_running)

    @property
    def has_counted(self) -> bool:
        """It was started since it was cleared."""
        return self._counted and self._is_there()

    def _here(self) -> _Alone:
        return _Alone(self)

    def _is_there(self) -> bool:
        """False: it was never started, or the recording that it was part of has gone."""
        return self._consumer is not None and self._pid == os.getpid() and self._consumer.number != 0

    def _consumer_now(self) -> Any:
        if not self._is_there():
            make = getattr(_select.core, "_Consumer", None)
            if make is None:
                raise RuntimeError(f"timestamp_capture cannot record all functions: {_select.reason}")
            self._forget()
            self._consumer = make(self._kind, self._name)
        return self._consumer

    # ---- reading ----

    @hushed
    def read(self, *, pairs: bool = True) -> Reading:
        with self._here():
            return self._read(pairs)[0]

    def captured(self) -> Tuple[Any, Tuple[Any, ...]]:
        """The consumer, and the threads that are recorded, for a capture. A session that was never started has none."""
        with self._here():
            return (self._consumer if self._is_there() else None), (None if self._tids is None else sorted(self._tids),)

    def _read(self, with_pairs: bool) -> Tuple[Reading, List[_Lane]]:
        if not self._is_there():
            return NOTHING_READ, []
        lanes, rows, pairs, sites, names, complete = self._consumer.tables(self._known, with_pairs)
        self._learn(sites, names)
        shown = sorted((lane for lane in (_made(_Lane, words) for words in _LANE.iter_unpack(lanes)) if self._shows(lane.tid)), key=lambda lane: lane.began)
        contexts = {lane.number: (self._ids.of_lane(lane), self._name_of(lane.tid), 0) for lane in shown}
        labelled = Labelled(dict(self._variants), self.labels.context_names(), self._only)
        return Reading(self._functions, contexts, rows, pairs, complete, labelled), shown

    def _name_of(self, tid: int) -> str:
        return self.labels.thread_name(tid) or self._clocks.name(tid)

    def _shows(self, tid: int) -> bool:
        return self._tids is None or tid in self._tids

    def _learn(self, sites: bytes, texts: Sequence[str]) -> None:
        """Thousands come the first time: no call more than it takes."""
        functions, known = self._functions, self._known
        for number, (site, line, variant_of, kind, label) in enumerate(_SITE.iter_unpack(sites)):
            if number and number % PIECE == 0:
                _select.core._rest()
            name, module, file = texts[3 * number : 3 * number + 3]
            builtin, own = kind == _BUILTIN, variant_of or site
            where = module if builtin else file
            if "<locals>." in name:
                name = name.rpartition("<locals>.")[2]
            if own not in functions:
                # A plain tuple: the collector of garbage gives it up when it has seen it once.
                functions[own] = name, where, line, builtin, full_name(builtin, where, line, name), len(functions)
            if variant_of:
                functions[site] = functions[own]
                self._variants[site] = own, self.labels.meaning(label)
            if site // 8 >= len(known):
                known.extend(bytes(max(site // 8, 512) + 1))
            known[site // 8] |= 1 << site % 8

    @hushed
    def contexts(self) -> List[Context]:
        """The threads, those that called nothing, too."""
        with self._here():
            _, lanes = self._read(False)
            if self.labels.tells_contexts:
                return self._told()
            used = self._clocks.read()
            now = time.monotonic_ns()
            rows = [self._busy(lane, used.get(lane.tid, NOTHING), now) for lane in lanes]
            busy = {lane.tid for lane in lanes if not lane.ended}
            idle = [tid for tid in used if tid not in busy and self._shows(tid) and self._clocks.lives(tid)]
            return rows + [self._idle(tid, used[tid], now) for tid in idle]

    def _told(self) -> List[Context]:
        """Those that the callback has told of."""
        return [
            _made(Context, (context, known.name or self._clocks.name(known.tid), known.tid, self._ran.within(known.first, known.last), cpu, turns))
            for context, known, cpu, turns in self.labels.contexts()
            if self._only in (None, context)
        ]

    def _busy(self, lane: _Lane, used: Used, now: int) -> Context:
        real = self._ran.within(lane.began, lane.ended or now)
        return _made(Context, (self._ids.of_lane(lane), self._name_of(lane.tid), lane.tid, real, max(used.cpu, lane.cpu), max(used.turns, 1)))

    def _idle(self, tid: int, used: Used, now: int) -> Context:
        return _made(Context, (self._ids.of_idle(tid), self._name_of(tid), tid, self._ran.within(0, now), used.cpu, used.turns))


class _Ids:
    """Contexts are numbered as they are seen; the main thread is 0."""

    def __init__(self) -> None:
        self._of_lane: Dict[int, int] = {}  # by their keys
        self._of_idle: Dict[int, int] = {}  # by the thread's number
        self._used = 0

    def _next(self, tid: int) -> int:
        if tid == os.getpid():
            return 0
        self._used += 1
        return self._used

    def of_idle(self, tid: int) -> int:
        if tid not in self._of_idle:
            self._of_idle[tid] = self._next(tid)
        return self._of_idle[tid]

    def of_lane(self, lane: _Lane) -> int:
        """A thread that was idle until now stays what it was."""
        if lane.key not in self._of_lane:
            known = None if lane.ended else self._of_idle.pop(lane.tid, None)
            self._of_lane[lane.key] = self._next(lane.tid) if known is None else known
        return self._of_lane[lane.key]
