"""Requests that are recorded when they ask: by WSGI and ASGI applications, of several frameworks, many at a time."""
import asyncio
import http.client
import json
import os
import socketserver
import threading
import time
import wsgiref.simple_server
import wsgiref.validate
from concurrent.futures import ThreadPoolExecutor
from wsgiref.util import setup_testing_defaults

import pytest

from reading import FROM_OUTSIDE, tscap
from timestamp_capture import reset, start, status, stop, timestamp, timestamp_block
from timestamp_capture.middleware import Timestamp_ASGI_Middleware, Timestamp_WSGI_Middleware

SECRET = "s3cret"
ASK = {"X-Timestamp-Capture": SECRET}
BELOW = "/-/timestamps"


@timestamp
def leaf():
    pass


@timestamp
def twice():
    leaf()
    leaf()


@pytest.fixture(autouse=True)
def nothing_left():
    yield
    assert status()["consumers"] == 0


def counted(report):
    """name -> calls, of a report as JSON."""
    document = json.loads(report)
    assert document["complete"] and not document["problem"] and document["timings_left_off"] == 0
    return {row["name"]: row["calls"] for row in document["timings"]}


# ---- WSGI ----


class Call:
    """One request to a WSGI application, both sides watched by wsgiref.validate."""

    def __init__(self, app, path="/", header=None, method="GET", validate=True):
        self.environ = {"PATH_INFO": path, "REQUEST_METHOD": method, "SCRIPT_NAME": ""}
        setup_testing_defaults(self.environ)
        self.environ["QUERY_STRING"] = ""
        if header:
            self.environ["HTTP_X_TIMESTAMP_CAPTURE"] = header
        self.written, self.starts = [], []
        result = (wsgiref.validate.validator(app) if validate else app)(self.environ, self.start)
        self.result = result
        try:
            self.body = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        self.body = b"".join(self.written) + self.body

    def start(self, status, headers, exc_info=None):
        self.starts.append((status, exc_info))
        self.status, self.headers = status, dict(headers)
        return self.written.append


def plain(environ, start_response):
    twice()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Own", environ["PATH_INFO"])])
    return [b"plain"]


def report_of(app, call, format="json"):
    path = call.headers["X-Timestamp-Capture-Report"]
    assert SECRET not in path
    return Call(app, f"{path}/{format}", SECRET).body


@pytest.fixture(params=["both sides", "bare"])
def wsgi(request):
    """Makes the middleware, within the validator and around one."""

    def make(app, secret=SECRET, **options):
        inner = wsgiref.validate.validator(app) if request.param == "both sides" else app
        return Timestamp_WSGI_Middleware(inner, secret, **options)

    return make


def test_untouched_without_asking(wsgi):
    app = wsgi(plain)
    for header in (None, "wrong", "", "s3cre", "s3cret2"):
        call = Call(app, "/x", header)
        assert (call.status, call.body, call.headers["X-Own"]) == ("200 OK", b"plain", "/x")
        assert "X-Timestamp-Capture-Report" not in call.headers
    assert Call(app, f"{BELOW}/wrong/reports").headers["X-Own"] == f"{BELOW}/wrong/reports"
    assert Call(app, f"{BELOW}/{SECRET}/reports").body == b"\n"


@pytest.mark.parametrize("secret", ["", None])
def test_off_without_a_secret(wsgi, secret, monkeypatch):
    monkeypatch.delenv("TSCAP_SECRET", raising=False)
    app = wsgi(plain, secret)
    for header, path in ((" ", "/"), ("", f"{BELOW}//reports"), ("None", f"{BELOW}/None/reports"), ("text", "/")):
        assert Call(app, path, header).body == b"plain"


def test_secret_of_the_environment(wsgi, monkeypatch):
    monkeypatch.setenv("TSCAP_SECRET", "other")
    app = wsgi(plain, None)
    assert Call(app, "/", "other").headers["X-Timestamp-Capture-Report"]
    assert "X-Timestamp-Capture-Report" not in Call(app, "/", SECRET).headers


def test_beside(wsgi):
    app = wsgi(plain)
    call = Call(app, "/x", SECRET)
    assert (call.status, call.body, call.headers["X-Own"]) == ("200 OK", b"plain", "/x")
    assert counted(report_of(app, call)) == {"twice": 1, "leaf": 2}
    text = report_of(app, call, "text").decode()
    assert text.startswith("GET /x\nstatus: 200 OK\n") and "twice" in text
    assert "GET /x" in Call(app, f"{BELOW}/reports", SECRET).body.decode()


