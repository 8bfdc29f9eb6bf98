"""What ``Profiler.get_results()`` gives: blocks in tracks in results. Times are ns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Iterator, Optional, TypeVar, Union

TrackId = Union[int, str]

_Key = TypeVar("_Key", int, str, TrackId)
_Value = TypeVar("_Value")

_NEVER = 2**63 - 1  # the least time of a block that was never hit


class _Indexed(Dict[_Key, _Value]):
    """A dict whose iteration gives what is in it, not the keys (which ``keys()`` and ``items()`` give as ever)."""

    def __iter__(self) -> Iterator[_Value]:  # type: ignore[override]
        return iter(self.values())

    def __contains__(self, item: object) -> bool:
        """Of a key, or of one that is in it."""
        try:
            return super().__contains__(item)
        except TypeError:  # blocks and tracks are no keys
            return any(item is value or item == value for value in self.values())


@dataclass
class ProfileBlock:
    """A block or function: how often it was hit, and how long that took.

    Of recursive ones, ``total_time_ns`` and ``cpu_time_ns`` are those of the outermost hits; all others are of each hit.
    ``min_time_ns`` is 2**63 - 1 until the first one. Percentiles and ``std_time_ns``, the standard deviation of the hits, come
    from a histogram whose steps are 1/16 of a power of two: they may be off by 3.2 %.
    """

    name: str
    file: str
    line: int
    hit_count: int = 0
    total_time_ns: int = 0
    min_time_ns: int = _NEVER
    max_time_ns: int = 0
    self_time_ns: int = 0  # without the profiler's blocks inside, of any track
    cpu_time_ns: int = 0
    p50_time_ns: int = 0
    p95_time_ns: int = 0
    p99_time_ns: int = 0
    std_time_ns: float = 0.0
    exception_count: int = 0  # hits that an exception ended; closing a generator is none
    total_bytes: int = 0  # of block(..., bytes=n)

    def record_time(self, elapsed_ns: int) -> None:
        """Count one hit of that many ns."""
        self.hit_count += 1
        self.total_time_ns += elapsed_ns
        self.min_time_ns = min(self.min_time_ns, elapsed_ns)
        self.max_time_ns = max(self.max_time_ns, elapsed_ns)

    @property
    def avg_time_ns(self) -> float:
        """Total time by hits; 0.0 without any."""
        return self.total_time_ns / self.hit_count if self.hit_count else 0.0

    @property
    def mb_per_s(self) -> float:
        """Megabytes (10**6) a second of total time; 0.0 without any."""
        return self.total_bytes * 1000 / self.total_time_ns if self.total_time_ns else 0.0

    def __repr__(self) -> str:
        return (
            f"ProfileBlock(name={self.name!r}, file={self.file!r}, line={self.line}, hit_count={self.hit_count}, "
            f"total_time_ns={self.total_time_ns}, avg_time_ns={self.avg_time_ns:.0f}, min_time_ns={self.min_time_ns}, "
            f"max_time_ns={self.max_time_ns})"
        )


class Blocks(_Indexed[int, ProfileBlock]):
    """The blocks of a track: indexed by their numbers from 0, iterated as blocks."""


@dataclass
class ProfileTrack:
    """A track: blocks that belong together."""

    track_idx: TrackId
    track_name: Optional[str] = None
    enabled: bool = True
    blocks: Blocks = field(default_factory=Blocks)

    def __post_init__(self) -> None:
        if not isinstance(self.blocks, Blocks):
            self.blocks = Blocks(self.blocks)

    def add_block(self, block_idx: int, name: str, file: str, line: int) -> ProfileBlock:
        """Add a block that was not hit yet, and return it."""
        block = self.blocks[block_idx] = ProfileBlock(name, file, line)
        return block

    def get_block(self, block_idx: int) -> Optional[ProfileBlock]:
        """The block of that number; None if there is none."""
        return self.blocks.get(block_idx)

    @property
    def total_time_ns(self) -> int:
        """Of all its blocks."""
        return sum(block.total_time_ns for block in self.blocks)

    @property
    def total_hits(self) -> int:
        """Of all its blocks."""
        return sum(block.hit_count for block in self.blocks)

    def __repr__(self) -> str:
        name = f" ({self.track_name!r})" if self.track_name else ""
        return (
            f"ProfileTrack(track_idx={self.track_idx}{name}, enabled={self.enabled}, blocks={len(self.blocks)}, "
            f"total_time_ns={self.total_time_ns}, total_hits={self.total_hits})"
        )


class Tracks(_Indexed[TrackId, ProfileTrack]):
    """The tracks of results: indexed by their ids, iterated as tracks."""


@dataclass
class ProfilerResults:
    """What a profiler had recorded at one instant."""

    profiler_name: str
    tracks: Tracks = field(default_factory=Tracks)

    def __post_init__(self) -> None:
        if not isinstance(self.tracks, Tracks):
            self.tracks = Tracks(self.tracks)

    @property
    def total_time_ns(self) -> int:
        """Of all tracks."""
        return sum(track.total_time_ns for track in self.tracks)

    @property
    def total_hits(self) -> int:
        """Of all tracks."""
        return sum(track.total_hits for track in self.tracks)

    def get_track(self, track_idx: TrackId) -> Optional[ProfileTrack]:
        """The track of that id; None if there is none."""
        return self.tracks.get(track_idx)

    def __repr__(self) -> str:
        return (
            f"ProfilerResults(profiler_name={self.profiler_name!r}, tracks={len(self.tracks)}, "
            f"total_time_ns={self.total_time_ns}, total_hits={self.total_hits})"
        )
