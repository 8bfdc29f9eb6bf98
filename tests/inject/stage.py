"""What the tests of attaching share: scenes on stage, cycles of attach, record and detach, and the account of them all."""
import contextlib
import json
import mmap
import os
import pathlib
import re
import shlex
import signal
import statistics
import subprocess
import sys
import time

import scenes
from processes import environment_without_us, inner_pid, is_gone, thread_names

HERE = pathlib.Path(__file__).parent
TSCAP = os.environ["TSCAP"]
PATIENCE = 120  # seconds until what does not come is called hanging
WAKE_S = 10  # until a thread that still waits is woken again
CYCLES = int(os.environ.get("TSCAP_CYCLES", "3"))
LONG = CYCLES > 20
UNITS = {"ns": 1e-3, "us": 1, "ms": 1e3, "s": 1e6}


def build(source, result, *options):
    """One of the C files beside this one."""
    if not result.exists():
        command = [*shlex.split(os.environ.get("CC") or "cc"), "-std=c11", "-O2", "-Wall", "-Wextra", str(HERE / source), "-o", str(result)]
        subprocess.run([*command, *options], check=True)
        result.chmod(0o755)
    return result


def build_library(name, folder, *options):
    return build(name + ".c", folder / ("".join([name, *options]) + ".so"), "-fPIC", "-shared", "-pthread", *options)


# ---- the account ----


class Account:
    """Of one scenario: what became of the attaches."""

    def __init__(self):
        self.attached = self.refused = self.died = self.hung = 0
        self.pauses = []  # us

    def take(self, result):
        if result.returncode == 0:
            self.attached += 1
            self.pauses += pause_of(result.stderr)
        else:
            self.refused += 1

    def row(self, name):
        middle, worst = (f"{f(self.pauses):8.0f}" if self.pauses else "       -" for f in (statistics.median, max))
        return f"{name:34}{self.attached:9}{self.refused:9}{self.died:7}{self.hung:6}{middle}{worst}"


HEAD = f"{'':34}{'attaches':>9}{'refused':>9}{'deaths':>7}{'hangs':>6}{'median':>8}{'worst us':>8}"


def pause_of(text):
    found = re.search(r"stopped for at most ([0-9.]+) (ns|us|ms|s)", text)
    return [float(found[1]) * UNITS[found[2]]] if found else []


# ---- a scene ----


def tscap(*arguments, **options):
    options = {"capture_output": True, "text": True, "timeout": PATIENCE, **options}
    return subprocess.run([TSCAP, *map(str, arguments)], **options)


class Hung(AssertionError):
    pass


class Died(AssertionError):
    pass


def wait_until(true, what, patience=PATIENCE):
    deadline = time.monotonic() + patience
    pause = 0.0005
    while not true():
        if time.monotonic() > deadline:
            raise Hung(what)
        time.sleep(pause)
        pause = min(2 * pause, 0.01)


