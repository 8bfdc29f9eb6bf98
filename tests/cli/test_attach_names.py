"""tscap attach: what functions are called, on each version as they were compiled; and whose generated code is."""
import sys

import pytest
from conftest import HERE
from processes import environment_without_us, needs_tracing

pytestmark = needs_tracing


def calls(tscap, program):
    """{qualified name: calls}, without the comprehensions of the statements that the program was told, which are functions until 3.11."""
    found = {}
    for site in tscap("dump", program.pid, "--json").json["sites"]:
        if site["calls"] and site["qualname"] != "<listcomp>":
            found[site["qualname"]] = found.get(site["qualname"], 0) + site["calls"]
    return found


@pytest.fixture(params=["", "frozen"])
def named(request, start_program):
    program = start_program(sys.executable, str(HERE / "named_app.py"), *request.param.split(), env=environment_without_us())
    program.expect("ready")
    return program


def attach(tscap, program, *options):
    result = tscap("attach", program.pid, *options)
    assert result.code == 0, result


WRAPPED = "[load() for _ in range(2)], [save() for _ in range(30)], [Shop().add() for _ in range(400)]"


def test_what_wraps_has_its_own_name(tscap, named):
    attach(tscap, named)
    named.do(WRAPPED)
    assert calls(tscap, named) == {"load": 2, "save": 30, "Shop.add": 400, "retry.<locals>.wrapper": 432}


@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
def test_a_rule_takes_what_is_called_so(tscap, named, last):
    """Whichever of those that share the code is called first."""
    attach(tscap, named, "--match", "__main__:load")
    named.do("save()" if last else "load(), load()")
    named.do(WRAPPED if last else "save()")
    assert calls(tscap, named) == {"load": 2}


# Statement, and what it calls.
NAMES = [
    ("send()", {"by_hand.<locals>.around": 1, "send": 1}),
    ("forget()", {"deleted.<locals>.inside" if sys.version_info >= (3, 11) else "inside": 1, "forget": 1}),  # nobody knows any more
    ("at_top()", {"at_top": 1}),
    ("Shop().in_class()", {"Shop.in_class": 1}),
    ("Shop().same()", {"same.<locals>.same": 1, "Shop.same": 1}),
    ("Shop.tax()", {"Shop.tax": 1}),
    ("Shop().price", {"retry.<locals>.wrapper": 1, "Shop.price": 1}),
    ("Shop().all()", {"Shop.all": 1, "Shop.__hidden": 1, "Shop.cached": 1, "Shop.cached.<locals>.<lambda>": 1}),
    ("Shop.table['key']()", {"Shop.<lambda>": 1}),
    ("Shop.Inner.deep()", {"Shop.Inner.deep": 1}),
    ("local.static()", {"make_class.<locals>.Local.static": 1}),
    ("local().method()", {"make_class.<locals>.Local.method": 1, "make_class.<locals>.Local.method.<locals>.<lambda>": 1}),
    ("made()", {"made": 1}),
    ("(lambda: 1)()", {"<lambda>": 1}),
]


def test_names(tscap, named):
    attach(tscap, named)
    for statement, expected in NAMES:
        assert tscap("reset", named.pid).code == 0
        named.do(statement)
        assert calls(tscap, named) == expected, statement


def test_names_that_come_later(tscap, named):
    attach(tscap, named)
    named.do("Shop.tax()")
    named.do("class Later: tax = staticmethod(lambda: 1); other = retry(lambda self: 1)")
    named.do("Later.tax(), Later().other()")
    assert calls(tscap, named) == {"Shop.tax": 1, "retry": 1, "Later.<lambda>": 2, "retry.<locals>.wrapper": 1}


# ---- generated code ----


def test_dataclasses_are_told_apart(tscap, named):
    attach(tscap, named)
    named.do("[A(n) for n in range(2)], [B(n) for n in range(30)], [C(n) for n in range(400)]")
    named.do("A(1) == A(1), repr(A(1)), repr(B(1)), repr(C(1))")
    assert calls(tscap, named) == {"A.__init__": 5, "B.__init__": 432, "A.__eq__": 1, "A.__repr__": 1, "B.__repr__": 2}


def test_a_rule_takes_generated_code(tscap, named):
    attach(tscap, named, "--match", "__main__:A.*", "--match", "*SplitResult.__new__")
    named.do("A(1), B(1), urllib.parse.urlsplit('http://a/b?c')")
    assert calls(tscap, named) == {"A.__init__": 1, "SplitResult.__new__": 1}


def test_generated_code_of_others_is_not_the_programs_own(tscap, named):
    named.do("scope = {'__name__': 'elsewhere'}; exec('def f(): pass', scope)")
    named.do("exec('def own(): pass', globals())")
    attach(tscap, named)
    named.do("Point(1, 2), urllib.parse.urlsplit('http://a/c?d'), scope['f'](), own()")
    assert calls(tscap, named) == {"own": 1}
    attach(tscap, named, "--all")
    named.do("Point(1, 2), scope['f']()")
    assert {"Point.__new__": 1, "f": 1}.items() <= calls(tscap, named).items()


def test_a_program_without_a_file(tscap, start_program):
    source = "import sys\ndef own(): pass\nprint('ready', flush=True)\nfor line in sys.stdin: own(); print('done', flush=True)\n"
    program = start_program(sys.executable, "-c", source, env=environment_without_us())
    program.expect("ready")
    attach(tscap, program)
    program.do("go")
    assert calls(tscap, program) == {"own": 1}
