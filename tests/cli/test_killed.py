"""kill -9 of who records: what it began ends, what was recorded stays, and the file has what there was a moment before."""
import os
import subprocess
import sys

import captures
import pytest
from conftest import LIMIT, TSCAP
from processes import children, environment_without_us
from terminal import eventually

ENDLESS = """
import os, sys, time
def f(): pass
%s
os.write(1, b"%%d\\n" %% os.getpid())
while True:
    f()
    time.sleep(0.001)
"""


def state(tscap, pid):
    return tscap("status", "--json", pid).json["processes"][0]["state"]


def calls(tscap, pid):
    return sum(s["calls"] for s in tscap("dump", "--json", pid).json["sites"])


def is_stopped(tscap, pid):
    eventually(lambda: state(tscap, pid), lambda now: now == "stopped")
    before = calls(tscap, pid)
    assert before and calls(tscap, pid) == before


def looks(path):
    return len(captures.read(path).looks) if path.exists() and path.stat().st_size > 64 else 0


@pytest.fixture
def run(tmp_path):
    """Starts `tscap run` of an endless program; the process, and the numbers of those that said theirs."""
    started, pids = [], []

    def start(*options, says=1, more=""):
        path = tmp_path / "endless.py"
        path.write_text(ENDLESS % more)
        environment = {**environment_without_us(), "TSCAP_DIR": os.environ["TSCAP_DIR"]}
        command = [TSCAP, "run", *options, "--", sys.executable, str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path)
        started.append(process)
        pids.extend(int(process.stdout.readline()) for _ in range(says))
        return process, pids

    yield start
    for pid in pids:
        os.kill(pid, 9)
    for process in started:
        process.kill()
        process.communicate(timeout=LIMIT)


def test_of_run(tscap, run, tmp_path):
    file = tmp_path / "all.tscap"
    process, (pid,) = run("-o", str(file))
    eventually(lambda: looks(file), lambda count: count > 1)
    assert state(tscap, pid) == "recording"
    process.kill()
    is_stopped(tscap, pid)
    shown = tscap("dump", file)
    assert "was not finished" in shown.err and " f (" in shown.out
    assert 0 < captures.read(file).calls()["f"] <= calls(tscap, pid)


def test_of_run_without_a_name_for_the_file(run, tmp_path):
    process, (pid,) = run()
    file = tmp_path / ("endless-%d.tscap" % pid)
    eventually(lambda: looks(file), lambda count: count > 0)
    process.kill()
    assert captures.read(file).calls()["f"] > 0


def test_of_run_with_children(tscap, run):
    process, pids = run("-s", says=2, more="os.fork()")
    for pid in pids:
        assert eventually(lambda: state(tscap, pid), lambda now: now == "recording")
    process.kill()
    for pid in pids:
        is_stopped(tscap, pid)


BY_EXEC = "import subprocess\nif len(sys.argv) == 1: subprocess.Popen([sys.executable, __file__, 'child'])"


def test_of_run_with_children_that_are_programs_of_their_own(tscap, run):
    process, pids = run("-s", says=2, more=BY_EXEC)
    for pid in pids:
        assert eventually(lambda: state(tscap, pid), lambda now: now == "recording")
    process.kill()
    for pid in pids:
        is_stopped(tscap, pid)


ANOTHER = """
import os, sys, time
def %(name)s(): pass
for _ in range(%(calls)d): %(name)s()
if len(sys.argv) > 1:
    print(os.getpid(), flush=True)
    while not os.path.exists(sys.argv[1]): time.sleep(0.01)
    os.execv(sys.executable, [sys.executable, sys.argv[2]])
"""


def test_a_program_that_became_another_has_its_names_in_the_file(tmp_path):
    """A look of the first one was in the file already; numbers of functions begin anew."""
    for name, calls in (("before", 300), ("after", 20)):
        (tmp_path / (name + ".py")).write_text(ANOTHER % {"name": name, "calls": calls})
    file, go = tmp_path / "all.tscap", tmp_path / "go"
    command = [TSCAP, "run", "-s", "-o", str(file), "--", sys.executable, str(tmp_path / "before.py"), str(go), str(tmp_path / "after.py")]
    environment = {**environment_without_us(), "TSCAP_DIR": os.environ["TSCAP_DIR"]}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path)
    try:
        process.stdout.readline()
        eventually(lambda: looks(file), lambda count: count > 0)
        go.touch()
        assert process.wait(timeout=LIMIT) == 0
    finally:
        process.kill()
        process.communicate(timeout=LIMIT)
    assert captures.read(file).calls() == {"after": 20}


def test_of_run_after_somebody_else_has_ordered(tscap, run):
    process, (pid,) = run()
    tscap("stop", pid)
    tscap("start", pid)
    process.kill()
    process.wait()
    before = calls(tscap, pid)
    eventually(lambda: calls(tscap, pid), lambda now: now > before + 100)
    assert state(tscap, pid) == "recording"


def test_of_run_that_ends_by_itself(tscap, tmp_path, run):
    """What goes on goes on."""
    process, (pid,) = run("-s", more="if os.fork(): os._exit(0)")
    process.wait(timeout=LIMIT)
    before = calls(tscap, pid)
    eventually(lambda: calls(tscap, pid), lambda now: now > before + 100)


@pytest.mark.parametrize("options", [(), ("-s",)])
def test_of_record(tscap, start_app, tmp_path, options):
    app, file = start_app(), tmp_path / "all.tscap"
    app.do("in_background(lambda: (leaf(), time.sleep(0.001)))")
    recorder = subprocess.Popen([TSCAP, "record", *options, "-o", str(file), str(app.pid)], stderr=subprocess.PIPE)
    eventually(lambda: looks(file), lambda count: count > 0 and state(tscap, app.pid) == "recording")
    recorder.kill()
    recorder.communicate(timeout=LIMIT)
    is_stopped(tscap, app.pid)
    assert "was not finished" in tscap("dump", file).err


def test_a_file_that_has_outgrown_its_looks_is_written_anew(tscap, start_app, tmp_path):
    """One inode after another, each good at any time; nothing else is in the folder."""
    app, folder = start_app(), tmp_path / "folder"
    folder.mkdir()
    file = folder / "all.tscap"
    app.do("many = [timestamp('function_%d' % i)(lambda: None) for i in range(3000)]")
    recorder = subprocess.Popen([TSCAP, "record", "-o", str(file), str(app.pid)], stderr=subprocess.PIPE)
    eventually(lambda: looks(file), lambda count: count > 0)
    app.do("[f() for f in many]")
    first = file.stat().st_ino
    eventually(lambda: file.stat().st_ino, lambda now: now != first)
    capture = captures.read(file)
    assert capture.looks and len(capture.functions) >= 3000
    assert [path.name for path in folder.iterdir()] == ["all.tscap"]
    recorder.terminate()
    assert recorder.wait(timeout=LIMIT) == 0
    recorder.stderr.close()
    capture = captures.read(file)
    assert capture.finished and sum(row["calls"] for row in capture.functions) == 3000
