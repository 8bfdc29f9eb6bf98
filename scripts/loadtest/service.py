"""A small HTTP service with decorated functions. Prints the port it chose, serves until it is terminated.

GET /?q=WORDS answers with the items that fit best, as JSON.
"""
import http.server
import json
import random
import signal
import sys
import time
import urllib.parse

from timestamp_capture import timestamp, timestamp_block

WORDS = "amber basalt cedar delta ember fjord granite harbor indigo juniper kelp lichen maple nectar opal pine".split()
ITEMS = [{"id": i, "words": set(random.Random(i).sample(WORDS, 4))} for i in range(200)]


class BadRequest(Exception):
    pass


@timestamp
def parse(path):
    words = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query).get("q", [""])[0].split()
    if not words:
        raise BadRequest("q is empty")
    return set(words)


@timestamp
def score(item, wanted):
    return len(item["words"] & wanted)


@timestamp
def search(wanted):
    with timestamp_block("database"):
        time.sleep(0.0005)  # as if the items came from elsewhere
    ranked = sorted(ITEMS, key=lambda item: score(item, wanted), reverse=True)
    return ranked[:10]


@timestamp
def render(items):
    return json.dumps([{"id": item["id"], "words": sorted(item["words"])} for item in items]).encode()


@timestamp
def handle(path):
    try:
        return 200, render(search(parse(path)))
    except BadRequest as problem:
        return 400, str(problem).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open: a thread for each client, not for each request
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet per answer

    def do_GET(self):
        status, body = handle(self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # who drives load is ended in the middle of it
            super().handle_error(request, client_address)


def main():
    server = Server(("127.0.0.1", 0), Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(server.server_address[1], flush=True)
    server.serve_forever(poll_interval=3600)


if __name__ == "__main__":
    main()
