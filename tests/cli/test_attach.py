"""tscap attach, detach and doctor, on processes that know nothing of timestamp_capture."""
import importlib.util
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import pytest
from conftest import HERE, LIMIT, start_unprepared
from processes import environment_without_us, needs_tracing, of_threads

pytestmark = needs_tracing


def calls(tscap, program):
    profile = tscap("dump", program.pid, "--json").json
    return {site["name"]: site["calls"] for site in profile["sites"] if site["calls"]}


def attach(tscap, program, *options):
    result = tscap("attach", program.pid, *options)
    assert result.code == 0, result
    return result


def test_what_it_calls_from_now_on_is_counted(tscap, plain):
    plain.do("parent(7)")
    attach(tscap, plain)
    plain.do("parent(100)")
    plain.do("in_thread(parent, 10)")
    plain.do("Shape.make().area(); Shape.plain(); outer(); fail()")
    plain.do("def later(): leaf()")
    plain.do("later()")
    assert calls(tscap, plain) == {
        "leaf": 111,
        "parent": 2,
        "in_thread": 1,
        "Shape.make": 1,
        "Shape.area": 1,
        "Shape._side": 1,
        "Shape.plain": 1,
        "numbers": 1,
        "outer": 1,
        "outer.<locals>.inner": 1,
        "fail": 1,
        "fails": 1,
        "later": 1,
    } | ({"Shape.plain.<locals>.<listcomp>": 1} if sys.version_info < (3, 12) else {})
    assert plain.end() == 0


@pytest.mark.parametrize("options, words", [(["-m", "misc:f", "-x", "g*"], "misc:f, not g*"), ([], None)], ids=["names", "the program's"])
def test_a_selection_that_fits_nothing(tscap, plain, options, words):
    attach(tscap, plain, *options)
    result = tscap("dump", plain.pid)
    assert result.code == 0
    said = ("nothing that attach selected was called while process %d recorded: %s" if words else "no function of the program's own files was called while process %d recorded")
    assert said % ((plain.pid, words) if words else plain.pid) in result.err, result
    assert result.err.splitlines()[-1].startswith("  try: tscap stack %d" % plain.pid)
    selects = [consumer["selects"] for consumer in tscap("status", plain.pid, "--json").json["processes"][0]["consumers"] if consumer["kind"] == "attached"]
    assert selects == [words or "the program's functions"]
    assert plain.end() == 0


