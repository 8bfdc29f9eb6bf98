"""Sessions of a whole family: who is started with its subprocesses hands that on to those made later, however they are made;
what they recorded stays as long as the family does."""
import json
import os
import pathlib
import socket
import subprocess
import sys
import textwrap

import pytest

import by_value
from reading import Profile, dump, tscap


def processes():
    """{pid: what ps says}, the dead ones as well."""
    listed = json.loads(tscap("ps", "--all", "--json").stdout)["processes"]
    return {process["pid"]: process for process in listed}


def dump_family(pid):
    return Profile(json.loads(tscap("dump", "--subprocesses", "--json", pid).stdout))


def lineage(process):
    return [ancestor["pid"] for ancestor in process["lineage"]]


def calls(name):
    """Of all processes together, each read by itself."""
    return sum(dump(pid).check().calls(name) for pid in processes())


PREFORK = """
    import os, signal, sys, timestamp_capture
    from timestamp_capture import timestamp

    @timestamp
    def handle(): pass

    @timestamp
    def fork_worker(requests):
        pid = os.fork()
        if pid == 0:
            for _ in range(requests): handle()
            sys.exit()
        return pid

    def wait_for(pids):
        for pid in pids: assert os.waitpid(pid, 0)[1] == 0
"""


def test_children_forked_later_record_too_and_leave_their_numbers(program, run_directory):
    p = program(
        PREFORK
        + """
    checkpoint()
    wait_for([fork_worker(10 * n) for n in range(1, 6)])
    checkpoint()
    wait_for([fork_worker(1000)])
    checkpoint()
    """,
        options=["-W", "error::DeprecationWarning"],
    )
    p.wait()
    tscap("start", "-s", p.pid)
    p.go()
    p.wait()
    found = processes()
    assert len(found) == 6
    assert all(process["parent_pid"] == p.pid for pid, process in found.items() if pid != p.pid)
    assert [dump(pid).check().calls("handle") for pid in sorted(found)].count(0) == 1
    assert calls("handle") == 150
    assert p.dump().check().counts() == {"fork_worker": 5}
    tscap("stop", "-s", p.pid)
    p.go()
    p.wait()
    assert calls("handle") == 150, "the session is over"
    p.finish()
    assert os.listdir(run_directory) == [], "the family is gone"


def test_without_the_option_children_are_left_alone(program):
    p = program(PREFORK + "\n    checkpoint()\n    wait_for([fork_worker(10)])\n    checkpoint()\n")
    p.wait()
    tscap("start", p.pid)
    p.go()
    p.wait()
    assert list(processes()) == [p.pid]
    p.tscap("stop")
    p.finish()


def test_started_from_inside(program):
    p = program(PREFORK + "\n    timestamp_capture.start(subprocesses=True)\n    wait_for([fork_worker(10)])\n    checkpoint()\n")
    p.wait()
    assert calls("handle") == 10
    p.go()
    p.finish()


def test_those_that_live_already_and_their_children(program):
    """Started and stopped as a whole, at any time; a grandchild forked meanwhile as well."""
    p = program(
        PREFORK
        + """
    read, write = os.pipe()
    for _ in range(3):
        if os.fork() == 0:
            os.read(read, 1)
            handle()
            wait_for([fork_worker(4)])
            os.read(read, 1)
            sys.exit()
    checkpoint()
    os.write(write, b"...")
    checkpoint()
    os.write(write, b"...")
    for _ in range(3): os.wait()
    """
    )
    p.wait()
    assert "and 3 subprocesses" in tscap("start", "-s", p.pid).stderr
    p.go()
    p.wait()
    deadline = 600
    while calls("handle") < 15 and deadline:
        deadline -= 1
        subprocess.run(["sleep", "0.1"], check=True)
    assert calls("handle") == 15
    states = [process["state"] for process in processes().values()]
    assert states.count("recording") == 4 and states.count("dead") == 3
    tscap("stop", "-s", p.pid)
    assert {process["state"] for process in processes().values()} == {"stopped", "dead"}
    tscap("reset", "-s", p.pid)
    assert len(processes()) == 4 and calls("handle") == 0
    p.go()
    p.finish()


