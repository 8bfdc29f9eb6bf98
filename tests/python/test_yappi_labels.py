"""Contexts and tags that callbacks tell of."""
import _thread
import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import threading
import traceback

import pytest

from reading import FROM_OUTSIDE
from timestamp_capture import Timestamp_Collector, timestamp, yappi
from timestamp_capture.stichotrope import Profiler

pytestmark = pytest.mark.skipif(not FROM_OUTSIDE, reason="the recorder in pure Python has no sessions")


def reset():
    yappi.stop()
    yappi.clear_stats()
    yappi.set_context_backend("native_thread")  # takes the callbacks of contexts away
    yappi.set_tag_callback(None)


@pytest.fixture(autouse=True)
def fresh():
    reset()
    yield
    reset()


NAMES = ("leaf", "outer", "waits", "gen", "agen", "deep", "cancelled", "shared")


def counts(**wanted):
    return {stat.name: stat.ncall for stat in yappi.get_func_stats(**wanted) if stat.module == __file__ and stat.name in NAMES}


def leaf():
    pass


def outer():
    leaf()


def gen():
    yield 1
    leaf()
    yield 2


def shared(n):
    return n


async def waits():
    await asyncio.sleep(0)
    leaf()
    await asyncio.sleep(0)


def test_tags():
    tag = 0
    yappi.set_tag_callback(lambda: tag)
    yappi.start()
    for tag in (0, 1, 2, 1, -1):
        outer()
    yappi.stop()
    assert [counts(tag=n) for n in (0, 1, 2, -1, 9)] == [{"outer": n, "leaf": n} if n else {} for n in (1, 2, 1, 1, 0)]
    stats = yappi.get_func_stats()
    (row,) = [stat for stat in stats if stat.name == "outer"]
    (child,) = row.children
    assert (row.ncall, child.name, child.ncall) == (5, "leaf", 5)
    assert len({stat.full_name for stat in stats}) == len(stats)  # a function is one row, whatever its tags


def test_a_callback_is_no_part_of_the_program():
    def helps():
        return 3

    def asked():
        return helps()

    yappi.set_tag_callback(asked)
    yappi.start()
    leaf()
    asked()  # but when the program calls it, it is
    yappi.stop()
    assert {stat.name: stat.ncall for stat in yappi.get_func_stats() if stat.module == __file__} == {"leaf": 1, "asked": 1, "helps": 1}


def test_without_callbacks_calls_have_no_labels_again():
    yappi.set_tag_callback(lambda: 5)
    yappi.start()
    leaf()
    yappi.set_tag_callback(None)
    leaf()
    yappi.stop()
    assert counts(tag=5) == counts(tag=0) == {"leaf": 1} and counts() == {"leaf": 2}


def test_what_a_call_began_with_is_its_to_the_end():
    """Whatever becomes of the callback while it is open, or while it waits."""
    tag = 1
    yappi.set_tag_callback(lambda: tag)
    yappi.start()
    generator = gen()
    next(generator)
    tag = 2
    next(generator)
    yappi.set_tag_callback(None)
    assert list(generator) == []
    yappi.stop()
    assert counts(tag=1) == {"gen": 1} and counts(tag=2) == {"leaf": 1} and counts(tag=0) == {}
    (stat,) = [stat for stat in yappi.get_func_stats() if stat.name == "gen"]
    assert stat.is_recursive() is False and stat.ncall == 1


def test_tasks_by_a_context_variable():
    request = contextvars.ContextVar("request", default=0)

    async def one(n):
        request.set(n)
        await asyncio.gather(waits(), waits())

    async def all_of_them():
        await asyncio.gather(*(one(n) for n in range(1, 6)))

    yappi.set_tag_callback(request.get)
    yappi.start()
    asyncio.new_event_loop().run_until_complete(all_of_them())
    yappi.stop()
    for n in range(1, 6):
        assert counts(tag=n) == {"waits": 2, "leaf": 2}


def test_contexts_by_a_callback():
    context = 0
    yappi.set_context_id_callback(lambda: context)
    yappi.set_context_name_callback(lambda: f"context {context}")
    yappi.start()
    for context in (0, 1, 2, 1):
        leaf()
    yappi.stop()
    rows = {stat.id: stat for stat in yappi.get_thread_stats()}
    assert {id: (stat.name, stat.sched_count) for id, stat in rows.items()} == {
        0: ("context 0", 1), 1: ("context 1", 2), 2: ("context 2", 1)}  # fmt: skip
    assert [counts(ctx_id=n) for n in (0, 1, 2)] == [{"leaf": 1}, {"leaf": 2}, {"leaf": 1}]