class Stage:
    """A program of scenes.py that runs. `pid`: of who is to be attached to, with `options`."""

    def __init__(self, scene, folder, account, helper, command=(sys.executable,), environment=(), wakes=False, life_us=0, pid_of=None, options=()):
        self.scene, self.account, self.wakes, self.options = scene, account, wakes, options
        self.own_directory = dict(environment).get("TSCAP_DIR")
        path = folder / ("words-%d" % os.getpid())
        path.write_bytes(bytes(4096))
        with open(path, "r+b") as file:
            self.words = memoryview(mmap.mmap(file.fileno(), 4096)).cast("Q")
        self.words[scenes.PORT] = life_us
        self.errors = open(folder / "stderr", "w+")
        path.chmod(0o666)
        program = [*command, str(HERE / "scenes.py"), scene, str(path), str(helper)]
        self.process = subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors, env={**environment_without_us(), **dict(environment)})
        wait_until(lambda: self.words[scenes.THREADS] or self.is_dead(), "%s does not begin" % scene)
        self.pid = pid_of(self.process.pid) if pid_of and not self.is_dead() else self.process.pid
        self.threads = self.words[scenes.THREADS]

    # -- what it is up to

    def is_dead(self):
        return self.process.poll() is not None

    def said(self):
        self.errors.seek(0)
        return self.errors.read()[:2000]

    def check(self):
        if self.is_dead():
            raise Died("%s ended with %s\n%s" % (self.scene, self.process.returncode, self.said()))
        assert self.words[scenes.ERRORS] == 0, self.said()

    def slots(self, base):
        return list(self.words[base : base + self.threads])

    def counted(self):
        return sum(self.slots(scenes.COUNTED))

    def wake(self):
        if self.wakes:
            with contextlib.suppress(ProcessLookupError):  # it is not always our child, and may have ended
                os.kill(self.pid, signal.SIGUSR1)

    def wait_until(self, true, what):
        try:
            wait_until(lambda: self.is_dead() or true(), what)
        except Hung:
            self.account.hung += 1
            raise Hung("%s: %s\n%s" % (self.scene, what, self.said()))
        if self.is_dead():
            self.account.died += 1
        self.check()

    def wake_until(self, true, what):
        """A signal that comes just before a thread begins to sleep does not wake it: again, but not while it may be answering."""
        woken = [0]

        def look():
            if time.monotonic() - woken[0] > WAKE_S:
                woken[0] = time.monotonic()
                self.wake()
            return true()

        self.wait_until(look, what)

    def ask(self):
        """All its threads make known calls of counted(); how many."""
        before = self.counted()
        gate = self.words[scenes.GATE] = self.words[scenes.GATE] + 1
        self.wake_until(lambda: all(n == gate for n in self.slots(scenes.ANSWERED)), "not all threads answer")
        return self.counted() - before

    def goes_on(self):
        """Each of its threads does."""
        before = self.slots(scenes.BEATS)
        self.wake_until(lambda: all(a > b for a, b in zip(self.slots(scenes.BEATS), before)), "not all threads go on")

    # -- what is done to it

    def attach(self, *options, code=0, **how):
        result = tscap("attach", self.pid, *self.options, *options, **how)
        self.account.take(result)
        self.wait_until(lambda: True, "")
        codes = (code,) if isinstance(code, int) else code
        assert result.returncode in codes, "attach: exit %d\n%s%s" % (result.returncode, result.stderr, self.said())
        if result.returncode != 0:
            lines = result.stderr.rstrip("\n").split("\n")
            assert len(lines) >= 3 and lines[0].startswith("tscap: ") and lines[-1].startswith("  try: "), result.stderr
            assert not result.stdout
        return result

    def recorded(self, function="counted"):
        result = tscap("dump", self.pid, "--json")
        assert result.returncode == 0, result.stderr
        sites = [site for site in json.loads(result.stdout)["sites"] if site["name"] == function]
        return sum(site["calls"] for site in sites)

    def detach(self):
        result = tscap("detach", self.pid)
        self.check()
        assert result.returncode == 0, result.stderr

    def is_left_alone(self):
        """No segment, no thread of ours."""
        return not self.segments() and not self.own_threads()

    def segments(self):
        """Where the process sees that directory, by its number there."""
        directory = "/proc/%d/root%s" % (self.pid, self.own_directory) if self.own_directory else os.environ["TSCAP_DIR"]
        return list(pathlib.Path(directory).glob("%d-*" % inner_pid(self.pid)))

    def own_threads(self):
        return [name for name in thread_names(self.pid) if name.startswith("tscap")]

    def cycle(self, number=0):
        """Attach, record, detach: what is counted is exact, and nothing of it stays."""
        self.attach(*(["--match", "*counted"] if number % 2 else []))
        made = self.ask()
        assert made == scenes.CALLS * self.threads
        assert self.recorded() == made
        self.detach()
        self.ask()
        self.wait_until(self.is_left_alone, "a segment or a thread of ours stays")

    def end(self):
        """By itself."""
        self.words[scenes.STOP] = 1
        self.wake()
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            self.wake()
            time.sleep(0.01)
        if self.process.poll() is None:
            self.account.hung += 1
            raise Hung("%s does not end" % self.scene)
        assert self.process.returncode == 0 and self.words[scenes.ERRORS] == 0, (self.process.returncode, self.said())

    def close(self):
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        wait_until(lambda: is_gone(self.pid), "%s does not die" % self.scene)
        self.errors.close()
