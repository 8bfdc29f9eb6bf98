"""tscap run: a program from its first line, as if tscap were not there."""
import os
import pathlib
import pty
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv
import zipfile

import kills
import pytest
from conftest import HERE, LIMIT, TSCAP
from processes import await_sleep, children, environment_without_us, is_gone, needs_tracing, state
from terminal import eventually

PYTHON = sys.executable
TOLD = str(HERE / "told.py")
OLD = sys.version_info < (3, 11)


def clean(**changes):
    """An environment in which nothing of ours is found but by tscap itself, with the run directory of the test."""
    environment = {**environment_without_us(), "TSCAP_DIR": os.environ["TSCAP_DIR"], **changes}
    return {name: value for name, value in environment.items() if value is not None}


def as_a_shell_says(code):
    return 128 - code if code < 0 else code


class Outcome:
    def __init__(self, process, out, err):
        self.code, self.all_err = as_a_shell_says(process.returncode), err
        lines, self.ours = err.splitlines(keepends=True), []
        for i, line in enumerate(lines):
            if re.match(r"process [0-9]+( and [0-9]+ subprocess(es)?.*)?: ", line):  # the table, and what comes after it
                self.ours += lines[i:]
                lines = lines[:i]
                break
        self.err = "".join(line for line in lines if not line.startswith("tscap: "))
        self.ours = "".join([line for line in lines if line.startswith("tscap: ")] + self.ours)
        if sys.version_info < (3, 10):
            out = re.sub(r"'atexit', |, 'atexit'(?=\])", "", out)  # ext/builtin_modules.h says why
        self.out = out

    def __eq__(self, other):
        return (self.code, self.out, self.err) == (other.code, other.out, other.err)

    def __repr__(self):
        return "exit %d\n--- stdout\n%s--- stderr\n%s" % (self.code, self.out, self.all_err)

    @property
    def calls(self):
        """{function: calls} of the tables, added up. Where several have a name, modules stand before it."""
        found = {}
        for calls, name in re.findall(r"^ *([0-9]+)  .* (\S+) \([^()]*\)$", self.ours, re.M):
            name = re.sub(r"^__(mp_)?main__\.", "", name)
            found[name] = found.get(name, 0) + int(calls)
        return found


def go(command, stdin="", options=(), tscap=False, **changes):
    if tscap:
        command = [TSCAP, "run", *options, "--", *command]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean(**changes))
    return Outcome(process, *process.communicate(stdin, timeout=LIMIT))


def both(command, **more):
    """Bare, and recorded: they are alike. What the second said besides."""
    bare, recorded = go(command, **more), go(command, tscap=True, **more)
    assert recorded == bare, (bare, recorded)
    return recorded


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Where files of the default name go."""
    path = tmp_path / "here"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


def is_clean(directory):
    """Soon: processes that the first one left, as multiprocessing's tracker of resources is, take what is theirs along when they end."""
    deadline = time.monotonic() + LIMIT
    while list(directory.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not list(directory.iterdir())


@pytest.fixture
def program(tmp_path):
    """Writes a program; its path."""

    def write(text, name="program.py"):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    return write


WORKS = "def f(): pass\nfor _ in range(1000): f()\n"

# ---- alike ----

ENDS = {
    "runs to its end": "pass",
    "exits with 0": "import sys; sys.exit(0)",
    "exits with 1": "import sys; sys.exit(1)",
    "exits with 3": "import sys; sys.exit(3)",
    "exits with 255": "import sys; sys.exit(255)",
    "exits with a text": "import sys; sys.exit('it is not to be')",
    "raises SystemExit": "raise SystemExit(4)",
    "raises an exception": "def g(): 1 / 0\ng()",
    "leaves at once": "import os; os._exit(5)",
    "is terminated": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "is killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "aborts": "import os, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); os.abort()",
    "is interrupted": "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)",
    "reads its stdin": "import sys; print(sys.stdin.read().upper())",
    "writes to stderr": "import sys; print('out', flush=True); print('err', file=sys.stderr)",
    "does not compile": "def :",
    "says goodbye": "import atexit; atexit.register(print, 'bye')",
    "closes all it has": "import os; os.closerange(3, 256); print('closed')",
}


@pytest.mark.parametrize("what", ENDS)
def test_it_ends_as_it_would_alone(what, program, run_directory):
    path = program(WORKS + ENDS[what])
    recorded = both([PYTHON, path], stdin="some words\n")
    if what != "does not compile":
        assert recorded.calls["f"] == 1000, recorded
    assert is_clean(run_directory)


def test_functions_of_the_first_line_are_counted(program):
    path = program("exec(\"def f(): pass\\nf()\\nf()\"); f()\ndef g(): pass\ng()\n")
    assert both([PYTHON, path]).calls == {"f": 3, "g": 1}


