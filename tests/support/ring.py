"""The sites of a live process, and the records that lie in its rings, in their order: read from its segment by the ABI alone
(shared/segment.h), without the command."""
import glob
import os
import struct

PAGE = 4096
ENTER, EXIT, SUSPEND, RESUME = 1, 2, 3, 4
RAISED = 2  # flag of an EXIT


def read(pid):
    (path,) = glob.glob(os.path.join(os.environ["TSCAP_DIR"], f"{pid}-*.tscap")) or glob.glob(os.path.join(os.environ["TSCAP_DIR"], f"*{pid}*.tscap"))
    with open(path, "rb") as file:
        return file.read()


def numbers(data, offset, count=1, kind="I"):
    return struct.unpack_from(f"={count}{kind}", data, offset)


def text(data, ref):
    (length,) = numbers(data, ref * 8, kind="H")
    return data[ref * 8 + 2 : ref * 8 + 2 + length].decode()


def site_records(data):
    """Where each of them lies, in the order of their numbers."""
    page, count = numbers(data, 200, 2)
    found = []
    while page and len(found) < count:
        (following,) = numbers(data, page * PAGE + 8)
        found += [page * PAGE + 64 + 32 * item for item in range(min(126, count - len(found)))]
        page = following
    return found


def site_names(data):
    return [None, *(text(data, numbers(data, at)[0]) for at in site_records(data))]


def site_kinds(pid):
    """Name -> kind, as shared/segment.h numbers them."""
    data = read(pid)
    return {text(data, numbers(data, at)[0]): numbers(data, at + 24)[0] for at in site_records(data)}


def lanes(pid):
    """Name of the thread -> its events [(what, name)], where none has been overwritten. Each record tells its depth."""
    data = read(pid)
    names = site_names(data)
    (page,) = numbers(data, 196)
    found = {}
    while page:
        lane = page * PAGE
        (head,), (first,) = numbers(data, lane + 64, kind="Q"), numbers(data, lane + 416, kind="Q")
        ring, slots, _, page = numbers(data, lane + 400, 4)
        thread = data[lane + 576 : lane + 640].split(b"\0")[0].decode()
        if ring and head > first:
            assert head - first < slots, "some records have been overwritten"
            whats = [numbers(data, ring * PAGE + 16 * (i % slots) + 8, kind="Q")[0] for i in range(first, head)]
            found[thread] = events(whats, names)
    return found


def events(whats, names):
    seen, depth = [], 0
    for what in whats:
        site, at, kind, flags = what & 0xFFFFFFFF, what >> 32 & 0xFFFF, what >> 48 & 0xF, what >> 52
        if kind in (ENTER, RESUME):
            depth += 1
            seen.append(("enter" if kind == ENTER else "resume", names[site]))
        elif kind in (EXIT, SUSPEND):
            seen.append(("suspend" if kind == SUSPEND else "exit raised" if flags & RAISED else "exit", names[site]))
        else:
            continue
        assert at == depth, (at, depth, len(seen))
        depth -= kind in (EXIT, SUSPEND)
    return seen