def test_instead(wsgi):
    app = wsgi(plain)
    for path, header in (("/x", f"{SECRET} json"), (f"{BELOW}/record/json/x", SECRET), (f"{BELOW}/{SECRET}/record/json/x", None)):
        call = Call(app, path, header)
        assert call.headers["Content-Type"] == "application/json" and counted(call.body) == {"twice": 1, "leaf": 2}
        assert json.loads(call.body)["request"] == "GET /x" and json.loads(call.body)["status"] == "200 OK"
        assert int(call.headers["Content-Length"]) == len(call.body) and call.headers["Cache-Control"] == "no-store"
    assert b"leaf" in Call(app, "/x", f"{SECRET} text").body


def test_the_secret_does_not_reach_the_application():
    def tells(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [repr(sorted(environ.items(), key=str)).encode()]

    app = Timestamp_WSGI_Middleware(tells, SECRET)
    assert SECRET.encode() not in Call(app, "/x", SECRET, validate=False).body


def test_head(wsgi):
    app = wsgi(lambda environ, start: plain(environ, start) and [])
    assert Call(app, "/", SECRET, method="HEAD").body == b""
    call = Call(app, "/", f"{SECRET} text", method="HEAD")
    assert call.body == b"" and int(call.headers["Content-Length"]) > 0


def test_unknown_paths_and_reports(wsgi):
    app = wsgi(plain)
    for path in ("/", "/nothing", "/record", "/record/text", "/record/html/x", "/reports/unknown", "/reports/unknown/json", "/reports/a/b/c"):
        assert Call(app, BELOW + path, SECRET).status == "404 Not Found", path


def test_streaming(wsgi):
    closed = []

    def streams(environ, start_response):
        def body():
            try:
                start_response("200 OK", [("Content-Type", "text/plain")])  # late
                for i in range(3):
                    twice()
                    yield b"%d" % i
            finally:
                leaf()
                closed.append(True)

        return body()

    app = wsgi(streams)
    call = Call(app, "/", SECRET)
    assert call.body == b"012" and closed == [True]
    assert counted(report_of(app, call)) == {"twice": 3, "leaf": 7}
    assert counted(Call(app, "/", f"{SECRET} json").body) == {"twice": 3, "leaf": 7}


def test_closed_early():
    def streams(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            while True:
                twice()
                yield b"more"
        finally:
            leaf()

    app = Timestamp_WSGI_Middleware(streams, SECRET)
    headers = {}
    body = app({"PATH_INFO": "/", "REQUEST_METHOD": "GET", "HTTP_X_TIMESTAMP_CAPTURE": SECRET}, lambda status, h: headers.update(h))
    assert [next(iter(body)) for _ in range(3)] == [b"more"] * 3
    unfinished = Call(app, headers["X-Timestamp-Capture-Report"], SECRET)
    assert unfinished.status == "202 Accepted"
    body.close()
    body.close()
    assert counted(Call(app, headers["X-Timestamp-Capture-Report"] + "/json", SECRET).body) == {"twice": 3, "leaf": 7}


def test_write(wsgi):
    def writes(environ, start_response):
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        twice()
        write(b"written ")
        return [b"returned"]

    app = wsgi(writes)
    assert Call(app, "/", SECRET).body == b"written returned"
    assert counted(Call(app, "/", f"{SECRET} json").body) == {"twice": 1, "leaf": 2}


def test_started_twice_with_an_exception(wsgi):
    def fails(environ, start_response):
        import sys

        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            leaf()
            raise KeyError("planted")
        except KeyError:
            start_response("500 Planted", [("Content-Type", "text/plain")], sys.exc_info())
        return [b"sorry"]

    app = wsgi(fails)
    call = Call(app, "/", SECRET)
    assert [status for status, _ in call.starts] == ["200 OK", "500 Planted"] and call.starts[1][1][0] is KeyError
    assert json.loads(report_of(app, call))["status"] == "500 Planted"
    assert json.loads(Call(app, "/", f"{SECRET} json").body)["status"] == "500 Planted"


@pytest.mark.parametrize("header", [SECRET, f"{SECRET} text"])
@pytest.mark.parametrize("when", ["called", "iterated", "closed"])
def test_exceptions_pass_through(header, when):
    class Result:
        def __iter__(self):
            if when == "iterated":
                raise KeyError("planted")
            return iter([b""])

        def close(self):
            if when == "closed":
                raise KeyError("planted")

    def fails(environ, start_response):
        leaf()
        if when == "called":
            raise KeyError("planted")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Result()

    app = Timestamp_WSGI_Middleware(fails, SECRET)
    with pytest.raises(KeyError, match="planted"):
        Call(app, "/fails", header, validate=False)
    (line,) = Call(app, f"{BELOW}/reports", SECRET).body.decode().splitlines()
    assert "GET /fails" in line
    assert counted(Call(app, f"{BELOW}/reports/{line.split()[0]}/json", SECRET).body) == {"leaf": 1}


def test_bounds():
    def many(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        for i in range(500):
            with timestamp_block(f"{'long ' * 50}{i}"):
                pass
        return [b""]

    app = Timestamp_WSGI_Middleware(many, SECRET, max_reports=3, max_report_bytes=4000)
    calls = [Call(app, "/", SECRET) for _ in range(5)]
    assert len(Call(app, f"{BELOW}/reports", SECRET).body.splitlines()) == 3
    assert Call(app, calls[0].headers["X-Timestamp-Capture-Report"], SECRET).status == "404 Not Found"
    document = json.loads(report_of(app, calls[-1]))
    assert len(document["timings"]) + document["timings_left_off"] == 500 and document["timings_left_off"] > 400
    assert len(report_of(app, calls[-1])) < 5000 and len(report_of(app, calls[-1], "text")) < 5000
    assert b"bytes left off" in report_of(app, calls[-1], "text")


@pytest.mark.parametrize("options", [{"path": "x"}, {"path": "/x/"}, {"secret": "a b"}, {"secret": "a/b"}, {"secret": "ü"}, {"max_reports": 0}])
def test_refused(options):
    for kind in (Timestamp_WSGI_Middleware, Timestamp_ASGI_Middleware):
        with pytest.raises(ValueError):
            kind(plain, **{"secret": SECRET, **options})


def test_control_characters_stay_out_of_reports():
    app = Timestamp_WSGI_Middleware(plain, SECRET)
    call = Call(app, "/a\x1b[31m\r\nb", f"{SECRET} text", validate=False)
    assert b"\x1b" not in call.body and call.body.startswith(b"GET /a?[31m??b\n")


def test_where_recording_is_not_possible(monkeypatch):
    def refuses(self):
        raise RuntimeError("timestamp_capture cannot record: planted")

    from timestamp_capture import Timestamp_Collector

    monkeypatch.setattr(Timestamp_Collector, "__enter__", refuses)
    app = Timestamp_WSGI_Middleware(plain, SECRET)
    call = Call(app, "/", SECRET)
    assert call.body == b"plain"
    assert json.loads(report_of(app, call))["problem"].endswith("planted")
    assert b"not recorded: timestamp_capture cannot record: planted" in Call(app, "/", f"{SECRET} text").body


# ---- WSGI, served ----


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 200


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def served():
    """served(app): its port."""
    servers = []

    def serve(app):
        server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, Server, Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server.server_port

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def get(port, path, headers=(), method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, headers=dict(headers))
        response = connection.getresponse()
        return response.status, dict((k.lower(), v) for k, v in response.getheaders()), response.read()
    finally:
        connection.close()


def kept_report(port, headers):
    """Who has read a response to its end is faster, sometimes, than the server that ends it."""
    deadline = time.monotonic() + 60
    while True:
        status, _, report = get(port, headers["x-timestamp-capture-report"] + "/json", ASK)
        if status != 202 or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    assert status == 200, report
    return report


def check_each_has_its_own(port, paths, threads=20):
    """Half of the requests ask; each report holds n calls of twice and 2n of leaf."""

    def one(i):
        n = i % 7 + 1
        for path in paths:
            status, headers, body = get(port, f"{path}/{n}", ASK if i % 2 else {})
            assert (status, body) == (200, str(n).encode()), (path, status, body)
            if not i % 2:
                assert "x-timestamp-capture-report" not in headers
                continue
            assert counted(kept_report(port, headers)) == {"twice": n, "leaf": 2 * n}, (path, n)
        return 1

    with ThreadPoolExecutor(threads) as pool:
        assert sum(pool.map(one, range(100))) == 100


def test_flask(served):
    flask = pytest.importorskip("flask")
    app = flask.Flask(__name__)

    @app.route("/plain/<int:n>")
    def plain(n):
        for _ in range(n):
            twice()
            time.sleep(0.0002)
        return str(n)

    @app.route("/stream/<int:n>")
    def stream(n):
        def body():
            for _ in range(n):
                twice()
                yield ""
            yield str(n)

        return flask.Response(body())

    @app.route("/fails")
    def fails():
        leaf()
        raise KeyError("planted")

    app.wsgi_app = Timestamp_WSGI_Middleware(app.wsgi_app, SECRET, max_reports=300)
    port = served(app)
    check_each_has_its_own(port, ["/plain", "/stream"])
    code, headers, _ = get(port, "/fails", ASK)
    assert code == 500 and counted(kept_report(port, headers)) == {"leaf": 1}
    code, headers, body = get(port, f"{BELOW}/{SECRET}/record/json/plain/3")
    assert code == 200 and counted(body) == {"twice": 3, "leaf": 6}
    assert get(port, "/plain/2", {"X-Timestamp-Capture": "wrong text"})[2] == b"2"


# ---- ASGI ----


def scope_of(path="/", header=None, method="GET", **more):
    headers = [(b"x-timestamp-capture", header.encode())] if header else []
    return {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": headers, **more}


async def ask(app, path="/", header=None, method="GET"):
    """status, headers, body"""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope_of(path, header, method), receive, send)
    assert [message["type"] for message in sent[:1]] == ["http.response.start"]
    return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}, b"".join(m.get("body", b"") for m in sent[1:])


async def works(scope, receive, send):
    n = int(scope["path"].split("/")[-1] or 1)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", scope["path"].encode())]})
    for _ in range(n):
        twice()
        with timestamp_block("waits"):
            await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": str(n).encode()})


def test_asgi_untouched_without_asking():
    async def main():
        app = Timestamp_ASGI_Middleware(works, SECRET)
        for header in (None, "wrong", "s3cret2"):
            code, headers, body = await ask(app, "/2", header)
            assert (code, headers, body) == (200, {"x-own": "/2"}, b"2")
        off = Timestamp_ASGI_Middleware(works, "")
        assert (await ask(off, "/2", "x"))[1] == {"x-own": "/2"}

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["websocket", "lifespan", "another"])
def test_asgi_other_scopes_pass_through(kind):
    seen = []

    async def app(*arguments):
        seen.append(arguments)

    scope, receive, send = {"type": kind, "headers": [(b"x-timestamp-capture", SECRET.encode())], "path": f"{BELOW}/reports"}, object(), object()
    asyncio.run(Timestamp_ASGI_Middleware(app, SECRET)(scope, receive, send))
    assert seen[0][0] is scope and seen[0][1] is receive and seen[0][2] is send


def test_asgi_instead():
    async def main():
        app = Timestamp_ASGI_Middleware(works, SECRET)
        for path, header in (("/3", f"{SECRET} json"), (f"{BELOW}/record/json/3", SECRET), (f"{BELOW}/{SECRET}/record/json/3", None)):
            code, headers, body = await ask(app, path, header)
            assert code == 200 and headers["content-type"] == "application/json"
            assert counted(body) == {"twice": 3, "leaf": 6, "waits": 3} and json.loads(body)["request"] == "GET /3"
        assert (await ask(app, "/3", f"{SECRET} text", "HEAD"))[2] == b""
        assert (await ask(app, f"{BELOW}/nothing", SECRET))[0] == 404

    asyncio.run(main())


def test_asgi_exceptions_and_cancellation():
    async def fails(scope, receive, send):
        leaf()
        if scope["path"] == "/fails":
            raise KeyError("planted")
        await asyncio.sleep(60)

    async def main():
        app = Timestamp_ASGI_Middleware(fails, SECRET)
        with pytest.raises(KeyError, match="planted"):
            await ask(app, "/fails", SECRET)
        task = asyncio.ensure_future(ask(app, "/waits", SECRET))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        lines = (await ask(app, f"{BELOW}/reports", SECRET))[2].decode().splitlines()
        assert len(lines) == 2
        for line in lines:
            assert counted((await ask(app, f"{BELOW}/reports/{line.split()[0]}/json", SECRET))[2]) == {"leaf": 1}

    asyncio.run(main())


def test_asgi_hundreds_that_take_turns():
    async def main():
        app = Timestamp_ASGI_Middleware(works, SECRET, max_reports=1000)

        async def one(i):
            n = i % 9 + 1
            code, headers, body = await ask(app, f"/{n}", SECRET if i % 3 else None)
            assert (code, body) == (200, str(n).encode())
            if i % 3:
                report = (await ask(app, headers["x-timestamp-capture-report"] + "/json", SECRET))[2]
                assert counted(report) == {"twice": n, "leaf": 2 * n, "waits": n}

        await asyncio.gather(*[one(i) for i in range(400)])
        assert asyncio.get_running_loop().get_task_factory() is None

    asyncio.run(main())


def test_asgi_tasks_of_a_request():
    """Started while it is recorded, they are its own; each once, to the end, and nothing is said of those that never ran."""

    async def part(n):
        for _ in range(n):
            leaf()
            await asyncio.sleep(0)

    async def spawns(scope, receive, send):
        n = int(scope["path"][1:])
        tasks = [asyncio.ensure_future(part(n)) for _ in range(3)]
        never = asyncio.ensure_future(part(100))
        never.cancel()
        await asyncio.gather(*tasks)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def main():
        app = Timestamp_ASGI_Middleware(spawns, SECRET)
        reports = await asyncio.gather(*[ask(app, f"/{n}", f"{SECRET} json") for n in range(1, 30)])
        for n, (_, _, report) in enumerate(reports, 1):
            assert counted(report) == {"leaf": 3 * n}

    asyncio.run(main())


# ---- ASGI, served ----


@pytest.fixture
def uvicorn_port():
    """uvicorn_port(app): the port at which it is served."""
    uvicorn = pytest.importorskip("uvicorn")
    running = []

    def serve(app):
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="on", ws="none"))
        thread = threading.Thread(target=server.run, daemon=True)
        running.append((server, thread))
        thread.start()
        deadline = time.monotonic() + 60
        while not server.started and time.monotonic() < deadline:
            assert thread.is_alive()
            time.sleep(0.01)
        return server.servers[0].sockets[0].getsockname()[1]

    yield serve
    for server, thread in running:
        server.should_exit = True
        thread.join(60)


