"""The recorder of ``Profiler`` on the compiled one: each profiler is a consumer, which selects the sites of its enabled places. Functions
are marked, as ``@timestamp`` marks them, and stay what they are."""

from __future__ import annotations

import math
import types
import warnings
import weakref
from typing import Any, Callable, ContextManager, Dict, Iterable, List, Literal, NamedTuple, Optional, Tuple

from .. import _core as core
from .._by_value import leave_mark
from .._decorators import _functions_inside, _is_python, _name_of, functions_of_class
from . import _recorder
from ._bytes import Bytes
from ._listing import Listing, SetEnabled
from ._numbers import Functions, Numbers
from ._places import Place, PlaceOf
from ._rows import Row
from .types import TrackId


class _Site(NamedTuple):
    """A row of a reading: _core.pyi, _SiteRow."""

    site: int
    name: str
    qualname: str
    module: str
    file: str
    line: int
    track: int
    kind: str
    calls: int
    primitive: int
    open: int
    waiting: int
    raised: int
    inclusive: int
    exclusive: int
    least: int
    most: int
    cpu: int
    own_cpu: int
    waited: int
    elapsed: int
    ended: int
    p50: int
    p95: int
    p99: int
    deviation: int
    outermost: int

    def row(self) -> Row:
        deviation = self.deviation * math.sqrt(self.ended / (self.ended - 1)) if self.ended > 1 else 0.0  # of a sample
        return Row(
            self.ended, self.outermost, self.exclusive, self.cpu, self.least, self.most, self.raised, self.p50, self.p95, self.p99, deviation
        )


def _together(rows: List[Row]) -> Row:
    """Of a place with several sites: quantiles are those of the one that was hit most."""
    hit = [row for row in rows if row.hits]
    if len(hit) < 2:
        return hit[0] if hit else Row()
    most = max(hit, key=lambda row: row.hits)
    return most._replace(
        hits=sum(row.hits for row in hit),
        total=sum(row.total for row in hit),
        self_time=sum(row.self_time for row in hit),
        cpu=sum(row.cpu for row in hit),
        least=min(row.least for row in hit),
        most=max(row.most for row in hit),
        raised=sum(row.raised for row in hit),
    )


def _marked(function: types.FunctionType, name: str, track: int, levels: int) -> int:
    """Its site; the session of ``tscap start`` records it, too, as what ``@timestamp`` decorates."""
    site = core._place(function, name, levels + 1, track)
    core.decorate(function, name, levels + 1)
    leave_mark(function, name)
    return site


