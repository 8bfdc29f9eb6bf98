"""scripts/loadtest.sh: a capture in the middle of a load test."""
import json
import os
import re
import subprocess
import sys

import jsonschema

from conftest import LIMIT, ROOT, Result, schema

SCRIPT = str(ROOT / "scripts" / "loadtest.sh")
SHORT = ["--python", sys.executable, "--warmup", "0.3", "--duration", "0.7"]


def run(*arguments):
    return Result(subprocess.run([SCRIPT, *map(str, arguments)], capture_output=True, text=True, timeout=LIMIT))


def test_within_budget(tmp_path):
    kept = tmp_path / "profile.json"
    result = run(*SHORT, "--budget", "handle=1s", "--budget", "score=10ms", "--json", kept)
    assert result.code == 0, result
    assert re.search(r"^handle +[0-9]+ calls +[0-9]+ ns self per call  of +1000000000 ns  ok$", result.out, re.M)
    assert len(result.out.splitlines()) == 2
    profile = json.loads(kept.read_text())
    jsonschema.validate(profile, schema("profile"))
    assert profile["session"]["running"] is False
    sites = {site["qualname"] or site["name"]: site for site in profile["sites"]}
    whole = sites["render"]["calls"] - 4  # recording may have begun in the middle of one request of each client
    assert sites["score"]["calls"] >= 200 * whole > 0
    assert sites["parse"]["raised"] > 0, "some requests are refused"


def test_over_budget(run_directory):
    result = run(*SHORT, "--budget", "score=1ns", "--budget", "handle=1s")
    assert result.code == 7, result
    assert "OVER" in result.out and "ok" in result.out
    assert list(run_directory.iterdir()) == [], "the service has ended"


def test_a_function_that_was_not_called():
    result = run(*SHORT, "--budget", "nothing=1us")
    assert result.code == 1, result
    assert "no call of 'nothing'" in result.err and "score" in result.err


def test_without_budgets_it_lists_them():
    result = run(*SHORT)
    assert result.code == 0, result
    assert len(result.out.splitlines()) == 6


def test_a_running_process_with_its_own_load(app):
    app.do("in_background(lambda: time.sleep(0.001))")
    script = "while :; do sleep 0.05; done"
    app.do("in_background(lambda: (parent(3), time.sleep(0.001)))")
    result = run("--python", sys.executable, "--warmup", "0.1", "--duration", "1", "--pid", app.pid, "--budget", "__main__.leaf=1s", "--", "sh", "-c", script)
    assert result.code == 0, result
    assert result.out.startswith("__main__.leaf")
    assert app.process.poll() is None, "it is not ours to end"


def test_wrong_usage():
    for arguments in (
        ["--budget"],
        ["--budget", "x"],
        ["--budget", "x=1parsec"],
        ["--budget", "=1"],
        ["--duration", "long"],
        ["--frobnicate"],
        ["--", "load"],
    ):
        assert run("--python", sys.executable, *arguments).code == 2, arguments
    assert run("--help").code == 0


def test_errors_of_tscap_pass_through(start_program):
    program = start_program("sleep", "60")
    assert run("--python", sys.executable, "--warmup", "0", "--pid", program.pid).code == 5
    assert os.path.exists("/proc/%d" % program.pid)
