"""`@timestamp` gives back the object it was given, and nothing about that object changes, armed or not."""
import copy
import doctest
import enum
import functools
import gc
import importlib
import inspect
import multiprocessing
import pickle
import sys
import types

import pytest

import timestamp_capture
from reading import tscap
from timestamp_capture import timestamp
from timestamp_capture._select import core


@timestamp
def module_level(a, b=2, *rest, c: int = 3, **more) -> int:
    """Its docstring."""
    return a + b


@timestamp
def square(n):
    return n * n


@timestamp
async def coroutine():
    return 1


@timestamp
async def async_generator():
    yield 1


@timestamp
def generator():
    yield 1


class Plain:
    @timestamp
    def method(self):
        return "method"


# ---- identity ----


def some_function():
    return 1


@pytest.mark.parametrize(
    "target",
    [
        some_function,
        lambda: 1,
        classmethod(lambda cls: 1),
        staticmethod(lambda: 1),
        property(lambda self: 1),
        functools.partial(lambda a: a, 1),
        functools.partialmethod(lambda self, a: a, 1),
        functools.lru_cache(maxsize=None)(lambda: 1),
        functools.cached_property(lambda self: 1),
        functools.singledispatch(lambda value: 1),
        functools.singledispatchmethod(lambda self, value: 1),
        types.DynamicClassAttribute(lambda self: 1),
        Plain().method,
        type("Whole", (), {"method": lambda self: 1}),
    ],
    ids=lambda target: type(target).__name__,
)
def test_same_object(target):
    assert timestamp(target) is target
    assert timestamp("name")(target) is target
    assert timestamp(name="other")(target) is target


def test_forms_of_the_decorator(recording):
    @timestamp
    def bare():
        pass

    @timestamp("by position")
    def positional():
        pass

    @timestamp(name="by keyword")
    def keyword():
        pass

    @timestamp()
    def empty():
        pass

    with recording:
        for function in (bare, positional, keyword, empty):
            function()
    prefix = "test_forms_of_the_decorator.<locals>."
    assert recording.profile.counts("calls", "qualname") == {
        prefix + "bare": (1, prefix + "bare"),
        "by position": (1, prefix + "positional"),
        "by keyword": (1, prefix + "keyword"),
        prefix + "empty": (1, prefix + "empty"),
    }


def test_a_site_says_where_it_is(recording):
    with recording:
        square(1)
    site = recording.profile.site("square")
    assert (site["module"], site["file"], site["kind"]) == (__name__, __file__, "function")
    assert site["line"] == square.__code__.co_firstlineno


def test_names_of_all_alphabets(recording):
    names = ["größe", "計測", "a\nb", "tab\there", 'quote"back\\slash', "x" * 3000, "\udcff", "\ud800", "nul\0in"]
    functions = []
    for name in names:

        @timestamp(name)
        def function():
            pass

        functions.append(function)
    with recording:
        for function in functions:
            function()
    seen = [site["name"] for site in recording.profile.sites.values() if site["calls"]]
    assert sorted(seen) == sorted(names)


# ---- what cannot be marked ----


class Callable:
    def __call__(self):
        return 1


class Unwilling:
    """An object that says of nothing what it is."""

    def __call__(self):
        return 1

    @property
    def __class__(self):
        raise RuntimeError("ask somebody else")


def unmarked():
    status = timestamp_capture.status()
    return status["unmarked"], status["unmarked_names"]


@pytest.mark.parametrize(
    "target, name",
    [
        (len, "builtins.len"),
        ([].append, "list.append"),
        (str.upper, "str.upper"),
        (functools.partial(len), "builtins.len"),
        (staticmethod(len), "builtins.len"),
        (classmethod(print), "builtins.print"),
        (property(len), "builtins.len"),
        (property(), "builtins.property object"),
        (functools.lru_cache(maxsize=None)(len), "builtins.len"),
        (Callable(), f"{__name__}.Callable object"),
    ],
    ids=repr,
)
def test_left_as_it_is(target, name):
    """Safe to leave in place: nothing is raised, all is counted."""
    before, _ = unmarked()
    assert timestamp(target) is target
    assert timestamp("with a name")(target) is target
    after, names = unmarked()
    assert after == before + 2
    assert "with a name" in names
    assert name in names


def test_an_object_that_cannot_be_asked():
    before, _ = unmarked()
    target = Unwilling()
    assert timestamp(target) is target
    assert unmarked()[0] == before + 1


