"""The command line itself: help, prefixes, wrong options."""
import re

import pytest

COMMANDS = ["ps", "start", "stop", "reset", "status", "dump", "report", "convert", "diff", "top", "run", "record", "save", "tracks", "stack", "attach", "detach", "doctor", "gc", "help"]


def listed_commands(tscap):
    lines = tscap("--list-options").out.splitlines()
    return [line.split("\t")[0] for line in lines if not line.startswith("--")]


def test_commands(tscap):
    assert listed_commands(tscap) == COMMANDS


def test_version(tscap):
    result = tscap("--version")
    assert result.code == 0
    assert re.fullmatch(r"tscap [0-9]+\.[0-9]+\.[0-9]+\n", result.out)
    assert tscap("-V").out == result.out


def test_overview(tscap):
    result = tscap("--help")
    assert result.code == 0 and result.err == ""
    assert result.out == tscap("help").out == tscap("-h").out
    for command in COMMANDS:
        assert re.search(r"^  %s " % command, result.out, re.M)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(tscap, command):
    result = tscap(command, "--help")
    assert result.code == 0 and result.err == ""
    assert result.out == tscap("help", command).out
    for line in tscap("--list-options", command).out.splitlines():
        assert line.split("\t")[0] in result.out
    assert "--list-options" not in result.out
    assert "124  no answer in time" in result.out


def test_help_is_no_operand_short(tscap):
    assert tscap("dump", "--json", "--help").code == 0


def test_prefixes(tscap):
    assert tscap("du", "--help").out == tscap("dump", "--help").out
    result = tscap("st", "42").is_error(2)
    assert "start, stop, status" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["frobnicate"],
        [""],
        ["--frobnicate"],
        ["-x"],
        ["help", "frobnicate"],
        ["--list-options", "frobnicate"],
        ["ps", "extra"],
        ["ps", "--threads"],
        ["ps", "--json", "--tree"],
        ["ps", "-x"],
        ["ps", "--json=1"],
        ["start"],
        ["start", "1", "2"],
        ["start", "0"],
        ["start", "99999999999"],
        ["start", ""],
        ["start", "file.tscap"],
        ["start", "auto", "--timeout"],
        ["start", "auto", "--timeout", "soon"],
        ["start", "auto", "--timeout", "-1"],
        ["start", "auto", "--timeout", "0"],
        ["dump"],
        ["dump", "auto", "--sort", "colour"],
        ["dump", "auto", "--sort", "rate"],
        ["dump", "auto", "--limit", "0"],
        ["dump", "auto", "--limit", "1.5"],
        ["dump", "auto", "--width", "5"],
        ["dump", "auto", "--max-loss", "x"],
        ["dump", "auto", "--max-loss", "18446744073709551615"],
        ["dump", "auto", "--tree", "--json"],
        ["dump", "auto", "--tree", "--threads"],
        ["dump", "auto", "--tree", "--sort", "calls"],
        ["dump", "auto", "--json", "--limit", "3"],
        ["dump", "auto", "--flat"],
        ["dump", "auto", "--tree", "--no-trees"],
        ["dump", "auto", "--json", "--flat", "--no-trees"],
        ["dump", "auto", "--consumer"],
        ["dump", "auto", "-s", "--consumer", "3"],
        ["status", "auto", "--consumer", "3"],
        ["dump", "auto", "--t"],  # --tree, --threads
        ["top", "auto"],
        ["top", "-n", "5", "auto"],
        ["top", "-b", "1", "-s", "--consumer", "3", "auto"],
        ["top", "-w", "80", "auto"],
        ["top", "--no-start", "auto"],
        ["top", "-b", "0", "auto"],
        ["top", "-b", "1"],
        ["top", "-b", "1", "auto", "-d", "0"],
        ["top", "-b", "1", "auto", "--sort", "p99"],
        ["gc", "42"],
    ],
)
def test_wrong_usage(tscap, arguments):
    tscap(*arguments).is_error(2)


def test_without_a_terminal_top_names_the_batch_form(tscap):
    result = tscap("top", "auto").is_error(2)
    assert "not both a terminal" in result.err
    assert result.remedy == "  try: tscap top -b 10 auto"


@pytest.mark.parametrize("command", ["dump", "top"])
def test_columns_are_listed_without_a_process(tscap, command):
    result = tscap(command, "--sort", "help")
    assert result.code == 0 and result.err == ""
    names = [line.split()[0] for line in result.out.splitlines()]
    assert {"calls", "inclusive", "exclusive", "percent", "mean", "cpu", "name"} <= set(names)
    assert ("p99" in names) == (command == "dump")
    assert ("rate" in names) == (command == "top")


def test_control_characters_do_not_reach_the_terminal(tscap):
    result = tscap("dump", "no\033[31mthing")
    assert result.code == 3
    assert "\033" not in result.err
