"""What `tscap run` has each interpreter import before the program: begins to record, and leaves as if it had not been there.

Its folder stands first in PYTHONPATH. The sitecustomize that it hides takes its place; if there is none, site is told so in
the way that it expects. Nothing is imported that is not there in any interpreter, and nothing here is kept. Every interpreter
that the program starts may come by, so these are statements that Python 2 and others understand, and do no harm there.
"""

import posix
import sys

os = sys.modules["os"]  # site has imported it
here = __file__.rpartition("/")[0]
folder = getattr(os, "fsencode", str)(here)
environ = getattr(os, "environb", os.environ)
run = environ.get(b"TSCAP_RUN", b"")
asked = []  # lines that say what to do
try:
    file = posix.open(run, posix.O_RDONLY | getattr(posix, "O_CLOEXEC", 0))
    asked = posix.read(file, 1 << 20).partition(b"\n\n")[0].split(b"\n")
    posix.close(file)
except OSError:
    pass  # nobody waits for it any more, or it is another user's

# ---- no trace of us, but for the children where these are to be recorded, too ----

sys.path[:] = [path for path in sys.path if path != here]
sys.path_importer_cache.pop(here, None)
if b"subprocesses" not in asked:
    paths = environ.get(b"PYTHONPATH", b"").split(b":")
    others = [path for path in paths if path != folder]
    for variables in (environ, posix.environ):
        variables.pop(b"TSCAP_RUN", None)
        if others or len(paths) > 1:  # twice: it was set, and empty
            variables[b"PYTHONPATH"] = b":".join(others)
        else:
            variables.pop(b"PYTHONPATH", None)

# ---- the recorder alone: no module of the program's, no finder is asked ----

try:
    if asked:
        if sys.version_info < (3, 9):
            raise ImportError("there is no timestamp_capture for Python %d.%d" % sys.version_info[:2])
        imp = sys.modules["_imp"]
        fitting = [os.fsdecode(line[8:]) for line in asked if line.startswith(b"library=")]
        fitting = [path for path in fitting if path.endswith(imp.extension_suffixes()[0])]
        fitting.sort(key=lambda path: "-%d.%d.%d/" % sys.version_info[:3] not in path)
        if not fitting:
            raise ImportError("there is no timestamp_capture for " + sys.implementation.cache_tag)
        spec = sys.modules["_frozen_importlib"].ModuleSpec("tscap_entry", None, origin=fitting[0])
        codec = sys.modules.get("encodings.ascii")
        imp.create_dynamic(spec).run(run)
        if not codec:
            sys.modules.pop("encodings.ascii", None)  # the name of the module is encoded: with -X dev codecs are looked up for that
except Exception as error:  # the program goes on whatever is wrong with us
    try:
        file = posix.open(run, posix.O_WRONLY | posix.O_APPEND)
        posix.write(file, ("%d ! %s\n" % (posix.getpid(), (str(error) or type(error).__name__).replace("\n", " "))).encode("utf-8", "replace"))
        posix.close(file)
    except OSError:
        pass

# ---- in its place ----

del sys.modules["sitecustomize"]
__import__("sitecustomize")