async def works_async(n):
    for _ in range(n):
        twice()
        await asyncio.sleep(0.0002)


def works_plainly(n):
    for _ in range(n):
        twice()
        time.sleep(0.0002)


def test_starlette(uvicorn_port):
    pytest.importorskip("starlette")
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import PlainTextResponse, StreamingResponse
    from starlette.routing import Route

    async def waits(request):
        await works_async(request.path_params["n"])
        return PlainTextResponse(str(request.path_params["n"]))

    def in_a_thread(request):
        works_plainly(request.path_params["n"])
        return PlainTextResponse(str(request.path_params["n"]))

    async def streams(request):
        async def body():
            await works_async(request.path_params["n"])
            yield str(request.path_params["n"])

        return StreamingResponse(body())

    async def later(request):
        n = request.path_params["n"]
        return PlainTextResponse(str(n), background=BackgroundTask(works_async, n))

    async def passes(request, call_next):
        return await call_next(request)

    routes = [Route(f"/{f.__name__}/{{n:int}}", f) for f in (waits, in_a_thread, streams, later)]
    app = Starlette(routes=routes)
    app.add_middleware(BaseHTTPMiddleware, dispatch=passes)
    app.add_middleware(Timestamp_ASGI_Middleware, secret=SECRET, max_reports=500)
    check_each_has_its_own(uvicorn_port(app), ["/waits", "/in_a_thread", "/streams", "/later"])


