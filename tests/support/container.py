"""A program in a container that this one makes of itself: user, pid and mount namespaces, another root, as asked for.

    container.py '{"uid": 65534, "namespaces": ["user", "pid", "mount"], "root": "/an/empty/folder", "package": "/folder"}' PROGRAM [ARGUMENT...]

Says "pid N" (its number outside) and then what the program says; "cannot: why" where the kernel forbids it. All that the
program and the package need is imported before, so that nothing but /proc, /dev/shm, the package and what "shows" names (paths,
which are the same in there) has to be in the new root. With no namespaces it is a program of another user, no more.
"""
import contextlib
import ctypes
import importlib
import json
import os
import pathlib
import re
import signal
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
FLAGS = {"user": 0x10000000, "pid": 0x20000000, "mount": 0x00020000, "time": 0x00000080}
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4


def call(function, *arguments):
    if getattr(LIBC, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (function, os.strerror(number)))


def mount(source, target, kind=None, flags=0, data=None):
    call("mount", source.encode(), target.encode(), kind and kind.encode(), flags, data and data.encode())


def become(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)  # or the maps below are root's


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def isolate(wish):
    uid, gid = os.getuid(), os.getgid()
    flags = 0
    for name in wish["namespaces"]:
        flags |= FLAGS[name]
    if "time" in wish["namespaces"]:
        call("unshare", FLAGS["time"])
        write("/proc/self/timens_offsets", "boottime 1000 0\n")
        flags &= ~FLAGS["time"]
    call("unshare", flags)
    if "user" in wish["namespaces"]:
        write("/proc/self/setgroups", "deny")
        inside = 0 if wish.get("own_memory", True) else uid  # the directory in our memory is named by it
        write("/proc/self/uid_map", "%d %d 1" % (inside, uid))
        write("/proc/self/gid_map", "0 %d 1" % gid)


def furnish(root, wish):
    """The folders that a program needs, below `root`."""
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    if root != "/":
        mount("none", root, "tmpfs", 0, "mode=755")
        for folder in ("proc", "dev/shm", "package", "run"):
            os.makedirs(os.path.join(root, folder))
        if wish.get("with_package", True):
            mount(wish["package"], os.path.join(root, "package"), None, MS_BIND)
    if "pid" in wish["namespaces"]:
        mount("proc", os.path.join(root, "proc"), "proc")
    elif root != "/":
        mount("/proc", os.path.join(root, "proc"), None, MS_BIND | MS_REC)
    if wish.get("own_memory", True):
        mount("none", os.path.join(root, "dev/shm"), "tmpfs", 0, "mode=1777")
    for path in wish.get("shows", []):
        os.makedirs(root + path)
        mount(path, root + path, None, MS_BIND)


def import_for(files):
    """What these programs import, at any place; what is not there they do without."""
    for path in files:
        for name in re.findall(r"^ *(?:import|from) ([a-z_]\w*)", path.read_text(), re.M):
            if name != "timestamp_capture":
                with contextlib.suppress(ImportError):
                    importlib.import_module(name)


def wait_for(pid):
    status = os.waitpid(pid, 0)[1]
    sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1)


def main():
    wish = json.loads(sys.argv[1])
    program = pathlib.Path(sys.argv[2])
    text = program.read_text()
    sys.argv[:] = sys.argv[2:]
    import_for([program, *pathlib.Path(wish["package"], "timestamp_capture").glob("*.py")])
    try:
        if wish.get("uid"):
            become(wish["uid"])
        isolate(wish)
        pid = os.fork()
        if pid:
            wait_for(pid)
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        outside = int(os.readlink("/proc/self"))  # of the old /proc
        if "mount" in wish["namespaces"]:
            furnish(wish["root"] or "/", wish)
    except OSError as error:
        print("cannot: %s" % error, flush=True)
        os._exit(0)
    print("pid %d" % outside, flush=True)
    if wish["root"]:
        os.chroot(wish["root"])
        os.chdir("/")
        sys.path.insert(0, "/package")
    else:
        sys.path.insert(0, wish["package"])
    exec(compile(text, program.name, "exec"), globals())


main()
