"""``python -m timestamp_capture``: run a program, and say where its time went."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Dict, Optional, Sequence

from . import _script
from .profile import Profile

USAGE = "python -m timestamp_capture [-o FILE] [-s SORT] [-b] [-t] (-m MODULE | SCRIPT) [ARGUMENT ...]"


def sort_keys() -> Dict[str, object]:
    import pstats

    return dict(pstats.Stats.sort_arg_dict_default)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("python -m timestamp_capture", usage=USAGE, description=__doc__, allow_abbrev=False)
    made.add_argument("-o", "--outfile", metavar="FILE", help="write the statistics for pstats, gprof2dot, snakeviz, and print nothing")
    made.add_argument("-s", "--sort", metavar="SORT", default="cumulative", help="order of what is printed, as pstats knows it (cumulative)")
    made.add_argument("-b", "--no-builtins", action="store_true", help="only Python functions: costs less")
    made.add_argument("-t", "--threads", action="store_true", help="all threads, and not only the main one")
    made.add_argument("-m", dest="module", action="store_true", help="what follows is the name of a module")
    made.add_argument("program", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return made


def main(arguments: Optional[Sequence[str]] = None) -> int:
    options = parser().parse_args(arguments)
    if not options.program:
        parser().error("which script, or with -m which module?")
    if options.sort not in sort_keys():
        parser().error(f"-s {options.sort}: choose from {', '.join(sort_keys())}")
    outfile = os.path.abspath(options.outfile) if options.outfile else None  # the program may change its folder
    name, rest = options.program[0], options.program[1:]
    try:
        program = (_script.module if options.module else _script.script)(name, rest)
    except _script.Not_Found as error:
        print(f"python -m timestamp_capture: {error}", file=sys.stderr)
        return 2
    profile = Profile(builtins=not options.no_builtins, threads=options.threads)
    try:
        profile.enable()
    except RuntimeError as error:
        print(f"python -m timestamp_capture: {error}", file=sys.stderr)
        return 2
    status = 0
    try:
        exec(*program)
    except SystemExit as error:
        status = _script.exit_status(error)
    finally:
        profile.disable()
        shown = _script.shown("python -m timestamp_capture", lambda: _show(profile, outfile, options.sort), prints=outfile is None)
    return status or int(not shown)


def _show(profile: Profile, outfile: Optional[str], sort: str) -> None:
    if outfile is not None:
        profile.dump_stats(outfile)
    else:
        profile.print_stats(sort)


if __name__ == "__main__":
    sys.exit(main())
