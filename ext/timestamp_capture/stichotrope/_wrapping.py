"""Functions that measure themselves: what ``Profiler.track()`` makes where there is no compiled recorder, which would leave them
as they are. One kind for each kind of function: a coroutine function stays one."""

from __future__ import annotations

import functools
import inspect
import sys
import types
import weakref
from typing import TYPE_CHECKING, Any, Callable, Generator, Optional, Tuple

from .._decorators import _is_python, _name_of
from .._select import core
from . import _pure  # whose functions are called, once it is there
from ._places import Place, PlaceOf

if TYPE_CHECKING:
    from ._pure import Call, Recorder

_MARK = "__tracked__"


class _Mark:
    """In ``__dict__`` of a wrapper; functools.wraps() copies it to others: so it knows whose it is."""

    def __init__(self, wrapper: Callable[..., Any], inner: Any, place: Place) -> None:
        self.wrapper = weakref.ref(wrapper)
        self.inner = inner
        self.place = place


def _is_tracked(function: Any, place: Place) -> bool:
    """Here, or below the wrappers of other places."""
    mark = getattr(function, _MARK, None)
    while isinstance(mark, _Mark) and mark.wrapper() is function:
        if mark.place is place:
            return True
        function = mark.inner
        mark = getattr(function, _MARK, None)
    return False


def _original(function: types.FunctionType) -> types.FunctionType:
    """What is below our own wrappers: it says where it is defined."""
    mark = getattr(function, _MARK, None)
    while isinstance(mark, _Mark) and mark.wrapper() is function:
        function = mark.inner
        mark = getattr(function, _MARK, None)
    return function


def wrap_target(recorder: Recorder, target: Any, place_of: PlaceOf, name: Optional[str]) -> Any:
    """What was passed to track(), with the functions inside wrapped. What runs no Python code is returned as it is."""

    def wrap(function: types.FunctionType) -> Any:
        place = place_of(_original(function), name)
        return function if _is_tracked(function, place) else wrap_in(recorder, place, function, 0)

    if isinstance(target, type):
        _wrap_class(recorder, target, place_of)
        return target
    new = _Inside(wrap).wrapped(target)
    if new is None:
        core._unmarked(name or _name_of(target))
        return target
    return new


def _wrap_class(recorder: Recorder, cls: type, place_of: PlaceOf) -> None:
    """All functions that the class itself defines, under their qualified names; what it inherits belongs to others."""

    def wrap(function: types.FunctionType) -> Any:
        if not function.__qualname__.startswith(cls.__qualname__ + "."):
            return function
        place = place_of(_original(function), function.__qualname__)
        return function if _is_tracked(function, place) else wrap_in(recorder, place, function, 0)

    for name, member in list(vars(cls).items()):
        if isinstance(member, type) or not (callable(member) or hasattr(type(member), "__get__")):
            continue
        new = _Inside(wrap).wrapped(member)
        if new is not None and new is not member:
            setattr(cls, name, new)


class _Inside:
    """Descriptors and callables of the standard library are made anew around what they hold, or are given it."""

    def __init__(self, wrap: Callable[[types.FunctionType], Any]) -> None:
        self.wrap = wrap

    def wrapped(self, target: Any) -> Any:
        """None: there is no Python function inside."""
        if _is_python(target):
            return self.wrap(target)
        if isinstance(target, (classmethod, staticmethod)):
            return self._around(target.__func__, type(target))
        if isinstance(target, types.MethodType):
            return self._around(target.__func__, lambda function: types.MethodType(function, target.__self__))
        if isinstance(target, (property, types.DynamicClassAttribute)):
            return self._property(target)
        if isinstance(target, functools.partial):
            return self._around(target.func, lambda function: self._partial(target, function))
        if isinstance(target, (functools.partialmethod, functools.cached_property)):
            inner = self.wrapped(target.func)
            if inner is not None:
                target.func = inner
            return target if inner is not None else None
        if isinstance(target, functools.singledispatchmethod):
            return self._dispatcher(target)
        if hasattr(target, "cache_parameters") and hasattr(target, "__wrapped__"):
            return self._around(target.__wrapped__, functools.lru_cache(**target.cache_parameters()))
        return None

    def _around(self, function: Any, make: Callable[[Any], Any]) -> Any:
        inner = self.wrapped(function)
        return None if inner is None else make(inner)

    def _property(self, target: Any) -> Any:
        parts = [self.wrapped(part) if part is not None else None for part in (target.fget, target.fset, target.fdel)]
        if parts == [None, None, None]:
            return None
        kept = [new or old for new, old in zip(parts, (target.fget, target.fset, target.fdel))]
        return type(target)(*kept, target.__doc__)

    def _partial(self, target: Any, function: Any) -> Any:
        new = type(target)(function, *target.args, **target.keywords)
        new.__dict__.update(target.__dict__)
        return new

    def _dispatcher(self, target: Any) -> Any:
        found = None
        for cls, function in list(target.dispatcher.registry.items()):
            inner = self.wrapped(function)
            if inner is not None:
                target.dispatcher.register(cls, inner)
                found = target
        return found


