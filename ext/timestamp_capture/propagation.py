"""A collector encloses what its frame calls. Here is how it gets to other threads, tasks and pools: by a frame there that
enters it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import inspect
import threading
from typing import Any, Callable, Coroutine, Iterator, Optional, TypeVar

from ._select import core
from .find import find_timestamp_collector

F = TypeVar("F", bound=Callable[..., Any])


# ---- one function, one executor ----


def bind(collector: core.Collector, function: F) -> F:
    """``function``, of which each call enters the collector first; of a coroutine object, the same coroutine."""
    bound: Any
    if inspect.iscoroutine(function):
        return _bound_coroutine(collector, function)
    if inspect.iscoroutinefunction(function):

        async def bound(*args: Any, **kwargs: Any) -> Any:
            with _Entered(collector):
                return await function(*args, **kwargs)

    elif inspect.isgeneratorfunction(function):

        def bound(*args: Any, **kwargs: Any) -> Any:
            with _Entered(collector):
                return (yield from function(*args, **kwargs))

    elif inspect.isasyncgenfunction(function):
        raise TypeError("bind() does not take async generators: enter the collector inside, with `with`")
    else:

        def bound(*args: Any, **kwargs: Any) -> Any:
            with _Entered(collector):
                return function(*args, **kwargs)

    return functools.wraps(function)(bound)  # type: ignore[return-value]


async def _await_in(collector: core.Collector, coroutine: Coroutine[Any, Any, Any]) -> Any:
    with _Entered(collector):
        return await coroutine


def _bound_coroutine(collector: core.Collector, coroutine: Any) -> Any:
    bound: Any = _await_in(collector, coroutine)
    bound.__name__ = coroutine.__name__
    bound.__qualname__ = coroutine.__qualname__
    return bound


class _Entered:
    """``with collector`` for the frame around it, without what a subclass does besides. While the collector is entered already, it is that
    stay which goes on here, and no other call of its name to those who record as well."""

    def __init__(self, collector: core.Collector) -> None:
        self.collector = collector

    def __enter__(self) -> None:
        enter = core.Collector._join if core.Collector.is_active(self.collector) else core.Collector.__enter__
        enter(self.collector)

    def __exit__(self, *exception: object) -> None:
        core.Collector.__exit__(self.collector, *exception)


class Enclosing_Executor(concurrent.futures.Executor):
    """An executor whose work a collector encloses. It shuts down the one it wraps."""

    def __init__(self, collector: core.Collector, executor: concurrent.futures.Executor) -> None:
        if isinstance(executor, concurrent.futures.ProcessPoolExecutor):
            raise TypeError("a collector does not enclose other processes: record them with `tscap start -s`")
        self._collector = collector
        self._executor = executor

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        return self._executor.submit(bind(self._collector, fn), *args, **kwargs)

    def map(self, fn: Callable[..., Any], *iterables: Any, timeout: Optional[float] = None, chunksize: int = 1) -> Iterator[Any]:
        return self._executor.map(bind(self._collector, fn), *iterables, timeout=timeout, chunksize=chunksize)

    def shutdown(self, wait: bool = True, **options: Any) -> None:
        self._executor.shutdown(wait, **options)


# ---- all of them, while a collector that wants it is entered ----


def _propagating() -> Optional[core.Collector]:
    """The one whose code we run in, if it wants what that starts."""
    found = find_timestamp_collector()
    return found if found is not None and found.propagate else None


class _Patches:
    """threading.Thread.start and ThreadPoolExecutor.submit, replaced while there is a use for it."""

    def __init__(self) -> None:
        self.users = 0
        self.lock = threading.Lock()
        self.theirs: tuple[Any, Any] = (None, None)
        self.mine: tuple[Any, Any] = (None, None)

    def add(self) -> None:
        with self.lock:
            self.users += 1
            if self.users == 1:
                self._replace()

    def remove(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self._restore()

    def _replace(self) -> None:
        start: Any = threading.Thread.start
        submit: Any = concurrent.futures.ThreadPoolExecutor.submit
        self.theirs = start, submit

        @functools.wraps(start)
        def enclosed_start(thread: Any) -> None:
            collector = None if getattr(_Alone.here, "alone", False) else _propagating()
            if collector is not None:
                thread.run = bind(collector, thread.run)
            start(thread)

        @functools.wraps(submit)
        def enclosed_submit(executor: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            collector = _propagating()
            with _Alone():  # the pool's own threads are not ours
                return submit(executor, fn if collector is None else bind(collector, fn), *args, **kwargs)

        self.mine = enclosed_start, enclosed_submit
        _put(threading.Thread, "start", enclosed_start)
        _put(concurrent.futures.ThreadPoolExecutor, "submit", enclosed_submit)

    def _restore(self) -> None:
        """Unless somebody else has put theirs over ours."""
        if threading.Thread.start is self.mine[0]:
            _put(threading.Thread, "start", self.theirs[0])
        if concurrent.futures.ThreadPoolExecutor.submit is self.mine[1]:
            _put(concurrent.futures.ThreadPoolExecutor, "submit", self.theirs[1])


def _put(owner: type, name: str, function: Any) -> None:
    setattr(owner, name, function)


class _Loops:
    """The task factories of event loops that run collectors which propagate."""

    def __init__(self) -> None:
        self.users: dict[int, tuple[asyncio.AbstractEventLoop, int, Any]] = {}

    def add(self) -> Optional[asyncio.AbstractEventLoop]:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None  # tasks of loops that run below are called by the frame that entered
        _, users, before = self.users.get(id(loop), (loop, 0, loop.get_task_factory()))
        self.users[id(loop)] = loop, users + 1, before
        if users == 0:
            loop.set_task_factory(_task_factory(before))
        return loop

    def remove(self, loop: asyncio.AbstractEventLoop) -> None:
        _, users, before = self.users.pop(id(loop))
        if users > 1:
            self.users[id(loop)] = loop, users - 1, before
        else:
            loop.set_task_factory(before)


def _task_factory(before: Any) -> Any:
    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        collector = _propagating()
        if collector is not None and inspect.iscoroutine(coroutine):
            coroutine = _bound_coroutine(collector, coroutine)
        return before(loop, coroutine, **options) if before else asyncio.Task(coroutine, loop=loop, **options)

    return factory


class _Alone:
    """In here the thread's starts are not enclosed."""

    here = threading.local()

    def __enter__(self) -> None:
        _Alone.here.alone = True

    def __exit__(self, *exception: object) -> None:
        _Alone.here.alone = False


_patches = _Patches()
_loops = _Loops()


def begin() -> Optional[asyncio.AbstractEventLoop]:
    """A collector that propagates was entered; what comes back goes to end()."""
    _patches.add()
    return _loops.add()


def end(loop: Optional[asyncio.AbstractEventLoop]) -> None:
    """It was left."""
    _patches.remove()
    if loop is not None:
        _loops.remove(loop)
