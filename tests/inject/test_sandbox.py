"""Programs with seccomp filters: one that would end a program for a system call that is made in it because of us is found
before that is made. The list of them (inject/seccomp.c) is held by hearing of each that is really made."""
import mmap
import os
import pathlib
import subprocess
import sys
import sysconfig

import pytest
import sandbox
from processes import environment_without_us, needs_tracing
from stage import HERE, LONG, tscap, wait_until

pytestmark = [
    pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="free-threaded"),
    pytest.mark.skipif(os.geteuid() != 0, reason="filters are told to CAP_SYS_ADMIN"),
    pytest.mark.skipif(not sandbox.SECCOMP, reason="numbers of system calls are not known here"),
    pytest.mark.skipif(not LONG and sys.version_info[:2] not in [(3, 11), (3, 13)], reason="make soak-inject: every interpreter"),
    needs_tracing,
]


class Sandbox:
    """A program of sandbox.py."""

    def __init__(self, folder, kind, prepared):
        path = folder / ("words-" + kind)
        path.write_bytes(bytes(4096))
        with open(path, "r+b") as file:
            self.words = memoryview(mmap.mmap(file.fileno(), 4096)).cast("Q")
        environment = os.environ if prepared else environment_without_us()
        program = [sys.executable, str(HERE / "sandbox.py"), str(path), kind, *(["prepared"] if prepared else [])]
        self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.pid = self.process.pid

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def ask(self):
        """Its three threads make calls."""
        asked = self.words[sandbox.ASKED] = self.words[sandbox.ASKED] + 1
        wait_until(lambda: all(self.words[sandbox.ANSWERED + slot] == asked for slot in range(3)), "not all threads answer")

    def bear(self, number):
        """Of a nursery: the next child."""
        self.process.stdin.write("%d\n" % number)
        self.process.stdin.flush()
        child = int(self.process.stdout.readline())
        wait_until(lambda: self.words[sandbox.READY], "a child does not begin")
        return child


@pytest.fixture
def enter(tmp_path):
    programs = []

    def begin(kind, prepared):
        programs.append(Sandbox(tmp_path, kind, prepared))
        return programs[-1]

    yield begin
    for each in programs:
        each.close()


def hear(program, commands):
    """The numbers of all system calls that it makes because of these."""
    wait_until(lambda: sandbox.Watcher.find(program.pid) is not None or program.process.poll() is not None, "no filter is put on")
    if program.process.poll() == sandbox.NOT_TOLD:
        pytest.skip("this kernel does not allow it")
    watcher = sandbox.Watcher(program.pid)
    wait_until(lambda: program.words[sandbox.READY], "it does not begin")
    program.ask()
    watcher.numbers.clear()
    for command, *options in commands:
        result = tscap(command, program.pid, *options)
        assert result.returncode == 0, result.stderr
        program.ask()
    return watcher.numbers


def found_first(nursery, command, number):
    """What the command says of a program that does not survive that system call; has it gone on?"""
    child = nursery.bear(number)
    result = tscap(command[0], child, *command[1:])
    refused = result.returncode == 4 and "seccomp" in result.stderr and "the process is as before" in result.stderr
    before = nursery.words[sandbox.BEATS]
    wait_until(lambda: nursery.words[sandbox.BEATS] > before, "system call %d: the program does not go on after\n%s" % (number, result.stderr))
    return refused


LIFE = [("attach",), ("status",), ("stop",), ("start",), ("reset",), ("detach",), ("attach", "--builtins"), ("detach",)]
ORDERS = [("start",), ("status",), ("stop",), ("start",), ("reset",), ("stop",)]


IN_MEMORY = [("attach", "--memfd"), ("detach",)]
in_soak = pytest.mark.skipif(not LONG, reason="make soak-inject")


@pytest.mark.parametrize(
    "prepared, commands",
    [pytest.param(False, LIFE, id="attach"), pytest.param(False, IN_MEMORY, id="memfd", marks=in_soak), pytest.param(True, ORDERS, id="start")],
)
def test_each_system_call(enter, run_directory, prepared, commands):
    """Of each that is made from the first command to the last: a program that it would end is found to be one, and goes on."""
    heard = hear(enter("told", prepared), commands)
    assert heard
    nursery = enter("nursery", prepared)
    assert [number for number in sorted(heard) if not found_first(nursery, commands[0], number)] == []
