"""The first start of a session in which one allocation of the interpreter fails: the n-th in the n-th child.

Prints {child: what became of it} of those that crashed, and in how many it was refused."""
import os
import signal

import _testcapi

from timestamp_capture import yappi

MOST = 400  # it asks for fewer
REFUSED = 10


def child(n):
    _testcapi.set_nomemory(n, n + 1)
    try:
        yappi.start()
        code = 0
    except Exception:  # what the interpreter makes of it
        code = REFUSED
    _testcapi.remove_mem_hooks()
    os._exit(code)


wrong, refused = {}, 0
for n in range(1, MOST):
    pid = os.fork()
    if pid == 0:
        child(n)
    status = os.waitpid(pid, 0)[1]
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else signal.Signals(os.WTERMSIG(status)).name
    refused += code == REFUSED
    if code not in (0, REFUSED):
        wrong[n] = code
print(wrong, refused)
