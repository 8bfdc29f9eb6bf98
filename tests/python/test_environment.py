"""Where recording is not possible the program runs on and status() says why; what the settings do."""
import os
import resource
import sys
import subprocess

import pytest

from reading import dump, tscap

SMALL = """
    import timestamp_capture
    from timestamp_capture import timestamp, timestamp_block, Timestamp_Collector

    @timestamp
    def f(): return 42

    assert f() == 42
    try:
        timestamp_capture.start()
        error = ""
    except RuntimeError as e: error = str(e)
    with timestamp_block("block"): assert f() == 42
    collected = ""
    try:
        with Timestamp_Collector() as c: f()
    except RuntimeError as e: collected = str(e)
    state = timestamp_capture.status()
    checkpoint(error=error, collected=collected, available=state["available"], problem=state["problem"], segment=state["segment"],
               running=timestamp_capture.is_running())
    timestamp_capture.stop(); timestamp_capture.reset()
    assert f() == 42
"""


def refused(program, **environment):
    p = program(SMALL, environment=environment)
    report = p.wait()
    assert report["available"] is False and report["running"] is False and report["segment"] == ""
    assert report["problem"] and report["problem"] in report["error"] == report["collected"]
    p.finish()
    return report["problem"]


def test_disabled(program, run_directory):
    assert refused(program, TSCAP_DISABLE="1") == "TSCAP_DISABLE is set"
    assert os.listdir(run_directory) == []
    p = program(SMALL, environment={"TSCAP_DISABLE": "0"})
    assert p.wait()["available"] is True
    p.finish()


def test_disabled_starts_no_thread_and_maps_nothing(program):
    p = program(
        """
        import os, timestamp_capture
        with open("/proc/self/maps") as file: maps = file.read()
        checkpoint(tasks=len(os.listdir("/proc/self/task")), mapped=".tscap" in maps)
        """,
        environment={"TSCAP_DISABLE": "1"},
    )
    assert p.wait() == {"tasks": 1, "mapped": False}
    p.finish()


def test_directory_cannot_be_made(program):
    assert "does not exist" in refused(program, TSCAP_DIR="/nonexistent/directory/tscap")


def test_directory_is_open_to_others(program, run_directory):
    os.chmod(run_directory, 0o777)
    assert "not private" in refused(program)


def test_directory_is_a_link(program, run_directory):
    os.mkdir(os.path.join(run_directory, "real"), 0o700)
    os.symlink(os.path.join(run_directory, "real"), os.path.join(run_directory, "link"))
    assert refused(program, TSCAP_DIR=os.path.join(run_directory, "link"))


def test_directory_is_a_file(program, tmp_path):
    (tmp_path / "file").write_text("")
    assert refused(program, TSCAP_DIR=str(tmp_path / "file"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_directory_belongs_to_somebody_else(program, run_directory):
    os.chown(run_directory, 65534, 65534)
    assert "not private" in refused(program)
    os.chown(run_directory, 0, 0)


def test_directory_is_made(program, run_directory):
    path = os.path.join(run_directory, "made")
    p = program(SMALL, environment={"TSCAP_DIR": path})
    assert p.wait()["available"] is True
    assert os.stat(path).st_mode & 0o777 == 0o700
    assert all(os.stat(os.path.join(path, name)).st_mode & 0o077 == 0 for name in os.listdir(path))
    p.finish()


def test_long_directory(program, run_directory):
    """A socket's path has 107 bytes; a directory may have more."""
    path = os.path.join(run_directory, "x" * 100, "y" * 100)
    os.makedirs(path, 0o700)
    os.environ["TSCAP_DIR"] = path
    p = program(
        """
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        checkpoint()
        f()
        checkpoint()
        """
    )
    p.wait()
    p.tscap("start")
    p.go()
    p.wait()
    assert p.dump().check().counts() == {"f": 1}
    p.finish()


def limit_file_size(bytes_):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))


def test_file_size_limit_from_the_beginning(program):
    p = program(SMALL, preexec_fn=limit_file_size(2048))
    report = p.wait()
    assert report["available"] is False and "RLIMIT_FSIZE" in report["problem"]
    p.finish()


