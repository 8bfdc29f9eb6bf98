"""A Cython module made with profile=True: since Python 3.13 it fires events of sys.monitoring itself."""
import os
import subprocess
import sys

import pytest
from processes import needs_tracing

pytestmark = needs_tracing

MODULE = """# cython: profile=True, language_level=3
def leaf(x): return x
def node(f, x): return f(x)
def wrong(x): raise ValueError(x)
"""

SOURCE = """
import contextlib, sys, compiled
def inner(x): return x
def outer(x):
    compiled.leaf(x)
    compiled.node(inner, x)
def fails(x): compiled.wrong(x)
print("ready", flush=True)
for line in sys.stdin:
    for k in range(100):
        outer(k)
        with contextlib.suppress(ValueError):
            fails(k)
    print("done", flush=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cython")
    (folder / "compiled.pyx").write_text(MODULE)
    (folder / "app.py").write_text(SOURCE)
    command = [sys.executable, "-m", "Cython.Build.Cythonize", "-q", "-i", "compiled.pyx"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env={**os.environ, "CFLAGS": "-O0 -DCYTHON_TRACE_NOGIL=1"})
    return folder


@pytest.mark.parametrize("options", [[], ["--builtins", "--all"]], ids=["python", "builtins"])
def test_what_begins_ends(start_program, tscap, profile, folder, options):
    program = start_program(sys.executable, folder / "app.py")
    assert program.hear() == "ready"
    assert tscap("attach", *options, program.pid).returncode == 0
    assert program.tell() == "done"
    seen = profile(program.pid)
    assert {name: (seen[name]["calls"], seen[name]["open"], seen[name]["raised"]) for name in ("outer", "inner", "fails")} == {
        "outer": (100, 0, 0),
        "inner": (100, 0, 0),
        "fails": (100, 0, 100),
    }
    told = bool(options) and sys.version_info >= (3, 12)
    compiled = {name: function["calls"] for name, function in seen.items() if name.startswith("compiled.") and function["calls"]}
    assert compiled == (dict.fromkeys(("compiled.leaf", "compiled.node", "compiled.wrong"), 100) if told else {})
    assert not any(function["open"] for name, function in seen.items() if name.startswith("compiled."))
