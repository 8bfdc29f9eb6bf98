"""Drives load: PORT CLIENTS. Each client keeps a connection and asks again as soon as it was answered, until terminated."""
import http.client
import os
import signal
import sys
import threading
import time

PATHS = ["/?q=amber+opal", "/?q=cedar", "/?q=granite+pine+kelp", "/"]  # the last one is refused


class Client(threading.Thread):
    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.answers = 0

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while True:
            path = PATHS[self.answers % len(PATHS)]
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            if answer.status != (400 if path == "/" else 200):
                raise RuntimeError("%s was answered with %d" % (path, answer.status))
            self.answers += 1


def main(port, count):
    clients = [Client(port) for _ in range(count)]
    began = time.monotonic()

    def report(*_):
        answers = sum(client.answers for client in clients)
        seconds = time.monotonic() - began
        print("loadtest: %d requests, %.0f a second" % (answers, answers / seconds), flush=True)
        os._exit(0)  # clients wait for answers: nothing to tidy up

    signal.signal(signal.SIGTERM, report)
    for client in clients:
        client.start()
    for client in clients:
        client.join()  # only an error ends one
    sys.exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
