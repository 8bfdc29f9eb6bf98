"""What the build must know about the interpreter that runs this file.

    PYTHON -I scripts/python_probe.py --line    PATH <tab> VERSION <tab> gil|free-threaded <tab> TAG
    PYTHON -I scripts/python_probe.py --make    the same facts as make variables

Exit 0: usable; 1: not, the reason is on stderr. Syntax that any Python 3 can parse, so that an old one gets the
reason too.
"""
import os
import platform
import sys
import sysconfig

VERSIONS_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "python-versions")


def supported_versions():
    with open(VERSIONS_FILE) as file:
        return [line.split()[0] for line in file if line.strip() and not line.startswith("#")]


def minor():
    """3.13, or 3.13t for a free-threaded build."""
    return "%d.%d%s" % (sys.version_info[0], sys.version_info[1], "t" if free_threaded() else "")


def free_threaded():
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def tag():
    """cpython-311-3.11.7, cpython-313t-3.13.1: extensions of the same tag are interchangeable."""
    flags = getattr(sys, "abiflags", "")
    return "cpython-%d%d%s-%s" % (sys.version_info[0], sys.version_info[1], flags, platform.python_version())


def executable():
    """The real file: a virtual environment or a symbolic link is not another interpreter."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def include_dirs():
    paths = sysconfig.get_paths()
    return sorted({paths["include"], paths["platinclude"]})


def importable():
    """A free-threaded build of a supported version: the package can be imported there and says that it does nothing."""
    return free_threaded() and minor().rstrip("t") in supported_versions()


def problem():
    """Why this interpreter cannot be used, or None."""
    if platform.python_implementation() != "CPython":
        return "%s is not supported, only CPython" % platform.python_implementation()
    if minor() not in supported_versions() and not importable():
        return "Python %s is not supported (%s)" % (minor(), ", ".join(supported_versions()))
    if not any(os.path.exists(os.path.join(path, "Python.h")) for path in include_dirs()):
        return "no Python.h; install this interpreter's headers (Debian: python%d.%d-dev)" % sys.version_info[:2]
    return None


def main(form):
    reason = problem()
    if reason:
        sys.stderr.write("%s: %s\n" % (sys.executable, reason))
        return 1
    if form == "--make":
        print("PY_EXE := " + sys.executable)
        print("PY_TAG := " + tag())
        print("PY_SUFFIX := " + sysconfig.get_config_var("EXT_SUFFIX"))
        print("PY_INCLUDES := " + " ".join("-isystem " + path for path in include_dirs()))
        print("PY_SITE := " + sysconfig.get_path("platlib"))
    else:
        mark = "free-threaded" if free_threaded() else "gil"
        version = platform.python_version() + getattr(sys, "abiflags", "")
        print("\t".join((executable(), version, mark, tag())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "--line"))
