"""Programs that have never heard of us, one a scene, and that watch over themselves.

    scenes.py SCENE FILE [HELPER]     FILE: 4096 bytes that the program and who started it share, as words of 64 bits

Each of a scene's threads beats: it counts its rounds. When the word GATE has changed it answers, which is a known number of
calls of counted(), and says how many it has made. A program whose threads all wait answers when SIGUSR1 comes. What is
not as it should be is counted in ERRORS and told on stderr. HELPER is the library made of helper.c.
"""
import asyncio
import ctypes
import gc
import importlib
import mmap
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time

THREADS, GATE, STOP, ERRORS, PORT, INTERRUPTS, SENT, WOKEN, HELD = range(9)
BEATS, ANSWERED, COUNTED = 16, 80, 144
SLOTS = 64
CALLS = 20

if __name__ == "__main__":
    with open(sys.argv[2], "r+b") as file:
        words = memoryview(mmap.mmap(file.fileno(), 4096)).cast("Q")
    helper = ctypes.CDLL(sys.argv[3]) if sys.argv[3:] else None


def counted():
    pass


def answer(slot):
    gate = words[GATE]
    for _ in range(CALLS):
        words[COUNTED + slot] += 1
        counted()
    words[ANSWERED + slot] = gate


def beat(slot):
    words[BEATS + slot] += 1
    if words[ANSWERED + slot] != words[GATE]:
        answer(slot)


def expect(true, what):
    if not true:
        words[ERRORS] += 1
        if words[ERRORS] < 10:
            print(what, file=sys.stderr, flush=True)


def on_user_signal(number, frame):
    if words[STOP]:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        raise SystemExit
    beat(0)


def ready(threads):
    words[THREADS] = threads


# ---- one round ----


def busy(slot):
    total = 0
    for i in range(200):
        total += i * i % 7
    expect(total == 399, "a sum came out as %d" % total)


def nap(slot):
    time.sleep(0.001)


