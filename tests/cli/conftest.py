"""What the tests of the command share: running tscap, and programs to point it at.

Each test has a run directory of its own and ends, by their pids, exactly the processes it started.
"""
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest
from processes import NOBODY, environment_without_us, thread_states
from public import public, public_package  # noqa: F401  fixtures
from terminal import LIMIT, Terminal

HERE = pathlib.Path(__file__).parent
ROOT = pathlib.Path(os.environ["TSCAP_ROOT"])
TSCAP = os.environ["TSCAP"]

# A shell starts what it leaves in the background with these ignored, and every program that is started inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def run_directory(monkeypatch):
    """$TSCAP_DIR of this test."""
    base = pathlib.Path(os.environ["TSCAP_DIR"])
    path = base / str(os.getpid())
    path.mkdir(mode=0o700)
    monkeypatch.setenv("TSCAP_DIR", str(path))
    for name in ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    yield path
    shutil.rmtree(path)


class Result:
    def __init__(self, process):
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    def __repr__(self):
        return "exit %d\n--- stdout\n%s--- stderr\n%s" % (self.code, self.out, self.err)

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def what(self):
        """First line of the error."""
        return self.err.split("\n")[0]

    @property
    def remedy(self):
        """Last line of the error."""
        return self.err.rstrip("\n").split("\n")[-1]

    def is_error(self, code):
        """An error in the form that all have: what, why, what to type; and nothing on stdout."""
        lines = self.err.rstrip("\n").split("\n")
        assert self.code == code, self
        assert self.out == "", self
        assert len(lines) >= 3, self
        assert lines[0].startswith("tscap: "), self
        assert all(line.startswith("  ") for line in lines[1:]), self
        assert lines[-1].startswith("  try: "), self
        return self


@pytest.fixture
def tscap():
    """Runs tscap; arguments as they come, environment changed by keywords (None: unset)."""

    def run(*arguments, **environment):
        changed = {**os.environ, **environment}
        changed = {name: value for name, value in changed.items() if value is not None}
        command = [TSCAP, *map(str, arguments)]
        return Result(subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=changed))

    return run


@pytest.fixture
def tscap_as_nobody(public):  # noqa: F811
    command = shutil.copy(TSCAP, public / "tscap")
    os.chmod(command, 0o755)

    def run(*arguments, **environment):
        changed = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
        become = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"]
        process = subprocess.run([*become, str(command), *map(str, arguments)], capture_output=True, text=True, timeout=LIMIT, env=changed)
        return Result(process)

    return run


