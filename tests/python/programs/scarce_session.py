"""A session in which one allocation of the extension fails: the n-th in the n-th child, until there are no more.

Prints {child: what became of it} of those that went wrong, and how many there were."""
import os
import pathlib
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))

from scarce import Scarce
from timestamp_capture import yappi

LEAVES = 40
FOLDER = sys.argv[1]
DOCUMENTED = MemoryError, RuntimeError, yappi.YappiError
scarce = Scarce()


def make(i):
    space = {}
    exec(compile(f"def leaf{i}(n): return n and leaf{i}(n - 1)", "leaves.py", "exec"), space)
    return space[f"leaf{i}"]


leaves = [make(i) for i in range(LEAVES)]


def numbers():
    yield from (1, 2, 3)


def work():
    return sum(leaf(2) for leaf in leaves) + sum(numbers())


def attempt(called, *arguments):
    """What it may raise is what is documented."""
    try:
        return called(*arguments)
    except DOCUMENTED:
        return None


def counted(stats):
    return sum(stat.ncall for stat in stats if stat.module == "leaves.py")


def session(n):
    """Returns whether as many were not asked for."""
    scarce.fail(n)
    attempt(yappi.start)
    running = yappi.is_running()
    results = [work() for _ in range(3)]
    stats = attempt(yappi.get_func_stats)
    attempt(yappi.get_thread_stats)
    if stats is not None:
        attempt(stats.save, os.path.join(FOLDER, str(n)))
    attempt(yappi.clear_stats)
    attempt(yappi.stop)
    over = scarce.asked <= n
    scarce.fail(-1)
    assert results == [6] * 3, results
    if running and stats is not None:
        assert counted(stats) == 9 * LEAVES or not stats.complete, (counted(stats), stats.complete)
    yappi.stop(), yappi.clear_stats()
    afterwards()
    return over


def afterwards():
    """All is as it was before."""
    yappi.start()
    assert yappi.is_running()
    work()
    yappi.stop()
    stats = yappi.get_func_stats()
    assert counted(stats) == 3 * LEAVES or not stats.complete, counted(stats)
    assert not yappi.is_running()


def child(n):
    try:
        code = OVER if session(n) else 0
    except BaseException:
        traceback.print_exc()
        code = 1
    os._exit(code)


OVER = 10
wrong, n, code = {}, 0, 0
while code != OVER and len(wrong) < 20:
    pid = os.fork()
    if pid == 0:
        child(n)
    status = os.waitpid(pid, 0)[1]
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    if code not in (0, OVER):
        wrong[n] = code
    n += 1
print(wrong, n)
