"""`tscap dump --digest`: JSON by its schema, of at most 8 KiB, with the numbers that --json has."""
import json
import shlex

import jsonschema
import pytest

from conftest import CALLS, ROOT, schema

LIMIT = 8192
DATA = ROOT / "tests" / "cli" / "data"


def digest(tscap, operand, *options):
    result = tscap("dump", "--digest", operand, *options)
    assert result.code == 0 and len(result.out.encode()) <= LIMIT, result
    jsonschema.validate(result.json, schema("digest"))
    return result.json


def test_it_is_what_json_says(tscap, recorded, tmp_path):
    tscap("stop", recorded.pid)
    path = tmp_path / "it's a file.tscap"
    assert tscap("save", recorded.pid, "-o", path).code == 0
    short, whole = digest(tscap, path), tscap("dump", "--json", path).json
    called = {site["line"]: site for site in whole["sites"] if site["calls"]}
    assert {each["name"] for each in short["functions"]} == set(CALLS) - {"renamed"} | {"chosen name"}
    for each in short["functions"]:
        site = called[each["line"]]
        for key in "module", "file", "line", "calls", "exclusive_ns", "inclusive_ns", "exclusive_cpu_ns":
            assert each[key] == site[key], (each, key)
    costs = [each["exclusive_ns"] for each in short["functions"]]
    assert costs == sorted(costs, reverse=True) and abs(sum(each["percent"] for each in short["functions"]) - 100) < 1
    assert short["recorded"]["calls"] == sum(CALLS.values()) and short["functions_left_out"] == 0
    assert short["complete"] is True and short["losses"] == {}
    assert short["modules"][-1]["name"] in ("__main__", "(no module)")


def test_what_it_says_to_type_works(tscap, recorded, tmp_path):
    tscap("stop", recorded.pid)
    path = tmp_path / "it's a file.tscap"
    assert tscap("save", recorded.pid, "-o", path).code == 0
    for operand in recorded.pid, path:
        commands = digest(tscap, operand)["next"]
        assert len(commands) >= 1
        for command in commands:
            name, *words = shlex.split(command)
            assert name == "tscap" and tscap(*words).code == 0, command


def test_of_a_program_that_does_not_record(tscap, app):
    result = tscap("dump", "--digest", app.pid)
    jsonschema.validate(result.json, schema("digest"))
    assert result.json["next"] == ["tscap start '%d'" % app.pid] and result.json["recorded"]["calls"] == 0


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("*.tscap")))
def test_of_files_of_version_1_with_names_of_all_kinds(tscap, name):
    result = tscap("dump", "--digest", DATA / name)
    jsonschema.validate(json.loads(result.out), schema("digest"))
    assert len(result.out.encode()) <= LIMIT


def test_it_goes_with_no_view(tscap):
    for option in ["--tree"], ["--json"], ["-n", "3"], ["--filter", "x"], ["-c", "calls"]:
        tscap("dump", "auto", "--digest", *option).is_error(2)
