"""Every error ends with a command that can be typed, or it is on a list of those for which there is none."""
import os
import pathlib
import re
import shlex

CAPTURE = pathlib.Path(__file__).with_name("data") / "v1.tscap"
CLI = pathlib.Path(os.environ["TSCAP_ROOT"], "cli")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"|\b(SAME_AGAIN)\b')
CALL = re.compile(r"\bfail\(")
TYPED = re.compile(r"((AGAIN|tscap|sudo|ls|chmod|kill|unset|ps|env|command|make)\b|%s|TSCAP_DIR=)")

# What has no command: somebody has to change the program, its container, or what is installed.
WITHOUT = {
    "a newer tscap",
    "allow %s in the filter that the program puts on",
    "fewer captures",
    "import timestamp_capture in the program after it becomes that user",
    "run it with a build that has the global interpreter lock",
    "run tscap in the container",
    "run tscap on the host, or with that capability (docker run --cap-add SYS_PTRACE)",
    "start it with the compiled recorder, without TSCAP_PURE (`python3 -m timestamp_capture` says which there is)",
    "use the tscap that came with it",
    "use the tscap that was installed with the program's timestamp_capture",
    "use tscap %s, which was installed with the program's timestamp_capture",
}


def arguments(source, start):
    """The text between the parentheses of a call."""
    depth, at = 1, start
    while depth:
        literal = LITERAL.match(source, at) if source[at] == '"' else None
        depth += {"(": 1, ")": -1}.get(source[at], 0)
        at = literal.end() if literal else at + 1
    return source[start : at - 1]


def format_of(call):
    """The adjacent literals that are its format: the first that have a line break in them."""
    run, last = "", 0
    for match in LITERAL.finditer(call):
        if run and not re.fullmatch(r"(\s|PRI\w+|[A-Z_]+)*", call[last : match.start()]):
            break
        run += "AGAIN" if match[2] else match[1]
        last = match.end()
    return run


def remedies():
    for path in sorted(CLI.glob("*/*.c")):
        source = path.read_text()
        for match in CALL.finditer(source):
            lines = format_of(arguments(source, match.end())).split("\\n")
            if len(lines) > 2:
                yield path.name, lines[-1]


def test_remedies_can_be_typed():
    found = list(remedies())
    assert len(found) > 150, "they are looked for in the wrong way"
    wrong = [(name, remedy) for name, remedy in found if not TYPED.match(remedy) and remedy not in WITHOUT]
    assert wrong == []
    assert WITHOUT <= {remedy for _, remedy in found}, "some of the list are there no more"


def test_the_command_that_was_typed_can_be_typed_again(tscap):
    words = ["convert", "-f", "csv", str(CAPTURE), "-o", "/nowhere/it's a file"]
    refused = tscap(*words)
    assert refused.code == 1 and refused.out == ""
    remedy = refused.err.splitlines()[-1]
    assert remedy.startswith("  try: ") and shlex.split(remedy[len("  try: ") :])[1:] == [*words, "-o", "elsewhere"]


def test_options_are_added_before_what_ends_them(tscap):
    refused = tscap("convert", "-f", "csv", "-o", "/nowhere/file", "--", CAPTURE)
    assert shlex.split(refused.err.splitlines()[-1])[2:] == ["convert", "-f", "csv", "-o", "/nowhere/file", "-o", "elsewhere", "--", str(CAPTURE)]


def test_options_may_stand_behind_operands(tscap):
    assert tscap("dump", CAPTURE, "--json", POSIXLY_CORRECT="1").json["schema"] == "tscap.profile/1"
    assert tscap("diff", CAPTURE, "--", CAPTURE, "--json", POSIXLY_CORRECT="1").json["schema"] == "tscap.diff/1"
