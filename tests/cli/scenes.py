"""scenes.py NAME: a program that knows nothing of timestamp_capture, in a state that is hard to attach to or not. It calls
beat() when it runs, and once for each SIGUSR1; SIGTERM ends it as sys.exit(0) does."""
import asyncio
import queue
import signal
import socket
import sys
import threading
import time


def beat():
    pass


def busy():
    while True:
        beat()


def sleep():
    while True:
        time.sleep(3600)


def accept():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.accept()


def join():
    worker = threading.Thread(target=sleep, daemon=True)
    worker.start()
    worker.join()


def join_busy():
    worker = threading.Thread(target=busy, daemon=True)
    worker.start()
    worker.join()


def wait_for_queue():
    queue.Queue().get()


def nine():
    for target in (busy, busy, busy, sleep, sleep, accept, wait_for_queue, churn):
        threading.Thread(target=target, daemon=True).start()
    busy()


def churn():
    while True:
        thread = threading.Thread(target=beat)
        thread.start()
        thread.join()


def signals():
    signal.signal(signal.SIGALRM, lambda number, frame: beat())
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    busy()


async def tick(pause):
    """What raises in the middle of an event loop's own code may get lost: it ends when it is asked to."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    while True:
        beat()
        try:
            await asyncio.sleep(pause)
        except asyncio.CancelledError:
            return


def asyncio_busy():
    asyncio.run(tick(0))


def asyncio_idle():
    asyncio.run(tick(3600))


def end(number, frame):
    signal.setitimer(signal.ITIMER_REAL, 0)
    sys.exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, lambda number, frame: beat())
    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    globals()[sys.argv[1]]()