def ways(program, tmp_path):
    path = program(WORKS + "import sys; print(sys.argv[1:], __name__)")
    program(WORKS + "print(__name__, __spec__.name)", "some_module.py")
    script = program("#!%s\n" % PYTHON + WORKS + "print(__file__)", "script")
    by_env = program("#!/usr/bin/env python\n" + WORKS + "print('by env')", "by-env")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(PYTHON)
    search = "%s:%s" % (tmp_path / "bin", os.environ["PATH"])
    archive = program("", "archive.pyz")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("__main__.py", WORKS + "import sys; print(sys.argv[1:], __name__)")
    (tmp_path / "Makefile").write_text("all:\n\t@echo 1 | xargs %s %s\n" % (PYTHON, path))
    wrapper = program("#!/bin/sh\nexport SOMETHING=1\nexec %s %s \"$@\"\n" % (PYTHON, path), "wrapper")
    return {
        "script": ([PYTHON, path, "-x", "--", "a b"], {}),
        "-c": ([PYTHON, "-c", WORKS + "print(1)"], {}),
        "-m": ([PYTHON, "-m", "some_module"], {"PYTHONPATH": str(tmp_path)}),
        "stdin": ([PYTHON, "-"], {"stdin": WORKS + "print(2)"}),
        "#!": ([script], {}),
        "#! env": ([by_env], {"PATH": search}),
        "env python": (["env", "X=1", PYTHON, path, "1"], {}),
        "sh -c": (["sh", "-c", "%s %s 1; exit 9" % (PYTHON, path)], {}),
        "sh -c exec": (["sh", "-c", "exec %s %s 1" % (PYTHON, path)], {}),
        "wrapper": ([wrapper, "word"], {}),
        "-u -W": ([PYTHON, "-u", "-W", "error", path], {}),
        "-O": ([PYTHON, "-O", path], {}),
        "-X dev": ([PYTHON, "-X", "dev", path], {}),
        "-s": ([PYTHON, "-s", path], {}),
        "nice": (["nice", "-n", "1", PYTHON, path], {}),
        "timeout": (["timeout", "60", PYTHON, path], {}),
        "zipapp": ([PYTHON, archive, "1"], {}),
        "stdin of a shell": (["sh", "-c", "%s <%s" % (PYTHON, path)], {}),
        "xargs": (["xargs", PYTHON, path], {"stdin": "1 2 3\n"}),
        "make": (["make", "-s", "-C", str(tmp_path)], {}),
        "setsid": (["setsid", "--wait", PYTHON, path], {}),
        "nohup": (["nohup", PYTHON, path], {}),
        "in the background": (["sh", "-c", "%s %s 1 & wait $!" % (PYTHON, path)], {}),
    }


WAYS = ["script", "-c", "-m", "stdin", "#!", "#! env", "env python", "sh -c", "sh -c exec", "wrapper", "-u -W", "-O", "-X dev", "-s", "nice", "timeout",
        "zipapp", "stdin of a shell", "xargs", "make", "setsid", "nohup", "in the background"]


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_start_a_program(way, program, tmp_path, run_directory):
    command, more = ways(program, tmp_path)[way]
    assert both(command, **more).calls["f"] == 1000
    assert is_clean(run_directory)


