"""Pools of processes under load: concurrent.futures by fork and by spawn, and joblib's."""
import subprocess
import sys

import pytest
from conftest import COMPUTE_NS, LIMIT, ROUTES, is_near
from processes import environment_without_us

POOL = """
import multiprocessing, sys
def work(k):
    fast()
    if k %% 50 == 0:
        compute()
    return k
def main():
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(%r)) as pool:
        serve(lambda count: sum(pool.map(work, range(count), chunksize=10)))
def serve(run):
    run(200)
    print("ready", flush=True)
    for line in sys.stdin:
        print(run(int(line)), flush=True)
"""
JOBLIB = POOL + """
def main():
    from joblib import Parallel, delayed
    with Parallel(n_jobs=2) as parallel:
        serve(lambda count: sum(parallel(delayed(work)(k) for k in range(count))))
"""


@pytest.mark.parametrize("source, how", [(POOL, "fork"), (POOL, "spawn"), (JOBLIB, "loky")], ids=["fork", "spawn", "joblib"])
def test_all_tasks(tmp_path, tscap, functions, source, how):
    (tmp_path / "app.py").write_text(ROUTES % (COMPUTE_NS, str(tmp_path / "log")) + source % how)
    (tmp_path / "main.py").write_text("import app\nif __name__ == '__main__':\n    app.main()\n")
    command = [sys.executable, "main.py"]
    program = subprocess.Popen(command, cwd=tmp_path, env=environment_without_us(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout.readline() == "ready\n"
        tscap("attach", "-s", program.pid)
        program.stdin.write("1000\n")
        program.stdin.flush()
        assert program.stdout.readline() == "%d\n" % sum(range(1000))
        found = functions(program.pid)
        assert found["work"]["calls"] == found["fast"]["calls"] == 1000
        assert found["compute"]["calls"] == 20
        assert is_near(found["compute"]["exclusive_cpu_ns"], 20 * COMPUTE_NS), found["compute"]
        tscap("detach", "-s", program.pid)
        program.stdin.close()
        assert program.wait(LIMIT) == 0
    finally:
        program.kill()
        program.wait()
        program.stdout.close()