def test_detach_leaves_nothing_and_attach_works_again(tscap, plain, run_directory):
    for calls_made in (5, 6):
        attach(tscap, plain)
        plain.do("parent(%d)" % calls_made)
        assert calls(tscap, plain) == {"parent": 1, "leaf": calls_made}
        assert tscap("detach", plain.pid).code == 0
        deadline = time.monotonic() + LIMIT
        while list(run_directory.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not list(run_directory.iterdir())
        assert tscap("status", plain.pid).code in (3, 5)
        plain.do("parent(3)")
    assert plain.end() == 0


USES = {
    "collector": ["with Timestamp_Collector() as used: called()", "assert used.method_count() == 1"],
    "latent collector": ["_timestamp_collector_ = used = Timestamp_Collector()", "called()", "assert used.method_count() == 1"],
    "session": ["assert start() and is_running()", "called()", "assert stop()"],
    "block": ["block = timestamp_block('block')"],
    "status": ["assert status()['available'] and not status()['problem']"],
    "nothing": [],
}


@pytest.mark.parametrize("use", USES)
def test_the_program_imports_it_after_detach(tscap, plain, use, run_directory):
    """As if nobody had been there: it can be used, and is reached as a program that has it from the beginning, where its own
    environment says."""
    plain.do("import os; os.environ['TSCAP_DIR'] = %r" % str(run_directory))
    attach(tscap, plain)
    plain.do("parent(3)")
    assert tscap("detach", plain.pid).code == 0
    package = pathlib.Path(importlib.util.find_spec("timestamp_capture").origin).parent
    plain.do("import sys; sys.path.insert(0, %r)" % str(package.parent))
    plain.do("from timestamp_capture import Timestamp_Collector, is_running, start, status, stop, timestamp, timestamp_block")
    plain.do("def called(): pass")
    if use not in ("session", "nothing"):
        plain.do("timestamp(called)" if "collector" in use else "pass")
    for statement in USES[use]:
        plain.do(statement)
    plain.do("timestamp(called)")
    assert tscap("start", plain.pid).code == 0
    plain.do("called(); called()")
    assert tscap("stop", plain.pid).code == 0
    assert calls(tscap, plain)["called"] >= 2 and "parent" not in calls(tscap, plain)
    attach(tscap, plain)
    assert tscap("detach", plain.pid).code == 0
    assert tscap("status", plain.pid).code == 0, "now it is the program's own"
    assert plain.end() == 0


def test_profilers_work_after_it(tscap, plain):
    """On 3.11 one that was set made the interpreter look for ever for what it was told to look for."""
    plain.do("import sys; heard = []")
    attach(tscap, plain)
    assert tscap("detach", plain.pid).code == 0
    plain.do("sys.setprofile(lambda *event: heard.append(event[1])); parent(2); sys.setprofile(None)")
    plain.do("assert heard.count('call') == 3")
    assert plain.end() == 0


def test_no_thread_of_ours_stays(tscap, plain):
    attach(tscap, plain)
    assert tscap("detach", plain.pid).code == 0
    deadline = time.monotonic() + LIMIT
    while len(os.listdir("/proc/%d/task" % plain.pid)) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(os.listdir("/proc/%d/task" % plain.pid)) == 1


def test_again_at_once_after_one_that_was_killed(tscap, plain, run_directory):
    """Who has brought the library in and is killed then does not tell it that the memory it used is free: for a while a
    thread waits for that."""
    core = importlib.util.find_spec("timestamp_capture._core").origin
    plain.do("import ctypes; core = ctypes.PyDLL(%r)" % core)
    plain.do("core.tscap_attach(%r)" % ("directory=%s\n" % run_directory).encode())
    deadline = time.monotonic() + LIMIT
    while tscap("status", plain.pid).code and time.monotonic() < deadline:
        plain.do("parent(1)")
    for _ in range(3):
        attach(tscap, plain)
        plain.do("parent(5)")
        assert calls(tscap, plain) == {"parent": 1, "leaf": 5}
        assert tscap("detach", plain.pid).code == 0
    assert plain.end() == 0


ARCHIVED = """
import sys
from timestamp_capture import status, timestamp
@timestamp
def work(): pass
assert status()["recorder"] == "python"
print("ready", flush=True)
for line in sys.stdin:
    work()
    print("done", flush=True)
"""


def test_a_package_in_an_archive(tscap, start_program, tmp_path):
    """From which no extension loads: it records in pure Python, which nobody sees from outside, and ours comes beside it."""
    package = pathlib.Path(importlib.util.find_spec("timestamp_capture").origin).parent
    with zipfile.ZipFile(tmp_path / "app.pyz", "w") as archive:
        for file in package.iterdir():
            if file.is_file():
                archive.write(file, "timestamp_capture/" + file.name)
        archive.writestr("__main__.py", ARCHIVED)
    program = start_program(sys.executable, str(tmp_path / "app.pyz"), env=environment_without_us())
    program.expect("ready")
    result = tscap("start", program.pid).is_error(5)
    assert "or only what of it is in Python" in result.err and "try: tscap attach %d" % program.pid in result.err
    attach(tscap, program)
    program.do("")
    assert calls(tscap, program)["work"] == 1
    assert program.end() == 0


SHELL = """
"$PYTHON" -c 'while 1: (lambda: 1)()' & program=$!
"$TSCAP" attach $program; code=$?
kill -9 $program
exit $code
"""
SHELL_THAT_WAITS = """
(read line <"$1"; exec "$PYTHON" -c 'while 1: (lambda: 1)()') & program=$!
"$TSCAP" attach $program & tscap=$!
until [ "$(cut -d" " -f3 /proc/$tscap/stat)" = S ]; do kill -0 $tscap || break; done
echo >"$1"
wait $tscap; code=$?
kill -9 $program
exit $code
"""


@pytest.mark.parametrize("script", [SHELL, SHELL_THAT_WAITS], ids=["at once", "before it is"])
def test_a_program_that_a_shell_has_just_started(tmp_path, script):
    """Its number is there before it is: a shell has it until then, and then an interpreter that has yet to begin."""
    os.mkfifo(tmp_path / "pipe")
    for _ in range(10):
        command = ["bash", "-c", script, "bash", tmp_path / "pipe"]
        done = subprocess.run(command, env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == 0 and "recording" in done.stderr, done


def test_an_interpreter_that_has_yet_to_begin(tscap, start_program):
    for ms in range(0, 40, 2):
        program = start_program(sys.executable, "-c", "while 1: (lambda: 1)()", env=environment_without_us())
        time.sleep(ms / 1000)  # nothing is waited for: another moment of its beginning each time
        result = tscap("attach", program.pid)
        assert result.code == 0, result
        program.kill()


def test_functions_whose_names_find_no_room_are_missed(tscap, plain):
    attach(tscap, plain, "--no-start")
    plain.do("import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))")
    assert tscap("start", plain.pid).code == 0
    plain.do("parent(3)")
    result = tscap("dump", plain.pid, "--json")
    assert result.code == 6 and "the profile is incomplete" in result.what, result
    assert result.remedy.startswith("  try: tscap status %d" % plain.pid)
    assert not result.json["complete"] and result.json["losses"]["sites"] > 0
    assert plain.end() == 0


def test_what_it_lacked_may_come(tscap, plain):
    """No room for a segment: the next attach looks again."""
    plain.do("import os, resource; soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)")
    plain.do("resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))")
    refused = tscap("attach", plain.pid)
    assert refused.code != 0 and "RLIMIT_FSIZE" in refused.err, refused
    plain.do("parent(3)")
    plain.do("resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))")
    attach(tscap, plain)
    plain.do("parent(3)")
    plain.do("os.fork() or (parent(100), os._exit(0)); os.wait()")
    assert {site["name"]: site["calls"] for site in tscap("dump", plain.pid, "--json").json["sites"]}["leaf"] == 3
    assert tscap("detach", plain.pid).code == 0
    assert plain.end() == 0


FILTER = """
import ctypes, struct
def filter(number, answer, flags=0):
    program = struct.pack("HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, number, 6, 0, 0, answer, 6, 0, 0, 0x7FFF0000)
    code = ctypes.create_string_buffer(program)
    about = struct.pack("HxxxxxxQ", 4, ctypes.addressof(code))
    libc = ctypes.CDLL(None)
    return libc.prctl(38, 1, 0, 0, 0) or libc.syscall(%d, 1, flags, about)
"""
KILL, ERROR = 0x80000000, 0x00050001
ALL_THREADS = 1
NUMBERS = {
    "x86_64": {"seccomp": 317, "clone3": 435, "socket": 41, "rt_sigreturn": 15, "restart_syscall": 219, "accept4": 288, "clock_gettime": 228, "poll": 7},
    "aarch64": {"seccomp": 277, "clone3": 435, "socket": 198, "rt_sigreturn": 139, "restart_syscall": 128, "accept4": 242, "clock_gettime": 113, "poll": 73},
}[platform.machine()]
FILTER %= NUMBERS["seccomp"]
told_of_filters = pytest.mark.skipif(os.geteuid() != 0, reason="filters are told to CAP_SYS_ADMIN")


@told_of_filters
@pytest.mark.parametrize("name, answer", [("clone3", KILL), ("socket", KILL), ("rt_sigreturn", ERROR), ("rt_sigreturn", KILL)])
def test_a_filter_that_would_end_the_program(tscap, plain, name, answer):
    plain.do("exec(%r)" % FILTER)
    plain.do("assert filter(%d, %d) == 0" % (NUMBERS[name], answer))
    for options in (["--dry-run"], []):
        result = tscap("attach", plain.pid, *options)
        assert result.code == 4 and "seccomp" in result.err, result
        assert "the process is as before" in result.err
    plain.do("parent(2)")
    assert plain.end() == 0


@told_of_filters
def test_a_filter_of_another_thread(tscap, plain):
    """It would not survive being recorded."""
    plain.do("import threading; exec(%r)" % FILTER)
    plain.do("def sandboxed(): answers.append(filter(%d, %d)); waits.wait()" % (NUMBERS["clock_gettime"], KILL))
    plain.do("answers, waits = [], threading.Event(); thread = threading.Thread(target=sandboxed); thread.start()")
    plain.do("while not answers: pass")
    plain.do("assert answers == [0]")
    result = tscap("attach", plain.pid)
    assert result.code == 4 and "clock_gettime" in result.err and "the process is as before" in result.err, result
    plain.do("waits.set(); thread.join()")
    assert plain.end() == 0


@told_of_filters
def test_looking_at_a_thread_that_counts_down(tscap, plain):
    """It is in poll(2), for a time: the kernel goes on with that by a system call that the filter does not let it make."""
    plain.do("import select, threading; exec(%r)" % FILTER)
    plain.do("def sandboxed(): answers.append(filter(%d, %d)); select.poll().poll(500)" % (NUMBERS["restart_syscall"], KILL))
    plain.do("answers = []; thread = threading.Thread(target=sandboxed); thread.start()")
    while not any(call.startswith("%d " % NUMBERS["poll"]) for call in of_threads(plain.pid, "syscall")):
        plain.do("assert thread.is_alive()")
    result = tscap("attach", plain.pid)
    assert result.code == 4 and "restart_syscall" in result.err, result
    plain.do("thread.join()")
    assert plain.end() == 0


@told_of_filters
def test_a_filter_that_came_later(tscap, plain):
    """Of all threads, ours among them: no order reaches that any more, but none ends the program."""
    attach(tscap, plain)
    plain.do("exec(%r)" % FILTER)
    plain.do("assert filter(%d, %d, %d) == 0" % (NUMBERS["accept4"], KILL, ALL_THREADS))
    for command in ("stop", "start", "reset", "attach", "detach"):
        result = tscap(command, plain.pid)
        assert result.code == 4 and "accept4" in result.err, (command, result)
    plain.do("parent(2)")
    assert calls(tscap, plain) == {"filter": 1, "parent": 1, "leaf": 2}
    assert tscap("status", plain.pid).code == 0
    assert plain.end() == 0


def resident_kib(pid):
    """Of the program's own memory, less what it shares: that of segments goes when they do."""
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))


