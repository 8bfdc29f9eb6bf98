"""The settings of a ``Profiler``: from code, else the environment, else a TOML file, else pyproject.toml, else defaults. They are
read when it is made, and not again."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Tuple, Type, Union

from ._checks import checked_text, checked_track, checked_tracks
from .types import TrackId

Config = Union[str, "os.PathLike[str]", Mapping[str, Any]]

_PREFIX = "TSCAP_PROFILER_"
_FILE = _PREFIX + "CONFIG"
_TABLE = ("tool", "timestamp_capture", "profiler")
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}

# Where no parser is at hand: does this pyproject.toml seem to have a table of ours, in whatever spelling?
_MENTIONED = re.compile(r"""^[^#\n]*?(?:^|[\s\[.{,"'])timestamp_capture["']?\s*(?:\.|\]|=(?!=))""", re.MULTILINE)


@dataclass
class Settings:
    """Of one profiler."""

    enabled: bool = True  # started when it is made
    disabled_tracks: FrozenSet[TrackId] = frozenset()
    track_names: Dict[TrackId, str] = field(default_factory=dict)
    extended: bool = False  # exports have all columns unless told otherwise


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {value!r}")
    return value


def _disabled_tracks(value: Any) -> FrozenSet[TrackId]:
    if isinstance(value, (str, bytes)) or not isinstance(value, (list, tuple, set, frozenset)):
        raise ValueError(f"must be a list of track ids, not {value!r}")
    tracks = frozenset(checked_track(track) for track in value)
    checked_tracks(tracks)
    return tracks


def _track_names(value: Any) -> Dict[TrackId, str]:
    """Keys in files are text: digits are numbers."""
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a table of track ids and names, not {value!r}")
    names = {checked_track(_track_of(track)): checked_text("a track's name", name) for track, name in value.items()}
    checked_tracks(names)
    return names


def _track_of(text: Any) -> Any:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else text


def _words(text: str) -> bool:
    if text.strip().lower() not in _WORDS:
        raise ValueError(f"must be one of {', '.join(_WORDS)}, not {text!r}")
    return _WORDS[text.strip().lower()]


def _list(text: str) -> List[Any]:
    return [_track_of(part.strip()) for part in text.split(",") if part.strip()]


def _table(text: str) -> Dict[Any, str]:
    parts = [part.partition("=") for part in text.split(",") if part.strip()]
    wrong = [track for track, equals, _ in parts if not equals]
    if wrong:
        raise ValueError(f"must be ID=NAME,ID=NAME, not {text!r}")
    return {track.strip(): name.strip() for track, _, name in parts}


# key: what checks a value of it, and what makes one of the text in the environment
_KEYS: Dict[str, Tuple[Callable[[Any], Any], Callable[[str], Any]]] = {
    "enabled": (_bool, _words),
    "disabled_tracks": (_disabled_tracks, _list),
    "track_names": (_track_names, _table),
    "extended": (_bool, _words),
}


def _checked(values: Mapping[str, Any], source: str, spelled: Callable[[str], str] = str) -> Dict[str, Any]:
    """All of them are right, or the first one that is not is told."""
    checked = {}
    for key, value in values.items():
        if key not in _KEYS:
            raise ValueError(f"{source}: no setting is called {spelled(key)!r}: there are {', '.join(map(spelled, _KEYS))}")
        try:
            checked[key] = _KEYS[key][0](value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{source}: {spelled(key)}: {error}") from None
    return checked


def _of_environment() -> Dict[str, Any]:
    texts = {name[len(_PREFIX) :].lower(): text for name, text in os.environ.items() if name.startswith(_PREFIX) and name != _FILE}
    values: Dict[str, Any] = {}
    for key, text in texts.items():
        try:
            values[key] = _KEYS[key][1](text) if key in _KEYS else text
        except ValueError as error:
            raise ValueError(f"environment: {_PREFIX}{key.upper()}: {error}") from None
    return _checked(values, "environment", lambda key: _PREFIX + key.upper())


class _NoParser(Exception):
    pass


def _parser() -> Tuple[Callable[[str], Dict[str, Any]], Type[Exception]]:
    """What reads TOML text, and what it raises."""
    try:
        import tomllib
    except ImportError:
        try:
            import tomli as tomllib  # type: ignore[import-not-found,no-redef,unused-ignore]
        except ImportError:
            raise _NoParser from None
    return tomllib.loads, tomllib.TOMLDecodeError


def _parsed(path: str, text: str) -> Dict[str, Any]:
    try:
        loads, wrong = _parser()
    except _NoParser:
        raise ValueError(f"{path} cannot be read: this Python has no TOML parser; install tomli, or use Python 3.11 or later") from None
    try:
        return loads(text)
    except wrong as error:
        raise ValueError(f"{path} is not TOML: {error}") from None


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the profiler's settings in {path} cannot be read: {error}") from None


def _ours(document: Mapping[str, Any], path: str) -> Optional[Mapping[str, Any]]:
    """The table [tool.timestamp_capture.profiler]; None: there is none."""
    table: Any = document
    for i, key in enumerate(_TABLE):
        if not isinstance(table, Mapping):
            raise ValueError(f"{path}: {'.'.join(_TABLE[:i])} must be a table, not {table!r}")
        if key not in table:
            return None
        table = table[key]
    if not isinstance(table, Mapping):
        raise ValueError(f"{path}: {'.'.join(_TABLE)} must be a table, not {table!r}")
    return table


def _of_file(path: str) -> Dict[str, Any]:
    """All of the file are settings, or those in the table that pyproject.toml has, too."""
    document = _parsed(path, _text_of(path))
    table = _ours(document, path)
    return _checked(document if table is None else table, path)


def _of_pyproject() -> Dict[str, Any]:
    """The nearest one, from the working directory up. It is no file of ours: one that cannot be read is somebody else's concern."""
    try:
        folder = os.getcwd()
    except OSError:  # it was removed
        return {}
    while not os.path.isfile(os.path.join(folder, "pyproject.toml")):
        above = os.path.dirname(folder)
        if above == folder:
            return {}
        folder = above
    path = os.path.join(folder, "pyproject.toml")
    try:
        text = _text_of(path)
        try:
            _parser()
        except _NoParser:
            if not _MENTIONED.search(text):
                return {}
        document = _parsed(path, text)
    except ValueError as error:
        if "no TOML parser" in str(error):
            raise
        warnings.warn(f"{error}; its settings of the profiler, if any, are not used", RuntimeWarning, stacklevel=4)
        return {}
    table = _ours(document, path)
    return {} if table is None else _checked(table, f"{path}: {'.'.join(_TABLE)}")


def read_settings(config: Optional[Config], code: Mapping[str, Any]) -> Settings:
    """Of a profiler that is made with these arguments. Raises ValueError, and TypeError for a config that is none."""
    given = {key: value for key, value in code.items() if value is not None}
    path: Optional[str] = os.environ.get(_FILE) or None
    if isinstance(config, Mapping):
        given = {**config, **given}
    elif isinstance(config, (str, os.PathLike)):
        path = os.fspath(config)
    elif config is not None:
        raise TypeError(f"config must be the path of a TOML file or a mapping, not {type(config).__name__}")
    from_code = _checked(given, "Profiler()")
    merged = {**_of_pyproject(), **(_of_file(path) if path else {}), **_of_environment(), **from_code}
    settings = Settings(**merged)
    checked_tracks([*settings.disabled_tracks, *settings.track_names])
    return settings
