"""What the benches share: one core, a directory of their own, the yardstick module, medians with their intervals."""
import atexit
import importlib.util
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("TSCAP_ROOT") or os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("TSCAP_BUILD") or os.path.join(ROOT, "build", "release")
MONITORING = sys.version_info >= (3, 12)


def pin_to_one_core():
    """The last one we may use: the first is where interrupts go. Before any thread starts, so that all inherit it."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def use_private_directory():
    """On the file system where segments are by default: one on a disk costs page faults for what is written back."""
    directory = tempfile.mkdtemp(prefix="tscap-bench-", dir="/dev/shm")
    atexit.register(shutil.rmtree, directory, True)
    os.environ["TSCAP_DIR"] = directory


def compile_yardstick(path):
    paths = sysconfig.get_paths()
    includes = sorted({"-isystem" + paths["include"], "-isystem" + paths["platinclude"]})
    sources = [os.path.join(HERE, "yardstick", "yardstick.c"), os.path.join(ROOT, "shared", "clock.c")]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    subprocess.run(
        [*shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"), "-std=c11", "-D_GNU_SOURCE", "-O2", "-fPIC", "-shared",
         "-fvisibility=hidden", "-iquote", os.path.join(ROOT, "shared"), "-iquote", os.path.join(ROOT, "ext"), *includes, *sources, "-o", path],
        check=True,
    )


def load_yardstick():
    path = os.path.join(BUILD, "bench", "yardstick" + sysconfig.get_config_var("EXT_SUFFIX"))
    compile_yardstick(path)
    spec = importlib.util.spec_from_file_location("yardstick", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def median_interval(values, z=1.96):
    """(median, low, high): the distribution-free 95 % interval of the median, from order statistics."""
    ordered = sorted(values)
    n = len(ordered)
    reach = z * n ** 0.5 / 2
    low = max(0, int((n - 1) / 2 - reach))
    high = min(n - 1, int((n - 1) / 2 + reach + 1))
    return statistics.median(ordered), ordered[low], ordered[high]


def python_version():
    return sys.version.split()[0]