def test_attaching_again_and_again_takes_no_more_memory(tscap, plain):
    """What each thread that records has beside the segment is freed as well."""
    plain.do("import threading, time; ended = threading.Event()")
    plain.do("exec(%r)" % "def loop():\n    while not ended.wait(0.001): leaf()\n")
    plain.do("for _ in range(16): threading.Thread(target=loop).start()")
    for cycle in range(24):
        attach(tscap, plain)
        deadline = time.monotonic() + LIMIT
        while len(tscap("dump", plain.pid, "--json").json["threads"]) < 16 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert tscap("detach", plain.pid).code == 0
        if cycle == 7:
            before = resident_kib(plain.pid)
    assert resident_kib(plain.pid) < before + 1500
    plain.do("ended.set()")
    assert plain.end() == 0


@pytest.mark.parametrize("left", [*range(4), 9])
def test_few_descriptors_left(tscap, plain, run_directory, left):
    """Attached, or refused. A segment that could not be finished was taken for that of a dead process."""
    plain.do("import resource, os; used = len(os.listdir('/proc/self/fd')) - 1")
    plain.do("resource.setrlimit(resource.RLIMIT_NOFILE, (used + %d, 4096))" % left)
    result = tscap("attach", plain.pid)
    if result.code:
        result.is_error(5)
        assert "Too many open files" in result.err
    plain.do("parent(2)")
    processes = tscap("ps", "--all", "--json").json["processes"]
    assert "dead" not in [process["state"] for process in processes]
    assert plain.end() == 0


