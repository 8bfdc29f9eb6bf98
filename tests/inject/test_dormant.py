"""After detach the program costs what it cost before: instructions of a call, counted by callgrind."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from stage import LONG
from test_scenarios import pytestmark  # noqa: F401  the same machines

PROGRAM = pathlib.Path(__file__).parent / "dormant.py"
CALLS = 20_000


def instructions(kind, helper):
    """Of one call."""
    import timestamp_capture

    (library,) = pathlib.Path(timestamp_capture.__file__).parent.glob("_core*.so")
    environment = {**os.environ, "PYTHONHASHSEED": "0", "TSCAP_TEST_LIBRARY": str(library)}
    environment.pop("PYTHONPATH", None)
    count = ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--callgrind-out-file=/dev/null"]
    result = subprocess.run([*count, sys.executable, str(PROGRAM), kind, str(CALLS), str(helper)], capture_output=True, text=True, env=environment, timeout=600)
    assert result.returncode == 0, result.stderr[-2000:]
    return int(re.search(r"Collected : (\d+)", result.stderr)[1]) / CALLS


@pytest.mark.skipif(not shutil.which("valgrind"), reason="needs valgrind to count instructions")
@pytest.mark.skipif(not LONG, reason="make soak-inject")
def test_instructions_after_detach(libraries, capsys):
    plain, detached = (instructions(kind, libraries("helper")) for kind in ("plain", "detached"))
    with capsys.disabled():
        print("\ninstructions of a call: %.2f before attach, %.2f after detach" % (plain, detached))
    if plain == 0:
        pytest.skip("needs valgrind's header files")
    assert 0 < detached <= plain * 1.01