@pytest.mark.parametrize("late", [False, True])
def test_a_context_is_asked_for_where_a_c_function_is_called(late):
    """What waits is C. Nothing of it is recorded."""
    context = 0
    if not late:
        yappi.set_context_id_callback(lambda: context)
    yappi.start()
    if late:
        yappi.set_context_id_callback(lambda: context)
    for context in (0, 1, 0):
        _thread.get_ident()
    yappi.set_context_id_callback(None)
    for context in (2, 3):
        _thread.get_ident()
    yappi.stop()
    assert {stat.id: stat.sched_count for stat in yappi.get_thread_stats()} == {0: 2, 1: 1}
    assert not any(stat.builtin for stat in yappi.get_func_stats())


def test_one_context_alone():
    context = 7
    yappi.set_context_id_callback(lambda: context)
    yappi.start(profile_threads=False)
    leaf()
    context = 8
    leaf()
    yappi.stop()
    assert counts() == {"leaf": 1}


@pytest.mark.parametrize("value", [None, "1", 1.5, ValueError("said no")])
@pytest.mark.parametrize("set_callback", [yappi.set_context_id_callback, yappi.set_tag_callback])
def test_a_callback_that_fails_is_told_of_once_and_not_asked_again(set_callback, value, capsys):
    asked = []

    def callback():
        asked.append(1)
        if isinstance(value, Exception):
            raise value
        return value

    set_callback(callback)
    yappi.start()
    leaf()
    leaf()
    yappi.stop()
    assert len(asked) == 1 and counts() == {"leaf": 2}
    assert ("said no" if isinstance(value, Exception) else repr(value)) in capsys.readouterr().err


def test_what_is_being_raised_is_not_disturbed():
    def raises():
        try:
            raise KeyError("theirs")
        finally:
            leaf()

    def callback():
        try:
            raise ValueError
        except ValueError:
            return 1

    yappi.set_tag_callback(callback)
    yappi.start(builtins=True)
    with pytest.raises(KeyError, match="theirs") as caught:
        raises()
    assert caught.value.__context__ is None
    yappi.stop()
    assert counts(tag=1)["leaf"] == 1


def test_a_callback_may_stop_and_clear_the_session():
    """From inside of a call's beginning."""
    what = [yappi.stop, yappi.clear_stats, yappi.get_func_stats, yappi.start]

    def callback():
        if what:
            what.pop()()
        return 1

    yappi.set_tag_callback(callback)
    yappi.start()
    for _ in range(6):
        outer()
    assert not what and not yappi.is_running()
    reset()
    with yappi.run():
        outer()
    assert counts() == {"outer": 1, "leaf": 1}


def test_threads_have_labels_from_when_threading_knows_them():
    """Before, current_thread() would make up a thread."""
    names = threading.local()

    def callback():
        names.now = threading.current_thread().name
        return 4

    yappi.set_tag_callback(callback)
    yappi.start()
    threads = [threading.Thread(target=outer, name="mine") for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yappi.stop()
    assert counts(tag=4) == {"outer": 4, "leaf": 4}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("Dummy")]


def test_threads_that_are_none_of_threadings_have_labels():
    done = threading.Semaphore(0)
    yappi.set_tag_callback(lambda: 4)
    yappi.start()
    for _ in range(4):
        _thread.start_new_thread(lambda: [outer(), done.release()], ())
    for _ in range(4):
        assert done.acquire(timeout=60)
    yappi.stop()
    assert counts(tag=4) == {"outer": 4, "leaf": 4}


# ---- what callbacks return and raise ----


class Odd(int):
    def __eq__(self, other):
        raise AssertionError("it was compared")

    def __hash__(self):
        raise AssertionError("it was looked up")

    def __int__(self):
        raise AssertionError("it was asked")

    __index__ = __int__