def test_a_run_directory_that_is_not_private(tscap, plain, tmp_path):
    """One error, before anything is touched."""
    tmp_path.chmod(0o755)
    for command in (["attach"], ["attach", "--dry-run"], ["top", "-b", 1, "--attach"]):
        result = tscap(*command, plain.pid, TSCAP_DIR=str(tmp_path)).is_error(4)
        assert result.err.count("try:") == 1 and "chmod 700" in result.remedy
    assert "_core" not in open("/proc/%d/maps" % plain.pid).read()
    assert plain.end() == 0


@pytest.mark.parametrize("other", ["attach", "detach"])
def test_while_another_is_at_it(tscap, plain, other):
    """Two at a time take turns: each does what it was told."""
    for _ in range(6):
        if other == "detach":
            attach(tscap, plain)
        commands = [
            subprocess.Popen([os.environ["TSCAP"], command, str(plain.pid)], stderr=subprocess.PIPE, text=True) for command in (other, "attach")
        ]
        for command in commands:
            error = command.communicate()[1]
            assert command.returncode == 0, error
        plain.do("parent(2)")
        attach(tscap, plain)
        plain.do("parent(2)")
        assert calls(tscap, plain)["leaf"] >= 2
        assert tscap("detach", plain.pid).code == 0
    assert plain.end() == 0