class Recorder(_recorder.Recorder):
    """Of one profiler."""

    def __init__(self, name: str, set_enabled: "weakref.WeakMethod[SetEnabled]") -> None:
        self._name = name
        self._consumer = core._Consumer("profiler", name)
        self._listing = Listing(self._consumer, set_enabled)
        self._running = self._draining = False
        self._marked: Functions = []
        self._place_of_marked: List[Place] = []  # beside them
        self._numbers = Numbers(self._marked)
        self._blocks: Dict[Place, core._Place] = {}
        self._places: Dict[int, List[Place]] = {}  # by site
        self._sites: Dict[Place, List[int]] = {}
        self._bytes = Bytes()
        self._warned = False

    # -- switches --

    def run(self, on: bool) -> None:
        if on == self._running:
            return
        self._running = on
        if on:
            self._try(self._consumer.begin)
            self._drain(False)
        elif self._is_open():
            self._drain(True)
        else:
            self._try(self._consumer.end)

    def _is_open(self) -> bool:
        """Does a call run that began while we did? Without anybody who wants records it would end here."""
        reading: Dict[str, Any] = {"sites": []}
        self._try(lambda: reading.update(self._consumer.read()))
        return any(site.open > site.waiting for site in map(_Site._make, reading["sites"]))

    def _drain(self, on: bool) -> None:
        """Nothing new is recorded, but what is open goes on being, until somebody asks and finds that it has ended."""
        if on != self._draining:
            self._draining = on
            for site in self._places:
                self._select_site(site)

    def _settle(self) -> None:
        if self._draining and not self._is_open():
            self._try(self._consumer.end)
            self._drain(False)

    def select(self, places: Iterable[Place]) -> None:
        for site in {site for place in places for site in self._sites.get(place, ())}:
            self._select_site(site)

    def _select_site(self, site: int) -> None:
        wanted = not self._draining and any(place.enabled for place in self._places[site])
        change = self._consumer.select_site if wanted else self._consumer.deselect_site
        self._try(lambda: change(site), "does not follow the switches of its tracks from here on")

    def tell_switches(self, started: bool, everybody: bool) -> None:
        self._try(lambda: self._listing.switches(started, everybody))

    def tell_track(self, track_idx: TrackId, enabled: bool, name: Optional[str]) -> None:
        self._try(lambda: self._listing.track(track_idx, enabled, name))

    def _try(self, do: Callable[[], object], trouble: str = "records nothing from here on") -> None:
        """What cannot be recorded is told once: it is no reason for the program to fail."""
        try:
            do()
        except RuntimeError as error:
            if not self._warned:
                self._warned = True
                warnings.warn(f"profiler {self._name!r} {trouble}: {error}", RuntimeWarning, stacklevel=2)

    def _belongs(self, site: int, place: Place) -> None:
        """From here on: 0 is none, for which there was no room."""
        if not site:
            return
        places = self._places.setdefault(site, [])
        if place not in places:
            places.append(place)
            self._sites.setdefault(place, []).append(site)
            self._try(lambda: self._listing.place(place.track_idx, place.enabled, site, place.name))
            self._select_site(site)

    # -- what is measured --

    def track(self, target: Any, place_of: PlaceOf, name: Optional[str]) -> Any:
        if isinstance(target, type):
            for function, called in functions_of_class(target):
                if _is_python(function):
                    self._mark(function, place_of(function, called or function.__qualname__), 2)
                else:
                    core._unmarked(_name_of(function))
            return target
        for function in [target] if _is_python(target) else _functions_inside(target):
            if _is_python(function):
                self._mark(function, place_of(function, name), 2)
            else:
                core._unmarked(name or _name_of(function))
        return target

    def _mark(self, function: types.FunctionType, place: Place, levels: int) -> None:
        """Nothing that goes wrong here is a reason for the program to fail."""
        try:
            site = _marked(function, place.name, self._numbers.of(place.track_idx), levels + 1)
        except Exception:  # no memory, or a hook of the program's that forbids it
            core._unmarked(place.name)
            return
        self._marked.append(weakref.ref(function))
        self._place_of_marked.append(place)
        self._belongs(site, place)

    def block(self, place: Place, count: int) -> ContextManager[None]:
        block = core._Block(self._place(place))
        return _Counted(self, place, block, count) if count else block

    def _place(self, place: Place) -> core._Place:
        made = self._blocks.get(place)
        if made is None:
            made = self._blocks[place] = core._Place(place.track_idx, place.name, place.file, place.line, self._numbers.of(place.track_idx))
            self._belongs(made.site, place)
        return made

    def found_by(self, place: Place) -> Optional[core._Place]:
        return self._place(place)

    def wants(self, place: Place) -> bool:
        return self._running and place.enabled

    # -- what was measured --

    def clear(self) -> None:
        self._settle()
        self._try(self._consumer.clear)
        self._bytes = Bytes()

    def captured(self) -> Any:
        return self._consumer

    def in_child(self) -> None:
        self._bytes = Bytes()
        self._places, self._sites = {}, {}
        self._warned = self._running = self._draining = False
        self._try(self._begin_anew)

    def _begin_anew(self) -> None:
        """Numbers of sites are others there."""
        self._consumer = core._Consumer("profiler", self._name)
        self._listing.anew(self._consumer)
        for reference, place in zip(self._marked, self._place_of_marked):
            function = reference()
            if function is not None:
                self._belongs(core._place(function, place.name, 0, self._numbers.of(place.track_idx)), place)
        for place, made in self._blocks.items():
            self._belongs(made.site, place)

    def rows(self) -> Dict[Place, Row]:
        self._settle()
        reading: Dict[str, Any] = {"sites": []}
        self._try(lambda: reading.update(self._consumer.read()))
        return self._bytes.added_to(self._by_place(reading["sites"]), None)

    def rows_of_threads(self) -> List[Tuple[int, Dict[Place, Row]]]:
        reading: Dict[str, Any] = {"threads": []}
        self._try(lambda: reading.update(self._consumer.read(threads=True)))
        threads = sorted(reading["threads"], key=lambda thread: thread["number"])
        rows = [(thread["ident"], self._bytes.added_to(self._by_place(thread["sites"]), thread["ident"])) for thread in threads]
        return [(ident, of_thread) for ident, of_thread in rows if of_thread]

    def _by_place(self, sites: Iterable[Tuple[Any, ...]]) -> Dict[Place, Row]:
        rows: Dict[Place, List[Row]] = {}
        for site in map(_Site._make, sites):
            if site.ended:
                for place in self._places.get(site.site, ()):
                    rows.setdefault(place, []).append(site.row())
        return {place: _together(of_place) for place, of_place in rows.items()}


class _Counted:
    """A block that knows how many bytes it handles."""

    def __init__(self, recorder: Recorder, place: Place, block: core._Block, count: int) -> None:
        self._recorder = recorder
        self._place = place
        self._block = block
        self._count = count
        self._open: List[Optional[Bytes]] = []  # where to count them; None: nobody wanted it

    def __enter__(self) -> None:
        self._open.append(self._recorder._bytes if self._recorder.wants(self._place) else None)
        self._block.__enter__()

    def __exit__(self, *exception: object) -> Literal[False]:
        self._block.__exit__(*exception)
        counted = self._open.pop() if self._open else None
        if counted is not None:
            counted.add(self._place, self._count)
        return False

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        from .._decorators import wrap

        return wrap(function, lambda args, kwargs: _Counted(self._recorder, self._place, self._block, self._count))