@pytest.fixture
def environment_of_its_own(tmp_path):
    """A virtual environment with a package in it that has a console script."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "tool.py").write_text(WORKS + "def main():\n    print('tool', __file__)\n    return 6\n")
    script = folder / "bin" / "tool"
    script.write_text("#!%s/bin/python\nimport sys\nfrom tool import main\nsys.exit(main())\n" % folder)
    script.chmod(0o755)
    return folder


def test_a_console_script(environment_of_its_own):
    """What is installed is recorded where it is named."""
    recorded = both([str(environment_of_its_own / "bin" / "tool")], options=["-m", "tool:*"])
    assert recorded.calls == {"f": 1000, "main": 1}


def test_a_launcher(program, tmp_path):
    """The functions of the program are recorded, not those of the launcher."""
    path = program("def helper(): pass\ndef test_one():\n    for _ in range(7): helper()\n", "test_it.py")
    command = [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", "-o", "addopts=", "--rootdir", str(tmp_path), path]
    recorded = go(command, tscap=True)
    assert recorded.code == 0 and "1 passed" in recorded.out
    assert recorded.calls == {"helper": 7, "test_one": 1}


SERVES = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    answer(await receive())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})

def answer(request): pass
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server(number, program, tmp_path):
    """uvicorn answers, and ends by a signal that is sent to tscap as it does by one that it gets."""
    pytest.importorskip("uvicorn")
    program(SERVES, "served.py")
    ends = []
    for under in ([], [TSCAP, "run", "-m", "served:*", "--"]):
        with socket.socket() as inlet:
            inlet.bind(("127.0.0.1", 0))
            inlet.listen()
            command = [*under, PYTHON, "-m", "uvicorn", "served:app", "--fd", str(inlet.fileno()), "--log-level", "critical"]
            environment = clean(PYTHONPATH=str(tmp_path))
            server = subprocess.Popen(command, pass_fds=[inlet.fileno()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
            try:
                with socket.create_connection(inlet.getsockname(), timeout=LIMIT) as client:
                    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    assert client.makefile("rb").read().endswith(b"served")
            finally:
                server.send_signal(number)
                ends.append(Outcome(server, *server.communicate(timeout=LIMIT)))
    assert ends[0] == ends[1], ends
    assert ends[1].calls["answer"] == 1 and ends[1].calls["app"] == 2, ends[1]


# ---- no trace ----

CUSTOM = "import sys\nsys.customized = getattr(sys, 'customized', []) + [__name__]\ndef custom(): pass\ncustom()\n"


def states(tmp_path, environment_of_its_own):
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text(CUSTOM)
    (own / "usercustomize.py").write_text(CUSTOM)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text("import nothing_of_that_name\n")
    raises = tmp_path / "raises"
    raises.mkdir()
    (raises / "sitecustomize.py").write_text("1 / 0\n")
    return {
        "plain": ([PYTHON, TOLD], {}),
        "PYTHONPATH": ([PYTHON, TOLD], {"PYTHONPATH": "/nowhere:relative:%s" % tmp_path}),
        "empty PYTHONPATH": ([PYTHON, TOLD], {"PYTHONPATH": ""}),
        "PYTHONPATH with empty parts": ([PYTHON, TOLD], {"PYTHONPATH": ":/nowhere::"}),
        "sitecustomize": ([PYTHON, TOLD], {"PYTHONPATH": str(own), "PYTHONNOUSERSITE": None}),
        "sitecustomize that lacks something": ([PYTHON, TOLD], {"PYTHONPATH": str(broken)}),
        "sitecustomize that raises": ([PYTHON, TOLD], {"PYTHONPATH": str(raises)}),
        "virtual environment": ([str(environment_of_its_own / "bin" / "python"), TOLD], {}),
        "-c": ([PYTHON, "-c", open(TOLD).read()], {}),
        "-I": ([PYTHON, "-I", TOLD], {}),
        "-E": ([PYTHON, "-E", TOLD], {}),
        "-S": ([PYTHON, "-S", TOLD], {}),
        "-s -B": ([PYTHON, "-s", "-B", TOLD], {}),
        "-X dev": ([PYTHON, "-X", "dev", TOLD], {}),
        "-W": ([PYTHON, "-W", "error", TOLD], {}),
        "SIGINT ignored": (["sh", "-c", "trap '' INT; %s %s" % (PYTHON, TOLD)], {}),
        "SIGPIPE, SIGCHLD ignored": (["env", "--ignore-signal=PIPE,CHLD", PYTHON, TOLD], {}),
    }


STATES = ["plain", "PYTHONPATH", "empty PYTHONPATH", "PYTHONPATH with empty parts", "sitecustomize", "sitecustomize that lacks something",
          "sitecustomize that raises", "virtual environment", "-c", "-s -B", "-X dev", "-W", "SIGINT ignored", "SIGPIPE, SIGCHLD ignored"]


@pytest.mark.parametrize("name", STATES)
def test_a_program_sees_nothing_of_it(name, tmp_path, environment_of_its_own):
    command, changes = states(tmp_path, environment_of_its_own)[name]
    recorded = both(command, **changes)
    assert recorded.calls, recorded
    if name == "sitecustomize":
        assert recorded.calls["custom"] >= 1, recorded


def without_environment(text):
    """What takes nothing from its environment does not take ours out of it."""
    return re.sub(r"^(os|posix).environ: .*\n", "", text, flags=re.M)


@needs_tracing
@pytest.mark.parametrize("name", ["-I", "-E", "-S"])
def test_what_takes_nothing_from_its_environment(name, tmp_path, environment_of_its_own):
    """It is not changed, and it is attached to, if it takes long enough for that."""
    command, changes = states(tmp_path, environment_of_its_own)[name]
    bare, recorded = go(command, **changes), go(command, tscap=True, **changes)
    assert (recorded.code, recorded.err) == (bare.code, bare.err)
    assert without_environment(recorded.out) == without_environment(bare.out)


@needs_tracing
@pytest.mark.parametrize("flag", ["-I", "-E", "-S", "-sIB"])
def test_it_is_attached_to_then(flag, start_program, program, run_directory):
    path = program("import sys\nprint('ready', flush=True)\nfor line in sys.stdin:\n    exec(line)\n    print('done', flush=True)\n")
    child = start_program(TSCAP, "run", "--", PYTHON, flag, path, env=clean(), stderr=subprocess.PIPE)
    child.expect("ready")
    line = child.process.stderr.readline()
    assert re.match("tscap: attached to process [0-9]+, .* after its start: it was told to take nothing from its environment", line), line
    child.do("exec('def f(): pass'); [f() for _ in range(50)]")
    assert child.end() == 0
    assert re.search(r"^ *50 .* f \(", child.process.stderr.read(), re.M)
    child.process.stderr.close()
    assert is_clean(run_directory)


# ---- signals ----

WAITS = """
import signal, sys
def f(): pass
f()
%s
print("ready", flush=True)
for line in sys.stdin: pass
"""
HANDLERS = {
    "default": "",
    "handler": "signal.signal(signal.%s, lambda number, frame: (print('got', number, flush=True), sys.exit(7)))",
    "ignored": "signal.signal(signal.%s, signal.SIG_IGN)",
}


def signalled(command, number):
    """Sends it to who was started, alone, when that is ready; then its stdin ends."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean())
    assert process.stdout.readline() == "ready\n"
    await_sleep(process.pid if command[0] == PYTHON else children(process.pid)[0])  # it waits for its stdin
    process.send_signal(number)
    if "SIG_IGN" not in open(command[-1]).read():
        process.stdout.read()  # it ends by that
    return Outcome(process, *process.communicate(timeout=LIMIT))


