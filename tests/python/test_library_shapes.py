"""Classes of all kinds decorated as a whole, and what the library makes of functions. Counts, callers and non-recursive
calls are the program's own (shapes.py)."""
import os

import pytest

from shapes import compare

# name: (definitions, a statement that calls what is decorated)
CLASSES = {
    "__slots__": (
        """
        @timestamp
        class C:
            __slots__ = ("x",)
            def __init__(self, x): hit("C.__init__"); self.x = x
            def get(self): hit("C.get"); return self.x
        """,
        "C(1).get()",
    ),
    "dataclass": (
        """
        import dataclasses
        @dataclasses.dataclass
        @timestamp
        class C:
            x: int
            y: list = dataclasses.field(default_factory=timestamp("factory")(lambda: hit("factory") or []))
            def __post_init__(self): hit("C.__post_init__")
            def get(self): hit("C.get"); return self.x
        class Sub(C):
            pass
        """,
        "C(1).get(); Sub(2).get(); dataclasses.replace(C(1), x=3)",
    ),
    "enum": (
        """
        import enum
        @timestamp
        class C(enum.Enum):
            A = 1
            B = 2
            def get(self): hit("C.get"); return self.value
            @classmethod
            def of(cls, x): hit("C.of"); return cls(x).get()
            @classmethod
            def _missing_(cls, x): hit("C._missing_"); return cls.A
            @property
            def double(self): hit("C.double"); return 2 * self.get()
            def __str__(self): hit("C.__str__"); return "C"
        """,
        "C.A.get(); C.of(2); C(7); C.B.double; str(C.A); [c.get() for c in C]",
    ),
    "NamedTuple": (
        """
        import typing
        @timestamp
        class C(typing.NamedTuple):
            x: int
            y: int = 2
            def total(self): hit("C.total"); return self.x + self.y
            @property
            def double(self): hit("C.double"); return 2 * self.total()
        made = C(1)
        """,
        "made.total(); made.double",
    ),
    "nested": (
        """
        class Outer:
            @timestamp
            class Inner:
                def get(self): hit("Outer.Inner.get")
            @timestamp
            def get(self): hit("Outer.get"); return self.Inner().get()
        """,
        "Outer().get(); Outer.Inner().get()",
    ),
    "inherited": (
        """
        @timestamp
        class A:
            def __init__(self): hit("A.__init__")
            def get(self): hit("A.get"); return self.own()
            def own(self): hit("A.own")
        @timestamp
        class B(A):
            def get(self): hit("B.get"); return super().get()
        class C(B):
            def own(self): return super().own()
        @timestamp
        class D(C):
            def __init__(self): hit("D.__init__"); super().__init__()
            def get(self): hit("D.get"); return super(D, self).get()
        """,
        "A().get(); B().get(); C().get(); D().get(); d = D(); A.get(d)",
    ),
    "diamond": (
        """
        def make(name, *bases):
            @timestamp(name)
            def get(self):
                hit(name)
                above = super(made, self)
                return getattr(above, "get", int)()
            made = type(name, bases, {"get": get})
            return made
        A = make("A")
        B, C = make("B", A), make("C", A)
        D = make("D", B, C)
        d = D()
        """,
        "d.get(); B.get(d); C().get()",
    ),
    "metaclass": (
        """
        @timestamp
        class Meta(type):
            @classmethod
            def __prepare__(meta, name, bases): hit("Meta.__prepare__"); return {}
            def __new__(meta, *x): hit("Meta.__new__"); return super().__new__(meta, *x)
            def __init__(cls, *x): hit("Meta.__init__"); super().__init__(*x)
            def __call__(cls): hit("Meta.__call__"); return super().__call__()
            def __iter__(cls): hit("Meta.__iter__"); return iter(())
            def __getattr__(cls, name): hit("Meta.__getattr__"); return 1
            def __instancecheck__(cls, x): hit("Meta.__instancecheck__"); return True
            @property
            def size(cls): hit("Meta.size"); return 1
        @timestamp
        class C(metaclass=Meta):
            def __init__(self): hit("C.__init__")
        """,
        "C(); list(C); C.absent; isinstance(1, C); C.size; Meta('T', (C,), {})()\nclass T(C): pass",
    ),
    "ABC": (
        """
        import abc
        @timestamp
        class Base(abc.ABC):
            @abc.abstractmethod
            def get(self): hit("Base.get"); return 1
            @property
            @abc.abstractmethod
            def size(self): hit("Base.size"); return 1
            @classmethod
            def __subclasshook__(cls, other): hit("Base.__subclasshook__"); return NotImplemented
        @timestamp
        class C(Base):
            def get(self): hit("C.get"); return super().get()
            @property
            def size(self): hit("C.size"); return super().size
        @Base.register
        class Other: pass
        """,
        "C().get(); C().size; isinstance(Other(), Base); Base.__subclasshook__(int)",
    ),
    "all parts": (
        """
        import functools
        @timestamp
        class C:
            def __new__(cls): hit("C.__new__"); return super().__new__(cls)
            def __init_subclass__(cls): hit("C.__init_subclass__")
            def __class_getitem__(cls, i): hit("C.__class_getitem__")
            def get_value(self): hit("C.get_value")
            def set_value(self, x): hit("C.set_value")
            def del_value(self): hit("C.del_value")
            value = property(get_value, set_value, del_value)
            @classmethod
            def of_class(cls): hit("C.of_class"); return cls()
            @staticmethod
            def static(): hit("C.static")
            @functools.cached_property
            def cached(self): hit("C.cached"); return 1
            @functools.lru_cache(maxsize=2)
            def kept(self, i): hit("C.kept")
            def with_part(self, i): hit("C.with_part")
            part = functools.partialmethod(with_part, 1)
            short = lambda self: hit("C.<lambda>")
        o = C()
        """,
        """
        C(); C[1]; type("T", (C,), {}); o.value; o.value = 1; del o.value; C.of_class(); o.of_class(); C.static(); o.static()
        o.cached; del o.cached; o.cached; o.cached; o.kept(i); o.kept(i); o.part(); o.short(); C.short(o)
        """,
    ),
    "three parts of a property": (
        """
        class C:
            def parts(name):
                @timestamp
                @property
                def value(self): hit(name)
                return value
            @property
            def value(self): hit("get")
            @value.setter
            def value(self, x): hit("set")
            @value.deleter
            def value(self): hit("del")
            for name, part in (("get", value.fget), ("set", value.fset), ("del", value.fdel)): timestamp(name)(part)
        o = C()
        """,
        "o.value; o.value = 1; del o.value; setattr(o, 'value', 2); C.value.fget(o)",
    ),
    "generics": (
        """
        import typing
        T = typing.TypeVar("T")
        @timestamp
        class C(typing.Generic[T]):
            def __init__(self): hit("C.__init__")
            def get(self) -> T: hit("C.get")
        class Shaped(typing.Protocol):
            def get(self): ...
        """,
        "C().get(); C[int]().get(); typing.get_type_hints(C.get)",
    ),
    "singledispatchmethod": (
        """
        import functools
        @timestamp
        class C:
            @functools.singledispatchmethod
            def take(self, x): hit("C.take")
            @take.register
            def _(self, x: int): hit("C._"); return self.take("nested")
            @take.register(list)
            def take_list(self, x): hit("C.take_list")
            @functools.singledispatchmethod
            @classmethod
            def of(cls, x): hit("C.of")
            @of.register
            @classmethod
            def of_int(cls, x: int): hit("C.of_int")
        o = C()
        """,
        "o.take(1); o.take('x'); o.take([]); C.of(1); C.of('x'); o.of(2)",
    ),
}

