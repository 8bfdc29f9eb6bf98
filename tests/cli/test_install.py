"""What an installation puts where, that it works there, and that nothing is left of it: by make and by pip.

The sources are those of an archive as `pip download` would give it, built in a folder of their own.
"""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from conftest import HERE, ROOT

PAGES = ["share/man/man1/tscap.1", "share/man/man7/timestamp_capture.7"]
SCHEMAS = ["share/tscap/tscap.%s.schema.json" % what for what in ("diff", "digest", "processes", "profile", "pythons", "stack", "status", "tracks")]
LIMIT = 600  # seconds, for a compiler


def clean_environment():
    """Neither the suite's package nor what make told it."""
    hidden = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CFLAGS", "TSCAP_PURE")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def run(*command, **options):
    options = {"env": clean_environment(), "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, **options}
    process = subprocess.run([str(word) for word in command], timeout=LIMIT, **options)
    assert process.returncode == 0, process.stdout
    return process.stdout


def files(folder):
    """All there is below it, folders too."""
    return sorted(str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A source distribution, by the backend alone."""
    folder = tmp_path_factory.mktemp("sdist")
    code = "import sys; sys.path.insert(0, 'scripts'); import build_backend; print(build_backend.build_sdist(sys.argv[1]))"
    name = run(sys.executable, "-c", code, folder, cwd=ROOT).split("\n")[-2]
    return folder / name


@pytest.fixture(scope="module")
def sources(archive):
    run("tar", "-xzf", archive, "-C", archive.parent)
    return archive.parent / archive.name[: -len(".tar.gz")]


@pytest.fixture(scope="module")
def wheel(sources, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", folder, sources)
    (wheel,) = folder.glob("tscap-*.whl")
    return wheel


@pytest.fixture
def make(sources, wheel):
    """In the folder where the wheel was built: all is compiled already."""

    def run_make(goal, **variables):
        settings = ["O=build/wheel", "BOOTSTRAP=no", "PYTHON=" + sys.executable]
        return run("make", "-C", sources, goal, *settings, *("%s=%s" % pair for pair in variables.items()))

    return run_make


def works(start_program, python, tscap, **environment):
    """The command records a process that has the package."""
    environment = {**clean_environment(), **environment}
    program = start_program(str(python), str(HERE / "app.py"), env=environment)
    program.expect("ready")
    assert run(tscap, "start", program.pid)
    program.do("parent(100)")
    assert " 100 " in run(tscap, "dump", program.pid, "--sort", "calls")
    program.end()


# --- make ---


def test_make_install_to_a_staging_folder(make, tmp_path, start_program):
    stage = tmp_path / "stage"
    stage.mkdir()
    site = pathlib.Path("/usr/lib/python3/site-packages")
    make("install", DESTDIR=stage, PREFIX="/usr", PYTHONDIR=site)
    found = files(stage)
    assert {"usr/bin/tscap", *("usr/" + name for name in PAGES + SCHEMAS)} <= set(found)
    assert [name for name in found if name.startswith("usr/share/tscap/")] == ["usr/" + name for name in SCHEMAS]
    assert oct((stage / "usr/bin/tscap").stat().st_mode & 0o777) == "0o755"
    works(start_program, sys.executable, stage / "usr/bin/tscap", PYTHONPATH="%s%s" % (stage, site))
    make("uninstall", DESTDIR=stage, PREFIX="/usr", PYTHONDIR=site)
    assert files(stage) == []


def test_make_uninstall_leaves_what_was_there(make, tmp_path):
    """Folders that were there stay, empty or not; those that were made go, and after a second installation, too."""
    prefix = tmp_path / "a prefix"
    (prefix / "share/man/man1").mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "bin/another").touch()
    before = files(prefix)
    where = {"PREFIX": prefix, "PYTHONDIR": prefix / "lib/python"}
    for _ in range(2):
        make("install", **where)
    assert set(PAGES + SCHEMAS + ["bin/tscap", "lib/python/timestamp_capture/py.typed"]) <= set(files(prefix))
    run(sys.executable, "-c", "import timestamp_capture", env={**clean_environment(), "PYTHONPATH": str(prefix / "lib/python")})
    make("uninstall", **where)
    assert files(prefix) == before
    make("uninstall", **where)
    assert files(prefix) == before


# --- pip ---


@pytest.fixture
def pip(tmp_path):
    """pip for a virtual environment that has nothing."""
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")

    def run_pip(*arguments):
        return run(sys.executable, "-m", "pip", "--python", tmp_path / "venv/bin/python", "--disable-pip-version-check", *arguments)

    run_pip.venv = tmp_path / "venv"
    return run_pip


def test_pip_install_and_uninstall(pip, wheel, start_program):
    before = files(pip.venv)
    pip("install", "--no-index", wheel)
    found = set(files(pip.venv))
    assert {"bin/tscap", *PAGES, *SCHEMAS} <= found
    python = pip.venv / "bin/python"
    place = run(python, "-c", "import timestamp_capture; print(timestamp_capture.__file__)")
    assert place.startswith(str(pip.venv)), place
    works(start_program, python, pip.venv / "bin/tscap")
    pip("uninstall", "-y", "tscap")
    left = [name for name in files(pip.venv) if name not in before]
    assert [name for name in left if not (pip.venv / name).is_dir()] == []
    assert not [name for name in left if "tscap" in name or "timestamp_capture" in name]


def test_a_wheel_has_the_types_and_no_leftovers(pip, wheel):
    pip("install", "--no-index", "--no-compile", wheel)
    (package,) = pip.venv.glob("lib/python*/site-packages/timestamp_capture")
    shipped = {path.name for path in (ROOT / "ext/timestamp_capture").iterdir() if path.is_file()} | {"_start", "stichotrope"}
    assert {"_core.pyi", "__init__.py", "py.typed"} <= shipped
    extension = {path.name for path in package.glob("_core.*.so")}
    assert len(extension) == 1
    assert {path.name for path in package.iterdir()} == shipped | extension


# --- where nothing can be compiled ---

PURE_PROGRAM = """
import timestamp_capture as t

@t.timestamp
def f(): pass

with t.Timestamp_Collector() as collector:
    f(), f()
print(collector.get_method_timings()["f"].call_count, t.status()["recorder"], "|", t.status()["reason"])
"""


@pytest.fixture
def path_without_compiler(tmp_path):
    """A PATH of what any system has, and no more."""
    (tmp_path / "bin").mkdir()
    for name in ("sh", "sed", "readlink", "grep", "id"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    return str(tmp_path / "bin")


def build_where_nothing_compiles(archive, folder, path, **environment):
    """pip wheel of fresh sources, for what has been compiled there would be found."""
    run("tar", "-xzf", archive, "-C", folder)
    (sources,) = folder.glob("tscap-*")
    return subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-v", "--no-build-isolation", "--no-deps", "--no-index", "-w", str(folder), str(sources)],
        env={**clean_environment(), **environment, "PATH": path or os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
    )


@pytest.mark.parametrize("compiler, reason", [("false", "`make` failed"), (None, "missing: C compiler, make, ")])
def test_pip_where_nothing_compiles(archive, tmp_path, path_without_compiler, pip, compiler, reason):
    """One line says so; what is installed records in pure Python, says why, and has no command."""
    path = None if compiler else path_without_compiler
    done = build_where_nothing_compiles(archive, tmp_path, path, CC=compiler or "cc")
    assert done.returncode == 0, done.stdout
    (said,) = [line.strip() for line in done.stdout.split("\n") if line.strip().startswith("tscap: ")]
    assert said.startswith("tscap: built in pure Python, without the tscap command: " + reason)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    pip("install", "--no-index", wheel)
    found = files(pip.venv)
    assert "share/man/man7/timestamp_capture.7" in found
    assert not [name for name in found if name.endswith("bin/tscap") or "_core" in name and name.endswith(".so")]
    recorded, why = run(pip.venv / "bin/python", "-c", PURE_PROGRAM).strip().split(" | ")
    assert recorded == "2 python"
    assert why.startswith("the compiled recorder is not installed for ") and "; its build said: " + reason in why
    pip("uninstall", "-y", "tscap")
    assert not [name for name in files(pip.venv) if "tscap" in name or "timestamp_capture" in name]


def test_pip_where_nothing_compiles_and_that_will_not_do(archive, tmp_path, path_without_compiler):
    done = build_where_nothing_compiles(archive, tmp_path, path_without_compiler, TSCAP_PURE="0")
    assert done.returncode != 0
    assert "tscap cannot be built here: missing: C compiler, make, " in done.stdout
    assert not list(tmp_path.glob("*.whl"))