def test_a_storm_of_forks(program):
    """Hundreds of children, eight at a time, children of children among them: each call is there."""
    p = program(
        PREFORK
        + """
    timestamp_capture.start(subprocesses=True)
    alive = 0
    for n in range(240):
        if alive == 8:
            assert os.wait()[1] == 0
            alive -= 1
        alive += 1
        if os.fork() == 0:
            for _ in range(n): handle()
            if n % 10 == 0: wait_for([fork_worker(1)])
            os._exit(0) if n % 2 else sys.exit()
    while alive:
        assert os.wait()[1] == 0
        alive -= 1
    checkpoint()
    """,
        options=["-W", "error::DeprecationWarning"],
    )
    p.wait()
    assert len(processes()) == 1 + 240 + 24
    assert calls("handle") == sum(range(240)) + 24
    p.go()
    p.finish()


def test_fork_behind_pythons_back(program):
    """A child that no hook of Python hears of records nothing, whatever the session; what it forks in turn has a segment."""
    p = program(
        PREFORK
        + """
    import ctypes
    timestamp_capture.start(subprocesses=True)
    pid = ctypes.CDLL(None).fork()
    if pid == 0:
        for _ in range(1000): handle()
        os._exit(0)
    os.waitpid(pid, 0)
    handle()
    checkpoint()
    """
    )
    p.wait()
    assert list(processes()) == [p.pid] and calls("handle") == 1
    p.go()
    p.finish()


def test_an_orphan_knows_its_family(program, run_directory):
    """A daemon by two forks: the process between has ended and left nothing."""
    p = program(
        PREFORK
        + """
    pid = os.fork()
    if pid == 0:
        os.setsid()
        if os.fork() == 0:
            checkpoint(pid=os.getpid(), parent=os.getppid())
            handle()
            checkpoint()
            os._exit(0)
        sys.exit()
    wait_for([pid])
    while True: signal.pause()
    """
    )
    daemon = p.wait()
    found = processes()
    while len(found) == 3:  # the one between is about to end
        found = processes()
    assert sorted(found) == sorted([p.pid, daemon["pid"]])
    assert lineage(found[daemon["pid"]])[1] == p.pid
    lines = tscap("ps", "--tree").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [str(p.pid), str(daemon["pid"])]
    assert "\\_ " in lines[2] and "\\_ " not in lines[1]
    assert "and 1 subprocess:" in tscap("start", "-s", p.pid).stderr
    p.go()
    p.wait()
    assert calls("handle") == 1
    p.go()
    p.kill()


CHILD = """
    import os, sys
    from timestamp_capture import timestamp

    @timestamp
    def handle(): pass

    for _ in range(int(sys.argv[1])): handle()
    print(os.getpid(), flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("way", ["directly", "by a shell", "by exec"])
def test_programs_that_it_starts(program, tmp_path, way):
    """They are new interpreters: they ask, when they import the package, whether an ancestor records."""
    child = tmp_path / "child.py"
    child.write_text(textwrap.dedent(CHILD))
    command = {
        "directly": "command = [sys.executable, path, '25']",
        "by a shell": "command = ['sh', '-c', '\"$@\"; exit $?', 'sh', sys.executable, path, '25']",
        "by exec": "command = [sys.executable, '-c', 'import os, sys; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])', path, '25']",
    }
    p = program(
        f"""
        import subprocess, sys, timestamp_capture
        path = {str(child)!r}
        {command[way]}
        timestamp_capture.start(subprocesses=True)
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        checkpoint(pid=int(child.stdout.readline()))
        child.communicate("go")
        assert child.returncode == 0
        checkpoint()
        timestamp_capture.stop()
        child = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
        checkpoint(pid=int(child.stdout))
        """
    )
    pid = p.wait()["pid"]
    assert dump(pid).check().counts() == {"handle": 25}
    assert p.pid in lineage(processes()[pid])
    p.go()
    p.wait()
    assert processes()[pid]["state"] == "dead" and dump(pid).check().counts() == {"handle": 25}
    p.go()
    assert p.wait()["pid"] not in processes()
    p.go()
    p.finish()


def test_a_function_by_value_brings_us(program):
    """A worker that knows nothing of us gets a decorated function: it imports the package for it, and asks then."""
    p = program(
        f"""
        import os, subprocess, sys, timestamp_capture
        sys.path.append({os.path.dirname(by_value.__file__)!r})
        import by_value
        from timestamp_capture import timestamp

        @timestamp
        def work(n): return n + 2

        timestamp_capture.start(subprocesses=True)
        read, write = os.pipe()
        command = [sys.executable, by_value.__file__, str(read)]
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[read])
        worker.stdin.write(by_value.dumps(work))
        worker.stdin.close()
        assert worker.stdout.readline() == b"20 True\\n"
        checkpoint()
        os.write(write, b".")
        assert worker.wait() == 0
        worker.stdout.close()
        checkpoint()
        """
    )
    for _ in range(2):
        p.wait()
        assert calls("work") == dump_family(p.pid).calls("work") == 5
        p.go()
    p.finish()


POOLED = """
    import concurrent.futures, multiprocessing, os, sys
    import timestamp_capture
    from timestamp_capture import timestamp

    @timestamp
    def square(n): return n * n

    if __name__ == "__main__":
        method, kind = sys.argv[1:]
        context = multiprocessing.get_context(method)
        timestamp_capture.start(subprocesses=True)
        square(0)
        if kind == "pool":
            with context.Pool(2) as pool:
                assert pool.map(square, range(50)) == [n * n for n in range(50)]
                pool.close()
                pool.join()
        elif kind == "executor":
            with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
                assert list(pool.map(square, range(50))) == [n * n for n in range(50)]
        else:
            children = [context.Process(target=square, args=(n,)) for n in range(5)]
            for child in children: child.start()
            for child in children: child.join()
            assert [child.exitcode for child in children] == [0] * 5
        print("done", flush=True)
        sys.stdin.readline()
