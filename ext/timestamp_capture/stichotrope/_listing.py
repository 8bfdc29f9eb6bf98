"""What ``tscap tracks`` shows of a profiler, and the switches that it sets."""

from __future__ import annotations

import weakref
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from .. import _core as core
from .types import TrackId

# Of a profiler: the track, whether it is to be on. Raises TimeoutError.
SetEnabled = Callable[[TrackId, bool], None]


class _Track(NamedTuple):
    row: int  # 0: there was no room for it
    enabled: bool
    name: Optional[str]


class Listing:
    """Of one profiler, in the segment. All methods raise RuntimeError when its consumer is gone."""

    def __init__(self, consumer: core._Consumer, set_enabled: "weakref.WeakMethod[SetEnabled]") -> None:
        self._consumer = consumer
        self._set_enabled = set_enabled
        self._tracks: Dict[TrackId, _Track] = {}
        self._switches: Optional[Tuple[bool, bool]] = None
        _all[id(self)] = self

    def anew(self, consumer: core._Consumer) -> None:
        """In another segment: places have to be told again."""
        tracks, self._tracks = self._tracks, {}
        switches, self._switches = self._switches, None
        self._consumer = consumer
        if switches:
            self.switches(*switches)
        for track_idx, track in tracks.items():
            self.track(track_idx, track.enabled, track.name)

    def switches(self, started: bool, everybody: bool) -> None:
        if self._switches != (started, everybody):
            self._consumer.tell_switches(started, everybody)
            self._switches = started, everybody

    def track(self, track_idx: TrackId, enabled: bool, name: Optional[str]) -> None:
        known = self._tracks.get(track_idx)
        if known == (known and known.row, enabled, name):
            return
        is_word = isinstance(track_idx, str)
        if known and known.row:
            self._consumer.change_track(known.row, is_word, enabled, name)
            self._tracks[track_idx] = _Track(known.row, enabled, name)
        else:
            self._tracks[track_idx] = _Track(self._consumer.tell_track(_in_words(track_idx), is_word, enabled, name), enabled, name)

    def place(self, track_idx: TrackId, enabled: bool, site: int, name: str) -> None:
        if track_idx not in self._tracks:
            self.track(track_idx, enabled, None)
        track = self._tracks[track_idx]
        if track.row:
            self._consumer.tell_place(track.row, site, name)

    def find(self, row: int) -> TrackId:
        for track_idx, track in list(self._tracks.items()):  # other threads may add some meanwhile
            if track.row == row:
                return track_idx
        raise LookupError("the track is not there any more")

    @property
    def number(self) -> int:
        return self._consumer.number

    def set_enabled(self, track_idx: TrackId, on: bool) -> None:
        set_enabled = self._set_enabled()
        if set_enabled is None:
            raise LookupError("the profiler is not there any more")
        set_enabled(track_idx, on)


_all: "weakref.WeakValueDictionary[int, Listing]" = weakref.WeakValueDictionary()  # by id(): unlike a set it is listed in one go


def _in_words(track_idx: TrackId) -> str:
    try:
        return str(track_idx)
    except ValueError:  # more digits than Python writes
        return hex(int(track_idx))


def _listing(number: int) -> Listing:
    for reference in _all.valuerefs():
        listing = reference()
        if listing is not None and listing.number == number:
            return listing
    raise LookupError(f"profiler {number} is not there any more")


def _obey(orders: List[Tuple[int, int, bool]]) -> None:
    """All or none of them, if all are there."""
    found = [(listing, listing.find(row), on) for listing, row, on in ((_listing(number), row, on) for number, row, on in orders)]
    for listing, track_idx, on in found:
        listing.set_enabled(track_idx, on)


core._obey_switches(_obey)
