"""Each file is opened by the programs that people open it with: what they say is what the profile says."""
import base64
import json
import pathlib
import re
import subprocess
import sys

import jsonschema
import pytest
from browser import Browser
from conftest import LIMIT, ROOT, SUFFIXES, TOOLS, run

from formats import read_folded

HOSTILE = "a;b <c> & 'd' \\\\ 12"


# --- pprof: Go's own reader ---


def pprof(*arguments):
    return run(TOOLS / "pprof", *arguments)


def test_pprof_raw(recorded):
    text = pprof("-raw", recorded.path("pprof"))
    assert "calls/count wall/nanoseconds[dflt] cpu/nanoseconds" in text
    samples = re.findall(r"^ +(\d+) +(\d+) +(\d+): ([\d ]+)$", text, re.M)
    sums = [sum(int(sample[i]) for sample in samples) for i in range(3)]
    keys = ("calls", "exclusive_ns", "exclusive_cpu_ns")
    assert sums == [sum(site[key] for site in recorded.profile["sites"]) for key in keys]
    assert "__main__." + HOSTILE in text and "thread:[worker]" in text


@pytest.mark.parametrize("index, key, suffix", [("calls", "calls", ""), ("wall", "exclusive_ns", "ns"), ("cpu", "exclusive_cpu_ns", "ns")])
def test_pprof_top(recorded, index, key, suffix):
    text = pprof("-top", "-nodefraction=0", "-unit=ns" if suffix else "-unit=minimum", "-sample_index=%s" % index, recorded.path("pprof"))
    rows = {name: int(flat) for flat, name in re.findall(r"^ *(\d+)(?:ns)? .*%  (\S.*)$", text, re.M)}
    for name in ("leaf", "parent", "fib"):
        assert rows["__main__." + name] == recorded.sites[name][key], text


# --- pstats: each Python; snakeviz; gprof2dot ---


def pythons():
    return [line.split("\t")[0] for line in run(ROOT / "scripts" / "find-pythons").splitlines()]


@pytest.mark.parametrize("python", pythons())
def test_pstats_of_each_python(recorded, python):
    program = "import json, pstats, sys; s = pstats.Stats(sys.argv[1]); print(json.dumps([s.total_calls, s.prim_calls, {k[2]: v[:4] for k, v in s.stats.items()}]))"
    total, primitive, functions = json.loads(run(python, "-I", "-c", program, recorded.path("pstats")))
    assert total == sum(site["calls"] for site in recorded.profile["sites"])
    assert primitive == sum(site["primitive_calls"] for site in recorded.profile["sites"])
    site = recorded.sites["fib"]
    assert functions["fib"] == [site["primitive_calls"], site["calls"], site["exclusive_ns"] / 1e9, site["inclusive_ns"] / 1e9]


def test_snakeviz(recorded):
    program = "import json, pstats, sys; from snakeviz.stats import table_rows, json_stats; s = pstats.Stats(sys.argv[1]); print(json.dumps([table_rows(s), json_stats(s)]))"
    rows, tree = json.loads(run(TOOLS / "venv" / "bin" / "python", "-c", program, recorded.path("pstats")))
    assert len(rows) == len([site for site in recorded.profile["sites"] if site["calls"]])
    (leaf,) = [value for value in tree.values() if value["display_name"].endswith("(leaf)")]
    assert leaf["stats"][1] == recorded.sites["leaf"]["calls"]


@pytest.mark.parametrize("name", ["pstats", "callgrind"])
def test_gprof2dot(recorded, name):
    text = run(TOOLS / "venv" / "bin" / "gprof2dot", "-f", name, "-n", "0", "-e", "0", recorded.path(name))
    for function in ("leaf", "parent"):
        (calls,) = re.findall(r'label="[^"]*\b%s\\n[^"]*?(\d+)\u00d7"' % function, text)
        assert int(calls) == recorded.sites[function]["calls"], text


# --- folded: inferno; callgrind: callgrind_annotate is in tests/cli ---