"""


@pytest.mark.parametrize("kind, expected", [("pool", 51), ("executor", 51), ("process", 6)])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(run_directory, tmp_path, method, kind, expected):
    path = tmp_path / "pooled.py"
    path.write_text(textwrap.dedent(POOLED))
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, str(path), method, kind], **options) as p:
        assert p.stdout.readline() == "done\n", p.communicate()
        assert calls("square") == expected
        out, err = p.communicate("go\n", timeout=60)
    assert (p.returncode, out) == (0, "") and "imestamp" not in err and "tscap" not in err
    assert [name for name in os.listdir(run_directory) if name.startswith(str(p.pid))] == []


def test_a_pid_that_is_used_again_is_nobody(program, run_directory):
    """The start time is a part of the name: here an ancestor of that number is another process."""
    p = program(PREFORK + "\n    pid = os.fork()\n    if pid == 0: signal.pause()\n    checkpoint(pid=pid)\n    os.kill(pid, 9)\n    os.waitpid(pid, 0)\n")
    child = p.wait()["pid"]
    while child not in processes():
        pass
    (segment,) = [name for name in os.listdir(run_directory) if name.startswith("%d-" % child) and name.endswith(".tscap")]
    path = os.path.join(run_directory, segment)
    start = processes()[child]["lineage"][0]["start_time"]
    data = pathlib.Path(path).read_bytes()
    known = p.pid.to_bytes(4, "little") + bytes(4) + start.to_bytes(8, "little")
    other = p.pid.to_bytes(4, "little") + bytes(4) + (start - 1).to_bytes(8, "little")
    assert data.count(known) == 1
    with open(path, "r+b") as file:
        file.seek(data.index(known))
        file.write(other)
    assert processes()[child]["parent_pid"] == p.pid
    assert "\\_" not in tscap("ps", "--tree").stdout
    assert "subprocess" not in tscap("start", "-s", p.pid).stderr
    p.go()
    p.finish()


def request(port):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"HELLO"


def test_a_preforking_server(run_directory):
    """Each request that was served is counted, whoever served it; workers come and go meanwhile."""
    path = os.path.join(os.path.dirname(__file__), "programs", "prefork_server.py")
    with subprocess.Popen([sys.executable, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        port = int(server.stdout.readline())
        for _ in range(30):
            request(port)
        tscap("start", "-s", server.pid)
        for _ in range(200):
            request(port)
        tscap("stop", "-s", server.pid)
        for _ in range(30):
            request(port)
        profile = dump_family(server.pid).check()
        assert profile.calls("handle") == 200
        assert len(profile["processes"]) >= 1 + 200 // 20
        server.stdin.close()
        assert server.wait(60) == 0
    assert os.listdir(run_directory) == []