def test_status_names_it_from_outside(program):
    """Of a forked child, too, whose segment is another."""
    p = program(
        """
        import os
        from timestamp_capture import timestamp
        timestamp(len), timestamp("\x1b[31m name")(print), timestamp(len)
        child = os.fork()
        if child == 0:
            checkpoint(pid=os.getpid())
            os._exit(0)
        os.waitpid(child, 0)
        checkpoint()
        """
    )
    child = p.wait()["pid"]
    for pid in (p.pid, child):
        lines = tscap("status", pid).stdout.splitlines()
        assert [line.split(None, 2)[2] for line in lines if line.startswith("not recordable")] == ["3: builtins.len, ?[31m name"]
    p.go()
    p.wait()
    p.finish()


class Impostor:
    """Says that it is a function, as those of compilers do, and has another layout."""

    __class__ = types.FunctionType
    __code__ = (lambda: None).__code__

    def __call__(self):
        return 1


def test_only_functions_are_taken_for_functions():
    before, _ = unmarked()
    target = Impostor()
    assert isinstance(target, types.FunctionType)
    assert timestamp(target) is target
    assert unmarked()[0] == before + 1
    with pytest.raises(TypeError, match="Impostor"):
        core.decorate(target)


@pytest.mark.parametrize("form", ["timestamp(function)", "timestamp(name)(function)", "timestamp(Class)"])
def test_no_memory(program, form):
    """Each allocation fails in turn: the program gets what it gave, all is marked or counted."""
    pytest.importorskip("_testcapi")
    p = program(
        f"""
        import _testcapi
        from timestamp_capture import timestamp, status
        problems, kept = [], []
        timestamp(lambda: None), timestamp("a name")(lambda: None)  # frames of the decorator's own are there now
        for n in range(100):
            def function(): return n
            class Class:
                def method(self): return n
                def other(self): return n
            name, problem = str(n), None
            before = status()
            _testcapi.set_nomemory(n, n + 1)
            try:
                result = {form}
            except BaseException as error:
                problem = error
            _testcapi.remove_mem_hooks()
            after = status()
            if problem or result not in (function, Class) or function() != n or Class().method() != n:
                problems.append((n, repr(problem)))
            if after["unmarked"] + after["functions"] <= before["unmarked"] + before["functions"]:
                problems.append((n, "not counted"))
            kept.append((function, Class))
        checkpoint(problems=problems, unmarked=status()["unmarked"])
        """
    )
    facts = p.wait()
    assert facts["problems"] == []
    assert facts["unmarked"] > 0
    p.finish()


def test_no_memory_for_the_first_one(program):
    """Each allocation fails in turn, in a process of its own: nothing is raised, nor said on stderr."""
    pytest.importorskip("_testcapi")
    p = program(
        """
        import _testcapi, os, sys
        from timestamp_capture import timestamp
        timestamp(lambda: None)  # frames of the decorator's own are there now
        exec("def function(): return 7")  # whose module is asked for: the code has no file
        def decorate(n):
            problem = None
            sys.unraisablehook = lambda what: os._exit(3)
            _testcapi.set_nomemory(n, n + 1)
            try:
                result = timestamp(function)
            except BaseException as error:
                problem = error
            _testcapi.remove_mem_hooks()
            os._exit(0 if not problem and result is function and function() == 7 else 4)
        codes = {}
        for n in range(100):
            pid = os.fork()
            if pid == 0:
                decorate(n)
            codes[n] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        checkpoint(wrong={n: code for n, code in codes.items() if code})
        """
    )
    assert p.wait()["wrong"] == {}
    p.finish()


@pytest.mark.parametrize("target", [object(), 42, types.SimpleNamespace(), [], b"bytes"], ids=repr)
def test_a_mistake_is_told(target):
    with pytest.raises(TypeError, match="timestamp_block"):
        timestamp(target)
    with pytest.raises(TypeError, match=type(target).__name__):
        timestamp("name")(target)


def test_a_class_without_functions():
    before, _ = unmarked()
    cls = type("Empty", (dict,), {"size": 1, "make": dict})
    assert timestamp(cls) is cls
    assert unmarked()[0] == before


def test_names_of_what_is_not_marked_are_bounded():
    before, _ = unmarked()
    for i in range(1000):
        timestamp(f"name {i}\n")(len)
    count, names = unmarked()
    assert count == before + 1000
    assert len(names) < 100 and not [name for name in names if "\n" in name]


@pytest.mark.parametrize("name", [1, b"bytes", ("tuple",)])
def test_name_must_be_text(name):
    with pytest.raises(TypeError, match="name must be a str"):
        timestamp(name=name)(lambda: None)


# ---- nothing changes, armed or not ----


@pytest.fixture(params=["dormant", "armed"])
def armed(request, recording):
    if request.param == "armed":
        with recording:
            yield True
    else:
        yield False