def test_fastapi(uvicorn_port):
    fastapi = pytest.importorskip("fastapi")
    from fastapi.responses import PlainTextResponse

    def dependency(n: int):
        twice()
        return n - 1

    app = fastapi.FastAPI()

    @app.get("/waits/{n}", response_class=PlainTextResponse)
    async def waits(n: int):
        await works_async(n)
        return str(n)

    @app.get("/depends/{n}", response_class=PlainTextResponse)
    def depends(n: int, rest: int = fastapi.Depends(dependency)):
        works_plainly(rest)
        return str(n)

    @app.get("/fails")
    async def fails():
        leaf()
        raise fastapi.HTTPException(418)

    app.add_middleware(Timestamp_ASGI_Middleware, secret=SECRET, max_reports=500)
    port = uvicorn_port(app)
    check_each_has_its_own(port, ["/waits", "/depends"])
    code, headers, body = get(port, f"{BELOW}/{SECRET}/record/json/fails")
    assert code == 200 and counted(body) == {"leaf": 1} and json.loads(body)["status"] == "418"
    assert get(port, "/fails", ASK)[0] == 418


# ---- beside a session ----


@pytest.fixture
def session():
    start()
    yield
    stop()
    reset()


def recorded():
    """{name: (calls, elapsed ns)} of the requests that a session saw."""
    sites = json.loads(tscap("dump", "--json", os.getpid()).stdout)["sites"]
    return {site["name"]: (site["calls"], site["elapsed_ns"]) for site in sites if site["kind"] == "collector" and site["calls"]}


