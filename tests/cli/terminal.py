"""A real terminal: tmux on a private socket, keys sent, screen captured."""
import os
import re
import shutil
import subprocess
import tempfile
import time

LIMIT = 120  # seconds that anything may take, on a busy machine


def eventually(get, fits):
    """What `get` returns, as soon as it fits."""
    deadline = time.monotonic() + LIMIT
    while True:
        value = get()
        if fits(value):
            return value
        assert time.monotonic() < deadline, value
        time.sleep(0.02)


class Terminal:
    """One tmux server with one session, which runs a shell script. Its screen is what people would see."""

    def __init__(self, script, width=100, height=24):
        self.folder = tempfile.mkdtemp(prefix="term-")  # sockets need a short name
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        environment.pop("TMUX", None)
        command = ["tmux", "-u", "-S", self.folder + "/socket", "-f", "/dev/null"]
        command += ["new-session", "-d", "-x", str(width), "-y", str(height), script]
        subprocess.run(command, check=True, env=environment, timeout=LIMIT)

    def tmux(self, *arguments):
        command = ["tmux", "-u", "-S", self.folder + "/socket", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=True).stdout

    def close(self):
        subprocess.run(["tmux", "-S", self.folder + "/socket", "kill-server"], stderr=subprocess.DEVNULL, timeout=LIMIT)
        shutil.rmtree(self.folder)

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def resize(self, width, height):
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def see(self, pattern):
        """Waits until a line of the screen matches; the screen."""
        return eventually(self.screen, lambda screen: re.search(pattern, screen, re.M))

    def see_no(self, pattern):
        return eventually(self.screen, lambda screen: not re.search(pattern, screen, re.M))

    def child(self):
        """The process that the shell waits for."""
        shell = self.tmux("display-message", "-p", "#{pane_pid}").strip()
        with open("/proc/%s/task/%s/children" % (shell, shell)) as children:
            return int(children.read().split()[-1])

    def is_as_before(self):
        """No trace of a full screen: modes, second screen, cursor."""
        flags = self.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}").split()
        before, after = (open("%s/%s" % (self.folder, name)).read() for name in ("before", "after"))
        return flags == ["0", "1"] and before == after
