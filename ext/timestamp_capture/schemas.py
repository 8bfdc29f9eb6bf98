"""What was recorded, as plain objects: entries, timings and exports, each with ``.json()``, ``.from_json()`` and ``.obj()``.

Times are integers in nanoseconds; what ends in ``_ms`` is the same in milliseconds, for reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Any, ClassVar, Iterator, Mapping, Optional, Type, TypeVar, Union

NS_TO_MS = 1_000_000

T = TypeVar("T")


# ---- plain values: without recursion, for call trees are as deep as calls ----


def _plain(root: Any, make: Any) -> Any:
    """``root`` with each schema in it replaced by ``make(dict of its fields)``, innermost first."""
    done: list[Any] = []
    waiting: list[tuple[Any, bool]] = [(root, False)]
    while waiting:
        value, opened = waiting.pop()
        if isinstance(value, list):
            if opened:
                count = len(value)
                done[len(done) - count :] = [done[len(done) - count :]]
            else:
                waiting.append((value, True))
                waiting += [(item, False) for item in reversed(value)]
        elif hasattr(type(value), "__dataclass_fields__"):
            names = [f.name for f in fields(value)]
            if opened:
                done[len(done) - len(names) :] = [make(dict(zip(names, done[len(done) - len(names) :])))]
            else:
                waiting.append((value, True))
                waiting += [(getattr(value, name), False) for name in reversed(names)]
        else:
            done.append(value)
    return done[0]


def to_json(value: Any) -> dict[str, Any]:
    """A schema as a dict of what JSON knows."""
    return _plain(value, dict)  # type: ignore[no-any-return]


def to_obj(value: Any) -> SimpleNamespace:
    """A schema as a namespace: ``.a.b[0].c``."""
    return _plain(value, lambda values: SimpleNamespace(**values))  # type: ignore[no-any-return]


def from_json(cls: Type[T], data: Union[str, Mapping[str, Any]]) -> T:
    """The schema ``cls`` of a dict as ``json()`` gives it, or of its text.

    Raises ValueError for what is not one: other keys, or values that should be objects and lists and are not.
    """
    import json  # when it is wanted: not every program that is decorated exports

    root = json.loads(data) if isinstance(data, str) else data
    result: list[Any] = [None]
    waiting: list[tuple[Any, Any, Any, Any]] = [(cls, root, result, 0)]
    while waiting:
        wanted, value, holder, key = waiting.pop()
        if not isinstance(value, Mapping):
            raise ValueError(f"{wanted.__name__}: an object was expected, not {type(value).__name__}")
        known = {f.name for f in fields(wanted)}
        unknown = sorted(set(value) - known)
        if unknown:
            raise ValueError(f"{wanted.__name__} has no field {unknown[0]!r}")
        nested = getattr(wanted, "_nested", {})
        one = wanted(**{name: item for name, item in value.items() if name not in nested})
        holder[key] = one
        for name, inner in nested.items():
            item = value.get(name, [] if isinstance(inner, list) else {})
            kind = _resolve(inner[0] if isinstance(inner, list) else inner)
            if not isinstance(inner, list):
                waiting.append((kind, item, one.__dict__, name))
                continue
            if not isinstance(item, list):
                raise ValueError(f"{wanted.__name__}.{name}: a list was expected, not {type(item).__name__}")
            many: list[Any] = [None] * len(item)
            setattr(one, name, many)
            waiting += [(kind, each, many, i) for i, each in enumerate(item)]
    return result[0]  # type: ignore[no-any-return]


def _resolve(kind: Any) -> Any:
    return globals()[kind] if isinstance(kind, str) else kind


def to_text(value: Any, indent: Optional[int] = None) -> str:
    """JSON text of plain values, however deep."""
    import json

    try:
        return json.dumps(value, indent=indent)
    except RecursionError:
        return "".join(_pieces(value))


def _pieces(root: Any) -> Iterator[str]:
    import json

    waiting: list[Any] = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, _Text):
            yield value
        elif isinstance(value, dict):
            parts: list[Any] = [_Text("{")]
            for i, (key, item) in enumerate(value.items()):
                parts += [_Text((", " if i else "") + json.dumps(key) + ": "), item]
            waiting += reversed([*parts, _Text("}")])
        elif isinstance(value, list):
            parts = [_Text("[")]
            for i, item in enumerate(value):
                parts += [_Text(", " if i else ""), item]
            waiting += reversed([*parts, _Text("]")])
        else:
            yield json.dumps(value)


class _Text(str):
    """Finished text among values that are not."""


class Schema:
    """What all schemas can do. A schema is a context manager, too, that gives itself."""

    _nested: ClassVar[dict[str, Any]] = {}

    def json(self) -> dict[str, Any]:
        """As a dict of what JSON knows."""
        return to_json(self)

    @classmethod
    def from_json(cls: Type[T], data: Union[str, Mapping[str, Any]]) -> T:
        """The inverse of ``json()``; also of its text. Raises ValueError for what is not one."""
        return from_json(cls, data)

    def obj(self) -> SimpleNamespace:
        """As a namespace."""
        return to_obj(self)

    def __enter__(self: T) -> T:
        return self

    def __exit__(self, *exception: object) -> None:
        return None


# ---- what is recorded ----


@dataclass(init=False)
class Schema__Timestamp_Entry:
    """One entry: the beginning or the end of a call or block.

    ``event`` is ``enter`` or ``exit``; ``suspend`` and ``resume`` for generators, coroutines and blocks of tasks that wait.
    ``timestamp_ns`` is on the scale of time.perf_counter_ns(), ``clock_ns`` on that of time.time_ns(). ``depth``: calls open
    around it. ``extra`` is what record(), enter() and exit() were given; ``{"raised": True}`` for an end by an exception.
    """

    __slots__ = ("name", "event", "timestamp_ns", "clock_ns", "thread_id", "depth", "extra")
    name: str
    event: str
    timestamp_ns: int
    clock_ns: int
    thread_id: int
    depth: int
    extra: Optional[dict[str, Any]]

    def __init__(
        self,
        name: str = "",
        event: str = "",
        timestamp_ns: int = 0,
        clock_ns: int = 0,
        thread_id: int = 0,
        depth: int = 0,
        extra: Optional[dict[str, Any]] = None,
    ) -> None:
        self.name = name
        self.event = event
        self.timestamp_ns = timestamp_ns
        self.clock_ns = clock_ns
        self.thread_id = thread_id
        self.depth = depth
        self.extra = extra

    def json(self) -> dict[str, Any]:
        """As a dict of what JSON knows, if ``extra`` is."""
        return to_json(self)

    @classmethod
    def from_json(cls, data: Union[str, Mapping[str, Any]]) -> Schema__Timestamp_Entry:
        """The inverse of ``json()``."""
        return from_json(cls, data)

    def obj(self) -> SimpleNamespace:
        """As a namespace."""
        return to_obj(self)

    def __enter__(self) -> Schema__Timestamp_Entry:
        return self

    def __exit__(self, *exception: object) -> None:
        return None


@dataclass(init=False)
class Schema__Method_Timing:
    """The sums of one name. A recursive function's ``total_ns`` is that of its outermost calls; ``self_ns`` is exclusive.

    ``elapsed_ns`` is ``total_ns`` and what generators and coroutines waited between their first start and their return;
    ``elapsed_min_ns`` and ``elapsed_max_ns`` are of one call that ended.
    """

    __slots__ = ("name", "call_count", "total_ns", "min_ns", "max_ns", "self_ns", "elapsed_ns", "elapsed_min_ns", "elapsed_max_ns")
    name: str
    call_count: int
    total_ns: int
    min_ns: int
    max_ns: int
    self_ns: int
    elapsed_ns: int
    elapsed_min_ns: int
    elapsed_max_ns: int

    def __init__(
        self,
        name: str = "",
        call_count: int = 0,
        total_ns: int = 0,
        min_ns: int = 0,
        max_ns: int = 0,
        self_ns: int = 0,
        elapsed_ns: int = 0,
        elapsed_min_ns: int = 0,
        elapsed_max_ns: int = 0,
    ) -> None:
        self.name = name
        self.call_count = call_count
        self.total_ns = total_ns
        self.min_ns = min_ns
        self.max_ns = max_ns
        self.self_ns = self_ns
        self.elapsed_ns = elapsed_ns
        self.elapsed_min_ns = elapsed_min_ns
        self.elapsed_max_ns = elapsed_max_ns

    def total_ms(self) -> float:
        """Inclusive time in milliseconds."""
        return self.total_ns / NS_TO_MS

    def self_ms(self) -> float:
        """Exclusive time in milliseconds."""
        return self.self_ns / NS_TO_MS

    def avg_ms(self) -> float:
        """Inclusive time per call in milliseconds; 0.0 without calls."""
        return self.total_ns / self.call_count / NS_TO_MS if self.call_count else 0.0

    def min_ms(self) -> float:
        """The shortest call in milliseconds."""
        return self.min_ns / NS_TO_MS

    def max_ms(self) -> float:
        """The longest call in milliseconds."""
        return self.max_ns / NS_TO_MS

    def elapsed_ms(self) -> float:
        """Elapsed time of all calls in milliseconds."""
        return self.elapsed_ns / NS_TO_MS

    def elapsed_avg_ms(self) -> float:
        """Elapsed time per call in milliseconds; 0.0 without calls."""
        return self.elapsed_ns / self.call_count / NS_TO_MS if self.call_count else 0.0

    def elapsed_max_ms(self) -> float:
        """The longest elapsed time of a call in milliseconds."""
        return self.elapsed_max_ns / NS_TO_MS

    def json(self) -> dict[str, Any]:
        """As a dict of what JSON knows."""
        return to_json(self)

    @classmethod
    def from_json(cls, data: Union[str, Mapping[str, Any]]) -> Schema__Method_Timing:
        """The inverse of ``json()``."""
        return from_json(cls, data)

    def obj(self) -> SimpleNamespace:
        """As a namespace."""
        return to_obj(self)

    def __enter__(self) -> Schema__Method_Timing:
        return self

    def __exit__(self, *exception: object) -> None:
        return None


def timestamp_entry__to_ms(entry: Schema__Timestamp_Entry) -> float:
    """An entry's time in milliseconds."""
    return entry.timestamp_ns / NS_TO_MS


