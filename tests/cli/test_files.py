"""Segment files that are none, or damaged: a clear message, never a crash, never a hang."""
import os
import random
import struct

import pytest

from conftest import schema

PAGE = 4096


@pytest.fixture
def segment(tscap, recorded, copy_segment):
    """Bytes of a sane segment, of a process that has gone."""
    path = copy_segment(recorded)
    recorded.kill()
    with open(path, "rb") as file:
        return file.read()


@pytest.fixture
def write(tmp_path):
    def write(data):
        path = tmp_path / "x.tscap"
        path.write_bytes(data)
        return path

    return write


def is_no_segment(result, code=1):
    result.is_error(code)
    assert "is not a segment" in result.what, result


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"\0" * PAGE, b"hello world\n" * 1000, os.urandom(PAGE), os.urandom(100 * PAGE), b"\177ELF" + b"\0" * 2 * PAGE],
    ids=["empty", "a byte", "zeros", "text", "a random page", "random", "something else"],
)
def test_garbage(tscap, write, data):
    is_no_segment(tscap("dump", write(data)))


def test_no_file(tscap, tmp_path):
    tscap("dump", tmp_path / "x.tscap").is_error(3)
    tscap("dump", "x.tscap").is_error(3)
    tscap("dump", "/dev/null/x").is_error(3)


def test_not_a_plain_file(tscap, tmp_path):
    is_no_segment(tscap("dump", "/dev/zero"))
    is_no_segment(tscap("dump", tmp_path))
    os.mkfifo(tmp_path / "fifo.tscap")
    is_no_segment(tscap("dump", tmp_path / "fifo.tscap"))
    (tmp_path / "loop.tscap").symlink_to("loop.tscap")
    assert tscap("dump", tmp_path / "loop.tscap").code == 1


def test_the_bytes_are_sane_to_begin_with(tscap, write, segment):
    assert tscap("dump", write(segment)).code == 0


def test_another_version(tscap, write, segment):
    version = segment[120:136].split(b"\0")[0].decode()
    result = tscap("dump", write(segment[:8] + struct.pack("I", 99) + segment[12:])).is_error(5)
    assert "another version" in result.err and f"use tscap {version}," in result.err
    unsaid = segment[:8] + struct.pack("I", 1) + segment[12:120] + bytes(16) + segment[136:]
    assert "use the tscap that was installed with" in tscap("dump", write(unsaid)).is_error(5).err


def test_cut_short(tscap, write, segment):
    """Less than a page is nothing; from there on, what is there is shown, or it is said that it is not all."""
    random.seed(1)
    for length in [0, 1, 8, 100, PAGE - 1] + [PAGE * n for n in range(1, 12)] + [random.randrange(len(segment)) for _ in range(20)]:
        result = tscap("dump", write(segment[:length]))
        assert result.code in (0, 1, 6), result
        if length < PAGE:
            is_no_segment(result)
        elif result.code == 6:
            assert "incomplete" in result.what or "were lost" in result.what


def damage(data, seed):
    """Words of the used part overwritten by values that like to break things."""
    source = random.Random(seed)
    data = bytearray(data)
    used = max(i for i, byte in enumerate(data) if byte)
    for _ in range(source.choice([1, 3, 30, 300])):
        at = source.randrange(0 if source.random() < 0.2 else PAGE, used) & ~3
        value = source.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, source.getrandbits(32), at // 8, at // PAGE])
        data[at : at + 4] = struct.pack("I", value)
    return bytes(data)


@pytest.mark.parametrize("seed", range(60))
def test_damaged(tscap, write, segment, seed):
    path = write(damage(segment, seed))
    for form in ([], ["--tree"], ["--threads"], ["--json"]):
        result = tscap("dump", path, *form)
        assert result.code in (0, 1, 5, 6), result
        if result.code in (1, 5):
            result.is_error(result.code)
        elif form == ["--json"]:
            assert set(schema("profile")["required"]) <= set(result.json)


def test_a_damaged_file_in_the_run_directory(tscap, app, run_directory):
    """It bothers nobody else."""
    (run_directory / "1-1.tscap").write_bytes(b"garbage")
    (run_directory / "notes.txt").write_text("not ours")
    assert tscap("dump", "auto").code == 0
    listed = tscap("ps", "-a")
    assert listed.code == 0
    assert "unreadable" in listed.out and str(app.pid) in listed.out
    tscap("dump", 1).is_error(1)


def test_a_segment_under_anothers_name(tscap, recorded, run_directory):
    """The pid in its name belongs to another process than the one inside."""
    (segment,) = run_directory.glob("*.tscap")
    forged = run_directory / ("%d-%s" % (os.getpid(), segment.name.split("-")[1]))
    forged.write_bytes(segment.read_bytes())
    tscap("dump", os.getpid()).is_error(1)
    tscap("start", os.getpid()).is_error(1)


def test_from_before_the_last_start_of_the_machine(tscap, write, segment):
    boot_id = open("/proc/sys/kernel/random/boot_id").read().strip().encode()
    assert segment.count(boot_id) == 1
    result = tscap("dump", write(segment.replace(boot_id, b"0" * len(boot_id))), "--json")
    assert result.code == 0
    assert "started last" in result.err
    assert result.json["clock"]["same_boot"] is False
    assert result.json["process"]["alive"] is False
    database = [site for site in result.json["sites"] if site["name"] == "database"]
    assert 2_000_000 <= database[0]["inclusive_ns"] < 1_000_000_000, "the rate of the clock is the machine's"


def test_a_file_that_shrinks_while_it_is_read(tscap, write, segment, start_program):
    """At no moment may it end us by a signal."""
    path = write(segment)
    shrinker = (
        "import os, sys\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    os.truncate(sys.argv[1], 0)\n"
        "    with open(sys.argv[1], 'r+b') as file: file.write(data)\n"
    )
    program = start_program(__import__("sys").executable, "-c", shrinker, str(path))
    program.expect("ready")
    for _ in range(60):
        result = tscap("dump", path)
        assert result.code in (0, 1, 6), result
