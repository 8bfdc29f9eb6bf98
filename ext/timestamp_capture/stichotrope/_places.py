"""The tracks of one profiler, and the places that are measured in them: tracked functions and named blocks."""

from __future__ import annotations

from types import FunctionType
from typing import Callable, Container, Dict, List, Optional, Tuple, Union

from ._checks import checked_text, checked_track, mixed
from .types import TrackId

# Of a function, its name and where it is; of a block, its name.
_Key = Union[Tuple[str, str, int], str]


class Place:
    """What has a row in results. ``enabled``: its track is."""

    __slots__ = ("track_idx", "name", "file", "line", "tracked", "enabled", "shown", "number", "__weakref__")

    def __init__(self, track_idx: TrackId, name: str, file: str, line: int, tracked: bool) -> None:
        self.track_idx = track_idx
        self.name = name
        self.file = file
        self.line = line
        self.tracked = tracked  # a function; else a block
        self.enabled = True
        self.shown = False  # it has a row although it was never hit
        self.number: Optional[int] = None  # in its track, once it has a row


PlaceOf = Callable[[FunctionType, Optional[str]], Place]  # of a function under that name; None: its own


class _Track:
    def __init__(self) -> None:
        self.name: Optional[str] = None
        self.enabled = True
        self.shown = False  # it has a row although nothing in it has
        self.places: Dict[_Key, Place] = {}
        self.numbered = 0


class Places:
    """Whoever calls these holds the profiler's lock, but for lookups that find something."""

    def __init__(self) -> None:
        self.tracks: Dict[TrackId, _Track] = {}

    # -- tracks --

    def checked(self, track_idx: object) -> TrackId:
        """A track's id, of the kind that the others have."""
        track = checked_track(track_idx)
        known = next(iter(self.tracks), None)
        if known is not None and isinstance(known, str) != isinstance(track, str):
            raise mixed(track)
        return track

    def _track(self, track_idx: TrackId) -> _Track:
        """After everything else that was passed has been checked: the first one settles the kind."""
        track = self.tracks.get(track_idx)
        if track is None:
            track = self.tracks[track_idx] = _Track()
        return track

    def set_enabled(self, track_idx: object, enabled: bool) -> List[Place]:
        """The places that this is about."""
        track = self._track(self.checked(track_idx))
        track.enabled = bool(enabled)
        places = list(track.places.values())
        for place in places:
            place.enabled = track.enabled
        return places

    def is_enabled(self, track_idx: object) -> bool:
        track = self.tracks.get(self.checked(track_idx))
        return track is None or track.enabled

    def set_name(self, track_idx: object, name: object) -> None:
        checked, text = self.checked(track_idx), checked_text("a track's name", name)
        track = self._track(checked)
        track.name = text
        track.shown = True

    # -- places --

    def function(self, track_idx: TrackId, name: str, file: str, line: int) -> Place:
        """That of a function; made if it is new."""
        return self._place(track_idx, (name, file, line), Place(track_idx, name, file, line, True))

    def block(self, track_idx: TrackId, name: str, file: str, line: int) -> Place:
        """That of a block; made if it is new, where it was first entered."""
        return self._place(track_idx, name, Place(track_idx, name, file, line, False))

    def _place(self, track_idx: TrackId, key: _Key, new: Place) -> Place:
        track = self._track(track_idx)
        new.enabled = track.enabled
        return track.places.setdefault(key, new)

    def find_block(self, track_idx: TrackId, name: str) -> Optional[Place]:
        track = self.tracks.get(track_idx)
        return track.places.get(name) if track else None

    def hide(self) -> None:
        """All was cleared: functions stay decorated, and have rows; blocks have one again once they are hit. Numbers begin anew."""
        for track in self.tracks.values():
            track.numbered = 0
            for place in track.places.values():
                place.number = None

    def with_rows(self, hit: Container[Place]) -> List[Tuple[TrackId, Optional[str], bool, List[Place]]]:
        """(track, its name, whether it is enabled, its places that have a row, by number) of each track that has one."""
        rows = []
        for track_idx, track in self.tracks.items():
            numbered = {}
            for place in track.places.values():
                if place.number is None and (place.shown or place in hit):
                    place.number = track.numbered
                    track.numbered += 1
                if place.number is not None:
                    numbered[place.number] = place
            if numbered or track.shown:
                rows.append((track_idx, track.name, track.enabled, [numbered[number] for number in sorted(numbered)]))
        return rows