@pytest.mark.parametrize("how", HANDLERS)
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGQUIT"])
def test_a_signal_is_handed_on(how, name, program):
    handler = HANDLERS[how] % name if "%s" in HANDLERS[how] else ""
    path = program("import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n" + WAITS % handler)
    number = getattr(signal, name)
    bare = signalled([PYTHON, path], number)
    recorded = signalled([TSCAP, "run", "--", PYTHON, path], number)
    assert recorded == bare
    assert recorded.calls["f"] == 1


def test_what_it_sends_to_its_parent_arrives(program, tmp_path):
    """As if tscap were not between them."""
    path = program("import os, signal\nos.kill(os.getppid(), signal.SIGUSR1)\n")
    shell = "trap 'echo got it' USR1; %s %s %s; echo exit $?"
    bare = go(["sh", "-c", shell % ("", PYTHON, path)])
    recorded = go(["sh", "-c", shell % (shlex.join([TSCAP, "run", "--"]), PYTHON, path)])
    assert bare.out == "got it\nexit 0\n" and recorded == bare


COUNTS = """
import signal, sys
came = []
signal.signal(signal.SIGUSR1, lambda *_: came.append(1))
print("ready", flush=True)
for line in sys.stdin:
    print("came", len(came), flush=True)
"""


def test_what_is_sent_to_the_whole_group_comes_once(program, start_program):
    """And what is sent to tscap alone after that, too."""
    child = start_program(TSCAP, "run", "--", PYTHON, program(COUNTS), env=clean(), stderr=subprocess.DEVNULL, start_new_session=True)
    child.expect("ready")

    def comes(n):
        def count():
            child.tell("count")
            return child.process.stdout.readline()

        assert eventually(count, lambda line: line == "came %d\n" % n)

    for n in (1, 3, 5):
        seen = switches(child.pid)
        os.killpg(child.pid, signal.SIGUSR1)
        comes(n)
        eventually(lambda: switches(child.pid), lambda now: now > seen + 1)  # tscap has had its own
        comes(n)
        os.kill(child.pid, signal.SIGUSR1)
        comes(n + 1)
    assert child.end() == 0


# ---- a terminal ----

SHOWS = """
import os, sys, termios
def f(): pass
f()
print([os.isatty(fd) for fd in range(3)], os.get_terminal_size(), "\\x1b[31mred\\x1b[0m")
print(os.tcgetpgrp(0) == os.getpgrp(), os.ttyname(0) == os.ttyname(1))
settings = termios.tcgetattr(0)
settings[3] &= ~termios.ECHO
termios.tcsetattr(0, termios.TCSANOW, settings)
os.system("stty -a")
print(input("say: ").upper())
"""