GROWS = """
    import threading, timestamp_capture
    from timestamp_capture import timestamp
    exec("".join(f"@timestamp\\ndef callee_{i}(depth):\\n    if depth: callee_{(i * 7 + 1) % 3000}(depth - 1)\\n" for i in range(3000)))
    callees = [globals()[f"callee_{i}"] for i in range(3000)]

    @timestamp
    def every_path():
        for f in callees: f(20)

    timestamp_capture.start()
    threads = [threading.Thread(target=every_path) for _ in range(3)]
    for t in threads: t.start()
    for t in threads: t.join()
    every_path()
    checkpoint()
"""
GROWN_CALLS = 4 * (1 + 3000 * 21)


def check_full(p):
    """It runs on; what was lost is counted; what is shown is not more than the truth."""
    p.wait()
    done = p.tscap("dump", "--json", check=False)
    assert done.returncode in (0, 6), done.stderr
    profile = p.dump(check=False)
    shown = sum(site["calls"] for site in profile.sites.values())
    assert profile["losses"]["refused_growth"] > 0
    assert shown <= GROWN_CALLS
    assert profile["losses"]["clamped"] == 0
    if shown < GROWN_CALLS:
        assert profile["lost"] or profile["losses"]["threads"] or profile["losses"]["sites"], (shown, profile["losses"])
        assert done.returncode == 6, "exit code 0 never hides a loss"
    assert profile["losses"]["threads"] or profile["losses"]["sites"] or shown + profile["lost"] >= GROWN_CALLS
    p.finish()


def test_file_size_limit_on_the_way(program):
    check_full(program(GROWS, preexec_fn=limit_file_size(2 << 20)))


def test_memory_setting(program):
    check_full(program(GROWS, environment={"TSCAP_MEMORY": "2"}))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_full_file_system(program, tmp_path):
    path = tmp_path / "small"
    path.mkdir(mode=0o700)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "none", str(path)], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("may not mount here")
    try:
        os.environ["TSCAP_DIR"] = str(path)
        check_full(program(GROWS))
        filler = path / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                pass
        assert "no space" in refused(program)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_settings_that_make_no_sense_are_not_heeded(program):
    p = program(SMALL, environment={"TSCAP_RING": "many", "TSCAP_MEMORY": "-1", "TSCAP_NODES": "0x", "TSCAP_CPU": "quantum", "TSCAP_CLOCK": "sundial"})
    assert p.wait()["available"] is True
    p.finish()


def test_keep(program, run_directory):
    p = program(
        """
        import timestamp_capture
        from timestamp_capture import timestamp, timestamp_block
        @timestamp
        def f(): pass
        timestamp_capture.start()
        f(), f()
        with timestamp_block("block"): pass
        """,
        environment={"TSCAP_KEEP": "1"},
    )
    p.finish()
    (file,) = [name for name in os.listdir(run_directory) if name.endswith(".tscap")]
    profile = dump(os.path.join(run_directory, file)).check()
    assert profile.counts() == {"f": 2, "block": 1}
    assert profile.counts() == dump(p.pid).counts()
    tscap("gc")
    assert os.listdir(run_directory) == []


def test_closing_all_descriptors(program):
    """As daemons do. The listener is lost, nothing else."""
    p = program(
        """
        import os, timestamp_capture
        from timestamp_capture import timestamp

        @timestamp
        def f(): pass

        keep = {_out, _in}
        for fd in range(3, 1024):
            if fd not in keep:
                try: os.close(fd)
                except OSError: pass
        mine = [os.open("/dev/null", os.O_RDWR) for _ in range(10)]  # in the listener's old places
        timestamp_capture.start()
        for _ in range(10_000): f()
        timestamp_capture.stop()
        timestamp_capture.start()
        import threading
        threads = [threading.Thread(target=f) for _ in range(20)]
        for t in threads: t.start()
        for t in threads: t.join()
        checkpoint()
        pid = os.fork()
        if pid == 0:
            timestamp_capture.start(); f()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        for fd in mine: os.fstat(fd)
        checkpoint()
        for fd in mine: os.fstat(fd)
        """
    )
    p.wait()
    assert p.dump().check().counts() == {"f": 10_020}
    assert p.tscap("status", check=False).returncode in (0, 3, 124)
    p.go()
    p.wait()
    p.finish()


def test_closing_all_descriptors_before_a_fork_brings_the_listener_back(program):
    p = program(
        """
        import os, timestamp_capture
        keep = {_out, _in}
        for fd in range(3, 1024):
            if fd not in keep:
                try: os.close(fd)
                except OSError: pass
        pid = os.fork()
        if pid == 0: os._exit(0)
        os.waitpid(pid, 0)
        checkpoint()
        """
    )
    p.wait()
    p.tscap("start")
    p.tscap("stop")
    p.finish()


