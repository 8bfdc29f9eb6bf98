"""A server in the manner of gunicorn: the parent listens and forks workers, which accept; a worker ends after some requests,
and another takes its place. Prints its port; ends with its standard input."""
import os
import select
import signal
import socket
import sys

from timestamp_capture import timestamp

WORKERS, REQUESTS = 3, 20


@timestamp
def handle(request):
    return request.upper()


@timestamp
def fork_worker(listener):
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        serve(listener)
        sys.exit(0)
    return pid


def serve(listener):
    for _ in range(REQUESTS):
        connection, _ = listener.accept()
        with connection:
            connection.sendall(handle(connection.recv(100)))


def main():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # a worker takes it when it is ready to
    listener = socket.create_server(("127.0.0.1", 0))
    workers = {fork_worker(listener) for _ in range(WORKERS)}
    print(listener.getsockname()[1], flush=True)
    while not select.select([sys.stdin], [], [], 0.01)[0]:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            assert status == 0
            workers.remove(pid)
            workers.add(fork_worker(listener))
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
    for pid in workers:
        assert os.waitpid(pid, 0)[1] in (0, signal.SIGTERM)  # the latter at its very end, when Python has no handlers any more


main()