def in_terminal(command, keys, until):
    """Started by the leader of a session with a terminal of its own. When its output has `until`, the keys are pressed. What
    the terminal got, and the exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, clean(TERM="xterm"))
    output = b""
    deadline = time.monotonic() + LIMIT
    while True:
        assert time.monotonic() < deadline, output
        try:
            more = os.read(terminal, 65536)
        except OSError:  # nobody has it open any more
            break
        output += more
        if keys and until in output:
            await_sleep(pid if command[0] == PYTHON else children(pid)[0])  # a signal just before that would not be seen
            os.write(terminal, keys)
            keys = b""
    os.close(terminal)
    return output.decode(), as_a_shell_says(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def test_a_terminal(program):
    command = [PYTHON, program(SHOWS)]
    bare, code = in_terminal(command, b"word\n", b"say: ")
    recorded, recorded_code = in_terminal([TSCAP, "run", "--", *command], b"word\n", b"say: ")
    assert recorded.startswith(bare) and "WORD" in bare and "-echo" in bare
    assert recorded_code == code == 0
    assert re.search(r"^ *1 .* f \(", recorded, re.M)


def test_interrupted_at_the_terminal(program):
    """^C comes once, to the program."""
    path = program(
        "import signal, sys, time\ncame = []\nsignal.signal(signal.SIGINT, lambda *_: came.append(1))\ndef f(): pass\nf()\n"
        "print('ready', flush=True)\nwhile not came: time.sleep(0.01)\ntime.sleep(0.1)\nprint('came', len(came))\nsys.exit(8)\n"
    )
    bare = in_terminal([PYTHON, path], b"\x03", b"ready\r\n")
    recorded, code = in_terminal([TSCAP, "run", "--", PYTHON, path], b"\x03", b"ready\r\n")
    assert bare[1] == code == 8
    assert recorded.startswith(bare[0]) and "came 1" in recorded


def test_interrupted_and_not_prepared_for_it(program):
    path = program("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    bare = in_terminal([PYTHON, path], b"\x03", b"ready\r\n")
    recorded = in_terminal([TSCAP, "run", "--", PYTHON, path], b"\x03", b"ready\r\n")
    assert bare[1] == recorded[1] == 130
    assert bare[0].count("KeyboardInterrupt") == recorded[0].count("KeyboardInterrupt") == 1


@pytest.mark.parametrize("under", [False, True])
def test_stopped_at_the_terminal_and_continued(under, program, terminal):
    path = program("import sys\ndef f(): pass\nf()\nprint('rea' + 'dy', flush=True)\nprint('got', sys.stdin.readline(), flush=True)\nsys.exit(9)\n")
    command = shlex.join([TSCAP, "run", "--"] * under + [PYTHON, path])
    shell = terminal("exec env PS1='$ ' PROMPT_COMMAND= bash --norc -i", width=200)
    shell.see(r"^\$")
    shell.press(command, "Enter")
    shell.see("^ready")
    shell.press("C-z")
    shell.see(r"Stopped")
    shell.press("jobs", "Enter")
    shell.see(r"^\[1\]\+ +Stopped")
    shell.press("fg", "Enter")
    shell.press("word", "Enter")
    shell.see("^got word")
    shell.press("echo exit $?", "Enter")
    shell.see("^exit 9")


def test_in_the_background_it_waits_for_the_terminal(program, terminal):
    """Who reads from a terminal that is not its own is stopped; the shell sees that."""
    path = program("import sys\nprint('got', sys.stdin.readline(), flush=True)\n")
    shell = terminal("exec env PS1='$ ' PROMPT_COMMAND= bash --norc -i", width=200)
    shell.see(r"^\$")
    shell.press(shlex.join([TSCAP, "run", "--", PYTHON, path]) + " &", "Enter")
    shell.see(r"^\[1\] [0-9]+")

    def is_stopped():
        shell.press("jobs", "Enter")
        return re.search(r"^\[1\]\+ +Stopped", shell.screen(), re.M)

    eventually(is_stopped, bool)
    shell.press("fg", "Enter")
    shell.press("word", "Enter")
    shell.see("^got word")


# ---- other processes ----

CHILDREN = """
import multiprocessing, os, subprocess, sys
def f(): pass
def work(n):
    for _ in range(n): f()
if __name__ == "__main__":
    f()
    subprocess.run([sys.executable, "-c", "def g(): pass\\nfor _ in range(20): g()"], check=True)
    for method in ("fork", "spawn"):
        child = multiprocessing.get_context(method).Process(target=work, args=(10,))
        child.start()
        child.join()
        assert child.exitcode == 0
"""


def test_only_the_first_process(program, run_directory):
    recorded = both([PYTHON, program(CHILDREN)])
    assert recorded.calls == {"f": 1}
    assert is_clean(run_directory)


def seen_below(command, part):
    """What it says to stderr of a program that has a child which reads its stdin, when tscap has looked at that."""
    process = subprocess.Popen([TSCAP, "run", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean())
    child = eventually(lambda: python_below(process.pid, part), bool)
    seen = switches(process.pid)
    eventually(lambda: switches(process.pid), lambda now: now >= seen + 30)  # as often tscap has looked since
    process.stdin.write("\n")
    process.stdin.close()
    err = process.stderr.read()
    assert process.wait(LIMIT) == 0
    process.stdout.close()
    process.stderr.close()
    return child, err


def test_others_are_named(program):
    path = program("import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'input()'])\n")
    child, err = seen_below(["--", PYTHON, path], "input()")
    assert re.search(r"other Python processes were not recorded: %d.*tscap run -s" % child, err), err


def test_a_fork_that_is_recorded_is_not_named(program):
    path = program("import os\ndef f(): pass\nif os.fork() == 0:\n    f(); input(); os._exit(0)\nos.wait()\nf()\n")
    _, err = seen_below(["-s", "--", PYTHON, path], "program.py")
    assert re.search(r"^ *2 .* f \(", err, re.M) and "not recorded" not in err, err


def switches(pid):
    return int(re.search(r"^voluntary_ctxt_switches:\s+([0-9]+)", open("/proc/%d/status" % pid).read(), re.M)[1])


def below(pid):
    try:
        direct = [int(child) for child in open("/proc/%d/task/%d/children" % (pid, pid)).read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [each for child in direct for each in [child, *below(child)]]


def python_below(pid, part):
    for each in below(pid):
        try:
            words = open("/proc/%d/cmdline" % each).read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words.endswith(part + "\0"):
            return each
    return 0


@pytest.mark.parametrize("options", [[], ["-s"]], ids=["the first", "all"])
def test_a_daemon_leaves_nothing(options, program, run_directory):
    """Those between it and who was started end as killed ones do."""
    path = program("import os\nread, write = os.pipe()\nif os.fork():\n    os.close(write); os.read(read, 1); os._exit(0)\nos.setsid()\nif os.fork():\n    os._exit(0)\nos.close(write)\n")
    both([PYTHON, path], options=options)
    assert is_clean(run_directory)


def test_a_second_one_beside_the_first(program, run_directory):
    path = program(WORKS)
    recorded = both(["sh", "-c", "%s %s; %s %s; exit 2" % (PYTHON, path, PYTHON, path)])
    assert recorded.calls == {"f": 1000}
    assert "other Python processes were not recorded" in recorded.ours
    assert is_clean(run_directory)


def test_all_processes(program, run_directory):
    recorded = both([PYTHON, program(CHILDREN)], options=["-s"])
    assert recorded.calls == {"f": 21, "g": 20, "work": 2}
    assert "not recorded" not in recorded.ours
    assert is_clean(run_directory)


ENDS_SLOWLY = """
import ctypes, subprocess, sys
if len(sys.argv) > 1:
    libc = ctypes.CDLL(None)
    libc.__cxa_atexit(libc.pause, None, None)  # after all that Python does at its end
    libc.__cxa_atexit(libc.setsid, None, None)  # which tells us that it is there