def allocate(slot):
    kept = [bytes(600 + 20 * i) for i in range(200)]
    expect(sum(map(len, kept)) == 200 * (600 + 20 * 199 // 2), "lengths of what was allocated")


def use_dict(slot):
    d = {}
    for i in range(300):
        d["key%d" % i] = i
    for i in range(0, 300, 2):
        del d["key%d" % i]
    expect(len(d) == 150 and d["key299"] == 299, "a dict")


def make_cycles(slot):
    for _ in range(50):
        a, b = [], {}
        a.append(b)
        b["a"] = a
    gc.collect()


def allocate_in_c(slot):
    helper.allocate(20000)


def load_in_c(slot):
    expect(helper.load(20) == 0, "dlopen in a loop")


def keep_registers(slot):
    wrong = helper.keep_registers(100000)
    expect(wrong == 0, "what the processor or the C library keeps for a thread is not as it was: %#x" % wrong)


def run_program(slot):
    expect(subprocess.run(["/bin/true"]).returncode == 0, "a program that was run")


def fork(slot):
    pid = os.fork()
    if pid == 0:
        counted()
        os._exit(7 if threading.active_count() else 1)
    expect(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7, "a child's exit code")


def wait_for_vfork(slot):
    expect(helper.wait_for_vfork(20) == 0, "vfork")


def import_module(slot):
    for name in ("colorsys", "this_is_not_there", "sched"):
        sys.modules.pop(name, None)
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            expect(name == "this_is_not_there", "import " + name)


def churn(slot):
    done = []
    threads = [threading.Thread(target=done.append, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(sorted(done) == [0, 1, 2, 3, 4], "threads that were started")


MIXED = [busy, nap, allocate, use_dict, make_cycles, import_module, churn, busy]


# ---- whole programs ----


def repeat(body, slot=0):
    while not words[STOP]:
        body(slot)
        beat(slot)


def in_threads(*bodies):
    """One body in the main thread, the others in their own."""
    threads = [threading.Thread(target=repeat, args=(body, slot)) for slot, body in enumerate(bodies) if slot]
    for thread in threads:
        thread.start()
    ready(len(bodies))
    repeat(bodies[0])
    for thread in threads:
        thread.join()


def all_wait(wait):
    """The main thread waits in `wait` and answers by signal."""
    ready(1)
    while True:
        wait()


def accept():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    words[PORT] = listener.getsockname()[1]
    all_wait(listener.accept)


def join():
    thread = threading.Thread(target=threading.Event().wait, daemon=True)
    thread.start()
    all_wait(thread.join)


def pool():
    """Four threads that hand an item to the next and wait for it; the main thread waits for them."""
    queues = [queue.Queue() for _ in range(4)]

    def work(slot):
        while queues[slot].get():
            time.sleep(0.0005)
            beat(slot)
            queues[(slot + 1) % 4].put(not words[STOP])
        queues[(slot + 1) % 4].put(False)

    threads = [threading.Thread(target=work, args=(slot,)) for slot in range(4)]
    for thread in threads:
        thread.start()
    ready(4)
    queues[0].put(True)
    for thread in threads:
        thread.join()


def asyncio_busy():
    async def worker(slot):
        while not words[STOP]:
            busy(slot)
            beat(slot)
            await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*map(worker, range(3)))

    ready(3)
    asyncio.run(main())


def asyncio_idle():
    ready(1)
    asyncio.run(asyncio.sleep(1000000))


def interval_signals():
    """1 kHz, in system calls that must be begun again or go on with what is left."""
    seen = [0]

    def on_alarm(number, frame):
        seen[0] += 1

    def body(slot):
        began, before = time.monotonic(), seen[0]
        time.sleep(0.01)
        busy(slot)
        expect(time.monotonic() - began >= 0.01, "a sleep that was too short")
        expect(seen[0] > before, "no alarm in 10 ms")

    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    in_threads(body)
    signal.setitimer(signal.ITIMER_REAL, 0)


def work_on():
    while not words[STOP]:
        busy(0)
        time.sleep(0.0001)
        beat(0)


def interrupts():
    """Counts what ^C raises. One that comes while another is looked at is another's. It may come up at the jump back of a loop,
    which is not within a try block around or in the loop; but it is within the call of a function."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may have had it ignored
    ready(1)
    while not words[STOP]:
        try:
            work_on()
        except KeyboardInterrupt:
            words[INTERRUPTS] += 1


def woken():
    """The main thread sleeps, and gets a signal as soon as somebody traces it. HELD: still did so when it had been sent."""
    main = threading.get_native_id()

    def tracer():
        with open("/proc/self/task/%d/status" % main) as file:
            return "TracerPid:\t0\n" not in file.read()

    def send():
        """It sleeps between its looks: who spins gets no CPU on a loaded machine just when it is needed."""
        while not words[STOP]:
            time.sleep(0.00005)
            if tracer():
                words[SENT] += 1
                signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR2)
                words[HELD] += tracer()
                while tracer():
                    time.sleep(0.00005)

    def count(number, frame):
        words[WOKEN] += 1

    signal.signal(signal.SIGUSR2, count)
    threading.Thread(target=send).start()
    all_wait(lambda: time.sleep(1000000))


def lock_kept():
    """The interpreter's lock is kept for long."""
    keep = ctypes.PyDLL(sys.argv[3]).sleep_ms
    ready(1)
    while not words[STOP]:
        keep(700)
        beat(0)


def no_new_code():
    """PR_SET_MDWE: no memory becomes executable that was not mapped so (Linux 6.3)."""
    ready(1 if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0 else SLOTS + 1)
    repeat(busy)


def not_dumpable():
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
    in_threads(busy, nap)


def short_life():
    """Ends by itself, some time soon."""
    ready(1)
    repeat_until = time.monotonic() + words[PORT] / 1e6
    while time.monotonic() < repeat_until:
        allocate(0)


SCENES = {
    "busy": lambda: in_threads(busy),
    "sleep": lambda: all_wait(lambda: time.sleep(1000000)),
    "short sleeps": lambda: in_threads(nap),
    "accept": accept,
    "join": join,
    "queue": pool,
    "9 threads": lambda: in_threads(*MIXED, nap),
    "allocation": lambda: in_threads(allocate),
    "dict": lambda: in_threads(use_dict),
    "gc": lambda: in_threads(make_cycles),
    "malloc": lambda: in_threads(allocate_in_c),
    "malloc in 5 threads": lambda: in_threads(*[allocate_in_c] * 5),
    "dlopen": lambda: in_threads(load_in_c),
    "dlopen in 4 threads": lambda: in_threads(*[load_in_c] * 4),
    "subprocess": lambda: in_threads(run_program),
    "fork": lambda: in_threads(fork),
    "vfork": lambda: in_threads(wait_for_vfork),
    "asyncio busy": asyncio_busy,
    "asyncio idle": asyncio_idle,
    "signals": interval_signals,
    "thread churn": lambda: in_threads(churn),
    "import": lambda: in_threads(import_module),
    "registers": lambda: in_threads(keep_registers, keep_registers),
    "interrupts": interrupts,
    "woken": woken,
    "lock kept": lock_kept,
    "no new code": no_new_code,
    "not dumpable": not_dumpable,
    "short life": short_life,
}


def main():
    signal.signal(signal.SIGUSR1, on_user_signal)
    SCENES[sys.argv[1]]()
    sys.exit(1 if words[ERRORS] else 0)


if __name__ == "__main__":
    main()
