"""Calls C functions in all the ways Python code can, and counts them by itself: the oracle of test_builtins.py. Statements
come as to plain_app.py."""
import collections
import functools
import math
import sys
import threading

counts = collections.Counter()


class Sorted(list):
    def append(self, item):
        super().append(item)


class Fails:
    def __index__(self):
        raise KeyError


def key(item):
    math.floor(item)
    return item


def generate(times):
    for i in range(times):
        math.copysign(i, 2)
        yield i


def plain(times):
    """Through names, attributes, bound methods kept, *arguments, keywords; returning and raising."""
    queue, items = collections.deque(), []
    keep = items.append
    for i in range(times):
        math.sqrt(i)
        queue.appendleft(i)
        items.append(i)
        keep(i)
        math.hypot(*(3, 4))
        divmod(*[7, 2], **{})
        "text".encode(encoding="ascii")
        dict.fromkeys("ab")
        int.from_bytes(b"a", "big")
        object.__new__(object)
        float.__new__(float)
        try:
            math.sqrt(-1)
        except ValueError:
            pass
        try:
            chr(Fails())
        except KeyError:
            pass
    counts.update(
        {"math.sqrt": 2 * times, "collections.deque.appendleft": times, "list.append": 2 * times, "math.hypot": times, "builtins.divmod": times}
    )
    counts.update({"str.encode": times, "dict.fromkeys": times, "int.from_bytes": times, "object.__new__": times, "float.__new__": times})
    counts.update({"builtins.chr": times})


def nested(times):
    """C that runs Python that calls C; methods by super(); generators driven from C and by hand."""
    for i in range(times):
        sorted([2, 1], key=key)
        functools.reduce(lambda a, b: key(a + b), [1, 2, 3])
        mine = Sorted()
        mine.append(i)
        running = generate(3)
        next(running)
        running.send(None)
        running.close()
    counts.update({"builtins.sorted": times, "math.floor": 4 * times, "_functools.reduce": times, "list.append": times})
    counts.update({"builtins.next": times, "generator.send": times, "generator.close": times, "math.copysign": 2 * times})


def made_within_c(times):
    """What C code calls is no call of Python code."""
    list(map(math.factorial, range(times)))
    sorted(range(times), key=abs)
    counts["builtins.sorted"] += 1


def in_threads(number, times):
    threads = [threading.Thread(target=plain_of_thread, args=(times,)) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts["math.tan"] += number * times


def plain_of_thread(times):
    for i in range(times):
        math.tan(i)


ready = threading.Semaphore(0)


def wait_and_count(times):
    ready.acquire()
    plain_of_thread(times)


def begin_thread(times):
    """One that runs before anybody looks."""
    global waiting
    waiting = threading.Thread(target=wait_and_count, args=(times,), daemon=True)
    waiting.start()


def end_thread(times):
    ready.release()
    waiting.join()
    counts["math.tan"] += times


print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
