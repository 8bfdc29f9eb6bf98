"""Record one request of a WSGI or ASGI application, when the request asks for it and knows the secret.

    app = Timestamp_WSGI_Middleware(app, secret="...")                    # WSGI: Flask (app.wsgi_app = ...), Django
    app.add_middleware(Timestamp_ASGI_Middleware, secret="...")           # ASGI: Starlette, FastAPI

Without a secret (argument, or TSCAP_SECRET in the environment) nothing is ever recorded, and requests that do not ask pass
through untouched. These do ask:

    X-Timestamp-Capture: SECRET          the response is as ever; its header X-Timestamp-Capture-Report tells the path of the report
    X-Timestamp-Capture: SECRET text     the report instead of the response; or json
    /-/timestamps/SECRET/record/text/PATH    the same for PATH (and whoever logs paths logs the secret)

and these give reports that were kept, with the secret in the header or, as above, in the path:

    /-/timestamps/reports                the latest ones
    /-/timestamps/reports/ID             one of them as text; /-/timestamps/reports/ID/json

A report holds what this request called, and no other: also among requests that take turns in one thread. Of an ASGI application
that is its task, the tasks started for it meanwhile, and what it hands to threads by anyio (Starlette's and FastAPI's plain
functions). While `tscap` or start() records everything, a request is one call of its method and path there, which lasts as long
as the response (elapsed); what goes on in its tasks and threads stands below "METHOD /path (continued)". Reports lie in the memory of the process that made them. Exceptions pass through; what was recorded
is kept.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import threading
from collections import OrderedDict
from typing import Any, Awaitable, Callable, Iterable, Iterator, List, MutableMapping, NamedTuple, Optional, Tuple

from .collector import Timestamp_Collector

__all__ = ["Timestamp_ASGI_Middleware", "Timestamp_WSGI_Middleware"]

HEADER = "X-Timestamp-Capture"
FORMATS = {"text": "text/plain; charset=utf-8", "json": "application/json"}

Environ = MutableMapping[str, Any]
Start_Response = Callable[..., Any]
WSGI_Application = Callable[[Any, Any], Iterable[bytes]]
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGI_Application = Callable[[Scope, Receive, Send], Awaitable[None]]


# ---- reports ----

EVENTS = 20_000  # beginnings and ends that the call tree is made of; what comes later is in the sums alone
INDENTED = 40  # levels


class _Row(NamedTuple):
    """A call in a call tree, as a list has it."""

    name: str
    parent: Optional[int]  # its index, which is smaller
    depth: int
    start_ns: int
    elapsed_ns: int
    inclusive_ns: int
    exclusive_ns: int


def _tree(collector: Timestamp_Collector) -> Iterator[_Row]:
    """Each call after the one that it was called by. Those of a thread or a task stand beside those of others."""
    began, count = collector.start_time_ns, 0
    waiting: List[Tuple[Optional[int], int, Any]] = [(None, 0, root) for root in reversed(collector.build_call_tree())]
    while waiting:
        parent, depth, node = waiting.pop()
        yield _Row(node.name[:500], parent, depth, node.start_ns - began, node.end_ns - node.start_ns, node.duration_ns, node.self_ns)
        waiting += [(count, depth + 1, child) for child in reversed(node.children)]
        count += 1


class _Recording:
    """One request that is recorded, and what was recorded of it."""

    def __init__(self, request: str, limits: _Limits) -> None:
        self.id = secrets.token_hex(8)
        self.request = "".join(c if c.isprintable() else "?" for c in request)[:500]
        self.status = ""
        self.problem = ""
        self.limits = limits
        self.collector: Optional[Timestamp_Collector] = Timestamp_Collector(self.request, max_entries=EVENTS)
        self.reports: dict[str, bytes] = {}  # by format; empty: it has not ended

    def report(self) -> None:
        """May be called again, when more has come."""
        if self.collector is not None:
            self.reports = {"text": self._text(self.collector), "json": self._json(self.collector)}

    def end(self) -> None:
        self.report()
        self.collector = None

    def _text(self, collector: Timestamp_Collector) -> bytes:
        head = f"{self.request}\nstatus: {self.status or 'none'}\n"
        if self.problem:
            head += f"not recorded: {self.problem}\n"
        text = (head + "\n" + collector.format_report() + "\n" + self._tree_text(collector)).encode("utf-8", "backslashreplace")
        if len(text) > self.limits.bytes:
            kept = text[: self.limits.bytes].rsplit(b"\n", 1)[0]
            text = kept + b"\n... %d bytes left off\n" % (len(text) - len(kept))
        return text

    @staticmethod
    def _tree_text(collector: Timestamp_Collector) -> str:
        lines = ["Call Tree (time from start to return):"]
        lines += ["  " * (min(row.depth, INDENTED) + 1) + f"{row.name}  {row.elapsed_ns / 1e6:.3f}ms" for row in _tree(collector)]
        if collector.dropped:
            lines.append(f"  ... and {collector.dropped} beginnings and ends of calls more")
        return "\n".join(lines) + "\n"

    def _json(self, collector: Timestamp_Collector) -> bytes:
        rows = sorted(collector.timings(), key=lambda row: -row[3])
        kept, size = [], 0
        for name, calls, inclusive, exclusive, least, most in rows:
            sums = {"name": name[:500], "calls": calls, "inclusive_ns": inclusive, "exclusive_ns": exclusive, "min_ns": least, "max_ns": most}
            size += len(json.dumps(sums)) + 2
            if size > self.limits.bytes:
                break
            kept.append(sums)
        calls_kept, calls_left_off = [], 0
        for row in _tree(collector):
            call = {key: value for key, value in row._asdict().items() if key != "depth"}
            size += len(json.dumps(call)) + 2
            if size > self.limits.bytes:
                calls_left_off += 1
            else:
                calls_kept.append(call)
        report = {
            "request": self.request,
            "status": self.status,
            "complete": collector.complete and not self.problem,
            "problem": self.problem,
            "total_duration_ns": collector.total_duration_ns(),
            "timings": kept,
            "timings_left_off": len(rows) - len(kept),
            "call_tree": calls_kept,
            "call_tree_left_off": calls_left_off + (collector.dropped + 1) // 2,
        }
        return json.dumps(report).encode()


class _Limits(NamedTuple):
    reports: int
    bytes: int


class _Store:
    """The latest recordings, by id."""

    def __init__(self, limits: _Limits) -> None:
        self.limits = limits
        self.lock = threading.Lock()
        self.recordings: OrderedDict[str, _Recording] = OrderedDict()

    def add(self, recording: _Recording) -> None:
        with self.lock:
            self.recordings[recording.id] = recording
            while len(self.recordings) > self.limits.reports:
                self.recordings.popitem(last=False)

    def find(self, id: str) -> Optional[_Recording]:
        with self.lock:
            return self.recordings.get(id)

    def latest(self) -> List[_Recording]:
        with self.lock:
            return list(reversed(self.recordings.values()))


# ---- what a request asks for ----


class _Answer(NamedTuple):
    """A response of our own."""

    status: str
    content_type: str
    body: bytes

    def headers(self) -> List[Tuple[str, str]]:
        return [("Content-Type", self.content_type), ("Content-Length", str(len(self.body))), ("Cache-Control", "no-store")]


def _plain(status: str, text: str) -> _Answer:
    return _Answer(status, FORMATS["text"], (text + "\n").encode("utf-8", "backslashreplace"))


class _Asked(NamedTuple):
    """To record the request with this path, and to answer with the report in this format (None: beside the response)."""

    path: str
    format: Optional[str]


class _Middleware:
    """What both kinds have: who may ask, and how."""

    def __init__(
        self,
        secret: Optional[str] = None,
        *,
        path: str = "/-/timestamps",
        max_reports: int = 64,
        max_report_bytes: int = 256 * 1024,
    ) -> None:
        if not path.startswith("/") or path.endswith("/"):
            raise ValueError(f"path must begin with a slash and not end with one, not {path!r}")
        if min(max_reports, max_report_bytes) < 1:
            raise ValueError("max_reports and max_report_bytes must be 1 or more")
        secret = os.environ.get("TSCAP_SECRET", "") if secret is None else secret
        if not secret.isascii() or not secret.isprintable() or any(character in secret for character in " /?#%"):
            raise ValueError("secret must be printable ASCII, without blanks and any of /?#%")
        self._secret = secret.encode()
        self._path = path
        self._store = _Store(_Limits(max_reports, max_report_bytes))

    def _is_secret(self, given: str) -> bool:
        """In a time that tells nothing."""
        return bool(self._secret) and hmac.compare_digest(given.encode("utf-8", "replace"), self._secret)

    def _is_below(self, path: str) -> bool:
        return path.startswith(self._path + "/")

    def _asked(self, path: str, header: Optional[str]) -> Optional[_Asked | _Answer]:
        """None: nothing, or without the secret."""
        given, _, wanted = (header or "").strip().partition(" ")
        knows = header is not None and self._is_secret(given)
        if not self._is_below(path):
            wanted = wanted.strip()
            return _Asked(path, wanted if wanted in FORMATS else None) if knows else None
        words = path[len(self._path) + 1 :].split("/")
        if not knows:
            if not self._is_secret(words.pop(0)):
                return None
        return self._route(words)

    def _route(self, words: List[str]) -> _Asked | _Answer:
        if words[0] == "record" and len(words) > 2 and words[1] in FORMATS:
            return _Asked("/" + "/".join(words[2:]), words[1])
        if words == ["reports"]:
            return _plain("200 OK", "\n".join(f"{r.id} {r.status or '-'} {r.request}" for r in self._store.latest()))
        if words[0] == "reports" and (len(words) == 2 or (len(words) == 3 and words[2] in FORMATS)):
            return self._report(words[1], words[2] if len(words) == 3 else "text")
        return _plain("404 Not Found", f"there are: record/FORMAT/PATH, reports, reports/ID, reports/ID/FORMAT; FORMAT: {', '.join(FORMATS)}")

    def _report(self, id: str, format: str) -> _Answer:
        recording = self._store.find(id)
        if recording is None:
            return _plain("404 Not Found", "no such report: only the latest ones are kept, each by the process that made it")
        if not recording.reports:
            return _plain("202 Accepted", "the request has not ended yet")
        return _Answer("200 OK", FORMATS[format], recording.reports[format])

    def _begin(self, request: str) -> _Recording:
        recording = _Recording(request, self._store.limits)
        self._store.add(recording)
        return recording

    def _headers(self, recording: _Recording) -> List[Tuple[str, str]]:
        return [(HEADER + "-Report", f"{self._path}/reports/{recording.id}")]

    @staticmethod
    def _answer(recording: _Recording, format: str) -> _Answer:
        return _Answer("200 OK", FORMATS[format], recording.reports[format])


class _Inside:
    """``with collector`` for the frame around it; where recording is not possible, the application goes on without."""

    def __init__(self, recording: _Recording) -> None:
        self.recording = recording
        self.entered = False

    def __enter__(self) -> None:
        collector = self.recording.collector
        if collector is None:
            return  # closed twice, or used after that
        try:
            collector.__enter__()
            self.entered = True
        except RuntimeError as error:
            self.recording.problem = str(error)

    def __exit__(self, *exception: object) -> None:
        if self.entered and self.recording.collector is not None:
            self.recording.collector.__exit__(*exception)


# ---- WSGI ----


class Timestamp_WSGI_Middleware(_Middleware):
    """A WSGI application that records requests of another one: see ``help(timestamp_capture.middleware)``.

    ``secret``: default: TSCAP_SECRET; empty: off. ``path``: below it are reports. ``max_reports`` are kept, of at most
    ``max_report_bytes`` each in each format. Raises ValueError for what cannot be used.
    """

    def __init__(self, app: WSGI_Application, secret: Optional[str] = None, **options: Any) -> None:
        super().__init__(secret, **options)
        self.app = app

    def __call__(self, environ: Environ, start_response: Start_Response) -> Iterable[bytes]:
        key = "HTTP_" + HEADER.upper().replace("-", "_")
        path = environ.get("PATH_INFO", "")
        if not self._secret or (key not in environ and not self._is_below(path)):
            return self.app(environ, start_response)
        asked = self._asked(path, environ.get(key))
        if asked is None:
            return self.app(environ, start_response)
        if isinstance(asked, _Asked):
            environ = dict(environ)
            environ.pop(key, None)  # the application may log its headers
            environ["PATH_INFO"] = asked.path
            recording = self._begin(f"{environ.get('REQUEST_METHOD', '')} {environ.get('SCRIPT_NAME', '')}{asked.path}")
            if asked.format is None:
                return self._beside(recording, environ, start_response)
            asked = self._instead(recording, asked.format, environ)
        start_response(asked.status, asked.headers())
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [asked.body]

    def _beside(self, recording: _Recording, environ: Environ, start_response: Start_Response) -> Iterable[bytes]:
        def start(status: str, headers: List[Tuple[str, str]], *exc_info: Any) -> Any:
            recording.status = status
            return start_response(status, [*headers, *self._headers(recording)], *exc_info)

        try:
            with _Inside(recording):
                result = self.app(environ, start)
        except BaseException:
            recording.end()
            raise
        if type(result) in (list, tuple):  # nothing of the application runs any more; servers look at its length
            recording.end()
            return result
        return _Recorded_Body(recording, result)

    def _instead(self, recording: _Recording, format: str, environ: Environ) -> _Answer:
        """The application runs to the end, and what it says is dropped."""

        def start(status: str, headers: List[Tuple[str, str]], *exc_info: Any) -> Callable[[bytes], object]:
            recording.status = status
            return len  # as good a write() as any that drops what it is given

        try:
            with _Inside(recording):
                self._run_out(environ, start)
        finally:
            recording.end()
        return self._answer(recording, format)

    def _run_out(self, environ: Environ, start: Start_Response) -> None:
        result = self.app(environ, start)
        try:
            for _ in result:
                pass
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()


class _Recorded_Body:
    """The application's iterable: each step is recorded, whatever thread takes it."""

    def __init__(self, recording: _Recording, result: Iterable[bytes]) -> None:
        self.recording = recording
        self.result = result
        self.iterator: Optional[Iterator[bytes]] = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            with _Inside(self.recording):
                if self.iterator is None:
                    self.iterator = iter(self.result)
                return next(self.iterator)
        except BaseException:  # its end, too; close() comes yet
            self.recording.report()
            raise

    def close(self) -> None:
        close = getattr(self.result, "close", None)
        try:
            with _Inside(self.recording):
                if close is not None:
                    close()
        finally:
            self.recording.end()


