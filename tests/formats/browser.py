"""A headless browser, told what to do through two pipes (--remote-debugging-pipe): JSON, each message ended by a NUL."""
import base64
import fcntl
import json
import os
import select
import subprocess
import time

LIMIT = 120


def _high(fd):
    """The same as a number that is not 3 or 4, where the browser wants its pipes."""
    high = fcntl.fcntl(fd, fcntl.F_DUPFD, 10)
    os.close(fd)
    return high


class Browser:
    def __init__(self, command, folder):
        told, self._to = os.pipe()
        self._from, telling = os.pipe()
        told, telling = _high(told), _high(telling)
        script = 'exec "$0" "$@" 3<&%d 4>&%d %d<&- %d>&-' % (told, telling, told, telling)
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe", "--allow-file-access-from-files"]
        options += ["--user-data-dir=%s" % folder, "--window-size=1240,900"]
        self._process = subprocess.Popen(
            ["bash", "-c", script, command, *options, "about:blank"], pass_fds=(told, telling), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(told)
        os.close(telling)
        self._number, self._unread, self.prompts = 0, b"", []
        self._session = None
        target = next(each for each in self._call("Target.getTargets")["targetInfos"] if each["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        self._call("Page.enable")

    def close(self):
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def _message(self):
        deadline = time.monotonic() + LIMIT
        while b"\0" not in self._unread:
            readable, _, _ = select.select([self._from], [], [], max(0, deadline - time.monotonic()))
            part = os.read(self._from, 1 << 20) if readable else b""
            assert part, "the browser says nothing"
            self._unread += part
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)

    def _send(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        return self._number

    def _call(self, method, **parameters):
        number = self._send(method, **parameters)
        while True:
            message = self._message()
            if message.get("method") == "Page.javascriptDialogOpening":
                self._send("Page.handleJavaScriptDialog", accept=True, promptText=self.prompts.pop(0))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def open(self, url):
        self._call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def evaluate(self, expression):
        result = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, expression):
        deadline = time.monotonic() + LIMIT
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, expression
            time.sleep(0.02)

    def click(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key, modifiers=0):
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code="Key" + key.upper(), modifiers=modifiers)

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))