@pytest.mark.parametrize(
    "options, expected",
    [
        (["--match", "__main__:Shape.*"], {"Shape.make", "Shape.area", "Shape._side"}),
        (["--match", "*.leaf", "--match", "outer"], {"leaf", "outer"}),
        (["--exclude", "Shape.*", "--exclude", "__main__:leaf"], {"parent", "outer", "outer.<locals>.inner"}),
        (["--match", "nothing"], set()),
        (["--all", "--match", "*.leaf", "--match", "json:dumps"], {"leaf", "dumps"}),
        (["--all", "--match", "json:*", "--exclude", "json:dumps", "--builtins"], set()),
    ],
)
def test_match_and_exclude(tscap, plain, options, expected):
    plain.do("import json")
    attach(tscap, plain, *options)
    plain.do("parent(2); Shape.make().area(); outer(); json.dumps([1])")
    assert set(calls(tscap, plain)) == expected


def test_the_standard_library_is_recorded_with_all(tscap, plain):
    plain.do("import json")
    attach(tscap, plain)
    plain.do("json.dumps([1])")
    assert calls(tscap, plain) == {}
    attach(tscap, plain, "--all")
    plain.do("json.dumps([1])")
    assert calls(tscap, plain)["dumps"] == 1
    attach(tscap, plain, "--match", "json:*")
    plain.do("json.dumps([1]); parent(3)")
    recorded = calls(tscap, plain)
    assert recorded["dumps"] == 2 and "parent" not in recorded


IN_A_FOLDER = """
import os, sys
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here + "/site-packages", here + "/standard"]
os.__file__ = here + "/standard/os.py"  # as where Python itself lies in such a folder
import installed, standard

def own(): pass

print("ready", flush=True)
for line in sys.stdin:
    own(), installed.library(), standard.library()
    print("done", flush=True)
"""