@pytest.mark.parametrize("value", [1 << 200, -(1 << 200), True, Odd(7)])
def test_any_int_is_a_number(value):
    plain = int.__int__(value)
    yappi.set_tag_callback(lambda: value)
    yappi.set_context_id_callback(lambda: value)
    yappi.start()
    leaf()
    yappi.stop()
    assert counts(tag=plain, ctx_id=plain) == {"leaf": 1} and [row.id for row in yappi.get_thread_stats()] == [plain]


def test_thousands_of_labels():
    tag = 0
    yappi.set_tag_callback(lambda: tag)
    yappi.start()
    for tag in range(3000):
        leaf()
    yappi.stop()
    assert counts() == {"leaf": 3000} and yappi.get_func_stats().complete
    assert [counts(tag=n) for n in (0, 1, 2999, 3000)] == [{"leaf": 1}] * 3 + [{}]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit(3), asyncio.CancelledError])
@pytest.mark.parametrize("builtins", [False, True])
def test_what_is_meant_for_the_program_reaches_it(raised, builtins, capsys):
    """Handlers of signals are run while a callback is asked, too."""
    wanted = []

    def callback():
        if wanted:
            raise wanted.pop()
        return 1

    def function():
        wanted.append(raised)
        leaf()

    def generator():
        generator = gen()
        wanted.append(raised)
        next(generator)

    def coroutine():
        coroutine = waits()
        try:
            wanted.append(raised)
            coroutine.send(None)
        finally:
            coroutine.close()

    yappi.set_tag_callback(callback)
    yappi.start(builtins=builtins)
    for begin in (function, generator, coroutine):
        outer()
        with pytest.raises(BaseException) as caught:
            begin()
        assert caught.value is raised or type(caught.value) is raised, begin
        outer()
    yappi.stop()
    assert not wanted and capsys.readouterr().err == ""
    assert counts(tag=1)["outer"] == 6  # it is asked as before


def test_a_signal_while_a_callback_is_asked():
    class Signalled(BaseException):
        pass

    def handler(*_):
        raise Signalled

    def callback():
        if armed:
            armed.clear()
            signal.raise_signal(signal.SIGUSR1)
        return 1

    armed = []
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        yappi.set_tag_callback(callback)
        yappi.start()
        caught = 0
        for _ in range(100):
            try:
                armed.append(1)
                leaf()
            except Signalled:
                caught += 1
        assert caught == 100
        outer()
        yappi.stop()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert counts(tag=1)["outer"] == 1


def test_a_program_that_recurses_to_its_limit_keeps_its_callback(capsys):
    def deep():
        deep()

    yappi.set_tag_callback(lambda: 6)
    yappi.start()
    for _ in range(3):
        with pytest.raises(RecursionError):
            deep()
    leaf()
    yappi.stop()
    assert counts(tag=6)["leaf"] == 1 and capsys.readouterr().err == ""


class Unprintable:
    def __repr__(self):
        raise ValueError("no words for it")


class Unbound:
    """As proxies are of what is not there now."""

    @property
    def __class__(self):
        raise RuntimeError("not bound")


@pytest.mark.parametrize("kind, words", [(Unprintable, "no words for it"), (Unbound, "not bound")])
def test_what_a_callback_returns_raises(kind, words, capsys):
    """When it is looked at: the program's call knows nothing of that."""
    yappi.set_tag_callback(kind)
    yappi.start()
    outer()
    outer()
    yappi.stop()
    assert counts(tag=0) == {"outer": 2, "leaf": 2}
    told = capsys.readouterr().err
    assert words in told and told.count("Traceback") == 1  # it is not asked again


class Broken:
    def write(self, text):
        raise OSError("no standard error")


@pytest.mark.parametrize("stderr", [None, Broken()])
def test_what_cannot_be_told_is_not_told(stderr, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stderr)
    yappi.set_tag_callback(lambda: None)
    yappi.start()
    outer()
    yappi.stop()
    assert counts(tag=0) == {"outer": 1, "leaf": 1}


def test_a_callback_may_set_others():
    """Each time that it is asked: then a call has no label, and nothing goes round in circles."""

    def callback():
        yappi.set_tag_callback(callback)
        return 1

    yappi.set_tag_callback(callback)
    yappi.start()
    outer()
    yappi.stop()
    assert counts(tag=0) == {"outer": 1, "leaf": 1}