def method_timing__total_ms(timing: Schema__Method_Timing) -> float:
    """Inclusive time in milliseconds."""
    return timing.total_ms()


def method_timing__avg_ms(timing: Schema__Method_Timing) -> float:
    """Inclusive time per call in milliseconds; 0.0 without calls."""
    return timing.avg_ms()


def method_timing__self_ms(timing: Schema__Method_Timing) -> float:
    """Exclusive time in milliseconds."""
    return timing.self_ms()


def method_timing__min_ms(timing: Schema__Method_Timing) -> float:
    """The shortest call in milliseconds."""
    return timing.min_ms()


def method_timing__max_ms(timing: Schema__Method_Timing) -> float:
    """The longest call in milliseconds."""
    return timing.max_ms()


# ---- exports ----


@dataclass
class Schema__Call_Tree_Node(Schema):
    """One call; ``call_index`` counts them by their beginning.

    A generator or coroutine is one, below what started it: ``duration_ns`` is the time that it ran, whoever it went on below, and
    ``end_ns - start_ns`` the time that it took with all its waits. ``self_ns`` is less what it called while it ran.
    """

    _nested = {"children": ["Schema__Call_Tree_Node"]}
    name: str = ""
    start_ns: int = 0
    end_ns: int = 0
    duration_ns: int = 0
    duration_ms: float = 0.0
    self_ns: int = 0
    self_ms: float = 0.0
    depth: int = 0
    call_index: int = 0
    children: list[Schema__Call_Tree_Node] = field(default_factory=list)


