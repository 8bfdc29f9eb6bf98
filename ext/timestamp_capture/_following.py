"""A request goes on in tasks that it starts (Starlette's own middleware runs what is below it in one) and in threads that anyio
lends it (plain functions of Starlette and FastAPI). While requests are recorded, their collectors follow them there: the context
says whose request it is. Afterwards all is as it was."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import sys
import threading
from collections.abc import Coroutine
from typing import Any, Callable, Dict, Generator, Optional, Tuple

from ._select import core

_collector: contextvars.ContextVar[Optional[core.Collector]] = contextvars.ContextVar("timestamp_capture_request", default=None)


class following:
    """``with following(collector):`` in the task of a request."""

    def __init__(self, collector: core.Collector) -> None:
        self.collector = collector

    def __enter__(self) -> None:
        self.token = _collector.set(self.collector)
        self.loop = asyncio.get_running_loop()
        with _lock:
            _tasks.add(self.loop)
            _threads.add()

    def __exit__(self, *exception: object) -> None:
        with _lock:
            _threads.remove()
            _tasks.remove(self.loop)
        _collector.reset(self.token)


class _Followed(Coroutine):  # type: ignore[type-arg]
    """A coroutine inside a collector; one that is closed before it began complains of nothing that its own would not."""

    def __init__(self, collector: core.Collector, coroutine: Any) -> None:
        self._coroutine = coroutine
        self._inside = self._run(collector)
        self._began = False
        self.__name__ = getattr(coroutine, "__name__", type(coroutine).__name__)
        self.__qualname__ = getattr(coroutine, "__qualname__", self.__name__)

    async def _run(self, collector: core.Collector) -> Any:
        with _Entered(collector):
            return await self._coroutine

    def send(self, value: Any) -> Any:
        self._began = True
        return self._inside.send(value)

    def throw(self, *exception: Any) -> Any:
        if not self._began:
            self._coroutine.close()
        return self._inside.throw(*exception)

    def close(self) -> None:
        self._inside.close()
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        self._began = True
        return self._inside.__await__()

    def __getattr__(self, name: str) -> Any:  # cr_frame and so on, of the one that matters
        return getattr(self._coroutine, name)


class _Entered:
    """``with collector`` for the frame around it, in which the request goes on: it is one call, whatever it starts. Where recording is not possible, nothing."""

    def __init__(self, collector: core.Collector) -> None:
        self.collector = collector
        self.entered = False

    def __enter__(self) -> None:
        try:
            core.Collector._join(self.collector)
            self.entered = True
        except RuntimeError:
            pass  # the request's own entry has said why

    def __exit__(self, *exception: object) -> None:
        if self.entered:
            core.Collector.__exit__(self.collector, *exception)


class _Tasks:
    """The task factories of loops that have recorded requests: theirs, how many requests, ours."""

    def __init__(self) -> None:
        self.loops: Dict[int, Tuple[Any, int, Any]] = {}

    def add(self, loop: asyncio.AbstractEventLoop) -> None:
        known = self.loops.get(id(loop))
        if known is None:
            theirs = loop.get_task_factory()
            known = theirs, 0, _factory(theirs)
            loop.set_task_factory(known[2])
        self.loops[id(loop)] = known[0], known[1] + 1, known[2]

    def remove(self, loop: asyncio.AbstractEventLoop) -> None:
        theirs, requests, ours = self.loops.pop(id(loop))
        if requests > 1:
            self.loops[id(loop)] = theirs, requests - 1, ours
        elif loop.get_task_factory() is ours:  # else somebody has put theirs over it
            loop.set_task_factory(theirs)


def _factory(theirs: Any) -> Callable[..., Any]:
    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        collector = _collector.get()
        if collector is not None and collector.is_active() and asyncio.iscoroutine(coroutine):
            coroutine = _Followed(collector, coroutine)
        return theirs(loop, coroutine, **options) if theirs else asyncio.Task(coroutine, loop=loop, **options)

    return factory


class _Threads:
    """anyio.to_thread.run_sync, replaced while a request is recorded."""

    def __init__(self) -> None:
        self.requests = 0
        self.theirs: Any = None
        self.ours: Any = None

    def add(self) -> None:
        module: Any = sys.modules.get("anyio.to_thread")
        self.requests += 1
        if module is None or self.ours is not None:
            return
        theirs = module.run_sync

        @functools.wraps(theirs)
        async def run_sync(function: Any, *arguments: Any, **options: Any) -> Any:
            collector = _collector.get()
            if collector is not None and collector.is_active():
                function = functools.partial(_call, collector, function)
            return await theirs(function, *arguments, **options)

        self.theirs, self.ours = theirs, run_sync
        module.run_sync = run_sync

    def remove(self) -> None:
        self.requests -= 1
        if self.requests == 0 and self.ours is not None:
            module: Any = sys.modules["anyio.to_thread"]
            if module.run_sync is self.ours:
                module.run_sync = self.theirs
            self.theirs = self.ours = None


def _call(collector: core.Collector, function: Callable[..., Any], *arguments: Any) -> Any:
    with _Entered(collector):
        return function(*arguments)


_lock = threading.Lock()  # loops may run in several threads
_tasks = _Tasks()
_threads = _Threads()
