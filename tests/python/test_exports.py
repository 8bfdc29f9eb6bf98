"""What others read: speedscope files by the schema that speedscope publishes, folded stacks by the grammar of their readers."""
import json
import os
import pathlib
import re
import threading

import pytest

from timestamp_capture import Timestamp_Collector, timestamp, timestamp_block

SCHEMA = pathlib.Path(os.environ.get("TSCAP_BUILD", "build/release")).parent / "speedscope" / "file-format-schema.json"

HOSTILE = [
    "", " ", "plain", "two words", "a;b", ";", ";;", "ends with ;", "a\nb", "\n", "\r\n", "a\u2028b\x85c\x1cd", "\ttab", "query 12", "query 1 2", "query 1.5",
    "query 1.", "12", " 12", "1 2;3 4", "a 12 ", "a\n12", "a\t12", "naïve ж 数 😀", "\"quoted\\\"", "</script>", "_[k]", "#comment", "--", "a" * 200,
]  # fmt: skip


@timestamp("leaf 7")
def leaf():
    pass


@pytest.fixture
def hostile():
    """Each name within, beside and above each of some others, in two threads."""

    def use():
        with collector:
            for outer in HOSTILE:
                with timestamp_block(outer):
                    leaf()
                    with timestamp_block(HOSTILE[(HOSTILE.index(outer) * 7 + 3) % len(HOSTILE)]):
                        with timestamp_block(outer):
                            leaf()

    collector = Timestamp_Collector("a;b 12\n")
    use()
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    return collector


# ---- folded stacks ----


def read_folded(text):
    """[(frames, count)] of one line each. As strict as the strictest: no empty frames, and no second number at the end, which
    readers that draw differences take for the count before."""
    stacks = []
    for line in text.split("\n"):
        found = re.fullmatch(r"([^;\n]+(?:;[^;\n]+)*) (\d+)", line)
        assert found and len(line.splitlines()) == 1, line
        assert not re.search(r"\s\d+(\.\d*)?$", found[1]), line
        stacks.append((found[1].split(";"), int(found[2])))
    return stacks


def test_folded_stacks_can_be_read(hostile):
    stacks = read_folded(hostile.to_flame_graph_string())
    assert len({tuple(frames) for frames, _ in stacks}) == len(stacks)
    assert sum(count for _, count in stacks) == sum(root.duration_ns for root in hostile.build_call_tree())
    assert {len(frames) for frames, _ in stacks} == {1, 2, 3, 4}
    assert {frame for frames, _ in stacks for frame in frames} >= {"leaf_7", "query_12", "query 1_2", "1 2:3_4", "12", "two words", "(no name)"}


def test_folded_stacks_of_nothing():
    assert Timestamp_Collector().to_flame_graph_stacks() == [] and Timestamp_Collector().to_flame_graph_string() == ""


# ---- speedscope ----


@pytest.fixture(scope="module")
def validator():
    if not SCHEMA.exists():
        pytest.skip("speedscope's schema is not here: `make check-speedscope` fetches it")
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text())
    assert schema["definitions"]["FileFormat.EventedProfile"]["required"]
    return jsonschema.Draft7Validator(schema)


def is_valid(validator, collector):
    """By the schema; which evented profile it takes for a sampled one is its own affair, so that is looked at by itself."""
    document = json.loads(collector.to_speedscope_json())
    validator.validate(document)
    evented = validator.evolve(schema={**validator.schema, "$ref": "#/definitions/FileFormat.EventedProfile"})
    for profile in document["profiles"]:
        evented.validate(profile)
    return document


def test_speedscope_by_its_schema(validator, hostile):
    document = is_valid(validator, hostile)
    assert len(document["profiles"]) == 2 and {frame["name"] for frame in document["shared"]["frames"]} == {*HOSTILE, "leaf 7"}


def test_speedscope_by_its_schema_while_calls_are_open(validator):
    with Timestamp_Collector() as collector:
        with timestamp_block("open"):
            leaf()
            is_valid(validator, collector)


def test_speedscope_by_its_schema_of_nothing(validator):
    assert is_valid(validator, Timestamp_Collector())["profiles"][0]["events"] == []


def test_the_schema_refuses(validator):
    """What is no such file."""
    document = json.loads(Timestamp_Collector().to_speedscope_json())
    for key in ("$schema", "shared", "profiles"):
        assert not validator.is_valid({**document, key: 1})
    assert not validator.is_valid({**document, "profiles": [{**document["profiles"][0], "unit": "fortnights"}]})