def test_a_folder_whose_name_is_no_utf8(tscap, start_program, tmp_path):
    """The files have names, the same that Python shows, and the library is known by them."""
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    for name, source in (b"app.py", IN_A_FOLDER), (b"site-packages/installed.py", "def library(): pass"), (b"standard/standard.py", "def library(): pass"):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        pathlib.Path(os.fsdecode(path)).write_text(source)
    program = start_unprepared(start_program, os.fsdecode(folder + b"/app.py"))
    attach(tscap, program)
    program.do("go")
    recorded = {site["module"]: site for site in tscap("dump", program.pid, "--json").json["sites"] if site["calls"]}
    assert not {"installed", "standard"} & set(recorded)
    site = recorded["__main__"]
    assert (site["name"], site["file"]) == ("own", os.path.join(tmp_path, "caf\udce9", "app.py"))
    attach(tscap, program, "--all")
    program.do("go")
    sites = [site for site in tscap("dump", program.pid, "--json").json["sites"] if site["name"] == "library" and site["calls"]]
    assert {site["module"] for site in sites} == {"installed", "standard"}


def test_start_and_stop_work_as_on_a_prepared_one(tscap, plain):
    attach(tscap, plain, "--no-start")
    plain.do("parent(1)")
    assert tscap("start", plain.pid).code == 0
    plain.do("parent(2)")
    assert tscap("stop", plain.pid).code == 0
    plain.do("parent(4)")
    assert calls(tscap, plain) == {"parent": 1, "leaf": 2}


def test_a_prepared_process_keeps_its_decorated_functions(tscap, app):
    attach(tscap, app, "--match", "in_thread")
    app.do("in_thread('worker', leaf)")
    assert calls(tscap, app) == {"in_thread": 1, "leaf": 1}
    assert tscap("detach", app.pid).code == 0
    assert tscap("start", app.pid).code == 0
    app.do("in_thread('worker', leaf)")
    assert calls(tscap, app) == {"in_thread": 1, "leaf": 2}


def test_while_attached_ends_with_the_command(tscap, plain):
    command = subprocess.Popen([os.environ["TSCAP"], "attach", str(plain.pid), "--while-attached"], stderr=subprocess.PIPE, text=True)
    assert "attached" in command.stderr.readline()
    plain.do("parent(1)")
    command.kill()
    command.wait()
    command.stderr.close()
    deadline = time.monotonic() + LIMIT
    while tscap("status", plain.pid).code == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert tscap("status", plain.pid).code in (3, 5)
    plain.do("parent(1)")


def test_dry_run_changes_nothing(tscap, plain, run_directory):
    result = tscap("attach", plain.pid, "--dry-run")
    assert result.code == 0, result
    assert "would be" in result.out
    assert not list(run_directory.iterdir())
    assert "timestamp_capture" not in open("/proc/%d/maps" % plain.pid).read()


def test_a_child_is_not_attached_to(tscap, plain):
    attach(tscap, plain)
    plain.do("import os")
    plain.do("r, w = os.pipe()")
    plain.do("p = os.fork() or (parent(3), os.write(w, b'x'), os._exit(0))")
    plain.do("os.read(r, 1); os.waitpid(p, 0)")
    assert "leaf" not in calls(tscap, plain)


# ---- refusals ----


def test_no_such_process(tscap):
    tscap("attach", 999999999).is_error(3)


def test_not_python(tscap, start_program):
    program = start_program("sleep", "100")
    assert "not CPython" in tscap("attach", program.pid).is_error(5).what


def test_stopped(tscap, plain):
    plain.signal(signal.SIGSTOP)
    result = tscap("attach", plain.pid).is_error(1)
    assert result.remedy == "  try: kill -CONT %d" % plain.pid
    plain.signal(signal.SIGCONT)
    plain.do("parent(1)")


