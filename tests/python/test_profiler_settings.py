"""Where the settings of a Profiler come from: code, environment, TOML file, pyproject.toml, defaults."""
import builtins
import importlib.util
import os
import textwrap
import warnings

import pytest

from timestamp_capture.stichotrope import Profiler

HAS_TOML = any(importlib.util.find_spec(name) for name in ("tomllib", "tomli"))
needs_toml = pytest.mark.skipif(not HAS_TOML, reason="this interpreter has no TOML parser and no tomli")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("TSCAP_PROFILER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, text, name="pyproject.toml"):
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


def test_defaults():
    profiler = Profiler()
    assert profiler.is_started() and profiler.is_track_enabled(0) and repr(profiler).startswith("Profiler(name='Profiler', tracks=0,")


def test_from_code():
    profiler = Profiler(enabled=False, disabled_tracks=[1, 2], track_names={0: "Zero"}, extended=True)
    assert not profiler.is_started()
    assert [profiler.is_track_enabled(track) for track in range(4)] == [True, False, False, True]
    assert profiler.get_results().tracks[0].track_name == "Zero"
    assert not Profiler(config={"enabled": False}).is_started()
    assert Profiler(config={"enabled": False}, enabled=True).is_started()


def test_from_the_environment(monkeypatch, capsys):
    for name, text in {"ENABLED": "off", "DISABLED_TRACKS": "3, 4", "TRACK_NAMES": "0=Zero,1=One", "EXTENDED": "1"}.items():
        monkeypatch.setenv("TSCAP_PROFILER_" + name, text)
    profiler = Profiler()
    assert not profiler.is_started() and not profiler.is_track_enabled(3) and profiler.is_track_enabled(5)
    assert [track.track_name for track in profiler.get_results().tracks] == ["Zero", "One"]
    profiler.print_results()
    assert "Std Dev" in capsys.readouterr().out
    assert Profiler(enabled=True).is_started()


@needs_toml
def test_order(folder, monkeypatch):
    """Each of the sources has its way where those before it are silent."""
    write(folder, "[tool.timestamp_capture.profiler]\nenabled = false\ndisabled_tracks = [1]\ntrack_names = {1 = 'pyproject'}\n")
    assert not Profiler().is_started()
    path = write(folder, "disabled_tracks = [2]\ntrack_names = {1 = 'file'}\n", "settings.toml")
    monkeypatch.setenv("TSCAP_PROFILER_CONFIG", str(path))

    def says(profiler):
        return profiler.is_started(), [t for t in range(1, 5) if not profiler.is_track_enabled(t)], profiler.get_results().tracks[1].track_name

    assert says(Profiler()) == (False, [2], "file")
    monkeypatch.setenv("TSCAP_PROFILER_DISABLED_TRACKS", "3")
    assert says(Profiler()) == (False, [3], "file")
    assert says(Profiler(disabled_tracks=[4])) == (False, [4], "file")
    monkeypatch.delenv("TSCAP_PROFILER_CONFIG")
    assert says(Profiler(config=path)) == (False, [3], "file")
    assert says(Profiler(config={"track_names": {1: "code"}}, enabled=True)) == (True, [3], "code")


SPELLINGS = [
    "[tool.timestamp_capture.profiler]\nenabled = false",
    "[tool.timestamp_capture]\nprofiler.enabled = false",
    "[tool.timestamp_capture]\nprofiler = {enabled = false}",
    "[tool]\ntimestamp_capture.profiler.enabled = false",
    "[tool]\ntimestamp_capture.profiler = {enabled = false}",
    "[tool]\ntimestamp_capture = {profiler = {enabled = false}}",
    "tool.timestamp_capture.profiler.enabled = false",
    "tool = {timestamp_capture = {profiler = {enabled = false}}}",
    "[ tool . 'timestamp_capture' . \"profiler\" ]\nenabled = false",
]


@needs_toml
@pytest.mark.parametrize("text", SPELLINGS)
def test_spellings(folder, text):
    write(folder, text)
    assert not Profiler().is_started()
    path = write(folder, text, "other.toml")
    assert not Profiler(config=str(path)).is_started()


@needs_toml
def test_the_nearest_pyproject(folder, monkeypatch):
    write(folder, "[tool.timestamp_capture.profiler]\nenabled = false\n")
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert not Profiler().is_started()
    write(folder / "a", "[project]\nname = 'nearer, and says nothing'\n")
    assert Profiler().is_started()


@needs_toml
def test_read_when_it_is_made_and_not_again(folder, monkeypatch, capsys):
    write(folder, "[tool.timestamp_capture.profiler]\nextended = true\ndisabled_tracks = [0]\n")
    profiler = Profiler()
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    write(elsewhere, "[tool.timestamp_capture.profiler]\nextended = false\n")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("TSCAP_PROFILER_EXTENDED", "0")
    with profiler.block(0, "off"):
        pass
    with profiler.block(1, "on"):
        pass
    profiler.print_results()
    assert "Std Dev" in capsys.readouterr().out and profiler.get_results().total_hits == 1


@needs_toml
def test_names_for_ids(folder):
    write(folder, "[tool.timestamp_capture.profiler]\ndisabled_tracks = ['db']\ntrack_names.web = 'Web'\n")
    profiler = Profiler()
    assert not profiler.is_track_enabled("db") and profiler.get_results().tracks["web"].track_name == "Web"


WRONG = {
    "enabled = 1": "enabled: must be true or false, not 1",
    "enabeld = true": "no setting is called 'enabeld': there are enabled, disabled_tracks, track_names, extended",
    "disabled_tracks = 1": "disabled_tracks: must be a list of track ids, not 1",
    "disabled_tracks = [-1]": "disabled_tracks: a track's id must not be negative",
    "disabled_tracks = [1, 'a']": "disabled_tracks: track 'a' is a name, but this profiler's tracks have numbers",
    "disabled_tracks = [1.5]": "disabled_tracks: a track's id must be an int or a str, not float",
    "track_names = ['a']": "track_names: must be a table",
    "track_names = {0 = ''}": "track_names: a track's name must not be empty",
    "track_names = {0 = 1}": "track_names: a track's name must be a str, not int",
    "disabled_tracks = [1]\ntrack_names = {a = 'b'}": "track 'a' is a name",
}


@needs_toml
@pytest.mark.parametrize("text", WRONG)
def test_wrong_settings(folder, text):
    path = write(folder, text, "wrong.toml")
    with pytest.raises(ValueError) as error:
        Profiler(config=path)
    assert WRONG[text] in str(error.value)
    write(folder, "[tool.timestamp_capture.profiler]\n" + text)
    with pytest.raises(ValueError):
        Profiler()


@pytest.mark.parametrize(
    "name, text, says",
    [
        ("ENABLED", "maybe", "TSCAP_PROFILER_ENABLED: must be one of 1, true, yes, on, 0, false, no, off, not 'maybe'"),
        ("DISABLED_TRACKS", "1,a", "TSCAP_PROFILER_DISABLED_TRACKS: track 'a' is a name, but this profiler's tracks have numbers"),
        ("TRACK_NAMES", "Zero", "TSCAP_PROFILER_TRACK_NAMES: must be ID=NAME,ID=NAME, not 'Zero'"),
        ("ENABELD", "1", "no setting is called 'TSCAP_PROFILER_ENABELD': there are TSCAP_PROFILER_ENABLED"),
        ("CONFIG", "/no/such/file", "/no/such/file cannot be read"),
    ],
)
def test_wrong_environment(monkeypatch, name, text, says):
    monkeypatch.setenv("TSCAP_PROFILER_" + name, text)
    with pytest.raises(ValueError, match=says):
        Profiler()


@pytest.mark.parametrize("arguments, error, says", [
    ({"enabled": 1}, ValueError, r"Profiler\(\): enabled: must be true or false"),
    ({"config": {"name": "x"}}, ValueError, "no setting is called 'name'"),
    ({"config": 5}, TypeError, "config must be the path of a TOML file or a mapping, not int"),
    ({"name": ""}, ValueError, "a profiler's name must not be empty"),
    ({"name": None}, TypeError, "a profiler's name must be a str"),
])
def test_wrong_arguments(arguments, error, says):
    with pytest.raises(error, match=says):
        Profiler(**arguments)


@needs_toml
def test_a_pyproject_that_is_none_is_not_our_concern(folder):
    write(folder, "[tool.timestamp_capture.profiler\n")
    with pytest.warns(RuntimeWarning, match="pyproject.toml is not TOML") as warned:
        assert Profiler().is_started()
    assert len(warned) == 1 and warned[0].filename == __file__
    with pytest.raises(ValueError, match="is not TOML"), pytest.warns(RuntimeWarning):
        Profiler(config="pyproject.toml")


def without_parser(monkeypatch):
    imports = builtins.__import__

    def refuse(name, *rest):
        if name in ("tomllib", "tomli"):
            raise ImportError(name)
        return imports(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.parametrize("text", SPELLINGS)
def test_without_a_parser(folder, monkeypatch, text):
    path = write(folder, text)
    without_parser(monkeypatch)
    remedy = "no TOML parser; install tomli, or use Python 3.11 or later"
    with pytest.raises(ValueError, match=remedy):
        Profiler()
    with pytest.raises(ValueError, match=remedy):
        Profiler(config=path)


def test_without_a_parser_and_without_need(folder, monkeypatch):
    write(folder, "[project]\ndependencies = ['timestamp_capture', 'timestamp_capture==1.0']  # timestamp_capture = {profiler\n[tool.other]\nprofiler = 1\n")
    without_parser(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Profiler().is_started()
