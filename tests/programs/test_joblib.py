"""joblib's default workers get functions of __main__ by value."""
import sys

SOURCE = """
import sys
from joblib import Parallel, delayed
from timestamp_capture import timestamp
@timestamp
def work(k): return k * k
print("ready", flush=True)
for line in sys.stdin:
    print(sum(Parallel(n_jobs=2)(delayed(work)(k) for k in range(40))), flush=True)
"""


def test_its_workers(start_program, tscap, profile, tmp_path):
    script = tmp_path / "app.py"
    script.write_text(SOURCE)
    program = start_program(sys.executable, script, prepared=True)
    assert program.hear() == "ready"
    assert tscap("start", "-s", program.pid).returncode == 0
    assert program.tell() == str(sum(k * k for k in range(40)))
    assert profile(program.pid, "--subprocesses")["work"]["calls"] == 40
