"""Labels: what callbacks say of calls when they begin, their contexts and their tags."""

from __future__ import annotations

import itertools
import sys
import threading
import time
import traceback
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from . import _select
from ._hushed import hushed
from ._thread_clocks import used

Callback = Callable[[], Any]
CONTEXT_ID, CONTEXT_NAME, TAG = "context_id", "context_name", "tag"
_KINDS = {CONTEXT_ID: int, CONTEXT_NAME: (str, type(None)), TAG: int}  # what they return


class Label(NamedTuple):
    context: Optional[int]  # None: the thread
    tag: int


NO_LABEL = Label(None, 0)


class _Part:
    """What one thread did in a context. Only that thread writes to it, so that nothing is lost between two."""

    __slots__ = ("cpu", "turns")

    def __init__(self) -> None:
        self.cpu = 0  # ns
        self.turns = 0  # how often the context came to run


class Known:
    """A context that a callback has told of."""

    __slots__ = ("first", "last", "name", "parts", "tid")

    def __init__(self, tid: int, now: int) -> None:
        self.name: Optional[str] = None
        self.tid = tid  # of the thread that it ran on last
        self.first = self.last = now  # ns of CLOCK_MONOTONIC, when it was seen
        self.parts: Dict[int, _Part] = {}  # by the thread's number


class _Here:
    """What a thread was at when it asked last, and its processor time then."""

    __slots__ = ("context", "cpu", "known", "part")

    def __init__(self) -> None:
        self.context: Optional[int] = None
        self.known: Optional[Known] = None
        self.part = _Part()
        self.cpu = 0


class _Book:
    """What has been said since the statistics were cleared. Threads add to it at the same time: by operations that no other thread can
    come between."""

    __slots__ = ("contexts", "here", "meanings", "next", "numbers", "thread_names")

    def __init__(self) -> None:
        self.numbers: Dict[Tuple[Optional[int], int], int] = {NO_LABEL: 0}
        self.meanings: Dict[int, Label] = {0: NO_LABEL}
        self.next = itertools.count(1).__next__
        self.contexts: Dict[int, Known] = {}
        self.thread_names: Dict[int, str] = {}  # by the kernel's number, as the callback calls them
        self.here: Dict[int, _Here] = {}  # by the kernel's number

    def number(self, context: Optional[int], tag: int) -> int:
        label = (context, tag)
        known = self.numbers.get(label)
        if known is not None:
            return known
        number = self.next()
        self.meanings[number] = tuple.__new__(Label, label)  # its own constructor is code of Python's, which would be recorded
        return self.numbers.setdefault(label, number)


