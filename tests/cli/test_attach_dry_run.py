"""attach --dry-run: which functions would be recorded, read from outside. They are compared with those that are, once it is attached."""
import collections
import re

import pytest
from processes import needs_tracing, thread_names

pytestmark = needs_tracing

SHAPES = """
import functools
def plainly(f):
    def inner(*a): return f(*a)
    return inner
def wrapping(f):
    @functools.wraps(f)
    def around(*a): return f(*a)
    return around
@plainly
def hidden(): return 1
@wrapping
def named():
    def nested(): return (lambda: 3)()
    return nested()
class Outer:
    def __init__(self): self.value = 1
    @property
    def read(self): return self.value
    @read.setter
    def read(self, value): self.value = value
    class Inner:
        @staticmethod
        def plain(): return 4
        @classmethod
        def of_class(cls): return cls.plain()
@functools.lru_cache
def cached(x): return x
bound = Outer().__init__
part = functools.partial(cached, 2)
def sum_up(): return sum(x for x in (1, 2))
"""
USE = """
hidden(); named(); o = Outer(); o.read = o.read; Outer.Inner.of_class(); cached(1); bound(); sum_up()
"""


def listed(out):
    """{module:qualname: lines of it}: of a property that can be set, say, there are two."""
    return collections.Counter(re.findall(r"^    (\S+:.+) \(.*:[0-9]+\)$", out, re.M))


@pytest.fixture
def shapes(plain, tmp_path):
    path = tmp_path / "shapes.py"
    path.write_text(SHAPES)
    plain.do("exec(compile(open(%r).read(), %r, 'exec'), globals())" % (str(path), str(path)))
    return plain


def test_what_is_listed_is_recorded(tscap, shapes, run_directory):
    result = tscap("attach", "--dry-run", "-m", "__main__:*", shapes.pid)
    assert result.code == 0, result
    found = listed(result.out)
    assert "%d functions that it has now would be recorded:" % sum(found.values()) in result.out and found["__main__:Outer.read"] == 2
    assert {"__main__:leaf", "__main__:outer.<locals>.inner", "__main__:hidden", "__main__:named.<locals>.nested.<locals>.<lambda>"} <= set(found)
    assert "not all" not in result.err and "not listed: functions that it makes" in result.err, result.err
    assert not list(run_directory.iterdir()) and "tscap" not in thread_names(shapes.pid), "nothing was brought in"
    assert tscap("attach", "-m", "__main__:*", shapes.pid).code == 0
    for line in USE.strip().splitlines():
        shapes.do(line)
    sites = [site for site in tscap("dump", "--json", shapes.pid).json["sites"] if site["calls"]]
    recorded = {"%s:%s" % (site["module"], site["qualname"]) for site in sites}
    assert len(recorded) >= 12 and recorded <= set(found), recorded - set(found)


def test_rules(tscap, shapes):
    def named(*options):
        return listed(tscap("attach", "--dry-run", *options, shapes.pid).out)

    assert named("-m", "*:Outer.*", "-x", "*.Inner.*") == {"__main__:Outer.__init__": 1, "__main__:Outer.read": 2}
    assert named("-m", "leaf") == {"__main__:leaf": 1}
    assert named("-m", "nobody.is.called.so") == {}
    assert "json:loads" not in named("-m", "__main__:*")
    shapes.do("import json")
    assert "json:loads" in named("-m", "json:*") and "json:loads" in named("-a")


def test_without_rules_it_counts_the_programs_own(tscap, shapes):
    result = tscap("attach", "--dry-run", shapes.pid)
    (count,) = re.findall("^([0-9]+) functions that it has now would be recorded$", result.out, re.M)
    assert int(count) == sum(listed(tscap("attach", "--dry-run", "-m", "__main__:*", shapes.pid).out).values())


def test_of_one_that_is_prepared(tscap, app):
    result = tscap("attach", "--dry-run", "-m", "*:leaf", app.pid)
    assert result.code == 0 and "has timestamp_capture already" in result.out, result
    assert any(name.endswith(":leaf") for name in listed(result.out)), result
    assert not any(name.startswith("timestamp_capture") for name in listed(tscap("attach", "--dry-run", "-m", "*", app.pid).out))


def test_it_is_read_while_it_changes(tscap, plain):
    """Modules come and go meanwhile: what is listed is whole names, whatever they are."""
    plain.do("import threading, types, sys")
    plain.do("exec(%r, globals())" % CHANGING)
    for _ in range(10):
        result = tscap("attach", "--dry-run", "-m", "*", plain.pid)
        assert result.code == 0 and "__main__:leaf" in listed(result.out), result
    plain.do("over = True; thread.join()")


CHANGING = """
over = False
def change():
    k = 0
    while not over:
        k += 1
        module = types.ModuleType("m%d" % (k % 50))
        exec("def f(): pass\\nclass A:\\n    def g(self): pass\\n", module.__dict__)
        sys.modules[module.__name__] = module
thread = threading.Thread(target=change, daemon=True)
thread.start()
"""