def test_removed_directory(program, run_directory):
    """A clean-up of temporary files takes the segment away: the program does not notice."""
    p = program(
        """
        import timestamp_capture
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        timestamp_capture.start()
        checkpoint()
        for _ in range(100_000): f()
        timestamp_capture.stop(); timestamp_capture.start()
        """
    )
    p.wait()
    for name in os.listdir(run_directory):
        os.unlink(os.path.join(run_directory, name))
    assert p.tscap("dump", check=False).returncode == 3
    p.finish()


def test_dormant_process_is_small(program, run_directory):
    p = program(
        """
        from timestamp_capture import timestamp
        for i in range(1000):
            exec(f"@timestamp\\ndef f{i}(): pass")
        checkpoint()
        """
    )
    p.wait()
    (file,) = [name for name in os.listdir(run_directory) if name.endswith(".tscap")]
    assert os.stat(os.path.join(run_directory, file)).st_blocks * 512 <= 64 << 10
    p.finish()


def test_import_leaves_the_rest_of_python_alone(program):
    """What importing us brings along: nothing heavy."""
    p = program(
        """
        import sys
        before = set(sys.modules)
        import timestamp_capture
        checkpoint(new=sorted(set(sys.modules) - before), threads=__import__("threading").active_count())
        """,
        options=["-S"],
    )
    report = p.wait()
    heavy = {"asyncio", "json", "multiprocessing", "logging", "subprocess", "socket", "tempfile"}
    assert not heavy & set(report["new"]), report["new"]
    assert report["threads"] == 1
    p.finish()


def test_two_interpreters_of_one_program_do_not_mix(program):
    """Two processes of the same program, recorded at once."""
    source = """
        import sys
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        checkpoint()
        for _ in range(int(sys.argv[1])): f()
        checkpoint()
    """
    one, two = program(source, arguments=["10"]), program(source, arguments=["20"])
    for p in (one, two):
        p.wait()
        p.tscap("start")
        p.go()
    for p, calls in ((one, 10), (two, 20)):
        p.wait()
        assert p.dump().check().counts() == {"f": calls}
        p.finish()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is of 3.12")
def test_all_tool_ids_taken(program):
    p = program(
        """
        import sys, timestamp_capture
        from timestamp_capture import timestamp
        @timestamp
        def f(): pass
        for tool in range(6): sys.monitoring.use_tool_id(tool, f"tool {tool}")
        try: timestamp_capture.start()
        except RuntimeError as e: error = str(e)
        checkpoint(error=error)
        sys.monitoring.free_tool_id(4)
        timestamp_capture.start(); f(); timestamp_capture.stop()
        assert sys.monitoring.get_tool(4) is None
        assert [sys.monitoring.get_tool(tool) for tool in (0, 1, 2, 3, 5)] == [f"tool {tool}" for tool in (0, 1, 2, 3, 5)]
        checkpoint()
        """
    )
    assert "tool ids" in p.wait()["error"]
    done = p.tscap("start", check=False)
    assert done.returncode == 1 and "tool ids" in done.stderr
    p.go()
    p.wait()
    assert p.dump().check().counts() == {"f": 1}
    p.finish()


def test_a_thread_without_memory_is_one_thread(program):
    """It asks again at each call, all of which are lost, once each however often a generator goes on; what the recorder calls
    to measure itself is no loss."""
    p = program(
        """
        import threading, timestamp_capture
        from timestamp_capture import timestamp

        @timestamp
        def calls():
            yield
            yield

        def many():
            for _ in range(300): list(calls())
            done.wait()

        timestamp_capture.start()
        done = threading.Event()
        threads = [threading.Thread(target=many) for _ in range(24)]
        for t in threads: t.start()
        checkpoint()
        done.set()
        """,
        environment={"TSCAP_MEMORY": "1"},
    )
    p.wait()
    while True:  # a thread may still be on its way
        profile = p.dump(check=False)
        if profile.calls("calls") + profile["lost"] >= 24 * 300:
            break
    recorded = sum(1 for thread in profile["threads"] if thread["roots"])
    assert 0 < recorded < 24 and profile["losses"]["threads"] == 24 - recorded
    assert profile.calls("calls") == recorded * 300 and profile["lost"] == (24 - recorded) * 300
    p.finish()