class Labels:
    """Asked at the beginning of each call, while there are callbacks. One that raises, or returns something else than it should, is told of
    on standard error and never asked again."""

    def __init__(self) -> None:
        self._callbacks: Dict[str, Callback] = {}
        self._at_c_functions = False
        self.forget()

    def forget(self) -> None:
        """Labels get other numbers: who asks for them has to be told."""
        self._book = _Book()

    def set(self, what: str, callback: Optional[Callback], *, at_c_functions: bool = False) -> None:
        """``at_c_functions``: of a context, that it is asked for at calls of C functions, too, recorded or not: what waits is C."""
        if what == CONTEXT_ID:
            self._at_c_functions = at_c_functions
        if callback is None:
            self._callbacks.pop(what, None)
        else:
            self._callbacks[what] = callback

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    @property
    def at_c_functions(self) -> bool:
        return self._at_c_functions and CONTEXT_ID in self._callbacks

    def meaning(self, number: int) -> Label:
        return self._book.meanings.get(number, NO_LABEL)

    # ---- asking ----

    def __call__(self) -> int:
        book = self._book
        context, tag = self._ask(CONTEXT_ID), self._ask(TAG)
        self._note(book, context)
        return book.number(context, tag or 0)

    @hushed
    def context_now(self) -> Optional[int]:
        context: Optional[int] = self._ask(CONTEXT_ID)
        return context

    def _ask(self, what: str) -> Any:
        callback = self._callbacks.get(what)
        if callback is None:
            return None
        try:
            value = callback()
            if isinstance(value, _KINDS[what]):  # type: ignore[arg-type]
                return int.__int__(value) if isinstance(value, int) else value  # a subclass may compare as it likes
            problem = f"yappi's {what} callback returned {value!r}: it is not asked any more\n"
        except (MemoryError, RecursionError):  # the program is short of them, the callback would be so at another time: nothing for now
            return None
        except Exception:  # also of what it returned, when that is looked at
            problem = traceback.format_exc()
        self._drop(what, callback, problem)
        return None

    def _drop(self, what: str, callback: Callback, message: str) -> None:
        if self._callbacks.get(what) is callback:
            self._callbacks.pop(what, None)  # another thread may have been faster
        if not self._callbacks:
            _select.core._ask_labels(None)
        try:
            sys.stderr.write(message)
        except Exception:  # there is no standard error, or it is the program's own: this is no business of the call that begins
            pass

    def _note(self, book: _Book, context: Optional[int]) -> None:
        tid = threading.get_native_id()
        if context is None:
            if CONTEXT_NAME in self._callbacks and tid not in book.thread_names:
                name = self._ask(CONTEXT_NAME)
                if name is not None:
                    book.thread_names[tid] = name
            return
        now = time.monotonic_ns()
        known = book.contexts.get(context)
        if known is None:
            known = book.contexts.setdefault(context, Known(tid, now))
        known.tid = tid
        if known.name is None and CONTEXT_NAME in self._callbacks:
            known.name = self._ask(CONTEXT_NAME)
        self._switch(book, context, known, tid, now)

    def _switch(self, book: _Book, context: int, known: Known, tid: int, now: int) -> None:
        """What the thread has done since it asked last was done in the context in which it was then."""
        here, cpu = book.here.get(tid), time.thread_time_ns()
        if here is None or here.cpu > cpu:  # that was another thread, which has ended
            here = book.here[tid] = _Here()
        elif here.known is not None:
            here.part.cpu += cpu - here.cpu
            here.known.last = now
        if here.known is not known:
            part = known.parts.get(tid)
            if part is None:
                part = known.parts[tid] = _Part()
            here.context, here.known, here.part = context, known, part
            part.turns += 1
        here.cpu, known.last = cpu, now

    @hushed
    def end(self) -> None:
        """The session stops. A callback that could not tell a name may be able to by now."""
        if self:
            self._note(self._book, self._ask(CONTEXT_ID))
        book = self._book
        for tid, here in list(book.here.items()):
            here.part.cpu += _since(tid, here)
        book.here = {}

    # ---- what was said ----

    @property
    def tells_contexts(self) -> bool:
        return bool(self._book.contexts)

    def contexts(self) -> List[Tuple[int, Known, int, int]]:
        """Those told of: number, what is known, nanoseconds of processor time, and how often it came to run."""
        book = self._book
        running: Dict[int, int] = {}
        for tid, here in list(book.here.items()):
            if here.context is not None:
                running[here.context] = running.get(here.context, 0) + _since(tid, here)
        rows = []
        for context, known in list(book.contexts.items()):
            parts = list(known.parts.values())
            rows.append((context, known, sum(part.cpu for part in parts) + running.get(context, 0), sum(part.turns for part in parts)))
        return rows

    def context_names(self) -> Dict[int, Optional[str]]:
        return {context: known.name for context, known in list(self._book.contexts.items())}

    def thread_name(self, tid: int) -> Optional[str]:
        return self._book.thread_names.get(tid)


def _since(tid: int, here: _Here) -> int:
    """Nanoseconds of processor time that the thread has used since it asked; of one that has ended nobody knows."""
    now = used(tid)
    return now.cpu - here.cpu if now is not None and now.cpu > here.cpu else 0
