"""The decorator: finds the Python functions behind what it is given and marks their code. Nothing is wrapped."""

from __future__ import annotations

import types

from ._by_value import leave_mark
from ._select import core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, ContextManager, Dict, Tuple, TypeVar, overload

    T = TypeVar("T")
    Block = Callable[[Tuple[Any, ...], Dict[str, Any]], ContextManager[None]]

if TYPE_CHECKING:

    @overload
    def timestamp(function: str, /) -> Callable[[T], T]: ...
    @overload
    def timestamp(function: None = None, /, *, name: str | None = None) -> Callable[[T], T]: ...
    @overload
    def timestamp(function: T, /, *, name: str | None = None) -> T: ...


def timestamp(function: Any = None, /, *, name: str | None = None) -> Any:
    """Record each call of a function while somebody records; return the very same object.

    Use it bare, as ``@timestamp("name")`` or as ``@timestamp(name="name")``; the name defaults to the function's
    qualified name. Functions, methods, generators, coroutines and async generators; classmethod, staticmethod,
    property (all parts), functools.partial, lru_cache and singledispatchmethod objects are recorded by the functions
    inside; of a class, all functions that it defines.

    What runs no code of the interpreter's (functions written in C, or compiled by Cython or Nuitka) is returned as it is and
    not recorded; ``status()`` counts and names it. Raises TypeError for what is neither callable nor a descriptor.
    """
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    if function is None or issubclass(type(function), str):
        try:
            return types.MethodType(_mark_as, (name if function is None else function) or "")
        except MemoryError:
            core._unmarked(function)
            return _leave
    return _mark(function, name or None)


def _leave(target: Any) -> Any:
    return target


def _mark_as(name: str, target: Any) -> Any:
    return _mark(target, name or None)


def _mark(target: Any, name: str | None) -> Any:
    """Nothing that goes wrong here is a reason for the program to fail; what is no function at all is a mistake."""
    try:
        if _is_python(target):
            _mark_function(target, name, 2)
            return target
        if isinstance(target, type):
            _mark_class(target)
            return target
        mistaken = not (callable(target) or hasattr(type(target), "__get__"))
        if not mistaken:
            _mark_inside(target, name)
    except Exception:  # no memory, or an object that does not want to be asked
        core._unmarked(name)
        return target
    if mistaken:
        raise TypeError(
            f"timestamp() records Python functions, not {type(target).__name__} objects: "
            f"decorate a function, or use `with timestamp_block(name):`"
        )
    return target


def _is_python(target: Any) -> bool:
    """Exactly: compilers derive types from this one that have another layout. PyPy's functions in RPython are of the same
    type, and have code of another."""
    return type(target) is types.FunctionType and isinstance(target.__code__, types.CodeType)


def _mark_inside(target: Any, name: str | None) -> None:
    for function in _functions_inside(target):
        if _is_python(function):
            _mark_function(function, name, 3)
        else:
            core._unmarked(name or _name_of(function))


def _mark_function(function: types.FunctionType, name: str | None, levels: int) -> None:
    core.decorate(function, name, levels + 1)
    leave_mark(function, name)


def _mark_class(cls: type) -> None:
    for function, name in functions_of_class(cls):
        if _is_python(function):
            _mark_function(function, name, 2)
        else:
            core._unmarked(_name_of(function))


def functions_of_class(cls: type) -> list[tuple[Any, str | None]]:
    """All functions that the class itself defines, and others that run when it is used; what it inherits belongs to others. A name
    where the qualified one does not say whose it is."""
    found: list[tuple[Any, str | None]] = []
    for member in list(vars(cls).values()):
        for function in [member] if _is_python(member) else _functions_inside(member) if _may_run(member) else []:
            qualname = getattr(function, "__qualname__", "")
            if isinstance(qualname, str) and qualname.startswith(cls.__qualname__ + "."):
                if not isinstance(function, type):
                    found.append((function, None))
            elif _is_python(function) and qualname == f"__create_fn__.<locals>.{function.__name__}":  # dataclasses in 3.9 leave it so
                found.append((function, f"{cls.__qualname__}.{function.__name__}"))
    return found


def _may_run(member: Any) -> bool:
    """False of plain values, and of what each class has: no reason to load what tells more."""
    slot = isinstance(member, (types.GetSetDescriptorType, types.MemberDescriptorType))
    return not slot and (callable(member) or hasattr(type(member), "__get__"))


def _functions_inside(target: Any) -> list[Any]:
    """What ``target`` runs when it is used: Python functions, and others that hold none."""
    import functools
    import inspect

    candidates: list[Any]
    if isinstance(target, (classmethod, staticmethod, types.MethodType)):
        candidates = [target.__func__]
    elif isinstance(target, (property, types.DynamicClassAttribute)):  # the latter: properties of enum
        candidates = [target.fget, target.fset, target.fdel]
    elif isinstance(target, (functools.partial, functools.partialmethod)):
        candidates = [target.func]
    elif isinstance(target, functools.cached_property):
        candidates = [target.func]
    elif isinstance(target, functools.singledispatchmethod):
        candidates = list(target.dispatcher.registry.values())  # those registered so far, the method itself first
    else:
        candidates = [inspect.getattr_static(target, "__wrapped__", None)]
    found: list[Any] = []
    for candidate in candidates:
        if _is_python(candidate):
            found.append(candidate)
        elif candidate is not None and candidate is not target:
            found += _functions_inside(candidate)
    return found or [target]


def _name_of(target: Any) -> str:
    """Where it is from and what it is called; of what has no name, what it is."""
    named = isinstance(getattr(target, "__qualname__", None), str)
    kind: Any = target if named else type(target)
    module = getattr(kind, "__module__", None)
    name = f"{module}.{kind.__qualname__}" if isinstance(module, str) else kind.__qualname__
    return name if named else f"{name} object"


def wrap_in_block(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """``@timestamp_block(name)``: a function whose every call is inside the block, of the same kind as the one it wraps."""
    return wrap(function, lambda args, kwargs: core.timestamp_block(name))


def wrap_in_place(place: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same of a Profiler's block."""
    return wrap(function, lambda args, kwargs: core._Block(place))


def wrap(function: Callable[..., Any], block: Block) -> Callable[..., Any]:
    """A function that runs ``function`` inside ``block(args, kwargs)`` if somebody wants to know."""
    import contextlib
    import functools
    import inspect

    wrapper: Callable[..., Any]
    if inspect.iscoroutinefunction(function):

        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            if not core._wanted():
                return await function(*args, **kwargs)
            with block(args, kwargs):
                return await function(*args, **kwargs)

    elif inspect.isasyncgenfunction(function):

        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            with block(args, kwargs) if core._wanted() else contextlib.nullcontext():
                generator = function(*args, **kwargs)
                step = generator.__anext__()
                while True:  # what `yield from` is to generators
                    try:
                        value = await step
                    except StopAsyncIteration:
                        return
                    try:
                        step = generator.asend((yield value))
                    except GeneratorExit:
                        await generator.aclose()
                        raise
                    except BaseException as error:
                        step = generator.athrow(error)

    elif inspect.isgeneratorfunction(function):

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if not core._wanted():
                return (yield from function(*args, **kwargs))
            with block(args, kwargs):
                return (yield from function(*args, **kwargs))

    else:

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if not core._wanted():
                return function(*args, **kwargs)
            with block(args, kwargs):
                return function(*args, **kwargs)

    return functools.wraps(function)(wrapper)