LIBRARY = {
    "singledispatch below": (
        """
        import functools
        @functools.singledispatch
        @timestamp("base")
        def f(x): hit("base")
        @f.register
        @timestamp("for int")
        def _(x: int): hit("for int"); return f("nested")
        @timestamp("for list")
        @f.register(list)
        def _(x): hit("for list"); return [f(y) for y in x]
        """,
        "f(1); f('x'); f([1, 2.0, []]); f(True)",
    ),
    "singledispatchmethod above and below": (
        """
        import functools
        class C:
            @timestamp("base")
            @functools.singledispatchmethod
            def above(self, x): hit("base")
            @above.register
            @timestamp("for int")
            def _(self, x: int): hit("for int"); return self.above(None)
            @functools.singledispatchmethod
            @timestamp("below")
            def below(self, x): hit("below")
            @timestamp("below, list")
            @below.register
            def _(self, x: list): hit("below, list"); return [self.below(y) for y in x]
        o = C()
        """,
        "o.above(1); o.above('x'); o.below(1); o.below([1, [2]])",
    ),
    "callbacks": (
        """
        import functools, heapq, itertools, operator, re
        @timestamp
        def key(x): hit("key"); return x
        @timestamp
        def two(x, y): hit("two"); return x + y
        @timestamp
        def replace(match): hit("replace"); return "x"
        @timestamp
        def compare(x, y): hit("compare"); return x - y
        @timestamp
        class C:
            def __init__(self, x): hit("C.__init__"); self.x = x
            def __add__(self, other): hit("C.__add__"); return self
            def __lt__(self, other): hit("C.__lt__"); return self.x < other.x
            def __eq__(self, other): hit("C.__eq__"); return self.x == other.x
            def __hash__(self): hit("C.__hash__"); return self.x
            def get(self): hit("C.get"); return self.x
        a, b = C(1), C(2)
        """,
        """
        sorted((3, 1, 2), key=key); [3, 1].sort(key=key); max((1, 2), key=key); min(1, 2, key=key); list(map(two, (1, 2), (3, 4)))
        list(filter(key, (0, 1))); functools.reduce(two, (1, 2, 3)); list(itertools.groupby((1, 1, 2), key)); list(itertools.accumulate((1, 2, 3), two))
        heapq.nsmallest(1, (3, 2), key); re.sub("a", replace, "aab"); sorted((3, 1, 2), key=functools.cmp_to_key(compare))
        operator.add(a, b); operator.lt(a, b); operator.methodcaller("get")(a); sorted([b, a]); a in [b, a]; {a: 1, b: 2}[a]; {a} & {b}; sum((a, b), a)
        list(map(operator.methodcaller("get"), (a, b))); any(map(key, (0, 1))); list(iter(functools.partial(key, 1), 1)); dict.fromkeys(map(key, (1, 2)))
        """,
    ),
    "comprehensions and class bodies": (
        """
        @timestamp
        def f(x=0): hit("f"); return x
        @timestamp
        def g(n): hit("g"); return [f(i) for i in range(n)]
        """,
        """
        [f(x) for x in (1, 2) if f(x)]; {f(x) for x in (1, 2)}; {f(x): f(x) for x in (1,)}; list(f(x) for x in (1, 2)); [[f() for _ in g(2)] for _ in g(1)]
        class Body(f(object)):
            f(); x = [f(x) for x in (1, 2)]; y = lambda: f(1)
            class Inner: f(); g(1)
        Body.y()
        def defaults(x=f(1), *, y: f(int) = f(2)): return f()
        defaults()
        """,
    ),
    "lambdas and closures of a loop": (
        """
        marked = timestamp("lambda")(lambda x=0: hit("lambda"))
        made = [timestamp(f"closure {i}")((lambda i: lambda: hit(f"closure {i}"))(i)) for i in range(3)]
        def outer():
            kept = []
            @timestamp("inner")
            def inner(n):
                hit("inner"); kept.append(n)
                return inner(n - 1) if n else marked()
            return inner
        """,
        "marked(); marked(1); outer()(2)\nfor c in made: c()\n(lambda: marked())()",
    ),
    "other decorators": (
        """
        import contextlib, functools
        def plain(function):
            @functools.wraps(function)
            def wrapper(*args): return function(*args)
            return wrapper
        def shown(name):
            def decorator(function):
                @functools.wraps(function)
                def wrapper(*args): hit(name); return function(*args)
                return wrapper
            return decorator
        @timestamp("above")
        @shown("above")
        def above(): pass
        @plain
        @timestamp("below")
        def below(): hit("below")
        @timestamp("outer")
        @shown("outer")
        @plain
        @timestamp("inner")
        def both(): hit("inner")
        @shown("outer two")
        def undecorated(): pass
        timestamp("outer two")(undecorated)
        @contextlib.contextmanager
        @timestamp("manager")
        def manager(): hit("manager"); yield 1
        """,
        "above(); below(); both(); undecorated()\nwith manager(): below()",
    ),
    "partial and caches": (
        """
        import functools
        @timestamp
        def f(x, y=1, **k): hit("f"); return x
        part = functools.partial(functools.partial(f, 1), y=2)
        above = timestamp("above")(functools.partial(lambda x: hit("above"), 1))
        @functools.lru_cache(maxsize=3)
        @timestamp("below cache")
        def below_cache(i): hit("below cache"); return i and below_cache(i - 1)
        @timestamp("above cache")
        @functools.lru_cache(maxsize=None)
        def above_cache(i): hit("above cache"); return f(i)
        class C:
            @functools.cached_property
            @timestamp("cached")
            def cached(self): hit("cached"); return part()
        """,
        "part(); part(z=1); above(); below_cache(i % 9); above_cache(i); above_cache(i); above_cache.cache_clear(); c = C(); c.cached; c.cached",
    ),
    "recursion": (
        """
        @timestamp
        def even(n): hit("even"); return n == 0 or odd(n - 1)
        @timestamp
        def odd(n): hit("odd"); return n and even(n - 1)
        @timestamp
        def tree(n): hit("tree"); return n and tree(n - 1) + tree(n - 1) + even(n)
        @timestamp
        def fails(n):
            hit("fails")
            if not n: raise KeyError
            try: fails(n - 1)
            finally: odd(1)
        """,
        "even(5); tree(3)\ntry: fails(3)\nexcept KeyError: pass",
    ),
    "calls of all forms": (
        """
        @timestamp
        def f(x=1, *a, y=2, **k): hit("f"); return x
        class C:
            @timestamp("m")
            def m(self, *a, **k): hit("m"); return self
        o = C(); bound = o.m
        """,
        """
        f(); f(1); f(1, 2); f(x=1); f(y=2); f(*(1, 2)); f(**{'x': 1}); f(*(1,), y=3, **{'z': 2}); f(f(f())); o.m().m().m(1); bound(); C.m(o, x=1)
        o.m(*(1,)); getattr(o, 'm')(); eval('f()'); exec('f()'); x, y = f(1), f(2); assert f(1); f.__call__(); type(f).__call__(f); C.m.__get__(o)()
        """,
    ),
}


@pytest.mark.parametrize("shape", CLASSES)
def test_class(shape, recording):
    compare(os.getpid(), CLASSES[shape])


@pytest.mark.parametrize("shape", LIBRARY)
def test_library(shape, recording):
    compare(os.getpid(), LIBRARY[shape])
