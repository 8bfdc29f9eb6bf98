"""As app.py, with Profilers."""
import sys
import threading

from timestamp_capture.stichotrope import Profiler, set_global_enabled

first = Profiler("MyApp")
second = Profiler("MyApp")
other = Profiler("a:b")


@first.track(0, "function")
def function():
    pass


def block(profiler, track, name="query"):
    with profiler.block(track, name):
        pass


go, done = threading.Semaphore(0), threading.Semaphore(0)
job = []


def _serve():
    while True:
        go.acquire()
        job[0]()
        done.release()


for _ in range(2):
    threading.Thread(target=_serve, daemon=True).start()


def on_all_threads(function, *arguments):
    """Once on each of three threads."""
    job[:] = [lambda: function(*arguments)]
    for _ in range(2):
        go.release()
    function(*arguments)
    for _ in range(2):
        done.acquire()


print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