def test_introspection(armed):
    assert type(module_level) is types.FunctionType
    assert module_level.__name__ == module_level.__qualname__ == "module_level"
    assert module_level.__doc__ == "Its docstring."
    assert not hasattr(module_level, "__wrapped__")
    assert str(inspect.signature(module_level)) == "(a, b=2, *rest, c: int = 3, **more) -> int"
    assert inspect.getsource(module_level).startswith("@timestamp\ndef module_level(")
    assert inspect.getfile(module_level) == __file__
    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isasyncgenfunction(async_generator)
    assert inspect.isgeneratorfunction(generator)
    assert not inspect.iscoroutinefunction(module_level)
    assert module_level.__defaults__ == (2,)
    assert module_level.__kwdefaults__ == {"c": 3}


def test_pickle_and_copies(armed):
    for function in (module_level, coroutine, generator, Plain.method):
        assert pickle.loads(pickle.dumps(function)) is function
        assert copy.copy(function) is function
        assert copy.deepcopy(function) is function
    assert pickle.loads(pickle.dumps(Plain())).method() == "method"


def test_pool_map(armed):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(square, range(20)) == [n * n for n in range(20)]


@timestamp
def documented(n):
    """Doubles.

    >>> documented(4)
    8
    >>> documented(None)
    Traceback (most recent call last):
        ...
    TypeError: unsupported operand type(s) for *: 'int' and 'NoneType'
    """
    return 2 * n


def test_doctest(armed):
    """Found, run, and right, on each version's way of looking for the examples and their line numbers."""
    tests = [test for test in doctest.DocTestFinder().find(sys.modules[__name__]) if test.examples]
    results = [doctest.DocTestRunner().run(test, out=[].append) for test in tests]
    assert [test.name for test in tests] == [f"{__name__}.documented"]
    assert tests[0].lineno == documented.__code__.co_firstlineno + 1, "the docstring, two lines on; doctest counts from 0"
    assert [(result.failed, result.attempted) for result in results] == [(0, 2)]


def test_traceback_has_no_extra_frame(armed):
    @timestamp
    def fails():
        raise KeyError("planted")

    with pytest.raises(KeyError) as raised:
        fails()
    assert [entry.name for entry in raised.traceback] == ["test_traceback_has_no_extra_frame", "fails"]


def test_stack_is_what_it_was(armed):
    @timestamp
    def inner():
        return [frame.function for frame in inspect.stack()[:3]]

    @timestamp
    def outer():
        return inner()

    assert outer() == ["inner", "outer", "test_stack_is_what_it_was"]


def test_tracers_see_the_same(recording):
    def traced(setter):
        seen = []

        def tracer(frame, event, argument):
            seen.append((frame.f_code.co_name, event, frame.f_lineno))
            return tracer

        setter(tracer)
        try:
            square(3), list(generator()), sorted([2, 1], key=square)
        finally:
            setter(None)
        return seen[:-1]  # the last one is the setter's own

    for setter in (sys.settrace, sys.setprofile):
        dormant = traced(setter)
        with recording:
            armed = traced(setter)
        assert armed == dormant


def test_arming_holds_no_references(recording):
    @timestamp
    def function():
        pass

    before = sys.getrefcount(function), sys.getrefcount(function.__code__), sys.getrefcount(None)
    for _ in range(3):
        with recording:
            for _ in range(1000):
                function()
    after = sys.getrefcount(function), sys.getrefcount(function.__code__), sys.getrefcount(None)
    assert after[:2] == before[:2]
    assert sys.version_info >= (3, 12) or after[2] - before[2] < 50, "None is immortal only from 3.12 on"


def test_collected_functions_are_forgotten(recording):
    def make():
        names = {"timestamp": timestamp}
        exec("@timestamp\ndef short_lived(): pass", names)
        return names["short_lived"]

    gc.collect()
    functions = timestamp_capture.status()["functions"]
    for _ in range(100):
        make()()
    with recording:
        for _ in range(100):
            make()()
    gc.collect()
    assert timestamp_capture.status()["functions"] == functions
    assert recording.profile.calls("short_lived") == 100


# ---- who is recorded: code that is shared, copied, replaced ----


def test_undecorated_sibling_stays_unrecorded(recording):
    def make():
        def sibling():
            return 1

        return sibling

    plain, chosen = make(), timestamp("chosen")(make())
    assert plain.__code__ is not chosen.__code__ and plain.__code__ == chosen.__code__
    with recording:
        for _ in range(5):
            plain()
        for _ in range(3):
            chosen(), make()()
    assert recording.profile.counts() == {"chosen": 3}


def test_alias_shares_the_code_and_is_recorded(recording):
    @timestamp("original")
    def original():
        return 1

    alias = types.FunctionType(original.__code__, globals())
    with recording:
        original(), alias(), exec(original.__code__)
    assert recording.profile.counts() == {"original": 3}


