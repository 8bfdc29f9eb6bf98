"""Clocks of the recorder that stand still until they are set (clocks.c): a library to preload, and its functions."""
import ctypes
import os
import pathlib
import shlex
import subprocess
import sysconfig

SOURCE = pathlib.Path(__file__).parent / "clocks.c"


def build(folder):
    """The environment of a program whose recorder goes by these clocks."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    library = pathlib.Path(folder) / "clocks.so"
    options = ["-std=c11", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*compiler, *options, str(SOURCE), "-o", str(library), "-ldl"], check=True)
    return {"LD_PRELOAD": str(library), "TSCAP_CLOCK": "monotonic", "TSCAP_CPU": "syscall"}


class Clocks:
    """Within such a program."""

    def __init__(self):
        self.library = ctypes.CDLL(os.environ["LD_PRELOAD"])
        self.now = 1_000_000_000_000

    def advance(self, ns):
        self.now += ns
        self.library.clocks_set(ctypes.c_uint64(self.now))

    def set_cpu(self, tid, ns):
        self.library.clocks_set_cpu(ctypes.c_int(tid), ctypes.c_uint64(ns))
