"""Long forms of the Python suite's tests: with its fixtures and helpers, and the benches'."""
import os
import runpy
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "python"), os.path.join(TESTS, "bench")]
_fixtures = runpy.run_path(os.path.join(TESTS, "python", "conftest.py"))
program, recording, run_directory = (_fixtures[name] for name in ("program", "recording", "run_directory"))
