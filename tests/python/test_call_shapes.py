"""No call is missed and none invented, however a function is called, and whether or not the interpreter has specialised
the code of the call before recording begins. The truth comes from sys.setprofile, while nobody records."""
import sys

import pytest

from timestamp_capture import timestamp

DEFINITIONS = """
import functools
def mark(function):
    marked.append(function)
    return timestamp("marked")(function)
@mark
def f(): pass
@mark
def a(x, y=2): return x
@mark
def kwonly(x, *, k=1): return x
@mark
def star(*x, **k): return x
class Base:
    def __init__(self): pass
    def inherited(self): return 1
class C(Base):
    @mark
    def m(self): pass
    @classmethod
    @mark
    def below_classmethod(cls): pass
    @mark_inside
    @classmethod
    def above_classmethod(cls): pass
    @staticmethod
    @mark
    def below_staticmethod(): pass
    @mark_inside
    @staticmethod
    def above_staticmethod(): pass
    @property
    @mark
    def below_property(self): return 1
    @below_property.setter
    @mark
    def below_property(self, v): pass
    @mark_inside
    @property
    def above_property(self): return 1
    @mark
    def __init__(self): super().__init__()
    @mark
    def __getitem__(self, i): return i
    @mark
    def __setitem__(self, i, v): pass
    @mark
    def __delitem__(self, i): pass
    @mark
    def __getattr__(self, n): return n
    @mark
    def __call__(self): pass
    @mark
    def __add__(self, o): return 1
    @mark
    def __radd__(self, o): return 1
    @mark
    def __iadd__(self, o): return self
    @mark
    def __eq__(self, o): return True
    @mark
    def __lt__(self, o): return True
    @mark
    def __hash__(self): return 1
    @mark
    def __len__(self): return 1
    @mark
    def __bool__(self): return True
    @mark
    def __iter__(self): return self
    @mark
    def __next__(self): raise StopIteration
    @mark
    def __contains__(self, x): return True
    @mark
    def __enter__(self): return self
    @mark
    def __exit__(self, *x): pass
    @mark
    def __repr__(self): return "C"
    @mark
    def __format__(self, how): return "C"
    @mark
    def __index__(self): return 0
    @mark
    def inherited(self): return super().inherited()
class Deleted:
    @mark
    def __del__(self): pass
class Getattribute:
    @mark
    def __getattribute__(self, n): return 1
class New:
    @mark
    def __new__(cls): return object.__new__(cls)
class NewAndInit:
    @mark
    def __new__(cls, x): return object.__new__(cls)
    @mark
    def __init__(self, x): self.x = x
class Descriptor:
    @mark
    def __get__(self, o, t): return 1
    @mark
    def __set__(self, o, v): pass
class HasDescriptor: d = Descriptor()
class Meta(type):
    @mark
    def __call__(cls): return 1
    @mark
    def __getitem__(cls, i): return i
class WithMeta(metaclass=Meta): pass
class Sub(C):
    def __init__(self): C.__init__(self)
class Hooked:
    @mark
    def __init_subclass__(cls): pass
    @mark
    def __class_getitem__(cls, i): return i
o, sub, g, described, New_ = C(), Sub(), Getattribute(), HasDescriptor(), New
part = functools.partial(a, 1)
mark_inside(part_above := functools.partial(a, 1))
bound = o.m
cached = functools.lru_cache(maxsize=None)(lambda i: f())
@functools.lru_cache(maxsize=None)
@mark
def below_cache(i): return i
@mark_inside
@functools.lru_cache(maxsize=None)
def above_cache(i): return i
def plain_decorator(function):
    @functools.wraps(function)
    def wrapper(*args): return function(*args)
    return wrapper
@mark
@plain_decorator
def above_other(): pass
@plain_decorator
@mark
def below_other(): pass
marked_lambda = mark(lambda: 1)
def raises(function):
    try: function()
    except KeyError: pass
@mark
def boom(): raise KeyError
@mark
def fact(n): return n and n * fact(n - 1)
closures = [mark((lambda i: lambda: i)(i)) for i in range(3)]
@functools.singledispatch
@mark
def dispatched(x): pass
"""

