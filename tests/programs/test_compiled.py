"""Decorated code that a compiler has made something else of: it runs as without us, and `status` says what is not recorded."""
import json
import os
import subprocess
import sys

import pytest
from conftest import LIMIT

COMPILING = 600  # seconds
QUICKLY = {**os.environ, "CFLAGS": "-O0", "CCFLAGS": "-O0"}  # it is not for speed

MODULE = """
from timestamp_capture import timestamp
@timestamp
def work(n): return n + 1
@timestamp
class Worker:
    def work(self, n): return n + 2
    @staticmethod
    def alone(n): return n + 3
    @property
    def what(self): return "what"
"""
PROGRAM = """
import json
from timestamp_capture import status
worker = Worker()
facts = [work(1), worker.work(1), worker.alone(1), worker.what, status()["unmarked"], sorted(status()["unmarked_names"])]
print(json.dumps(facts))
"""


def compile_with(module, *arguments, cwd, **environment):
    command = [sys.executable, "-m", module, *arguments]
    made = subprocess.run(command, cwd=cwd, env={**QUICKLY, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMPILING)
    assert made.returncode == 0, made


def facts_of(*command, **environment):
    run = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=LIMIT)
    assert (run.returncode, run.stderr) == (0, ""), run
    return json.loads(run.stdout)


def check(facts, module):
    names = [f"{module}.{name}" for name in ("Worker.alone", "Worker.what", "Worker.work", "work")]
    assert facts == [2, 3, 4, "what", 4, names]


@pytest.mark.parametrize("disabled", ["0", "1"])
def test_cython(tmp_path, disabled):
    (tmp_path / "compiled.py").write_text(MODULE)
    compile_with("Cython.Build.Cythonize", "-q", "-i", "compiled.py", cwd=tmp_path)
    (tmp_path / "compiled.py").unlink()
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from compiled import work, Worker\n{PROGRAM}"
    check(facts_of(sys.executable, "-c", code, TSCAP_DISABLE=disabled), "compiled")


def test_nuitka(tmp_path):
    (tmp_path / "program.py").write_text(MODULE + PROGRAM)
    compile_with("nuitka", "--quiet", "--nofollow-imports", "--lto=no", "--jobs=1", "program.py", cwd=tmp_path, NUITKA_CACHE_DIR=str(tmp_path))
    for disabled in ("0", "1"):
        check(facts_of(tmp_path / "program.bin", TSCAP_DISABLE=disabled), "__main__")
