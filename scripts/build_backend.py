"""The PEP 517 backend: setuptools, with the compiling left to the Makefile.

The wheel holds the package, its extension and the native `tscap` executable, built with the same flags as by `make`.
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

try:
    from setuptools.command.build_scripts import build_scripts  # not in every version
except ImportError:
    from distutils.command.build_scripts import build_scripts

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import python_probe  # noqa: E402

BUILD = "build/wheel"
SDIST = "Makefile LICENSE README.md pyproject.toml cli ext inject man scripts shared tests".split()
NOT_SDIST = re.compile(r"__pycache__|\.egg-info|\.py[co]$|\.so$|\.o$")


def version():
    return re.search(r'TSCAP_VERSION "(.+)"', pathlib.Path("shared/version.h").read_text()).group(1)


def make(target):
    """Run make for this interpreter; its product goes below BUILD, away from a developer's own builds."""
    missing = subprocess.run(["sh", "scripts/bootstrap", "--check", "cli"], stderr=subprocess.PIPE, text=True)
    reason = missing.stderr.strip() if missing.returncode else python_probe.problem()
    if not sys.platform.startswith("linux"):
        reason = "only Linux is supported"
    if reason:
        raise SystemExit("\ntscap cannot be built here:\n%s\n" % reason)
    # A make that runs us must not hand its own targets' settings and job server down.
    hidden = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    arguments = ["O=" + BUILD, "FLAVOUR=release", "BOOTSTRAP=no", "PYTHON=" + sys.executable, "V=1"]
    jobs = "-j%d" % (os.cpu_count() or 1)
    if subprocess.run(["make", jobs, target] + arguments, env=environment).returncode:
        raise SystemExit("\ntscap cannot be built: `make %s` failed, see above\n" % target)


class BuildExtension(build_ext):
    def build_extension(self, ext):
        make("ext")
        product = glob.glob("%s/release/python/%s/timestamp_capture/_core.*so" % (BUILD, python_probe.tag()))[0]
        target = self.get_ext_fullpath(ext.name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(product, target)


class BuildExecutable(build_scripts):
    """The executable travels as a script: installers copy it to bin/ as it is."""

    def run(self):
        make("cli")
        os.makedirs(self.build_dir, exist_ok=True)
        shutil.copy(BUILD + "/release/tscap", self.build_dir)


class Backend(build_meta._BuildMetaBackend):
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
            ext_modules=[setuptools.Extension("timestamp_capture._core", sorted(glob.glob("ext/*.c")))],
            scripts=["tscap"],
            data_files=[
                ("share/man/man" + section, pages)
                for section in "123456789"
                for pages in [sorted(glob.glob("man/*." + section))]
                if pages
            ]
            + [("share/tscap", sorted(glob.glob("man/*.schema.json")))],
            cmdclass={"build_ext": BuildExtension, "build_scripts": BuildExecutable},
            options={"build": {"build_base": BUILD}, "egg_info": {"egg_base": BUILD}},
        )

    def build_wheel(self, *arguments, **options):
        # What an earlier build collected may hold modules that are gone.
        for leftover in glob.glob(BUILD + "/lib*") + glob.glob(BUILD + "/scripts*"):
            shutil.rmtree(leftover)
        return super().build_wheel(*arguments, **options)

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