@pytest.mark.skipif(not FROM_OUTSIDE, reason="others see nothing of what is recorded in pure Python")
@pytest.mark.parametrize("how", ["gather", "thread", "background"])
def test_a_request_is_one_call_as_long_as_its_response(session, how):
    anyio = pytest.importorskip("anyio")

    async def part():
        leaf()
        await asyncio.sleep(0.05)

    async def app(scope, receive, send):
        if how == "gather":
            await asyncio.gather(part(), part())
        elif how == "thread":
            await anyio.to_thread.run_sync(leaf)
            await part()
        else:
            task = asyncio.get_running_loop().create_task(part())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        if how == "background":
            await task

    async def main():
        middleware = Timestamp_ASGI_Middleware(app, SECRET)
        for _ in range(5):
            began = time.perf_counter_ns()
            _, _, report = await ask(middleware, path, f"{SECRET} json")
            took.append(time.perf_counter_ns() - began)
            assert counted(report) == {"leaf": 1 if how == "background" else 2}

    took, path = [], "/once/" + how  # other tests have had others recorded
    asyncio.run(main())
    calls, elapsed = recorded()["GET " + path]
    assert calls == 5
    assert 5 * 50_000_000 <= elapsed <= sum(took)
    assert recorded()["GET %s (continued)" % path][0] == (10 if how == "gather" else 5)