def test_inferno(recorded):
    text = run(TOOLS / "bin" / "inferno-flamegraph", recorded.path("folded"), "--minwidth", "0")
    samples = dict(re.findall(r"<title>(.*?) \(([\d,]+) samples, ", text))
    assert int(samples["all"].replace(",", "")) == recorded.total == sum(read_folded(recorded.path("folded").read_text()).values())
    leaf = [int(count.replace(",", "")) for name, count in re.findall(r"<title>(.*?) \(([\d,]+) samples, ", text) if name == "__main__.leaf"]
    assert sum(leaf) == recorded.sites["leaf"]["exclusive_ns"]


# --- in a browser: the flame graph, speedscope ---


@pytest.fixture
def browser(tmp_path):
    browser = Browser(str(TOOLS / "browser"), tmp_path / "browser")
    yield browser
    browser.close()


BOX = "Array.from(document.querySelectorAll('g.b')).filter(g => g.querySelector('title').textContent.startsWith(%s + '\\n'))[0]"


def middle(browser, name):
    box = "(%s).querySelector('rect').getBoundingClientRect()" % (BOX % json.dumps(name))
    return browser.evaluate("(r => [r.x + r.width / 2, r.y + r.height / 2])(%s)" % box)


def width(browser, name):
    return browser.evaluate("Number((%s).querySelector('rect').getAttribute('width'))" % (BOX % json.dumps(name)))


def test_flame_graph(recorded, browser):
    browser.open(recorded.path("svg").as_uri())
    before = width(browser, "__main__.parent")
    assert before < 1100
    browser.click(*middle(browser, "__main__.parent"))
    assert browser.evaluate("document.documentElement.getAttribute('data-zoom')") == "__main__.parent"
    assert width(browser, "__main__.parent") == 1180
    assert browser.evaluate("getComputedStyle(%s).display" % (BOX % json.dumps("__main__.fib"))) == "none"
    browser.screenshot(TOOLS / "zoomed.png")
    browser.press("Escape")
    assert abs(width(browser, "__main__.parent") - before) < 0.01
    browser.prompts.append("LEAF")
    browser.press("f", modifiers=2)
    leaf = sum(browser.evaluate("Array.from(document.querySelectorAll('g.found')).map(g => g.getAttribute('data-to') - g.getAttribute('data-from'))"))
    assert leaf == recorded.sites["leaf"]["inclusive_ns"]
    assert browser.evaluate("document.getElementById('said').textContent") == "found: %.2f %%" % (100 * leaf / recorded.total)
    browser.screenshot(TOOLS / "found.png")


def test_inverted_flame_graph(recorded, browser):
    browser.open((recorded.folder / "inverted.svg").as_uri())
    assert browser.evaluate("(g => g.getAttribute('data-to') - g.getAttribute('data-from'))(%s)" % (BOX % json.dumps("__main__.leaf"))) == recorded.sites["leaf"]["exclusive_ns"]
    browser.screenshot(TOOLS / "inverted.png")


def test_speedscope(recorded, browser, tmp_path):
    """Its page takes a file by the address, as its own command does it."""
    document = json.loads(recorded.path("speedscope").read_text())
    jsonschema.Draft7Validator(json.loads((TOOLS / "speedscope" / "file-format-schema.json").read_text())).validate(document)
    encoded = base64.b64encode(recorded.path("speedscope").read_bytes()).decode()
    script = tmp_path / "profile.js"
    script.write_text("speedscope.loadFileFromBase64(%s, %s)" % (json.dumps("profile.json"), json.dumps(encoded)))
    browser.open((TOOLS / "speedscope" / "index.html").as_uri() + "#localProfilePath=" + str(script))
    browser.wait("document.body.innerText.indexOf(%s) >= 0" % json.dumps(document["profiles"][0]["name"] + " (1/2)"))
    assert document["name"] in browser.evaluate("document.title")
    browser.screenshot(TOOLS / "speedscope.png")
