"""Filters of system calls, as a sandboxed program puts on itself; and who hears of each call that such a program makes.

    sandbox.py WORDS told|nursery [prepared]     WORDS: a file of 4096 bytes that the program and who started it share

told: every system call of the program waits until a Watcher has heard of it. nursery: of each number that comes as a line, a
child that does not survive the system call of that number; its pid is the answer, and it ends before the next. Both compute
in all their threads, for which they make no system call. prepared: with timestamp_capture in it.
"""
import ctypes
import mmap
import os
import platform
import select
import signal
import struct
import sys
import threading

ALLOW, TELL, KILL = 0x7FFF0000, 0x7FC00000, 0x80000000  # SECCOMP_RET_ALLOW, _USER_NOTIF, _KILL_PROCESS
THREADS, LISTENER = 1, 8 | 16  # SECCOMP_FILTER_FLAG_TSYNC; _NEW_LISTENER and _TSYNC_ESRCH
SECCOMP, POLL = {"x86_64": (317, 7), "aarch64": (277, 73)}.get(platform.machine(), (0, 0))
PIDFD_OPEN, PIDFD_GETFD = 434, 438
RECEIVE, ANSWER, GO_ON = 0xC0502100, 0xC0182101, 1  # SECCOMP_IOCTL_NOTIF_RECV, _SEND, SECCOMP_USER_NOTIF_FLAG_CONTINUE
EVERY = -1
NOT_TOLD = 77  # exit code: this kernel does not tell of system calls, or somebody else listens already
READY, ASKED, CALLS, BEATS, ANSWERED = 0, 1, 300, 8, 16  # words; BEATS and ANSWERED: and one for each thread

libc = ctypes.CDLL(None, use_errno=True)


# ---- in such a program ----


def install(number, action, flags=THREADS):
    """A filter with this answer to one system call, or to EVERY one, for all threads."""
    load_number, others = (0x20, 0, 0, 0), (0x06, 0, 0, ALLOW)
    is_it = (0x35, 0, 1, 0) if number == EVERY else (0x15, 0, 1, number)
    code = b"".join(struct.pack("HBBI", *i) for i in (load_number, is_it, (0x06, 0, 0, action), others))
    buffer = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("HP", len(code) // 8, ctypes.addressof(buffer)))
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    return libc.syscall(SECCOMP, 1, flags, program)


def counted():
    pass


def compute(words, slot):
    """Calls of counted() when asked for."""
    while True:
        words[BEATS + slot] += 1
        if words[ANSWERED + slot] != words[ASKED]:
            asked = words[ASKED]
            for _ in range(CALLS):
                counted()
            words[ANSWERED + slot] = asked


def await_listener():
    """Until what obeys orders in us has nothing to do."""
    while True:
        for tid in os.listdir("/proc/self/task"):
            with open("/proc/self/task/%s/comm" % tid) as name, open("/proc/self/task/%s/syscall" % tid) as call:
                if name.read() == "tscap\n" and call.read().startswith("%d " % POLL):
                    return


def be_told(words, prepared):
    """The threads other than the first one begin before the filter or after it."""
    threads = [threading.Thread(target=compute, args=(words, slot), daemon=True) for slot in (1, 2)]
    threads[0].start()
    if prepared:
        await_listener()
    if install(EVERY, TELL, THREADS | LISTENER) < 0:
        sys.exit(NOT_TOLD)
    threads[1].start()
    words[READY] = 1
    compute(words, 0)


def be_nursery(words, prepared):
    child = 0
    for line in sys.stdin:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        words[READY] = 0
        child = os.fork()
        if child == 0:
            libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
            if prepared:
                await_listener()
            if install(int(line), KILL) == 0:
                words[READY] = 1
            compute(words, 0)
        print(child, flush=True)


def main():
    global counted
    with open(sys.argv[1], "r+b") as file:
        words = memoryview(mmap.mmap(file.fileno(), 4096)).cast("Q")
    prepared = sys.argv[3:] == ["prepared"]
    if prepared:
        from timestamp_capture import timestamp

        counted = timestamp(counted)
    {"told": be_told, "nursery": be_nursery}[sys.argv[2]](words, prepared)


# ---- who listens ----


class Watcher:
    """Hears of the system calls of a process that is told of; lets them go on."""

    def __init__(self, pid):
        self.numbers = set()
        self.listener = self._take(pid)
        threading.Thread(target=self._listen, daemon=True).start()

    @staticmethod
    def find(pid):
        """Its descriptor; it could not hand it over without a system call."""
        for fd in os.listdir("/proc/%d/fd" % pid):
            try:
                if os.readlink("/proc/%d/fd/%s" % (pid, fd)) == "anon_inode:seccomp notify":
                    return int(fd)
            except FileNotFoundError:
                pass
        return None

    def _take(self, pid):
        pidfd = libc.syscall(PIDFD_OPEN, pid, 0)
        listener = libc.syscall(PIDFD_GETFD, pidfd, self.find(pid), 0)
        os.close(pidfd)
        return listener

    def _listen(self):
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        while not any(events & select.POLLHUP for _, events in poll.poll()):
            call, answer = ctypes.create_string_buffer(80), ctypes.create_string_buffer(24)
            if libc.ioctl(self.listener, ctypes.c_ulong(RECEIVE), call) != 0:
                continue  # who made it was interrupted, or is gone
            self.numbers.add(struct.unpack_from("i", call, 16)[0])
            struct.pack_into("QqiI", answer, 0, struct.unpack_from("Q", call)[0], 0, 0, GO_ON)
            libc.ioctl(self.listener, ctypes.c_ulong(ANSWER), answer)
        os.close(self.listener)


if __name__ == "__main__":
    main()
