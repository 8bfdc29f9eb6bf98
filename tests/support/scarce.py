"""The allocator of scarce.c, and what a program that runs with it asks of it."""
import ctypes
import os
import pathlib
import shlex
import subprocess

SOURCE = pathlib.Path(__file__).parent / "scarce.c"


def build(folder):
    """The path of the library, for LD_PRELOAD."""
    library = pathlib.Path(folder) / "scarce.so"
    compiler = shlex.split(os.environ.get("CC") or "cc")
    subprocess.run([*compiler, "-std=c11", "-O1", "-fno-builtin", "-fPIC", "-shared", "-Wall", "-Wextra", str(SOURCE), "-o", str(library)], check=True)
    return library


class Scarce:
    """In such a program: what the extension asks for."""

    def __init__(self):
        self._library = ctypes.CDLL(None)
        assert self._library.scarce_watch(b"/_core."), "the extension is not there"

    def fail(self, n):
        self._library.scarce_fail(ctypes.c_long(n))

    @property
    def asked(self):
        return self._library.scarce_asked()
