"""``import timestamp_capture`` brings what decorators need; the rest is loaded when it is first used, wherever that is."""
import inspect
import os
import pathlib
import pydoc
import subprocess
import sys
import textwrap

import pytest

import timestamp_capture
from reading import FROM_OUTSIDE

PACKAGE = pathlib.Path(timestamp_capture.__file__).parent


def run(code):
    """What it prints, in an interpreter of its own; it must end well and complain of nothing."""
    command = [sys.executable, "-S", "-W", "default", "-c", textwrap.dedent(code)]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(not FROM_OUTSIDE, reason="the recorder in pure Python needs more")
def test_a_decorated_program_loads_next_to_nothing():
    loaded = run(
        """
        import sys
        before = set(sys.modules)
        from timestamp_capture import start, status, stop, timestamp, timestamp_block

        @timestamp
        def f(): pass

        @timestamp
        class C:
            \"\"\"A class.\"\"\"
            value = 1
            def method(self): pass

        start(), f(), C().method(), stop(), status()
        with timestamp_block("block"): pass
        print(*set(sys.modules) - before)
        """
    ).split()
    ours = {name.rpartition(".")[2] for name in loaded if name.startswith("timestamp_capture")}
    assert ours == {"timestamp_capture", "_by_value", "_core", "_decorators", "_later", "_select", "_status"}
    assert not {"dataclasses", "enum", "inspect", "json", "re", "threading", "typing"} & set(loaded)


@pytest.mark.parametrize("name", timestamp_capture.__all__)
def test_each_public_name(name):
    """It is there at the first time of asking, in dir() before that, and is the same object ever after."""
    said = run(
        f"""
        import timestamp_capture
        assert {name!r} in dir(timestamp_capture)
        first = timestamp_capture.{name}
        from timestamp_capture import {name}
        assert {name} is first is vars(timestamp_capture)[{name!r}]
        print(getattr(first, "__name__", {name!r}))
        """
    )
    assert said == name


def test_all_of_them():
    assert run("from timestamp_capture import *\nprint(Timestamp_Collector.__name__, timestamp_args.__name__)") == "Timestamp_Collector timestamp_args"


def test_modules_are_attributes():
    assert run("import timestamp_capture as t\nprint(t.schemas.NS_TO_MS, t.export.__name__)") == "1000000 timestamp_capture.export"


def test_what_there_is_not():
    assert not hasattr(timestamp_capture, "nothing")
    with pytest.raises(AttributeError, match="module 'timestamp_capture' has no attribute 'nothing'"):
        timestamp_capture.nothing
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from timestamp_capture import nothing  # noqa: F401


def test_help_shows_all():
    text = pydoc.plain(pydoc.render_doc(timestamp_capture))
    assert all(name in text for name in timestamp_capture.__all__)


@pytest.mark.parametrize("name", timestamp_capture.__all__)
def test_each_public_name_is_documented(name):
    thing = getattr(timestamp_capture, name)
    if isinstance(thing, (str, int)):
        return
    assert inspect.getdoc(thing)
    members = vars(thing).items() if isinstance(thing, type) else ()
    bare = [key for key, member in members if not key.startswith("_") and callable(member) and not inspect.getdoc(member)]
    assert bare == []


# ---- anywhere ----


def test_threads_at_once():
    assert (
        run(
            """
            import sys, threading, timestamp_capture as t
            sys.setswitchinterval(1e-6)
            names = [name for name in t.__all__ for _ in range(2)]
            barrier, got = threading.Barrier(len(names)), []

            def use(name):
                barrier.wait()
                got.append((name, getattr(t, name)))

            threads = [threading.Thread(target=use, args=(name,)) for name in names]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            assert len(got) == len(names), "one of them failed"
            assert all(getattr(t, name) is value for name, value in got)
            print("done")
            """
        )
        == "done"
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_in_a_child():
    said = run(
        """
        import os, timestamp_capture as t
        pid = os.fork()
        with t.Timestamp_Collector() as collector: collector.enter("block"), collector.exit("block")
        assert list(collector.get_method_timings()) == ["block"]
        if pid == 0: os._exit(7)
        print(os.waitpid(pid, 0)[1] >> 8)
        """
    )
    assert said == "7"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore")
def test_in_a_child_that_was_forked_while_another_thread_was_loading():
    """It would wait for the lock of the module for ever, if it had been forked then."""
    said = run(
        """
        import os, signal, sys, threading, time, warnings
        import timestamp_capture as t
        warnings.simplefilter("ignore")  # of forks in programs with threads
        loading = threading.Event()

        class Slow:
            @staticmethod
            def find_spec(name, *rest):
                if name == "timestamp_capture.schemas":
                    loading.set()
                    time.sleep(0.2)

        sys.meta_path.insert(0, Slow)
        thread = threading.Thread(target=lambda: t.Timestamp_Collector)
        thread.start()
        loading.wait()
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            t.Timestamp_Collector
            os._exit(7)
        thread.join()
        print(os.waitpid(pid, 0)[1])
        """
    )
    assert said == str(7 << 8)


def test_when_the_interpreter_ends():
    """As long as anything can be loaded; afterwards names are missing, and that is all."""
    said = run(
        """
        import atexit, timestamp_capture as t

        class Late:
            def __del__(self, t=t):
                print(getattr(t, "Timestamp_Collector", "missing"), t.timestamp.__name__)

        @atexit.register
        def use():
            with t.Timestamp_Collector("end") as collector: collector.enter("block"), collector.exit("block")
            print(collector.name, collector.entry_count(), t.find_timestamp_collector())

        t.late = Late()
        """
    ).split("\n")
    assert said[0] == "end 2 None"
    assert len(said) == 2 and said[1].endswith(" timestamp")


def test_never_used_before_the_interpreter_ended():
    said = run(
        """
        import timestamp_capture as t

        class Late:
            def __del__(self, t=t):
                try: t.Timestamp_Collector
                except AttributeError as error: print(error)

        t.late = Late()
        """
    )
    assert said == "timestamp_capture.collector was not used before, and cannot be loaded now that the interpreter ends"
