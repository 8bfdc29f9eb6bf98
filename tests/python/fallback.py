"""The suite under the recorder in pure Python (TSCAP_PURE=1, and wherever there is no compiled one, such as PyPy).

Tests that record in their own process do so with a collector then, for there are no sessions. What cannot run is listed in
fallback_skips.txt, a reason each.
"""
import os
import platform
import re

import pytest

from timestamp_capture import Timestamp_Collector

PYPY = platform.python_implementation() == "PyPy"
LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fallback_skips.txt")


def skips():
    """[("test_file.py" or "test_file.py::test_name", reason)]"""
    with open(LIST) as file:
        lines = [line.strip() for line in file]
    return [tuple(re.split(r"\s{2,}", line, maxsplit=1)) for line in lines if line and not line.startswith("#")]


def ignored_files():
    return [name for name, _ in skips() if "::" not in name]


def mark_skips(items):
    reasons = {}
    for name, *reason in skips():
        if not reason:
            raise pytest.UsageError(f"{LIST}: {name} has no reason")
        if PYPY or not reason[0].startswith("PyPy: "):
            reasons[name] = reason[0]
    for item in items:
        name = item.nodeid.split("/")[-1]
        for known in (name, name.split("[")[0]):
            if known in reasons:
                item.add_marker(pytest.mark.skip(reason=reasons[known]))


class Profile:
    """What a collector recorded, asked as a dump is."""

    def __init__(self, collector):
        self.collector = collector
        self.document = {"lost": 0, "losses": {"mismatched": 0, "clamped": 0}}

    def __getitem__(self, key):
        return self.document[key]

    @property
    def sites(self):
        return {
            name: {"name": name, "calls": calls, "open": 0, "inclusive_ns": inclusive, "exclusive_ns": exclusive}
            for name, calls, inclusive, exclusive, *_ in self.collector.timings()
        }

    def counts(self, *keys):
        called = [site for site in self.sites.values() if site["calls"]]
        assert not keys or len({site["name"] for site in called}) == len(called), "two sites of one name"
        sums = {}
        for site in called:
            sums[site["name"]] = tuple(site[key] for key in keys) if keys else sums.get(site["name"], 0) + site["calls"]
        return sums

    def calls(self, name):
        return self.counts().get(name, 0)

    def check(self):
        assert self.collector.complete
        return self.check_sums()

    def check_sums(self):
        total = 0
        for name, calls, inclusive, exclusive, *_ in self.collector.timings():
            assert 0 <= exclusive and 0 <= inclusive and calls >= 0, name
            total += exclusive
        assert total <= self.collector.total_duration_ns()
        return self


class Recording:
    """`with recording:` is a collector around the frame that it stands in."""

    def __enter__(self):
        self.collector = Timestamp_Collector("recording")
        self.collector.__enter__()
        return self

    def __exit__(self, *exception):
        self.collector.__exit__(*exception)

    @property
    def profile(self):
        return Profile(self.collector)