def test_traced(tscap, plain):
    tracer = subprocess.Popen(["strace", "-p", str(plain.pid)], stderr=subprocess.PIPE, text=True)
    assert "attached" in tracer.stderr.readline()
    result = tscap("attach", plain.pid).is_error(4)
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    tracer.stderr.close()
    assert "strace" in result.err and str(tracer.pid) in result.err
    plain.do("parent(1)")


def test_told_not_to(tscap, start_program):
    program = start_program(sys.executable, str(HERE / "plain_app.py"), env={"TSCAP_DISABLE": "1", "PATH": os.environ["PATH"]})
    program.expect("ready")
    assert "TSCAP_DISABLE" in tscap("attach", program.pid).is_error(5).err


@pytest.fixture
def lonely_tscap(tmp_path):
    """A tscap that has no build beside it."""
    alone = shutil.copy(os.environ["TSCAP"], tmp_path / "tscap")
    environment = {name: value for name, value in os.environ.items() if name != "TSCAP_BUILD"}

    def run(*arguments):
        return subprocess.run([alone, *map(str, arguments)], capture_output=True, text=True, env=environment)

    return run


def test_no_build_for_it(lonely_tscap, plain):
    result = lonely_tscap("attach", plain.pid)
    assert result.returncode == 5
    assert "no timestamp_capture for CPython 3.%d" % sys.version_info[1] in result.stderr
    assert "make all-pythons" in result.stderr and "pip install" in result.stderr


PACKAGES = "lib/python3.%d/site-packages" % sys.version_info[1]


@pytest.mark.parametrize(
    "folder, environment",
    [
        ("venv/" + PACKAGES, {}),
        ("venv/" + PACKAGES, {"VIRTUAL_ENV": "{}/venv"}),
        ("packages", {"PYTHONPATH": "/nowhere:{}/packages"}),
        (".local/" + PACKAGES, {"HOME": "{}"}),
    ],
)
def test_the_build_is_found_among_its_packages(lonely_tscap, start_program, tmp_path, folder, environment):
    """By the name it was started by, if by nothing else; one for another machine is none."""
    package = shutil.copytree(pathlib.Path(importlib.util.find_spec("timestamp_capture").origin).parent, tmp_path / folder / "timestamp_capture")
    (library,) = package.glob("_core.cpython-*.so")
    other = bytearray(library.read_bytes())
    other[18:20] = (0xB7, 0) if os.uname().machine != "aarch64" else (0x3E, 0)
    (package / (library.name.split("-", 2)[0] + "-" + library.name.split("-", 2)[1] + "-aaa-linux-gnu.so")).write_bytes(other)
    python = sys.executable
    if not environment:
        (tmp_path / "venv/bin").mkdir()
        python = tmp_path / "venv/bin/python"
        python.symlink_to(os.path.realpath(sys.executable))
        (tmp_path / "venv/pyvenv.cfg").write_text("home = %s\n" % os.path.dirname(os.path.realpath(sys.executable)))
    changed = {name: value.format(tmp_path) for name, value in environment.items()}
    program = start_program(str(python), str(HERE / "plain_app.py"), env={"PATH": os.environ["PATH"], **changed})
    program.expect("ready")
    result = lonely_tscap("attach", program.pid, "--dry-run")
    assert result.returncode == 0, result
    assert str(library) in result.stdout
    assert program.end() == 0


def test_detach_of_one_that_was_not_attached_to(tscap, app, plain):
    assert "not attached" in tscap("detach", app.pid).err
    tscap("detach", plain.pid).is_error(5)


def test_doctor(tscap, plain, start_program):
    assert "can be attached to" in tscap("doctor", plain.pid).out
    program = start_program("sleep", "100")
    result = tscap("doctor", program.pid)
    assert result.code == 5 and "not CPython" in result.out
    assert tscap("doctor").code == 0
    tscap("doctor", "7x").is_error(3)
    tscap("doctor", "0").is_error(2)