# ---- ASGI ----


class Timestamp_ASGI_Middleware(_Middleware):
    """An ASGI application that records requests of another one: see ``help(timestamp_capture.middleware)``.

    Only HTTP requests that ask are touched; websockets and lifespan are not. What runs after the response (background tasks)
    is in the report, which is there when that has ended. Arguments as those of Timestamp_WSGI_Middleware.
    """

    def __init__(self, app: ASGI_Application, secret: Optional[str] = None, **options: Any) -> None:
        super().__init__(secret, **options)
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = self._asked_in(scope) if self._secret and scope["type"] == "http" else None
        if asked is None:
            await self.app(scope, receive, send)
        elif isinstance(asked, _Answer):
            await _send_answer(scope, send, asked)
        else:
            scope = self._without_header(scope, asked.path)
            recording = self._begin(f"{scope['method']} {asked.path}")
            if asked.format is None:
                await self._beside(recording, scope, receive, send)
            else:
                await self._instead(recording, asked.format, scope, receive, send)

    def _asked_in(self, scope: Scope) -> Optional[_Asked | _Answer]:
        name = HEADER.lower().encode()
        header = next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name), None)
        path = scope["path"]
        return self._asked(path, header) if header is not None or self._is_below(path) else None

    @staticmethod
    def _without_header(scope: Scope, path: str) -> Scope:
        name = HEADER.lower().encode()
        scope = {**scope, "headers": [(key, value) for key, value in scope["headers"] if key.lower() != name]}
        if path != scope["path"]:
            scope["path"], scope["raw_path"] = path, path.encode()
        return scope

    async def _beside(self, recording: _Recording, scope: Scope, receive: Receive, send: Send) -> None:
        added = [(name.lower().encode(), value.encode()) for name, value in self._headers(recording)]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                recording.status = str(message["status"])
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await self._run(recording, scope, receive, sending)

    async def _instead(self, recording: _Recording, format: str, scope: Scope, receive: Receive, send: Send) -> None:
        async def dropping(message: Message) -> None:
            if message["type"] == "http.response.start":
                recording.status = str(message["status"])

        await self._run(recording, scope, receive, dropping)
        await _send_answer(scope, send, self._answer(recording, format))

    async def _run(self, recording: _Recording, scope: Scope, receive: Receive, send: Send) -> None:
        from ._following import following

        assert recording.collector is not None
        try:
            with following(recording.collector):
                with _Inside(recording):
                    await self.app(scope, receive, send)
        finally:
            recording.end()


async def _send_answer(scope: Scope, send: Send, answer: _Answer) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers()]
    await send({"type": "http.response.start", "status": int(answer.status.split()[0]), "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})