def test_a_session_that_is_never_stopped(run_directory):
    """What runs while the interpreter ends has no label: it would find no modules any more."""
    source = (
        "from timestamp_capture import yappi\n"
        "class Late:\n"
        "    def __del__(self): self.again()\n"
        "    def again(self): pass\n"
        "def callback():\n"
        "    if not seen: raise KeyboardInterrupt\n"
        "    return 1\n"
        "seen = [1]\n"
        "yappi.set_tag_callback(callback)\n"
        "yappi.set_context_id_callback(callback)\n"
        "yappi.start(builtins=True)\n"
        "import sys\n"
        "sys.late = kept = Late()\n"
        "kept.kept = kept\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# ---- sessions under labels ----


def test_labels_are_right_whoever_clears_meanwhile():
    """They get other numbers then."""
    over, ready = threading.Event(), threading.Barrier(4)
    tags = threading.local()

    def shared():
        pass

    def work(tag):
        tags.now = tag
        ready.wait()
        while not over.is_set():
            shared()

    def clear():
        ready.wait()
        while not over.is_set():
            yappi.clear_stats()

    yappi.set_tag_callback(lambda: getattr(tags, "now", 0))
    yappi.start()
    threads = [threading.Thread(target=work, args=(tag,)) for tag in (11, 12)] + [threading.Thread(target=clear)]
    for thread in threads:
        thread.start()
    ready.wait()
    seen = []
    try:
        while len(seen) < 200:
            seen.append({stat.tag for stat in each_row("shared")})
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert set().union(*seen) == {11, 12}
    yappi.stop()


def each_row(name):
    """One for each context and tag."""
    rows = []
    yappi.get_func_stats(filter_callback=lambda stat: bool(stat.name.endswith(name) and stat.module == __file__ and rows.append(stat)))
    return rows


def test_others_see_one_function():
    """Labels are the session's alone."""
    profiler = Profiler("labels")
    tag = 0

    @timestamp("decorated under labels")
    def decorated(n=0):
        return decorated(n - 1) if n else None

    @profiler.track(3, "tracked under labels")
    def tracked():
        decorated(1)

    yappi.set_tag_callback(lambda: tag)
    yappi.start()
    with Timestamp_Collector() as collector:
        for tag in (0, 1, 2, 1):
            tracked()
    yappi.stop()
    assert [(name, calls) for name, calls, *_ in collector.timings()] == [("decorated under labels", 8), ("tracked under labels", 4)]
    assert [(block.name, block.hit_count) for track in profiler.get_results().tracks for block in track.blocks] == [("tracked under labels", 4)]
    assert [sum(stat.ncall for stat in yappi.get_func_stats(tag=n) if stat.name == "tracked") for n in range(4)] == [1, 2, 1, 0]


def test_the_command_sees_one_function(recording):
    tag = 0

    @timestamp("decorated by the command")
    def decorated(n=0):
        return decorated(n - 1) if n else None

    yappi.set_tag_callback(lambda: tag)
    yappi.start()
    with recording:
        for tag in (0, 1, 2, 1):
            decorated(2)
    yappi.stop()
    name = "decorated by the command"
    profile = recording.profile
    assert profile.counts("calls", "primitive_calls", "ended")[name] == (12, 4, 12)
    assert profile.pairs()[name, name] == (8, 0)


def test_a_forked_child_is_not_asked():
    """Its parent's session is not its own; what the parent says afterwards is right."""
    asked = []

    def callback():
        asked.append(os.getpid())
        return 5

    yappi.set_tag_callback(callback)
    yappi.start(builtins=True)
    outer()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        outer()
        mine = asked.count(os.getpid()) + (yappi.get_func_stats(tag=5).empty() is False)
        yappi.start()
        outer()
        yappi.stop()
        os._exit(10 * mine + (counts(tag=5) != {"outer": 1, "leaf": 1}))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    outer()
    yappi.stop()
    assert set(asked) == {os.getpid()}
    assert {name: calls for name, calls in counts(tag=5).items() if name in ("outer", "leaf")} == {"outer": 2, "leaf": 2}


# ---- asyncio ----


async def agen():
    for n in range(3):
        await asyncio.sleep(0)
        leaf()
        yield n


async def cancelled():
    try:
        await asyncio.sleep(60)
    finally:
        leaf()


def test_asyncio_by_a_context_variable():
    """Tasks, gather, asynchronous generators, cancellation: a request's are under its tag."""
    request = contextvars.ContextVar("request", default=0)

    async def one(n):
        request.set(n)
        sleeper = asyncio.ensure_future(cancelled())
        await asyncio.gather(waits(), waits())
        assert [n async for n in agen()] == [0, 1, 2]
        sleeper.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeper

    async def all_of_them():
        await asyncio.gather(*(one(n) for n in range(1, 9)))

    yappi.set_clock_type("wall")
    yappi.set_tag_callback(request.get)
    yappi.start()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(all_of_them())
    loop.close()
    yappi.stop()
    yappi.set_clock_type("cpu")
    for n in range(1, 9):
        assert counts(tag=n) == {"waits": 2, "agen": 1, "cancelled": 1, "leaf": 6}
    assert [stat.ncall for stat in each_row("all_of_them")] == [1]


# ---- greenlets ----


def test_the_backend_is_not_changed_while_there_are_statistics():
    pytest.importorskip("greenlet", reason="greenlet is not installed")
    yappi.start()
    leaf()
    for _ in range(2):
        yappi.set_context_backend("native_thread")
        with pytest.raises(yappi.YappiError, match="clear_stats"):
            yappi.set_context_backend("greenlet")
        yappi.stop()
    yappi.clear_stats()
    yappi.set_context_backend("greenlet")


def test_a_callback_that_switches_greenlets():
    """What the other greenlets call meanwhile is the program's; what the callback itself calls is not."""
    greenlet = pytest.importorskip("greenlet", reason="greenlet is not installed")
    main = greenlet.getcurrent()

    def others():
        while True:
            leaf()
            main.switch()

    def asked():
        outer()
        if greenlet.getcurrent() is main:
            other.switch()
        return 0

    other = greenlet.greenlet(others)
    yappi.set_context_id_callback(asked)
    yappi.start()
    for _ in range(3):
        shared(0)
    yappi.set_context_id_callback(None)
    shared(0)
    yappi.stop()
    other.throw(greenlet.GreenletExit)
    assert counts() == {"shared": 4, "leaf": 3}


def in_child(function, *arguments):
    """What it loses is not lost of this process, whose other tests look at that."""
    pid = os.fork()
    if pid == 0:
        try:
            function(*arguments)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def switch_in_callbacks(greenlet):
    main, many, waited = greenlet.getcurrent(), 20, set()

    def asked():
        current = greenlet.getcurrent()
        if current is not main and current not in waited:
            waited.add(current)
            main.switch()
        return 0

    waiting = [greenlet.greenlet(lambda: shared(0)) for _ in range(many)]
    yappi.set_context_id_callback(asked)
    yappi.start()
    while not all(one.dead for one in waiting):
        for one in waiting:
            one.switch()
    stats, before = yappi.get_func_stats(), counts()["shared"]
    assert before == many or not stats.complete
    outer()
    shared(0)
    yappi.stop()
    assert 0 < before <= many and counts() == {"shared": before + 1, "outer": 1, "leaf": 1}


def test_callbacks_of_many_greenlets_at_a_time():
    """Each waits in its callback for all others: more than the recorder can tell apart, which is told. Then all is as before."""
    in_child(switch_in_callbacks, pytest.importorskip("greenlet", reason="greenlet is not installed"))


def test_greenlets():
    greenlet = pytest.importorskip("greenlet", reason="greenlet is not installed")

    class Own(greenlet.greenlet):
        pass

    def first():
        leaf()
        second_one.switch()
        leaf()

    def second():
        leaf()
        first_one.switch()

    yappi.set_context_backend("greenlet")
    first_one, second_one = Own(first), greenlet.greenlet(second)
    yappi.start()
    outer()
    first_one.switch()
    yappi.stop()
    rows = yappi.get_greenlet_stats()
    assert sorted(row.name for row in rows) == ["Own", "greenlet", "greenlet"] and len({row.id for row in rows}) == 3
    (own,) = [row for row in rows if row.name == "Own"]
    assert counts(ctx_id=own.id) == {"leaf": 2} and own.sched_count >= 1
    with pytest.raises(yappi.YappiError, match="greenlet"):
        yappi.get_thread_stats()
    yappi.clear_stats()
    yappi.start(profile_greenlets=False)
    greenlet.greenlet(outer).switch()
    leaf()
    yappi.stop()
    assert counts() == {"leaf": 1}
