"""The manual page documents exactly the options, commands and exit codes of the tables."""
import re

from conftest import ROOT

PAGE = (ROOT / "man" / "tscap.1").read_text()
COMMANDS = ["ps", "start", "stop", "reset", "status", "dump", "report", "convert", "diff", "top", "run", "record", "save", "tracks", "stack", "attach", "detach", "doctor", "gc", "help"]


def section(kind, name):
    """Text from a heading to the next one of the same or a higher kind."""
    higher = r"^\.Sh " if kind == "Sh" else r"^\.S[sh] "
    begin = re.search(r"^\.%s %s$" % (kind, re.escape(name)), PAGE, re.M)
    assert begin, "no section %s" % name
    end = re.search(higher, PAGE[begin.end() :], re.M)
    return PAGE[begin.end() : begin.end() + end.start()]


def documented(text):
    """{--name: (-letter or "", ARGUMENT or "")} of the items of a section."""
    found = {}
    for line in re.findall(r"^\.It Fl (.*)$", text, re.M):
        match = re.fullmatch(r"(?:(\w) , )?-([\w-]+)(?: Ar (\w+))?", line)
        assert match, line
        letter, name, argument = match.groups()
        found["--" + name] = ("-" + letter if letter else "", (argument or "").upper())
    return found


def real(tscap, *command):
    lines = tscap("--list-options", *command).out.splitlines()
    fields = [line.split("\t") for line in lines if line.startswith("--")]
    return {name: (letter, argument) for name, letter, argument, _ in fields}


def test_options(tscap):
    assert documented(section("Ss", "Before a command")) == real(tscap)
    assert real(tscap, "report") == real(tscap, "dump")
    for command in COMMANDS:
        if command == "report":
            continue  # another name of dump
        assert documented(section("Ss", command)) == real(tscap, command), command


def test_the_synopsis_has_each_command(tscap):
    synopsis = section("Sh", "SYNOPSIS")
    for command in COMMANDS:
        assert re.search(r"^\.Cm .*\b%s\b" % command, synopsis, re.M)


def test_exit_codes(tscap):
    help_text = tscap("--help").out.split("Exit codes:\n")[1]
    real_codes = dict(re.findall(r"^ +([0-9]+)  (.*)$", help_text, re.M))
    items = re.findall(r"^\.It ([0-9]+)\n([^.]+)\n\.", section("Sh", "EXIT STATUS").replace("\n.It", "\n.\n.It"), re.M)
    page_codes = {code: text.strip().replace("\n", " ") for code, text in items}
    assert real_codes == page_codes
    assert list(real_codes) == ["0", "1", "2", "3", "4", "5", "6", "7", "124"]


def test_keys(tscap):
    """The same keys in the same order as in the help."""
    page_keys = re.findall(r"^\.It Cm (.+)$", section("Ss", "top").split("The options:")[0], re.M)
    help_text = tscap("top", "--help").out.split("Keys:\n")[1].split("\n\n")[0]
    help_keys = [re.split("  +", line.strip())[0] for line in help_text.splitlines()]
    assert [key.replace("\\&", "").replace(" , ", ", ") for key in page_keys] == help_keys


def test_json_keys():
    text = section("Sh", "JSON")
    for key in "schema process processes clock session view lost complete overhead sites threads pairs".split():
        assert re.search(r"^\.It %s$" % key, text, re.M)


def environment_of_the_extension():
    names = set()
    for folder in ("ext", "shared", "cli"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            names |= set(re.findall(r'(?:getenv|setting|set)\("(TSCAP_\w+)"', path.read_text()))
    return names


def test_environment():
    text = section("Sh", "ENVIRONMENT")
    documented_names = set(re.findall(r"\bTSCAP_\w+", text))
    assert documented_names == environment_of_the_extension()
