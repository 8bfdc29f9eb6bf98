"""The C extension of native.c, compiled for the Python that runs this."""
import os
import pathlib
import shlex
import subprocess
import sysconfig

SOURCE = pathlib.Path(__file__).parent / "native.c"


def build(folder):
    """Makes the module `native` in that folder."""
    paths = sysconfig.get_paths()
    includes = sorted({"-isystem" + paths["include"], "-isystem" + paths["platinclude"]})
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    library = pathlib.Path(folder) / ("native" + sysconfig.get_config_var("EXT_SUFFIX"))
    options = ["-std=c11", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", *includes]
    subprocess.run([*compiler, *options, str(SOURCE), "-o", str(library)], check=True)
    return folder
