"""A program that has never heard of us, whose functions have other names than their code: functools.wraps() and gc.freeze(),
and generated code. It runs the statements it reads from stdin, a line each, and answers "done"."""
import collections
import dataclasses
import functools
import gc
import sys
import urllib.parse


def retry(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


def by_hand(function):
    def around(*arguments):
        return function(*arguments)

    around.__name__, around.__qualname__ = function.__name__, function.__qualname__
    return around


def same(function):
    @functools.wraps(function)
    def same(*arguments):
        return function(*arguments)

    return same


def deleted(function):
    @functools.wraps(function)
    def inside(*arguments):
        return function(*arguments)

    return inside


@retry
def load():
    pass


@retry
def save():
    pass


@by_hand
def send():
    pass


@deleted
def forget():
    pass


del deleted


@functools.wraps(load)
def at_top():
    pass


class Shop:
    @retry
    def add(self):
        pass

    @functools.wraps(load)
    def in_class(self):
        pass

    @same
    def same(self):
        pass

    @staticmethod
    def tax():
        pass

    def __hidden(self):
        pass

    @property
    @retry
    def price(self):
        return 1

    @functools.lru_cache(None)
    def cached(self):
        return lambda: self

    table = {"key": lambda: 1}

    class Inner:
        @staticmethod
        def deep():
            pass

    def all(self):
        self.__hidden()
        self.cached()()


def make_class():
    class Local:
        def method(self):
            return (lambda: self)()

        @staticmethod
        def static():
            pass

    return Local


def make_global():
    global made

    def made():
        pass


@dataclasses.dataclass
class A:
    x: int


@dataclasses.dataclass
class B:
    x: int


class C(B):
    pass


Point = collections.namedtuple("Point", "x y")

if sys.version_info < (3, 11):  # instructions as a tool may write them, where they are looked at: LOAD_CONST, NOP, MAKE_FUNCTION
    rewritten = lambda: None  # noqa: E731
    rewritten.__code__ = rewritten.__code__.replace(co_code=bytes([100, 1, 9, 0, 132, 0, 83, 0]), co_consts=(None, load.__code__))

local = make_class()
make_global()
if sys.argv[1:] == ["frozen"]:
    gc.freeze()
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
