"""A script, or a module, to be run as the interpreter would: in a ``__main__`` of its own, with its arguments and its folder."""

from __future__ import annotations

import builtins
import importlib.util
import io
import os
import runpy
import sys
import types
from typing import Any, Callable, Dict, Sequence, Tuple

Program = Tuple[types.CodeType, Dict[str, Any]]  # code, and the namespace to run it in


class Not_Found(Exception):
    """There is no such script, or no such module; the message says so."""


def script(path: str, arguments: Sequence[str]) -> Program:
    """``sys.argv``, ``sys.path[0]`` and ``__main__`` become the script's. Raises Not_Found; SyntaxError."""
    try:
        with io.open_code(path) as file:
            source = file.read()
    except OSError as error:
        raise Not_Found(f"can't open file {path!r}: {error.strerror or error}") from None
    code = compile(source, path, "exec", dont_inherit=True)
    sys.argv[:] = [path, *arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=path, __builtins__=builtins, __cached__=None)
    sys.modules["__main__"] = module  # pickle, for one, looks there
    return code, module.__dict__


def module(name: str, arguments: Sequence[str]) -> Program:
    """The same of a module, as ``python -m`` runs it: by ``runpy``, which will be among the callers. Raises Not_Found."""
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise Not_Found(f"no module named {name!r}: {error}") from None
    if found is None:
        raise Not_Found(f"no module named {name!r}")
    sys.argv[:] = [name, *arguments]
    code = compile("run_module(name, run_name='__main__', alter_sys=True)", "<timestamp_capture>", "exec", dont_inherit=True)
    return code, {"run_module": runpy.run_module, "name": name, "__builtins__": builtins}


def exit_status(error: SystemExit) -> int:
    """What the interpreter would exit with; a text goes to standard error, as it does there."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code
    print(error.code, file=sys.stderr)
    return 1


def shown(who: str, show: Callable[[], None], *, prints: bool) -> bool:
    """Prints or writes what was recorded. What cannot be written is told on standard error, in the name of ``who``: False."""
    closed = getattr(sys.stdout, "closed", sys.stdout is None)  # json.tool does that
    if prints and closed:
        print(f"{who}: cannot print the statistics: the program has closed its standard output; -o FILE writes them to a file", file=sys.stderr)
        return False
    try:
        show()
        if not closed:
            sys.stdout.flush()
    except BrokenPipeError:  # who reads has read enough
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
    except OSError as error:
        print(f"{who}: cannot write the statistics: {error}", file=sys.stderr)
        return False
    return True
