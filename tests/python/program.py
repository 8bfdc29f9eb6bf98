"""Programs under test: a child of this interpreter that reports and waits at checkpoints.

The child's source sees `checkpoint(**facts)`: it hands the facts to the test, and goes on when the test says so.
"""
import json
import os
import signal
import subprocess
import sys
import textwrap

from reading import dump, tscap

PRELUDE = """\
import json as _json, os as _os, sys as _sys
_out, _in = {out}, {into}
def checkpoint(**facts):
    with open(_in, "rb", buffering=0, closefd=False) as into:  # unbuffered: it takes no more than its line
        with open(_out, "w", closefd=False) as out:
            print(_json.dumps(facts), file=out)
        return into.readline().decode().strip()  # all it does when it has told them
"""


class Program:
    def __init__(self, source, *, path, environment=None, arguments=(), options=(), **popen):
        out_read, out_write = os.pipe()
        in_read, in_write = os.pipe()
        path.write_text(textwrap.dedent(source))
        prelude = PRELUDE.format(out=out_write, into=in_read)
        start = f"{prelude}\nimport runpy; runpy.run_path({str(path)!r}, globals(), '__main__')"
        self.child = subprocess.Popen(
            [sys.executable, *options, "-c", start, *arguments],
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            pass_fds=(out_write, in_read),
            text=True,
            **popen,
        )
        os.close(out_write)
        os.close(in_read)
        self.reports = os.fdopen(out_read)
        self.orders = os.fdopen(in_write, "w")
        self.pid = self.child.pid

    def wait(self):
        """The facts of the next checkpoint, at which the program now stands."""
        line = self.reports.readline()
        assert line, f"ended before its checkpoint: {self.end()}"
        return json.loads(line)

    def go(self, order=""):
        print(order, file=self.orders, flush=True)

    def end(self, timeout=120):
        """Lets it run out; its exit status, what it printed, its complaints."""
        try:
            self.orders.close()
        except BrokenPipeError:
            pass
        out, err = self.child.communicate(timeout=timeout)
        return self.child.returncode, out, err

    def finish(self, timeout=120):
        """The same for a program that must end well and without a word."""
        status, out, err = self.end(timeout)
        assert (status, err) == (0, ""), (status, out, err)
        return out

    def dump(self, **options):
        return dump(self.pid, **options)

    def tscap(self, command, *options, **more):
        return tscap(command, self.pid, *options, **more)

    def kill(self, how=signal.SIGKILL):
        self.child.send_signal(how)
        if how in (signal.SIGKILL, signal.SIGTERM):
            self.child.wait(120)

    def clean_up(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait(120)
        for file in (self.reports, self.orders, self.child.stdout, self.child.stderr):
            try:
                file.close()
            except BrokenPipeError:
                pass