STATEMENTS = {
    "function": "f()",
    "default": "a(1)",
    "exact": "a(1, 2)",
    "keyword": "a(1, y=3)",
    "all keywords": "a(y=3, x=1)",
    "keyword-only": "kwonly(1, k=2)",
    "star": "star(1, z=2)",
    "star call": "a(*(1,))",
    "double star call": "a(**{'x': 1})",
    "method": "o.m()",
    "method of the class": "C.m(o)",
    "bound method": "bound()",
    "inherited method": "sub.m()",
    "super": "o.inherited()",
    "classmethod below": "C.below_classmethod()",
    "classmethod above": "C.above_classmethod()",
    "classmethod on an instance": "o.below_classmethod()",
    "staticmethod below": "C.below_staticmethod()",
    "staticmethod above": "o.above_staticmethod()",
    "property below": "o.below_property",
    "property setter": "o.below_property = 1",
    "property above": "o.above_property",
    "__init__": "C()",
    "__init__ of a base": "Sub()",
    "__new__": "New_()",
    "__new__ and __init__": "NewAndInit(1)",
    "__del__": "Deleted()",
    "__getitem__": "o[1]",
    "__setitem__": "o[1] = 2",
    "__delitem__": "del o[1]",
    "__getattr__": "o.zz",
    "__getattribute__": "g.zz",
    "__get__": "described.d",
    "__set__": "described.d = 1",
    "__call__": "o()",
    "__call__ of a metaclass": "WithMeta()",
    "__getitem__ of a metaclass": "WithMeta[1]",
    "__class_getitem__": "Hooked[1]",
    "__init_subclass__": "type('T', (Hooked,), {})",
    "__add__": "o + 1",
    "__radd__": "1 + o",
    "__iadd__": "x = o; x += 1",
    "__eq__": "o == 1",
    "__lt__": "o < 1",
    "__hash__": "hash(o)",
    "__hash__ by a dict": "{o: 1}",
    "__len__": "len(o)",
    "__bool__": "not o",
    "__bool__ by if": "1 if o else 2",
    "__iter__ and __next__": "list(o)",
    "for over an instance": "for _ in o: pass",
    "__contains__": "1 in o",
    "with": "with o: pass",
    "__repr__": "repr(o)",
    "__format__": "f'{o}'",
    "__index__": "(1, 2)[o]",
    "partial": "part()",
    "partial above": "part_above()",
    "map": "list(map(a, (1, 2)))",
    "filter": "list(filter(a, (1, 2)))",
    "sorted key": "sorted((2, 1), key=a)",
    "reduce": "functools.reduce(a, (1, 2, 3))",
    "list comprehension": "[f() for _ in (1, 2)]",
    "dict comprehension": "{1: f() for _ in (1,)}",
    "generator expression": "list(f() for _ in (1, 2))",
    "lambda": "(lambda: f())()",
    "decorated lambda": "marked_lambda()",
    "class body": "class Body: f(); x = [f() for _ in (1, 2)]",
    "eval": "eval('f()')",
    "exec of the code": "exec(f.__code__)",
    "lru_cache": "cached(i); cached(i)",
    "lru_cache above the decorator": "below_cache(i); below_cache(i)",
    "lru_cache below the decorator": "above_cache(i); above_cache(i)",
    "another decorator above": "below_other()",
    "another decorator below": "above_other()",
    "closures": "for c in closures: c()",
    "exception": "raises(boom)",
    "recursion": "fact(3)",
    "singledispatch": "dispatched(1)",
    "default argument": "exec('def g(x=f()): pass')",
    "assert": "assert a(1)",
    "tuple unpacking": "x, y = a(1), a(2)",
    "chained": "a(a(a(1)))",
}


def make_loop(statement):
    """(loop, marked functions): freshly compiled, so that nothing is specialised yet."""
    marked = []

    def mark_inside(target):
        timestamp("marked")(target)
        for name in ("fget", "__func__", "__wrapped__", "func"):
            if hasattr(target, name) and getattr(target, name) not in marked:
                marked.append(getattr(target, name))
                return target
        return target

    names = {"timestamp": timestamp, "marked": marked, "mark_inside": mark_inside}
    exec(DEFINITIONS + f"def loop(n):\n    for i in range(n):\n        {statement}\n", names)

    def loop(n):
        for cache in ("cached", "below_cache", "above_cache"):
            names[cache].cache_clear()
        names["loop"](n)

    return loop, marked


def true_calls(loop, marked, n):
    codes, seen = {id(function.__code__) for function in marked}, 0  # copies of a code object are equal to it

    def count(frame, event, argument):
        nonlocal seen
        seen += event == "call" and id(frame.f_code) in codes

    sys.setprofile(count)
    try:
        loop(n)
    finally:
        sys.setprofile(None)
    return seen


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_shape(statement, recording):
    for warm in (False, True):
        loop, marked = make_loop(statement)
        calls = true_calls(loop, marked, 1)
        assert calls, "the statement calls nothing that is decorated"
        if warm:
            loop(3000)
        expected = 0
        with recording:
            for n in (1, 3, 8, 50, 1000):
                loop(n)
                expected += calls * n
        loop(10)  # not recorded any more
        assert recording.profile.check().calls("marked") == expected, "specialised before" if warm else "compiled just now"


def test_calls_while_armed_specialise_and_still_count(recording):
    """Recorded, not recorded, recorded: code that is specialised in one state is met in the other."""
    loop, marked = make_loop("f(); o.m(); o[1]; o.below_property; C(); a(1)")
    calls = true_calls(loop, marked, 1)
    for _ in range(4):
        with recording:
            loop(500)
        assert recording.profile.calls("marked") == 500 * calls
        loop(500)
