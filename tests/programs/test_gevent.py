"""Sessions of programs that gevent runs: a context a greenlet, counts exact, whoever spawns, kills, or waits in a pool."""
import json
import subprocess
import sys

import pytest

pytest.importorskip("gevent", reason="gevent is not installed for this Python")

HEAD = """
import gevent, gevent.pool, json, threading
from timestamp_capture import yappi

class Named(gevent.Greenlet):
    pass

def leaf():
    pass

def work(n):
    for _ in range(n):
        leaf()
        gevent.sleep(0)
    return n

def rows():
    return {row.id: [row.name, row.sched_count, row.ttot] for row in yappi.get_greenlet_stats()}

def counts(id=None):
    return {stat.name: stat.ncall for stat in yappi.get_func_stats(ctx_id=id) if stat.name in ("leaf", "work", "forever", "recursive")}

def by_name(name):
    return sorted(counts(id).get("leaf", 0) for id, row in rows().items() if row[0] == name)

yappi.set_context_backend("greenlet")
"""


def run(tmp_path, source, before=""):
    """What the program prints, as JSON."""
    path = tmp_path / "program.py"
    path.write_text(before + HEAD + source)
    done = subprocess.run([sys.executable, "-W", "error", str(path)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout)


def test_each_greenlet_is_a_context(tmp_path):
    said = run(
        tmp_path,
        """
yappi.start()
greenlets = [Named(work, n) for n in range(1, 51)]
for greenlet in greenlets:
    greenlet.start()
gevent.joinall(greenlets)
leaf()
yappi.stop()
print(json.dumps([by_name("Named"), by_name("greenlet"), counts(), [row[1] for row in rows().values() if row[0] == "Named"]]))
""",
    )
    total = sum(range(1, 51))
    named, main, counts, turns = said
    assert named == list(range(1, 51)) and sum(main) == 1
    assert counts == {"leaf": total + 1, "work": 50}
    # Each came to run once more than it stepped aside for another, which the last one does not when it is alone.
    assert sorted(turns) == [*range(1, 50), 49]


def test_pools_and_recursion(tmp_path):
    counts, contexts = run(
        tmp_path,
        """
def recursive(n):
    if n:
        gevent.sleep(0)
        gevent.joinall([gevent.spawn(recursive, n - 1), gevent.spawn(recursive, n - 1)])

yappi.start()
pool = gevent.pool.Pool(7)
assert sum(pool.imap_unordered(work, range(40))) == sum(range(40))
recursive(6)
yappi.stop()
(row,) = [stat for stat in yappi.get_func_stats() if stat.name == "recursive"]
print(json.dumps([[counts(), row.nactualcall], len(rows())]))
""",
    )
    assert counts == [{"leaf": sum(range(40)), "work": 40, "recursive": 127}, 127]
    assert contexts >= 40 + 126


def test_killed_greenlets(tmp_path):
    """Calls of one that is killed have ended; the time that it waited is not its own."""
    before, after, ttot = run(
        tmp_path,
        """
def forever():
    leaf()
    gevent.sleep(3600)

yappi.start()
greenlets = [gevent.spawn(forever) for _ in range(20)]
gevent.sleep(0)
before = counts()
gevent.killall(greenlets[:10])
gevent.sleep(0.05)
del greenlets
yappi.stop()
(row,) = [stat for stat in yappi.get_func_stats() if stat.name == "forever"]
print(json.dumps([before, counts(), row.ttot]))
""",
    )
    assert before == after == {"leaf": 20, "forever": 20} and ttot < 5


def test_one_greenlet_alone(tmp_path):
    said = run(
        tmp_path,
        """
yappi.start(profile_greenlets=False)
gevent.joinall([gevent.spawn(work, 5) for _ in range(5)])
work(3)
yappi.stop()
print(json.dumps([counts(), len(rows())]))
""",
    )
    assert said == [{"leaf": 3, "work": 1}, 1]


@pytest.mark.parametrize("patched", ["", "from gevent import monkey\nmonkey.patch_all()\n"])
def test_threads_with_greenlets_of_their_own(tmp_path, patched):
    """Threads of the system, or, where gevent is in the place of the standard library, greenlets."""
    said = run(
        tmp_path,
        """
def thread():
    greenlets = [Named(work, 4), Named(work, 4)]
    for greenlet in greenlets:
        greenlet.start()
    gevent.joinall(greenlets)

yappi.start()
threads = [threading.Thread(target=thread) for _ in range(4)]
for one in threads:
    one.start()
for one in threads:
    one.join()
yappi.stop()
print(json.dumps([by_name("Named"), counts(), [type(t).__name__ for t in threading.enumerate() if "ummy" in type(t).__name__]]))
""",
        patched,
    )
    assert said == [[4] * 8, {"leaf": 32, "work": 8}, []]


def test_a_tag_of_each_request(tmp_path):
    """By what gevent keeps for a greenlet."""
    said = run(
        tmp_path,
        """
from gevent.local import local
request = local()
yappi.set_tag_callback(lambda: getattr(request, "tag", 0))

def serve(tag):
    request.tag = tag
    work(tag)

yappi.start()
gevent.joinall([gevent.spawn(serve, tag) for tag in range(1, 9)])
yappi.stop()
print(json.dumps([{stat.name: stat.ncall for stat in yappi.get_func_stats(tag=tag) if stat.name in ("leaf", "work")} for tag in range(10)]))
""",
    )
    assert said == [{}, *({"leaf": n, "work": 1} for n in range(1, 9)), {}]
