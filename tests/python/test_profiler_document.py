"""The code in the document that describes stichotrope's Profiler runs as it is printed, after a preamble that defines what it leaves
undefined. The document is not ours: STICHOTROPE_DOCUMENT is the path of its text."""
import inspect
import os
import re
import types

import pytest

from timestamp_capture import stichotrope

DOCUMENT = os.environ.get("STICHOTROPE_DOCUMENT")
HEADING = r"^[A-Z][\w-]+(?: [A-Z][\w-]+)+$"


def blocks():
    if not DOCUMENT:
        return []
    with open(DOCUMENT, encoding="utf-8") as file:
        text = file.read()
    return re.findall(rf"^from stichotrope import .*?(?={HEADING})", text, re.MULTILINE | re.DOTALL)


def preamble():
    """What the examples call, and do not have."""
    names = ("transform", "query_database", "process_request", "execute_query", "load", "save", "process")
    return {"__name__": "document", "cache": types.SimpleNamespace(get=lambda key: key), **{name: lambda *arguments: arguments for name in names}}


@pytest.mark.skipif(not DOCUMENT, reason="STICHOTROPE_DOCUMENT does not say where the document is")
def test_there_are_some():
    assert len(blocks()) == 5


@pytest.mark.parametrize("code", blocks(), ids=range(len(blocks())))
def test_code_runs_as_it_is_printed(code, recorder, capsys):
    names = preamble()
    exec(code.replace("from stichotrope import", "from timestamp_capture.stichotrope import"), names)
    for name, value in list(names.items()):
        if callable(value) and getattr(value, "__module__", "") == "document" and not isinstance(value, type):
            value(*[1] * len(inspect.signature(value).parameters))
    results = names["profiler"].get_results()
    assert isinstance(results, stichotrope.ProfilerResults)
    if "track(" in code or "block(" in code:
        assert results.total_hits
    if "all_results" in code:
        assert capsys.readouterr().out.count("Thread ") == len(names["all_results"]) > 0