# ---- call trees ----


def nested(report):
    """[(name, [children])] of the calls of a report, and that their numbers are possible."""
    document = json.loads(report)
    assert document["call_tree_left_off"] == 0
    roots, lists = [], []
    for i, call in enumerate(document["call_tree"]):
        assert call["parent"] is None or call["parent"] < i
        assert 0 <= call["start_ns"] and 0 <= call["exclusive_ns"] <= call["inclusive_ns"] <= call["elapsed_ns"]
        lists.append([])
        (roots if call["parent"] is None else lists[call["parent"]]).append((call["name"], lists[-1]))
    return roots


TWICE = ("twice", [("leaf", []), ("leaf", [])])


def test_call_tree_of_a_wsgi_request(wsgi):
    app = wsgi(plain)
    assert nested(Call(app, "/", f"{SECRET} json").body) == [TWICE]
    text = Call(app, "/", f"{SECRET} text").body.decode()
    assert [line.split()[0] for line in text[text.index("Call Tree") :].splitlines()[1:]] == ["twice", "leaf", "leaf"]
    assert "\n    leaf  " in text


def test_call_tree_of_an_asgi_request():
    """A coroutine that waits is one call; tasks stand beside the request's own calls."""

    @timestamp
    async def part():
        twice()
        await asyncio.sleep(0.1)
        leaf()

    async def gathers(scope, receive, send):
        await part()
        await asyncio.gather(part(), part())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def main():
        return (await ask(Timestamp_ASGI_Middleware(gathers, SECRET), "/", f"{SECRET} json"))[2]

    report = asyncio.run(main())
    whole = (part.__qualname__, [TWICE, ("leaf", [])])
    assert [(name.rpartition(".")[2], calls) for name, calls in nested(report)] == [("part", whole[1])] * 3
    parts = [call for call in json.loads(report)["call_tree"] if call["parent"] is None]
    assert all(call["elapsed_ns"] >= 100_000_000 for call in parts)
    assert all(call["inclusive_ns"] < call["elapsed_ns"] - 50_000_000 for call in parts), "it waits, it does not run"


def test_call_tree_has_bounds():
    def many(environ, start_response):
        for _ in range(30_000):
            leaf()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    app = Timestamp_WSGI_Middleware(many, SECRET, max_report_bytes=50_000)
    call = Call(app, "/", SECRET)
    document = json.loads(report_of(app, call))
    assert document["timings"][0]["calls"] == 30_000
    assert len(document["call_tree"]) + document["call_tree_left_off"] == 30_000 and len(document["call_tree"]) > 100
    assert len(report_of(app, call)) < 51_000 and len(report_of(app, call, "text")) < 51_000