class Program:
    """A process of ours."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)
        self.pid = self.process.pid

    def expect(self, text):
        line = self.process.stdout.readline()
        assert line == text + "\n", "%r, exit %s" % (line, self.process.poll())

    def do(self, statement):
        """Makes the program of app.py run a statement, and waits for it."""
        self.tell(statement)
        self.expect("done")

    def tell(self, statement):
        self.process.stdin.write(statement + "\n")
        self.process.stdin.flush()

    def signal(self, number):
        os.kill(self.pid, number)
        if number == signal.SIGSTOP:
            self.await_stop()

    def await_stop(self):
        """Each thread stops when it next comes by the kernel."""
        deadline = time.monotonic() + LIMIT
        while not self._all_stopped():
            assert time.monotonic() < deadline, "it does not stop"
            time.sleep(0.001)

    def _all_stopped(self):
        return set(thread_states(self.pid)) == {"T"}

    def kill(self):
        """As kill -9."""
        self.process.kill()
        self.process.wait()

    def end(self):
        """By itself: its stdin ends."""
        self.process.stdin.close()
        return self.process.wait(LIMIT)

    def close(self):
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.kill()
        self.process.stdout.close()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass


@pytest.fixture
def start_program():
    """Starts any command; it is ended with the test."""
    started = []

    def start(*command, **options):
        started.append(Program(command, **options))
        return started[-1]

    yield start
    for program in started:
        program.close()


@pytest.fixture
def start_app(start_program):
    """Starts app.py, with words that tell it from others on its command line, and environment by keywords."""

    def start(*words, **environment):
        changed = {**os.environ, **environment}
        changed = {name: value for name, value in changed.items() if value is not None}
        program = start_program(sys.executable, str(HERE / "app.py"), *words, env=changed)
        program.expect("ready")
        return program

    return start


@pytest.fixture
def app(start_app):
    return start_app()


def start_unprepared(start_program, name):
    """A program of this folder that knows nothing of timestamp_capture."""
    program = start_program(sys.executable, str(HERE / name), env=environment_without_us())
    program.expect("ready")
    return program


@pytest.fixture
def plain(start_program):
    return start_unprepared(start_program, "plain_app.py")


@pytest.fixture
def recorded(app, tscap):
    """An app that made known calls while it was recorded, and is recorded still."""
    assert tscap("start", app.pid).code == 0
    app.do("parent(100)")
    app.do("fib(10)")
    app.do("renamed()")
    app.do("fail(4)")
    app.do("in_thread('worker', Worker().run)")
    return app


CALLS = {"leaf": 103, "parent": 2, "fib": 177, "renamed": 1, "fails": 4, "Worker.run": 1, "database": 1}


@pytest.fixture
def copy_segment(run_directory, tmp_path):
    """Copies the segment of a program to a file of its own."""

    def copy(program, name="copy.tscap"):
        (segment,) = run_directory.glob("%d-*.tscap" % program.pid)
        return shutil.copy(segment, tmp_path / name)

    return copy


class Tables:
    """What `top -b` prints, as it comes."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([TSCAP, "top", "-b", "100000", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.heading = self.process.stdout.readline()  # of the latest table: it has begun to look
        self.calls = {}

    def read_until(self, calls, heading=""):
        """Until that is the sum by name of all tables, and the latest heading has this in it. What falls into one interval is chance."""
        deadline = time.monotonic() + LIMIT
        while self.calls != calls or heading not in self.heading:
            assert time.monotonic() < deadline, (self.calls, self.heading)
            line = self.process.stdout.readline()
            assert line, self.calls
            found = re.match(r" *([0-9]+) .*  (\S+) \(", line)
            if found:
                self.calls[found[2]] = self.calls.get(found[2], 0) + int(found[1])
            elif re.match("[0-9]+ ", line):
                self.heading = line

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=LIMIT)


@pytest.fixture
def tables():
    """Starts `top -b` with these arguments."""
    opened = []

    def start(*arguments):
        opened.append(Tables(*arguments))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


@pytest.fixture
def terminal():
    opened = []

    def open_terminal(script, **size):
        opened.append(Terminal(script, **size))
        return opened[-1]

    yield open_terminal
    for t in opened:
        t.close()


@pytest.fixture
def top(terminal):
    """`tscap top` in a terminal; when it has ended, the screen says "exit" with its code. What is there then ends with the
    terminal, also where SIGHUP is ignored."""

    def start(*arguments, before="", **size):
        command = shlex.join([TSCAP, "top", *map(str, arguments)])
        script = 'd=$(dirname "$(echo "$TMUX" | cut -d, -f1)"); stty -g >$d/before; %s %s; code=$?; ' % (before, command)
        return terminal(script + "stty -g >$d/after; echo exit $code; exec cat >/dev/null", **size)

    return start


def mask(text):
    """The shape of a table: times to T, other fractions to F, runs of blanks to one."""
    text = re.sub(r"\b[0-9]+(\.[0-9]+)? (ns|us|ms|s)\b", "T", text)
    text = re.sub(r"(?<![\w.])[0-9]+\.[0-9]+(?![\w.])", "F", text)
    return re.sub(r" +", " ", text)


def schema(name):
    return json.loads((ROOT / "man" / ("tscap.%s.schema.json" % name)).read_text())
