"""Names that mean something to a file, a line, a terminal or C come back from each as the program has them."""
import csv
import io
import json
import marshal

import captures
import pytest
from formats import Callgrind, Pprof, read_folded
from test_convert import convert

WHOLE = 65536  # bytes of the longest name that is kept whole
NAMES = {
    "semicolon": "a;b",
    "quotes": "quo'te\"d",
    "newline": "new\nline\r\n",
    "tab and escape": "tab\t\x1b[31m\x9b",
    "backslash": "back\\x3bslash\\",
    "nul": "\0nul\0in",
    "bytes": "caf\udce9\udcff",
    "other surrogates": "lone\udfff\ud800-",
    "beyond XML": "\ufffe\uffff",
    "all alphabets": "\u00e9 \u8a08 \U0001f600",
    "2,000 bytes": "k" * 2000,
    "64 KiB": "\u8a08" * (WHOLE // 3) + "n" * (WHOLE % 3),
}
ESCAPED = [name for what, name in NAMES.items() if what not in ("nul", "bytes", "other surrogates", "beyond XML")]
FILE = "/tmp/f\nile;\udce9\".py"

MAKE = """
def make(name):
    made = {"__name__": "odd"}
    exec(compile("def f(): pass", %a, "exec"), made)
    function = timestamp(name)(made["f"])
    return function
""" % FILE


def called(document):
    return [site for site in document["sites"] if site["calls"]]


def with_replacements(text):
    """Where U+FFFD stands for what is none of UTF-8's characters, and for NUL."""
    return "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in text)


@pytest.fixture
def odd(start_app, tscap, tmp_path):
    """The application, stopped, and a capture file of it."""
    app = start_app()
    assert tscap("start", app.pid).code == 0
    app.do("exec(%a, globals())" % MAKE)
    for what, name in NAMES.items():
        app.do("make(%s)()" % ("%a" % name if len(name) < 3000 else "'\\u8a08' * %d + 'n' * %d" % (WHOLE // 3, WHOLE % 3)))
    assert tscap("stop", app.pid).code == 0
    file = tmp_path / "odd.tscap"
    assert tscap("save", "-o", file, app.pid).code == 0
    return app.pid, file


def test_they_come_back_from_a_process_and_a_file(odd, tscap):
    for operand in odd:
        document = tscap("dump", "--json", operand).json
        assert sorted(site["name"] for site in called(document)) == sorted(NAMES.values())
        assert {site["file"] for site in called(document)} == {FILE}


def test_they_come_back_by_another_reader(odd):
    sites = [site for site in captures.read(odd[1]).tables["names"] if site["name"] in NAMES.values()]
    assert len(sites) == len(NAMES) and {site["file"] for site in sites} == {FILE}


def test_they_come_back_from_json_pstats_and_speedscope(odd):
    for operand in odd:
        names = {key[2] for key in marshal.loads(convert(operand, "pstats"))}
        assert set(NAMES.values()) <= names
        assert {key[0] for key in marshal.loads(convert(operand, "pstats")) if key[2] in NAMES.values()} == {FILE}
        frames = json.loads(convert(operand, "speedscope"))["shared"]["frames"]
        assert {"odd." + name for name in NAMES.values()} <= {frame["name"] for frame in frames}
        assert FILE in {frame.get("file") for frame in frames}


def test_they_come_back_from_formats_of_lines(odd):
    for operand in odd:
        folded = {path[-1] for path in read_folded(convert(operand, "folded").decode())}
        assert {"odd." + name for name in NAMES.values()} <= folded
        assert {(FILE, name) for name in NAMES.values()} <= set(Callgrind(convert(operand, "callgrind").decode()).cost)


def test_what_csv_and_pprof_have_no_character_for_is_replaced(odd):
    for operand in odd:
        rows = list(csv.DictReader(io.StringIO(convert(operand, "csv").decode(), newline="")))
        names = {row["name"] for row in rows}
        assert set(ESCAPED) <= names
        assert {with_replacements(name) for what, name in NAMES.items() if what != "beyond XML"} <= names
        strings = set(Pprof(convert(operand, "pprof")).strings)
        assert {"odd." + with_replacements(name) for name in NAMES.values()} <= strings


@pytest.mark.parametrize("options", [[], ["--tree"], ["--by", "module"], ["--by", "file"], ["--callers", "a;b"], ["--threads"]], ids=" ".join)
def test_none_of_them_reaches_a_terminal(odd, tscap, options):
    for operand in odd:
        result = tscap("dump", *options, operand)
        assert result.code == 0, result
        shown = result.out.replace("\n", "")
        assert not [c for c in shown if ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0 or 0xd800 <= ord(c) < 0xe000]


def test_a_digest_stays_small(odd, tscap):
    for operand in odd:
        result = tscap("dump", "--digest", operand)
        assert result.code == 0 and len(result.out.encode()) <= 8192 and result.json["schema"] == "tscap.digest/1"


def test_a_longer_name_is_cut_and_says_so(start_app, tscap, tmp_path):
    app = start_app()
    assert tscap("start", app.pid).code == 0
    app.do("timestamp('\\u8a08' * 30000)(lambda: None)()")
    assert tscap("stop", app.pid).code == 0
    [site] = called(tscap("dump", "--json", app.pid).json)
    kept = (WHOLE - 3) // 3
    assert site["name"] == "\u8a08" * kept + "\u2026"
