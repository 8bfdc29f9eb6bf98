"""A collector's entries as a sequence, made when they are looked at: what is kept is 24 bytes each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Iterator, Union, overload

from ._select import core
from .schemas import Schema__Timestamp_Entry

CHUNK = 1024


class Notes:
    """What the user said of entries: ``extra`` by the number of the entry, and entries that belong to no call."""

    def __init__(self) -> None:
        self.extra: dict[int, dict[str, Any]] = {}
        self.marks: list[tuple[int, Schema__Timestamp_Entry]] = []  # after how many others it came


class Entries(Sequence[Schema__Timestamp_Entry]):
    """Entries by time, as many as there are when it is asked. Equal to a list of equal entries."""

    def __init__(self, collector: core.Collector, notes: Notes) -> None:
        self._collector = collector
        self._notes = notes

    def __len__(self) -> int:
        return self._collector._kept + len(self._notes.marks)

    def _range(self, start: int, stop: int) -> list[Schema__Timestamp_Entry]:
        if self._notes.marks:
            return self._merged()[start:stop]
        return [self._entry(row) for row in self._collector._rows(start, stop)]

    def _merged(self) -> list[Schema__Timestamp_Entry]:
        entries = [self._entry(row) for row in self._collector._rows(0, self._collector._kept)]
        for before, mark in reversed(self._notes.marks):
            entries.insert(before, mark)
        return entries

    def _entry(self, row: tuple[str, str, int, int, int, int, int, bool, int, int]) -> Schema__Timestamp_Entry:
        name, event, when, clock, thread, depth, _, raised, number, _ = row
        extra = self._notes.extra.get(number)
        if raised:
            extra = {**(extra or {}), "raised": True}
        return Schema__Timestamp_Entry(name, event, when, clock, thread, depth, extra)

    @overload
    def __getitem__(self, index: int) -> Schema__Timestamp_Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Schema__Timestamp_Entry]: ...
    def __getitem__(self, index: Union[int, slice]) -> Union[Schema__Timestamp_Entry, list[Schema__Timestamp_Entry]]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step > 0:
                return self._range(start, stop)[::step]
            return self._range(0, len(self))[index]
        place = index + len(self) if index < 0 else index
        found = self._range(place, place + 1) if 0 <= place else []
        if not found:
            raise IndexError(f"entry {index} of {len(self)}")
        return found[0]

    def __iter__(self) -> Iterator[Schema__Timestamp_Entry]:
        if self._notes.marks:
            yield from self._merged()
            return
        for start in range(0, self._collector._kept, CHUNK):
            yield from self._range(start, start + CHUNK)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, (list, tuple, Entries)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:5]))
        return f"[{shown}{', ...' if len(self) > 5 else ''}]"