def test_one_definition_many_closures(recording):
    def make(i):
        @timestamp
        def closure():
            return i

        return closure

    with recording:
        assert [make(i)() for i in range(10)] == list(range(10))
    name = "test_one_definition_many_closures.<locals>.make.<locals>.closure"
    assert recording.profile.counts() == {name: 10}


def test_decorated_twice_with_the_same_name_counts_once(recording):
    @timestamp
    @timestamp
    def twice():
        pass

    with recording:
        twice()
    assert list(recording.profile.counts().values()) == [1]


def test_one_definition_two_names(recording):
    def make():
        def shared():
            return 1

        return shared

    first, second = timestamp("first")(make()), timestamp("second")(make())
    with recording:
        for _ in range(3):
            first()
        for _ in range(4):
            second()
    assert recording.profile.counts() == {"first": 3, "second": 4}


def test_decorated_again_with_another_name(recording):
    @timestamp("first")
    def function():
        pass

    timestamp("second")(function)
    with recording:
        function()
    assert recording.profile.counts() == {"second": 1}


def test_names_made_in_a_loop(recording):
    def make(name):
        @timestamp(name)
        def function():
            return name

        return function

    functions = [make(f"name {i}") for i in range(4)]
    with recording:
        for i, function in enumerate(functions):
            for _ in range(i + 1):
                function()
    assert recording.profile.counts() == {"name 0": 1, "name 1": 2, "name 2": 3, "name 3": 4}


def test_replaced_code_is_recorded_under_the_old_name(recording):
    @timestamp("reloaded")
    def function():
        return "old"

    def other():
        return "new"

    with recording:
        assert function() == "old"
    function.__code__ = other.__code__
    with recording:
        assert (function(), function()) == ("new", "new")
    assert recording.profile.counts() == {"reloaded": 2}


def test_replaced_code_as_autoreloaders_do_it(recording, tmp_path, monkeypatch):
    """IPython's autoreload puts the code of the reloaded module's function into the old function object."""
    monkeypatch.syspath_prepend(str(tmp_path))
    source = "from timestamp_capture import timestamp\n@timestamp\ndef work(): return {}\n"
    (tmp_path / "reloaded_module.py").write_text(source.format(1))
    module = importlib.import_module("reloaded_module")
    held = module.work
    (tmp_path / "reloaded_module.py").write_text("# longer now\n" + source.format(2))
    importlib.invalidate_caches()
    importlib.reload(module)
    held.__code__ = module.work.__code__
    with recording:
        assert (held(), module.work()) == (2, 2)
    assert recording.profile.counts() == {"work": 2}


def test_decorating_while_armed(recording):
    with recording:

        @timestamp("late")
        def late():
            return 1

        late(), late()

        class Late:
            @timestamp("late method")
            def method(self):
                return 1

        Late().method()
    assert recording.profile.counts() == {"late": 2, "late method": 1}


def test_class_decorated_as_a_whole(recording):
    class Base:
        def inherited(self):
            return 1

    def outsider(self):
        return 1

    @timestamp
    class Whole(Base):
        def method(self):
            return self.inherited()

        @classmethod
        def of_class(cls):
            return 1

        @staticmethod
        def static():
            return 1

        @property
        def value(self):
            return 1

        @value.setter
        def value(self, new):
            pass

        borrowed = outsider

        class Inner:
            def method(self):
                return 1

    with recording:
        o = Whole()
        o.method(), Whole.of_class(), o.static(), o.value, o.borrowed(), Whole.Inner().method()
        o.value = 2
    prefix = "test_class_decorated_as_a_whole.<locals>.Whole."
    counts = recording.profile.counts()
    assert counts == {prefix + "method": 1, prefix + "of_class": 1, prefix + "static": 1, prefix + "value": 2}


def test_dataclass_decorated_as_a_whole(recording):
    """What the library generated for it is its own, too."""
    import dataclasses

    @timestamp
    @dataclasses.dataclass(order=True)
    class Point:
        x: int

        def double(self):
            return 2 * self.x

    with recording:
        assert Point(3).double() == 6
        assert repr(Point(3)).endswith("Point(x=3)") and Point(1) < Point(2) and Point(1) == Point(1)
    prefix = "test_dataclass_decorated_as_a_whole.<locals>.Point."
    assert recording.profile.counts() == {prefix + name: calls for name, calls in (("__init__", 6), ("double", 1), ("__repr__", 1), ("__lt__", 1), ("__eq__", 1))}


def test_properties_of_enum(recording):
    class Level(enum.Enum):
        LOW = 1

        @timestamp("read")
        @types.DynamicClassAttribute
        def read(self):
            return self.value

    with recording:
        assert Level.LOW.read == 1
    assert recording.profile.counts() == {"read": 1}
