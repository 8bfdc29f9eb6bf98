"""yappi's command: ``python -m timestamp_capture.yappi``."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Optional, Sequence

from . import _script, yappi

NAME = "python -m timestamp_capture.yappi"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        NAME,
        usage=f"{NAME} [-b] [-c CLOCK] [-o FILE] [-f FORMAT] [-s] SCRIPT [ARGUMENT ...]",
        description="Run a script, and print the statistics of its functions and threads.",
        allow_abbrev=False,
    )
    made.add_argument("-c", "--clock-type", default="cpu", choices=("cpu", "wall"), help="what times are of (cpu)")
    made.add_argument("-b", "--builtins", action="store_true", help="C functions, too")
    made.add_argument("-o", "--output-file", metavar="FILE", help="write the statistics of functions, and print nothing")
    made.add_argument("-f", "--output-format", default="pstat", choices=("pstat", "callgrind", "ystat"), help="of that file (pstat)")
    made.add_argument("-s", "--single_thread", action="store_true", help="only the main thread")
    made.add_argument("program", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return made


def main(arguments: Optional[Sequence[str]] = None) -> int:
    options = parser().parse_args(arguments)
    if not options.program:
        parser().error("which script?")
    outfile = os.path.abspath(options.output_file) if options.output_file else None  # the script may change its folder
    try:
        code, namespace = _script.script(options.program[0], options.program[1:])
    except _script.Not_Found as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return 2
    yappi.set_clock_type(options.clock_type)
    try:
        yappi.start(options.builtins, not options.single_thread)
    except RuntimeError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return 2
    status = 0
    try:
        exec(code, namespace)
    except SystemExit as error:
        status = _script.exit_status(error)
    finally:
        yappi.stop()
        shown = _script.shown(NAME, lambda: _show(outfile, options.output_format), prints=outfile is None)
    return status or int(not shown)


def _show(outfile: Optional[str], format: str) -> None:
    if outfile is not None:
        yappi.get_func_stats().save(outfile, format)
        return
    yappi.get_func_stats().print_all()
    yappi.get_thread_stats().print_all()