@dataclass
class Schema__Export_Metadata(Schema):
    """What was recorded as a whole."""

    name: str = ""
    total_duration_ns: int = 0
    total_duration_ms: float = 0.0
    entry_count: int = 0
    method_count: int = 0
    start_time_ns: int = 0
    end_time_ns: int = 0


@dataclass
class Schema__Export_Entry(Schema):
    """One entry of a full export."""

    name: str = ""
    event: str = ""
    timestamp_ns: int = 0
    clock_ns: int = 0
    depth: int = 0
    thread_id: int = 0


@dataclass
class Schema__Export_Method_Timing(Schema):
    """The sums of one name."""

    name: str = ""
    call_count: int = 0
    total_ns: int = 0
    total_ms: float = 0.0
    self_ns: int = 0
    self_ms: float = 0.0
    avg_ms: float = 0.0
    min_ns: int = 0
    max_ns: int = 0
    elapsed_ns: int = 0
    elapsed_min_ns: int = 0
    elapsed_max_ns: int = 0


@dataclass
class Schema__Export_Full(Schema):
    """All that a collector has."""

    _nested = {
        "metadata": Schema__Export_Metadata,
        "entries": [Schema__Export_Entry],
        "method_timings": [Schema__Export_Method_Timing],
        "call_tree": [Schema__Call_Tree_Node],
    }
    metadata: Schema__Export_Metadata = field(default_factory=Schema__Export_Metadata)
    entries: list[Schema__Export_Entry] = field(default_factory=list)
    method_timings: list[Schema__Export_Method_Timing] = field(default_factory=list)
    call_tree: list[Schema__Call_Tree_Node] = field(default_factory=list)


