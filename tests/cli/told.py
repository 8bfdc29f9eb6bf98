"""Says all that a program can see of how it was started, in order. Run by test_run.py, bare and under `tscap run`."""
import os
import posix
import signal
import sys

# Where it is, and what may differ between any two runs.
LEFT_OUT = ("_", "SHLVL", "OLDPWD", "PWD")


def say(name, value):
    print("%s: %r" % (name, value))


say("sys.path", sys.path)
say("sys.modules", list(sys.modules))
say("sys.path_importer_cache", sorted(sys.path_importer_cache))
say("sys.meta_path", [getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path])
say("sys.path_hooks", len(sys.path_hooks))
say("sys.argv", sys.argv)
say("sys.orig_argv", getattr(sys, "orig_argv", None))
say("sys.flags", sys.flags)
say("sys.executable", sys.executable)
say("sys.prefix", (sys.prefix, sys.base_prefix))
say("sys.warnoptions", sys.warnoptions)
say("sys.gettrace", (sys.gettrace(), sys.getprofile()))
say("sys.excepthook", sys.excepthook is sys.__excepthook__)
say("os.environ", [pair for pair in os.environ.items() if pair[0] not in LEFT_OUT])
say("posix.environ", [pair for pair in posix.environ.items() if pair[0].decode() not in LEFT_OUT])
say("directory", os.getcwd())
say("descriptors", sorted(os.listdir("/proc/self/fd"), key=int)[:3])
say("signals", [(number, str(signal.getsignal(number))) for number in signal.valid_signals() if number not in (9, 19)])
say("mask", signal.pthread_sigmask(signal.SIG_BLOCK, []))
say("main", sorted(sys.modules["__main__"].__dict__))
say("sitecustomize", getattr(sys.modules.get("sitecustomize"), "__file__", None))
say("usercustomize", getattr(sys.modules.get("usercustomize"), "__file__", None))
with open("/proc/self/limits") as limits:
    say("limits", limits.read())
say("session", os.getsid(0) == os.getsid(os.getppid()))
