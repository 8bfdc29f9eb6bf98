"""Programs that PyInstaller froze: with the modules that they use, and no others."""
import subprocess
import sys

import pytest
from conftest import LIMIT
from processes import children, environment_without_us, needs_tracing

pytestmark = needs_tracing

SOURCE = """
import os, sys
def work(): pass
print("ready", flush=True)
for line in sys.stdin:
    if line == "compute\\n":
        print("computing", flush=True)
        while not os.path.exists(sys.argv[1]):
            for k in range(100000): pass
    else:
        work()
    print("done", flush=True)
"""


@pytest.fixture(scope="module", params=["onefile", "onedir"])
def frozen(request, tmp_path_factory):
    """The path of the program."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "app.py").write_text(SOURCE)
    unpacked = ["--runtime-tmpdir", str(folder)] if request.param == "onefile" else []
    command = [sys.executable, "-m", "PyInstaller", "--" + request.param, *unpacked, "--noupx", "--log-level", "ERROR", "app.py"]
    environment = {**environment_without_us(), "PYINSTALLER_CONFIG_DIR": str(folder / "cache")}
    made = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=5 * LIMIT)
    assert made.returncode == 0, made.stderr
    return folder / ("dist/app" if request.param == "onefile" else "dist/app/app")


@pytest.fixture
def program(start_program, frozen, tmp_path):
    """What runs; `python` is the process that does: in one file, the first process only unpacks, and waits for another."""
    program = start_program(frozen, tmp_path / "stop")
    assert program.hear() == "ready"
    program.python = (children(program.pid) or [program.pid])[0]
    program.stop_computing = (tmp_path / "stop").touch
    yield program
    program.stop_computing()
    program.process.stdin.close()
    program.process.wait(LIMIT)


@pytest.mark.parametrize("state", ["sleeping", "computing"])
def test_attach(program, tscap, profile, state):
    if state == "computing":
        assert program.tell("compute") == "computing"
    attached = tscap("attach", program.python)
    assert attached.returncode == 0, attached
    if state == "computing":
        program.stop_computing()
        assert program.hear() == "done"
    for _ in range(3):
        assert program.tell() == "done"
    assert profile(program.python)["work"]["calls"] == 3
    assert tscap("detach", program.python).returncode == 0
    assert program.tell() == "done"
