"""What suites share that run whole programs and look at them by the command: a run directory for each test, and tscap."""
import os
import pathlib
import shutil
import subprocess

import pytest

LIMIT = 120  # seconds, for what may hang: servers and compilers take long on a busy machine


@pytest.fixture(autouse=True)
def run_directory(monkeypatch):
    """$TSCAP_DIR of this test."""
    path = pathlib.Path(os.environ["TSCAP_DIR"]) / str(os.getpid())
    path.mkdir(mode=0o700)
    monkeypatch.setenv("TSCAP_DIR", str(path))
    yield path
    shutil.rmtree(path)


def run_tscap(*arguments):
    """What subprocess.run returns."""
    return subprocess.run([os.environ["TSCAP"], *map(str, arguments)], capture_output=True, text=True, timeout=LIMIT)
