"""Methods that the interpreter calls by name, each decorated by itself, in a class decorated as a whole, and in a base that
super() asks; and classes of all kinds. Counts, callers and non-recursive calls are the program's own (shapes.py)."""
import os
import textwrap

import pytest

from shapes import compare

# name: (parameters after self, what it returns, a statement that calls it on `o`, an instance)
BINARY = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@",
    "lshift": "<<", "rshift": ">>", "and": "&", "or": "|", "xor": "^",
}  # fmt: skip
SPECIAL = {
    **{f"__{name}__": ("x", "1", f"o {sign} 1") for name, sign in BINARY.items()},
    **{f"__r{name}__": ("x", "1", f"1 {sign} o") for name, sign in BINARY.items()},
    **{f"__i{name}__": ("x", "self", f"x = o; x {sign}= 1") for name, sign in BINARY.items()},
    **{f"__{name}__": ("x", "True", f"o {sign} 1") for name, sign in {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}.items()},
    "__divmod__": ("x", "1", "divmod(o, 2)"),
    "__rdivmod__": ("x", "1", "divmod(2, o)"),
    "__neg__": ("", "1", "-o"),
    "__pos__": ("", "1", "+o"),
    "__invert__": ("", "1", "~o"),
    "__abs__": ("", "1", "abs(o)"),
    "__round__": ("n=None", "1", "round(o); round(o, 1)"),
    "__trunc__": ("", "1", "math.trunc(o)"),
    "__floor__": ("", "1", "math.floor(o)"),
    "__ceil__": ("", "1", "math.ceil(o)"),
    "__int__": ("", "1", "int(o)"),
    "__float__": ("", "1.0", "float(o)"),
    "__complex__": ("", "1j", "complex(o)"),
    "__index__": ("", "1", "(1, 2)[o]; range(3)[o:]; hex(o)"),
    "__bool__": ("", "True", "not o; 1 if o else 2; o and 1; bool(o)"),
    "__len__": ("", "2", "len(o); bool(o); list(reversed(o))"),
    "__length_hint__": ("", "2", "operator.length_hint(o)"),
    "__hash__": ("", "7", "hash(o); {o: 1}; {o}; d = {}; d[o] = 1; d[o]"),
    "__call__": ("*a, **k", "1", "o(); o(1, x=2); list(map(o, (1, 2)))"),
    "__getitem__": ("i", "i", "o[1]; o[1:2]; o['k']"),
    "__setitem__": ("i, x", "None", "o[1] = 2; o[1:2] = 3"),
    "__delitem__": ("i", "None", "del o[1]"),
    "__missing__": ("i", "i", "o.get(1); o[1]"),
    "__contains__": ("x", "True", "1 in o; 1 not in o"),
    "__iter__": ("", "iter((1, 2))", "list(o); [*o]; x, y = o; [x for x in o]; max(o)\nfor x in o: pass"),
    "__next__": ("", "self.count()", "o.n = 0; next(o)\nfor x in o: pass\nlist(o)"),
    "__reversed__": ("", "iter(())", "reversed(o)"),
    "__enter__": ("", "self", "with o: pass\nwith o as x, o as y: pass"),
    "__exit__": ("*x", "True", "with o: pass\nwith o: raise KeyError"),
    "__str__": ("", "'o'", "str(o); f'{o}'; '%s' % o; '{}'.format(o)"),
    "__repr__": ("", "'o'", "repr(o); f'{o!r}'; [o].__repr__(); '%r' % o"),
    "__format__": ("how", "'o'", "f'{o:x}'; format(o); '{}'.format(o)"),
    "__bytes__": ("", "b''", "bytes(o)"),
    "__fspath__": ("", "'o'", "os.fspath(o); os.path.join(o, 'x')"),
    "__dir__": ("", "[]", "dir(o)"),
    "__sizeof__": ("", "64", "sys.getsizeof(o)"),
    "__getattr__": ("name", "1", "o.absent; getattr(o, 'absent'); hasattr(o, 'absent')"),
    "__getattribute__": ("name", "1", "o.absent; o.present"),
    "__setattr__": ("name, x", "None", "o.x = 1; setattr(o, 'x', 2)"),
    "__delattr__": ("name", "None", "del o.x; delattr(o, 'x')"),
    "__init__": ("*x", "None", "C(); C(1); C(*(1, 2))"),
    "__del__": ("", "None", "C(); x = C(); del x"),
    "__reduce__": ("", "(int, ())", "copy.copy(o); copy.deepcopy(o)"),
    "__reduce_ex__": ("p", "(int, ())", "pickle.dumps(o); copy.copy(o)"),
    "__getstate__": ("", "{}", "copy.copy(o); copy.deepcopy(o)"),
    "__setstate__": ("x", "None", "copy.copy(o)"),
    "__copy__": ("", "self", "copy.copy(o)"),
    "__deepcopy__": ("memo", "self", "copy.deepcopy([o])"),
    "__get__": ("x, owner", "1", "has.d; Has.d; getattr(has, 'd')"),
    "__set__": ("x, value", "None", "has.d = 1"),
    "__delete__": ("x", "None", "del has.d"),
    "__set_name__": ("owner, name", "None", "type('T', (), {'d': o})\nclass T: x = y = o"),
    "__instancecheck__": ("x", "True", "isinstance(1, o)"),
    "__subclasscheck__": ("x", "True", "issubclass(int, o)"),
    "__mro_entries__": ("bases", "()", "class T(o): pass"),
    "__prepare__": ("*x", "{}", "class T(metaclass=o): pass"),
    "__await__": ("", "iter(())", "run(o)"),
    "__aenter__": ("", "ready", "run_with(o)"),
    "__aexit__": ("*x", "ready", "run_with(o)"),
    "__aiter__": ("", "Ends()", "run_for(o)"),
}

