"""The PEP 517 backend: setuptools, with the compiling left to the Makefile.

The wheel holds the package, its extension and the native `tscap` executable, built with the same flags as by `make`.
Where they cannot be compiled it holds the package alone, whose recorder in pure Python keeps programs running; one line
says so and why, and so does timestamp_capture.status() later, because pip shows lines of builds only with -v.
TSCAP_PURE=1 asks for such a wheel, TSCAP_PURE=0 for an error instead.

It stands in for a setup.py, and everything made goes to build/wheel.
"""
import glob
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import setuptools
from setuptools import build_meta
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

try:
    from setuptools.command.build_scripts import build_scripts  # not in every version
except ImportError:
    from distutils.command.build_scripts import build_scripts

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import python_probe  # noqa: E402

BUILD = "build/wheel"
SDIST = "Makefile LICENSE README.md pyproject.toml cli export ext inject man scripts shared tests".split()
NOT_SDIST = re.compile(r"__pycache__|\.egg-info|\.py[co]$|\.so$|\.o$")


def version():
    return re.search(r'TSCAP_VERSION "(.+)"', pathlib.Path("shared/version.h").read_text()).group(1)


def obstacle():
    """Why nothing can be compiled here, as far as one sees without trying; "" if nothing is in the way."""
    if not sys.platform.startswith("linux"):
        return "only Linux is supported"
    missing = subprocess.run(["sh", "scripts/bootstrap", "--check", "cli"], stderr=subprocess.PIPE, text=True)
    lines = missing.stderr.replace("bootstrap: ", "").split("\n") if missing.returncode else []
    return "; ".join(filter(None, lines)) or python_probe.problem() or ""


def compile_all():
    """Run make for this interpreter; why it failed, or "". Its product goes below BUILD, away from a developer's own builds."""
    # A make that runs us must not hand its own targets' settings and job server down.
    hidden = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    arguments = ["O=" + BUILD, "FLAVOUR=release", "BOOTSTRAP=no", "PYTHON=" + sys.executable, "V=1"]
    failed = subprocess.run(["make", "-j%d" % (os.cpu_count() or 1), "cli", "ext"] + arguments, env=environment).returncode
    return "`make` failed, and pip -v shows at what" if failed else ""


def why_pure():
    """Why the wheel has no compiled parts; "" if they are there, compiled just now."""
    chosen = os.environ.get("TSCAP_PURE", "")
    if chosen not in ("", "0"):
        return "TSCAP_PURE was set"
    reason = obstacle() or compile_all()
    if reason and chosen == "0":
        raise SystemExit("\ntscap cannot be built here: %s\n" % reason)
    if reason:
        print("tscap: built in pure Python, without the tscap command: " + reason, file=sys.stderr, flush=True)
    return reason


class BuildExtension(build_ext):
    def build_extension(self, ext):
        product = glob.glob("%s/release/python/%s/timestamp_capture/_core.*so" % (BUILD, python_probe.tag()))[0]
        target = self.get_ext_fullpath(ext.name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(product, target)


class BuildExecutable(build_scripts):
    """The executable travels as a script: installers copy it to bin/ as it is."""

    def run(self):
        os.makedirs(self.build_dir, exist_ok=True)
        shutil.copy(BUILD + "/release/tscap", self.build_dir)


class BuildPure(build_py):
    """The package says later why its recorder is the one in pure Python."""

    reason = ""

    def run(self):
        super().run()
        if not getattr(self, "editable_mode", False):
            code = '"""Written by the build: why there is no compiled recorder."""\n\nREASON = %r\n' % self.reason
            pathlib.Path(self.build_lib, "timestamp_capture", "_not_compiled.py").write_text(code)


def compiled_parts():
    """What setup() is told of the parts that are compiled, and of what belongs to the command."""
    return dict(
        ext_modules=[setuptools.Extension("timestamp_capture._core", sorted(glob.glob("ext/*.c")))],
        scripts=["tscap"],
        data_files=pages("man/*") + [("share/tscap", sorted(glob.glob("man/*.schema.json")))],
        cmdclass={"build_ext": BuildExtension, "build_scripts": BuildExecutable},
    )


def pure_parts(reason):
    BuildPure.reason = reason
    return dict(data_files=pages("man/timestamp_capture*"), cmdclass={"build_py": BuildPure})


def pages(pattern):
    """Manual pages by section."""
    found = [("share/man/man" + section, sorted(glob.glob(pattern + "." + section))) for section in "123456789"]
    return [(folder, names) for folder, names in found if names]


class Backend(build_meta._BuildMetaBackend):
    reason = ""  # why what is being built is pure

    def run_setup(self, setup_script="setup.py"):
        os.makedirs(BUILD, exist_ok=True)
        versions = [number for number in python_probe.supported_versions() if not number.endswith("t")]
        setuptools.setup(
            version=version(),
            python_requires=">=" + versions[0],
            classifiers=[
                "Operating System :: POSIX :: Linux",
                "Programming Language :: C",
                "Programming Language :: Python :: Implementation :: CPython",
                "Topic :: Software Development :: Debuggers",
                "Typing :: Typed",
                *("Programming Language :: Python :: " + number for number in versions),
            ],
            options={"build": {"build_base": BUILD}, "egg_info": {"egg_base": BUILD}},
            **(pure_parts(self.reason) if self.reason else compiled_parts()),
        )

    def build_wheel(self, *arguments, **options):
        # What an earlier build collected may hold modules that are gone.
        for leftover in glob.glob(BUILD + "/lib*") + glob.glob(BUILD + "/scripts*"):
            shutil.rmtree(leftover)
        self.reason = why_pure()
        return super().build_wheel(*arguments, **options)

    def build_editable(self, *arguments, **options):
        self.reason = why_pure()
        return super().build_editable(*arguments, **options)

    def build_sdist(self, sdist_directory, config_settings=None):
        """Everything a checkout has, as this project's folders are fixed; setuptools would need a list of files."""
        root = "tscap-" + version()

        def wanted(member):
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            return None if NOT_SDIST.search(member.name) else member

        with tempfile.TemporaryDirectory() as directory:
            info = self.prepare_metadata_for_build_wheel(directory)
            metadata = pathlib.Path(directory, info, "METADATA").read_bytes()
        with tarfile.open(os.path.join(sdist_directory, root + ".tar.gz"), "w:gz", format=tarfile.PAX_FORMAT) as archive:
            for name in SDIST:
                archive.add(name, os.path.join(root, name), filter=wanted)
            member = tarfile.TarInfo(root + "/PKG-INFO")
            member.size = len(metadata)
            archive.addfile(member, io.BytesIO(metadata))
        return root + ".tar.gz"


_backend = Backend()
get_requires_for_build_wheel = _backend.get_requires_for_build_wheel
get_requires_for_build_sdist = _backend.get_requires_for_build_sdist
get_requires_for_build_editable = _backend.get_requires_for_build_editable
prepare_metadata_for_build_wheel = _backend.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = _backend.prepare_metadata_for_build_editable
build_wheel = _backend.build_wheel
build_sdist = _backend.build_sdist
build_editable = _backend.build_editable
