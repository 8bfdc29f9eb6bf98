"""What tests of captures share: `tscap record` at work, and what is in its file so far."""
import os
import signal
import subprocess
import time

import captures

from conftest import TSCAP
from terminal import LIMIT


class Record:
    """`tscap record PID -o FILE`, at work."""

    def __init__(self, path, *arguments, **options):
        self.path = path
        command = [TSCAP, "record", "-o", str(path), *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        self.out = self.err = ""

    def capture(self):
        """What a reader finds now; None: there is no look yet."""
        if not os.path.exists(self.path) or os.path.getsize(self.path) < 64:
            return None
        found = captures.read(self.path)
        return found if found.looks else None

    def wait_until(self, condition=lambda capture: True):
        """Until the file has such a look: it has begun, or so much is in it."""
        deadline = time.monotonic() + LIMIT
        while True:
            capture = self.capture()
            if capture and condition(capture):
                return capture
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < deadline, capture and capture.calls()
            time.sleep(0.01)

    def end(self, number=signal.SIGINT):
        """Its exit code."""
        if number and self.process.poll() is None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=LIMIT)
        self.out += out
        self.err += err
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=LIMIT)
