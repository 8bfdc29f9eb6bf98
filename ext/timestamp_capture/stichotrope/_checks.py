"""What callers pass, checked: each mistake raises one error that says what is wanted."""

from __future__ import annotations

from typing import Any, Iterable

from .types import TrackId


def checked_track(track_idx: Any) -> TrackId:
    """The id of a track: a number from 0, or a name."""
    if isinstance(track_idx, bool) or not isinstance(track_idx, (int, str)):
        raise TypeError(f"a track's id must be an int or a str, not {type(track_idx).__name__}: number or name your tracks")
    if track_idx == "":
        raise ValueError("a track's id must not be empty: give the track a name, or a number from 0")
    if not isinstance(track_idx, str) and track_idx < 0:
        raise ValueError(f"a track's id must not be negative, but {track_idx} is: number tracks from 0")
    return track_idx


def checked_tracks(tracks: Iterable[TrackId]) -> None:
    """All of one profiler are numbers, or all are names: nobody could sort them else."""
    kinds = {isinstance(track, str) for track in tracks}
    if len(kinds) > 1:
        raise mixed(next(track for track in tracks if isinstance(track, str)))


def mixed(track_idx: TrackId) -> ValueError:
    one, other = ("a name", "numbers") if isinstance(track_idx, str) else ("a number", "names")
    return ValueError(
        f"track {track_idx!r} is {one}, but this profiler's tracks have {other}: use one kind for all (set_track_name() names a number)"
    )


def checked_text(what: str, text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {type(text).__name__}")
    if not text:
        raise ValueError(f"{what} must not be empty: say what it is")
    return text


def checked_bytes(count: Any) -> int:
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"bytes must be an int, not {type(count).__name__}")
    if count < 0:
        raise ValueError(f"bytes must not be negative, but {count} is: count what the block handles")
    return count


def checked_iterations(iterations: Any) -> int:
    if isinstance(iterations, bool) or not isinstance(iterations, int):
        raise TypeError(f"iterations must be an int, not {type(iterations).__name__}")
    if iterations < 1:
        raise ValueError(f"iterations must be 1 or more, not {iterations}")
    return iterations