@dataclass
class Schema__Export_Hotspot(Schema):
    """One name of a summary."""

    name: str = ""
    self_ms: float = 0.0
    percentage: float = 0.0
    calls: int = 0


@dataclass
class Schema__Export_Summary(Schema):
    """The most important of what a collector has."""

    _nested = {"hotspots": [Schema__Export_Hotspot]}
    name: str = ""
    total_duration_ms: float = 0.0
    method_count: int = 0
    entry_count: int = 0
    hotspots: list[Schema__Export_Hotspot] = field(default_factory=list)


# ---- speedscope: https://www.speedscope.app/file-format-schema.json ----


@dataclass
class Schema__Speedscope_Frame(Schema):
    """A name."""

    name: str = ""


@dataclass
class Schema__Speedscope_Shared(Schema):
    """The names that events refer to by index."""

    _nested = {"frames": [Schema__Speedscope_Frame]}
    frames: list[Schema__Speedscope_Frame] = field(default_factory=list)


@dataclass
class Schema__Speedscope_Event(Schema):
    """A call begins (``O``) or ends (``C``), ``at`` microseconds after the start."""

    type: str = ""
    frame: int = 0
    at: float = 0.0


@dataclass
class Schema__Speedscope_Profile(Schema):
    """The calls of one thread."""

    _nested = {"events": [Schema__Speedscope_Event]}
    type: str = "evented"
    name: str = ""
    unit: str = "microseconds"
    startValue: float = 0
    endValue: float = 0.0
    events: list[Schema__Speedscope_Event] = field(default_factory=list)


@dataclass
class Schema__Speedscope(Schema):
    """A speedscope file; in the file ``schema`` is called ``$schema``."""

    _nested = {"shared": Schema__Speedscope_Shared, "profiles": [Schema__Speedscope_Profile]}
    schema: str = "https://www.speedscope.app/file-format-schema.json"
    shared: Schema__Speedscope_Shared = field(default_factory=Schema__Speedscope_Shared)
    profiles: list[Schema__Speedscope_Profile] = field(default_factory=list)
    name: str = ""
    activeProfileIndex: int = 0