# ---- kinds of functions ----


def wrap_in(recorder: Recorder, place: Place, function: Callable[..., Any], count: int) -> Any:
    if inspect.iscoroutinefunction(function):
        wrapper = _coroutine(recorder, place, function, count)
    elif inspect.isasyncgenfunction(function):
        wrapper = _async_generator(recorder, place, function, count)
    elif inspect.isgeneratorfunction(function):
        wrapper = _generator(recorder, place, function, count)
    else:
        wrapper = _plain(recorder, place, function, count)
    functools.update_wrapper(wrapper, function)
    setattr(wrapper, _MARK, _Mark(wrapper, function, place))
    return wrapper


def _plain(recorder: Recorder, place: Place, function: Callable[..., Any], count: int) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not recorder.wants(place):
            return function(*args, **kwargs)
        call = _pure.begin(recorder.ledger, place, sys._getframe(), count)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            _pure.end(call, _pure.raises(type(error)))
            raise
        _pure.end(call, False)
        return result

    return wrapper


class _Life:
    """Of a generator or coroutine: one call, from its first step to its end. What the switches say at the first holds for all."""

    def __init__(self, recorder: Recorder, place: Place, count: int) -> None:
        self.recorder = recorder
        self.place = place
        self.bytes = count
        self.began = False
        self.call: Optional[Call] = None

    def goes_on(self) -> None:
        frame = sys._getframe(1)
        if self.call is not None:
            _pure.resume(self.call, frame)
        elif not self.began and self.recorder.wants(self.place):
            self.call = _pure.begin(self.recorder.ledger, self.place, frame, self.bytes)
        self.began = True

    def waits(self) -> None:
        if self.call is not None:
            _pure.suspend(self.call)

    def ends(self, error: Optional[BaseException] = None) -> None:
        call, self.call = self.call, None
        if call is not None:
            _pure.end(call, _pure.raises(type(error) if error is not None else None))


class _Steps:
    """A generator, coroutine or step of an async generator that is driven, each stretch that it runs being measured."""

    def __init__(self, life: _Life, inner: Any, whole: bool = True) -> None:
        self.life = life
        self.inner = inner
        self.whole = whole  # its end is that of the call

    def __iter__(self) -> _Steps:
        return self

    __await__ = __iter__

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        self.life.goes_on()
        return self._step(self.inner.send, value)

    def throw(self, *error: Any) -> Any:
        if not self.life.began:  # it ends before it has begun: no call
            return self.inner.throw(*error)
        self.life.goes_on()
        return self._step(self.inner.throw, *error)

    def close(self) -> None:
        if not self.life.began:
            self.inner.close()
            return
        self.life.goes_on()
        try:
            self.inner.close()
        except BaseException as error:
            self.life.ends(error)
            raise
        if self.whole:
            self.life.ends()
        else:
            self.life.waits()

    def _step(self, do: Callable[..., Any], *arguments: Any) -> Any:
        try:
            value = do(*arguments)
        except StopIteration:
            if self.whole:
                self.life.ends()
            else:
                self.life.waits()
            raise
        except StopAsyncIteration:
            self.life.ends()
            raise
        except BaseException as error:
            self.life.ends(error)
            raise
        self.life.waits()
        return value


def _generator(recorder: Recorder, place: Place, function: Callable[..., Any], count: int) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        return (yield from _Steps(_Life(recorder, place, count), function(*args, **kwargs)))

    return wrapper


def _coroutine(recorder: Recorder, place: Place, function: Callable[..., Any], count: int) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await _Steps(_Life(recorder, place, count), function(*args, **kwargs))

    return wrapper


def _first_step(generator: Any) -> Any:
    """The event loop closes those that it saw begin, this one in the middle of its wrapper: it sees the wrapper alone."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return generator.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _async_generator(recorder: Recorder, place: Place, function: Callable[..., Any], count: int) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        inner = function(*args, **kwargs)
        life = _Life(recorder, place, count)
        step = _first_step(inner)
        while True:  # what `yield from` is to generators
            try:
                value = await _Steps(life, step, whole=False)
            except StopAsyncIteration:
                return
            try:
                sent = yield value
            except GeneratorExit:
                await _Steps(life, inner.aclose())
                raise
            except BaseException as error:
                step = inner.athrow(error)
            else:
                step = inner.asend(sent)

    return wrapper