# What else the class needs to be used in that way.
HELP = {
    "__missing__": "class Plain(dict): pass",
    "__next__": "class Plain:\n    n = 0\n    def __iter__(self): self.n = 0; return self\n    def count(self):\n        self.n += 1\n        if self.n % 4 == 0: raise StopIteration\n        return self.n",
    "__len__": "class Plain:\n    def __getitem__(self, i): return i",
    "__setstate__": "class Plain:\n    def __getstate__(self): return {'x': 1}",
    "__enter__": "class Plain:\n    def __exit__(self, *x): pass",
    "__exit__": "class Plain:\n    def __enter__(self): pass",
    "__aenter__": "class Plain:\n    def __aexit__(self, *x): return ready",
    "__aexit__": "class Plain:\n    def __aenter__(self): return ready",
    "__prepare__": "class Plain:\n    def __call__(self, *x): pass",
}

PREPARED = """
    import copy, copyreg, math, operator, os, pickle, sys
    class Ready:
        def __await__(self): return iter(())
    class Ends:
        async def __anext__(self): raise StopAsyncIteration
    ready = Ready()
    def drive(coroutine):
        try: coroutine.send(None)
        except StopIteration: pass
    def run(o):
        async def main(): await o
        drive(main())
    def run_with(o):
        async def main():
            async with o: pass
        drive(main())
    def run_for(o):
        async def main():
            async for x in o: pass
        drive(main())
"""


def method(name, decorator, owner):
    parameters, result, _ = SPECIAL[name]
    return f"    {decorator}\n    def {name}(self, {parameters}):\n        hit('{owner}.{name}'); return {result}\n"


def decorated_itself(name):
    return f"class Itself(Plain):\n{method(name, '@timestamp', 'Itself')}"


def decorated_as_a_whole(name):
    return f"@timestamp\nclass Whole(Plain):\n{method(name, '', 'Whole')}"


def asked_by_super(name):
    """The class's own method is decorated, too, and calls its base's."""
    parameters, _, _ = SPECIAL[name]
    passed = ", ".join(part.split("=")[0].strip() for part in parameters.split(","))
    return (
        f"class Base(Plain):\n{method(name, '@timestamp', 'Base')}"
        f"class Sub(Base):\n    @timestamp\n    def {name}(self, {parameters}):\n        hit('Sub.{name}'); return super().{name}({passed})\n"
    )


FORMS = {"Itself": decorated_itself, "Whole": decorated_as_a_whole, "Sub": asked_by_super}


def definitions(name, cls):
    source = textwrap.dedent(PREPARED) + HELP.get(name, "class Plain: pass") + f"\n{FORMS[cls](name)}C, o = {cls}, {cls}()\n"
    if name in ("__get__", "__set__", "__delete__"):
        source += "class Has: d = C()\nhas = Has()\n"
    return source


@pytest.mark.parametrize("name", SPECIAL)
def test_special_method(name, recording):
    compare(os.getpid(), *[(definitions(name, cls), SPECIAL[name][2]) for cls in FORMS])
