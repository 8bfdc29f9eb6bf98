"""The listener, whose descriptors are the program's to close, and which the program may leave without any."""
import re
import time

import pytest

from processes import of_threads
from reading import tscap

DAEMON = """
    import os, socket
    from timestamp_capture import timestamp

    @timestamp
    def f(): return 42

    def sockets():
        found = []
        for name in os.listdir("/proc/self/fd"):
            try:
                if os.readlink("/proc/self/fd/" + name).startswith("socket:"): found.append(int(name))
            except FileNotFoundError: pass
        return found

    theirs = sockets()
    assert len(theirs) >= 2
    order = checkpoint(started=True)
    if order == "close":
        for fd in theirs: os.close(fd)
        mine = [os.open(os.devnull, os.O_RDONLY)]
    else:  # each number is the program's now
        other_ends = []
        for fd in theirs:
            end, other_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            os.dup2(end.fileno(), fd)
            end.close()
            other_ends.append(other_end)
        mine = theirs
    for n in range(3):
        checkpoint(pid=os.getpid())
        f()
    ends = [socket.socket(fileno=fd) for fd in mine] if order == "reuse" else []
    for end in ends:
        try: end.recv(1, socket.MSG_DONTWAIT)
        except BlockingIOError: pass
        else: raise AssertionError("something was sent to a socket of the program's")
    checkpoint(mine=[os.fstat(fd).st_ino for fd in mine] != [])
"""


@pytest.mark.parametrize("order", ["close", "reuse"])
def test_its_descriptors_are_closed(program, order):
    """As python-daemon does with all that it does not know. Each order reaches it; whose numbers they are now is left alone."""
    p = program(DAEMON)
    p.wait()
    p.go(order)
    p.wait()
    p.tscap("start")
    p.go()
    p.wait()
    assert [site["calls"] for site in p.dump()["sites"] if site["name"] == "f"] == [1]
    p.tscap("stop")
    p.go()
    p.wait()
    p.tscap("start")
    p.go()
    assert p.wait()["mine"]
    assert [site["calls"] for site in p.dump()["sites"] if site["name"] == "f"] == [2]
    p.tscap("stop")
    p.finish()


def test_no_descriptor_left(program):
    """Somebody waits at the socket and cannot be let in: the listener sleeps, again and again, and lets him in when it can."""
    p = program(
        """
        import os, resource, timestamp_capture
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        few = max(map(int, os.listdir("/proc/self/fd"))) + 1
        checkpoint()
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
        taken = []
        try:
            while True: taken.append(os.dup(0))
        except OSError: pass
        checkpoint()
        for fd in taken: os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        checkpoint()
        """
    )
    p.wait()
    p.go()
    p.wait()

    def sleeps():
        status = [text for text in of_threads(p.pid, "status") if text.startswith("Name:\ttscap\n")]
        return int(re.search(r"^voluntary_ctxt_switches:\t(\d+)$", status[0], re.M).group(1))

    waiting = tscap("start", p.pid, "--timeout", "100ms", check=False)
    assert waiting.returncode == 124, waiting
    before, deadline = sleeps(), time.monotonic() + 60
    while sleeps() < before + 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sleeps() >= before + 3, "it runs all the time"
    p.go()
    p.wait()
    p.tscap("start")
    p.tscap("stop")
    p.finish()