else:
    child = subprocess.Popen([sys.executable, __file__, "child"])
    print(child.pid, flush=True)
    input()
"""


def test_one_that_is_at_its_end(program, run_directory):
    command = [TSCAP, "run", "-s", "--", PYTHON, program(ENDS_SLOWLY)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=clean())
    child = int(process.stdout.readline())
    try:
        eventually(lambda: os.getsid(child) == child, bool)
        process.stdin.write("\n")
        process.stdin.close()
        assert process.wait(timeout=LIMIT) == 0
        assert is_clean(run_directory)
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdout.close()


def test_all_processes_of_a_shell(program, run_directory):
    path = program(WORKS)
    recorded = both(["sh", "-c", "%s %s; %s %s & wait" % (PYTHON, path, PYTHON, path)], options=["-s"])
    assert recorded.calls == {"f": 2000}
    assert is_clean(run_directory)


def test_no_python_at_all(run_directory):
    recorded = both(["sh", "-c", "echo out; echo err >&2; exit 5"])
    assert "nothing was recorded" in recorded.ours
    assert is_clean(run_directory)


def test_it_goes_on_in_the_background(program, tscap, tmp_path, run_directory):
    """Who was started ends, and what that started does not: it is shown as it is, and stays to be read."""
    path = program("import sys\ndef f(): pass\nf()\nprint('ready', flush=True)\nsys.stdin.read()\n")
    os.mkfifo(tmp_path / "gate")
    gate = os.open(tmp_path / "gate", os.O_RDWR)
    command = [TSCAP, "run", "sh", "-c", "%s %s <%s/gate & read word" % (PYTHON, path, tmp_path)]
    process = subprocess.Popen(command, env=clean(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("word\n")
    process.stdin.close()
    assert process.wait(LIMIT) == 0
    heading = process.stderr.readline()
    pid = int(re.match("process ([0-9]+): ", heading)[1])
    assert not is_gone(pid)
    assert tscap("dump", pid).code == 0
    os.close(gate)
    assert "goes on, and is recorded: tscap dump %d" % pid in process.stderr.read()
    eventually(lambda: is_gone(pid), bool)
    process.stdout.close()
    process.stderr.close()
    assert is_clean(run_directory)


# ---- containers ----

CONTAINERS = {
    "user": ["unshare", "--user", "--map-root-user"],
    "pid": ["unshare", "--fork", "--pid", "--mount-proc"],
    "user, pid": ["unshare", "--user", "--map-root-user", "--fork", "--pid", "--mount-proc"],
    "memory of its own": ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /dev/shm && exec \"$@\"", "sh"],
}


def can(command):
    return subprocess.run([*command, "true"], capture_output=True).returncode == 0


@pytest.mark.parametrize("options", [[], ["-s"]], ids=["the first", "all"])
@pytest.mark.parametrize("kind", CONTAINERS)
def test_in_a_container(kind, options, program, tmp_path, monkeypatch):
    """A number of its own, eyes that do not see ours: what it recorded is there when it has ended."""
    command, run_directory = CONTAINERS[kind], tmp_path / "run"  # one that a /dev/shm of its own does not hide
    run_directory.mkdir(mode=0o700)
    monkeypatch.setenv("TSCAP_DIR", str(run_directory))
    if not can(command):
        pytest.skip("the kernel forbids it")
    recorded = both([*command, PYTHON, program(WORKS)], options=options)
    assert recorded.calls == {"f": 1000}, recorded
    assert "not recorded" not in recorded.ours
    assert is_clean(run_directory)


# ---- a tscap that is killed ----

def test_killed_at_any_instant_the_program_goes_on(tmp_path, tscap, run_directory):
    """tests/soak does it a thousand times."""
    assert kills.kill_runs(tmp_path, 50, environment=clean()) > 0
    assert tscap("gc").code == 0
    assert is_clean(run_directory)


@needs_tracing
def test_killed_while_it_attaches(tmp_path, tscap):
    kills.kill_runs(tmp_path, 10, "-I", environment=clean())
    assert tscap("gc").code == 0


def test_what_a_dead_one_left_is_no_matter(tscap, program, run_directory):
    """A program whose tscap has gone runs as it would alone, and takes its segment along."""
    path = program(WORKS + "print('ready', flush=True)\ninput()\n")
    process = subprocess.Popen([TSCAP, "run", "--", PYTHON, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean())
    assert process.stdout.readline() == "ready\n"
    child = children(process.pid)[0]
    process.kill()
    process.wait()
    process.stdin.write("\n")
    process.stdin.close()
    assert process.stdout.read() == ""
    process.stdout.close()
    eventually(lambda: is_gone(child), bool)
    assert sorted(path.suffix for path in run_directory.iterdir()) == [".life", ".run"]
    assert len(tscap("gc").out.splitlines()) == 2 and not list(run_directory.iterdir())


# ---- mistakes, and what stands in the way ----


def test_what_is_not_there(tscap):
    assert "No such file" in tscap("run", "no-such-command").is_error(127).err


def test_what_cannot_be_executed(tscap, tmp_path):
    (tmp_path / "text").write_text("text")
    assert "ermission denied" in tscap("run", tmp_path / "text").is_error(126).err


def test_no_command(tscap):
    tscap("run").is_error(2)
    tscap("run", "--").is_error(2)
    tscap("run", "-s").is_error(2)


@pytest.mark.parametrize("kind, code, why", [("absent", 3, "No such file or directory"), ("others", 4, "yours alone")])
def test_a_run_directory_that_cannot_be_used(tscap, tmp_path, kind, code, why):
    """Told before the program begins, with what helps."""
    (tmp_path / "others").mkdir()
    (tmp_path / "others").chmod(0o777)
    path = tmp_path / ("no/folder" if kind == "absent" else "others")
    result = tscap("run", "--", "touch", tmp_path / "begun", TSCAP_DIR=str(path)).is_error(code)
    assert "%s: " % path in result.err and why in result.err
    assert not (tmp_path / "begun").exists()
    script = "%s=$(mktemp -d) exec %s run -- true" % (result.remedy.split("=")[0].split()[-1], TSCAP)
    assert subprocess.run(["sh", "-c", script], env=clean(TSCAP_DIR=str(path)), timeout=LIMIT).returncode == 0


def test_options_of_the_command_are_its_own(program):
    path = program("import sys; print(sys.argv[1:])")
    process = subprocess.run([TSCAP, "run", PYTHON, path, "-s", "--help"], capture_output=True, text=True, env=clean(), timeout=LIMIT)
    assert process.stdout == "['-s', '--help']\n"


def test_a_program_that_does_not_want_it(program):
    recorded = both([PYTHON, program(WORKS)], TSCAP_DISABLE="1")
    assert "is not recorded: " in recorded.ours


def test_another_recorder_in_the_program(program, tmp_path):
    """A timestamp_capture that is of no use to us works as it does alone."""
    package = tmp_path / "timestamp_capture"
    package.mkdir()
    (package / "__init__.py").write_text("def timestamp(function): return function\n")
    recorded = both([PYTHON, program("from timestamp_capture import timestamp\n@timestamp\ndef f(): pass\nf()\n")], PYTHONPATH=str(tmp_path))
    assert recorded.calls == {"f": 1}


def test_a_program_that_has_ours(program):
    package = str(pathlib.Path(os.environ["TSCAP_BUILD"]) / "python" / os.path.basename(os.environ["PYTHONPATH"]))
    path = program("import timestamp_capture\n@timestamp_capture.timestamp\ndef f(): pass\nf()\nprint(timestamp_capture.status()['recorder'], timestamp_capture.is_running())\n")
    recorded = go([PYTHON, path], tscap=True, PYTHONPATH=package)
    assert recorded.out == "compiled True\n" and recorded.calls["f"] == 1


def test_one_without_our_environment(program):
    """It is seen, ends before it is attached to, and that is said; that there were others is not. On a busy machine it may be over
    before it is seen, or last until it is attached to: another one is not."""
    for _ in range(20):
        recorded = both(["env", "-i", PYTHON, "-c", "import time; time.sleep(0.1)"])
        if "attached to process" not in recorded.ours and "nothing was recorded" not in recorded.ours:
            break
    assert re.match(r"tscap: not recorded: [0-9]+ \(.*\): what does not come by itself, .* must last until it is attached to\n$", recorded.ours), recorded


@pytest.mark.parametrize("version, known", [((2, 7), "Python 2.7"), ((3, 6), "Python 3.6"), ((3, 8), "Python 3.8")])
def test_a_python_that_we_have_nothing_for(version, known, start_program):
    """It runs as it would alone, and says so once."""
    python = other_python(*version)
    recorded = both([python, "-c", "import sys; print(sys.path, sorted(sys.modules))"])
    assert re.fullmatch(r"tscap: process [0-9]+ is not recorded: there is no timestamp_capture for %s\n" % known, recorded.ours), recorded


def other_python(major, minor):
    """One that pyenv has, or the system."""
    for path in sorted(pathlib.Path(PYTHON).resolve().parents[2].glob("%d.%d.*/bin/python" % (major, minor))):
        return str(path)
    return shutil.which("python%d.%d" % (major, minor)) or pytest.skip("there is none")


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_one_that_is_traced(program):
    assert both(["strace", "-f", "-o", "/dev/null", PYTHON, program(WORKS)]).calls["f"] == 1000


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
def test_one_that_becomes_another_user(program, tmp_path):
    """Its user may read neither the file of the run nor, here, our package: it runs as it would alone."""
    tmp_path.chmod(0o755)
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/env", "-i", PYTHON, "-c", "print(1)"]
    recorded = both(command)
    assert recorded.calls == {}


def test_one_that_may_write_no_file(program):
    """Nothing can be recorded of it, and why is told; it may be in one word."""
    recorded = both(["sh", "-c", "ulimit -f 8; exec \"$@\" | cat", "sh", PYTHON, "-B", program(WORKS)])
    assert re.search(r"^tscap: process [0-9]+ is not recorded: \S+", recorded.ours, re.M), recorded


def test_rules(program):
    path = program("import json\ndef f(): return json.dumps({})\ndef g(): pass\nf(); g()\n")
    assert go([PYTHON, path], tscap=True, options=["-m", "*:f"]).calls == {"f": 1}
    assert go([PYTHON, path], tscap=True, options=["-x", "*:f"]).calls == {"g": 1}
    assert "JSONEncoder.encode" in " ".join(go([PYTHON, path], tscap=True, options=["-a", "-n", "1000"]).calls)
    path = program("for _ in range(5): ord('a')\ndef f(): return oct(1)\nf()\n")
    counted = go([PYTHON, path], tscap=True, options=["--builtins", "-n", "1000"]).ours
    assert re.search("^ *5 .*builtins.ord$", counted, re.M) and re.search("^ *1 .*builtins.oct$", counted, re.M), counted


def test_ten_rows(program):
    path = program("".join("def f%d(): pass\nf%d()\n" % (i, i) for i in range(15)))
    assert len(both([PYTHON, path]).calls) == 10
    assert len(both([PYTHON, path], options=["-n", "12"]).calls) == 12


def test_a_process_that_is_not_stopped(program):
    """Recording costs a look now and then, no more: nothing of tscap runs while nothing happens."""
    process = subprocess.Popen([TSCAP, "run", "--", PYTHON, "-c", "print('ready', flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True, env=clean())
    assert process.stdout.readline() == "ready\n"
    eventually(lambda: state(process.pid), lambda letter: letter == "S")
    process.stdin.close()
    assert process.wait(LIMIT) == 1
    process.stdout.close()


# ---- the file ----


def test_the_file_is_named_after_the_program(program, here, tscap):
    recorded = go([PYTHON, program(WORKS)], tscap=True)
    (path,) = here.iterdir()
    assert re.fullmatch(r"program-[0-9]+\.tscap", path.name)
    assert recorded.ours.endswith("tscap: saved ./%s (%s): tscap dump ./%s\n" % (path.name, re.search(r"saved \S+ \((.*)\)", recorded.ours)[1], path.name))
    profile = tscap("dump", "--json", path).json
    assert sum(function["calls"] for function in profile["sites"] if function["name"] == "f") == 1000


def test_the_file_that_is_asked_for(program, tmp_path, here, tscap):
    path = program(WORKS)
    recorded = go([PYTHON, path], tscap=True, options=["-o", str(tmp_path / "capture")])
    assert recorded.code == 0 and "saved %s/capture" % tmp_path in recorded.ours
    assert not list(here.iterdir())
    before = (tmp_path / "capture").read_bytes()
    again = go([PYTHON, path], tscap=True, options=["-o", str(tmp_path / "capture")])
    assert again.code == 2 and "will not write over" in again.all_err and not again.calls, "it is told before the program begins"
    assert (tmp_path / "capture").read_bytes() == before
    assert go([PYTHON, path], tscap=True, options=["--force", "-o", str(tmp_path / "capture")]).code == 0


def test_the_command_that_is_told_opens_the_file(program, here):
    recorded = go([PYTHON, program(WORKS)], tscap=True, options=["-o", "capture"])
    told = re.search(r"saved \./capture \(.*\): tscap (dump \S+)$", recorded.ours)
    assert re.search(r"^ *1000 .* f \(", subprocess.run([TSCAP, *told[1].split()], capture_output=True, text=True, check=True, timeout=LIMIT).stdout, re.M)


def test_the_file_of_a_family(program, here, tscap):
    assert go([PYTHON, program(CHILDREN)], tscap=True, options=["-s"]).code == 0
    (path,) = here.iterdir()
    functions = tscap("dump", "--json", path).json["sites"]
    assert sum(function["calls"] for function in functions if function["name"] == "f") == 21


def test_no_file_of_nothing(program, here, tmp_path):
    both([PYTHON, "-c", "pass"])
    both(["true"])
    assert not list(here.iterdir())
    go(["no-such-command"], tscap=True, options=["-o", str(tmp_path / "capture")])
    assert not (tmp_path / "capture").exists()


def test_a_file_that_cannot_be_written(program, here, tmp_path):
    """The program's exit status stays; at --output it is told before."""
    path = program(WORKS + "import sys; sys.exit(9)")
    recorded = go([PYTHON, path], tscap=True, options=["-o", str(tmp_path / "no" / "folder")])
    assert recorded.code == 3 and "cannot write" in recorded.all_err
    assert go([PYTHON, path], tscap=True, options=["-o", "-"]).code == 2
