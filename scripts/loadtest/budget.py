"""Compares a profile with budgets of self time per call.

    budget.py PROFILE [NAME=TIME]...    exit 0, or 7 if a function is over its budget
    budget.py --check [NAME=TIME]...    only looks whether the budgets are well-formed
"""
import json
import re
import sys

UNITS = {"": 1, "ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


def fail(code, what, why, remedy):
    sys.stderr.write("loadtest: %s\n  %s\n  try: %s\n" % (what, why, remedy))
    sys.exit(code)


def parse_budget(text):
    """NAME=TIME to (name, ns)."""
    match = re.fullmatch(r"(.+)=([0-9]+(?:\.[0-9]+)?) ?([a-z]*)", text)
    if not match or match.group(3) not in UNITS:
        fail(2, "--budget '%s' is not NAME=TIME" % text, "a time is a number with ns, us, ms, s or nothing (ns) behind it", "--budget handle=400us")
    return match.group(1), float(match.group(2)) * UNITS[match.group(3)]


def matches(site, name):
    """As it is called in tables: chosen name, qualified name, or either with its module."""
    names = {site["name"], site["qualname"]}
    return name in names | {"%s.%s" % (site["module"], n) for n in names}


def self_time(site):
    """Nanoseconds per call."""
    return site["exclusive_ns"] / site["calls"]


def row(name, site, budget):
    verdict = "" if budget is None else "  of %8.0f ns  %s" % (budget, "OVER" if self_time(site) > budget else "ok")
    return "%-32s %9d calls  %10.0f ns self per call%s" % (name, site["calls"], self_time(site), verdict)


def called(profile):
    return [site for site in profile["sites"] if site["calls"]]


def find(profile, name):
    found = [site for site in called(profile) if matches(site, name)]
    if not found:
        known = ", ".join(sorted(site["qualname"] for site in called(profile))) or "none at all"
        fail(1, "no call of '%s' was recorded" % name, "recorded were: " + known, "a name from this list")
    return found


def check(profile, budgets):
    """Prints a row per function; true if one is over its budget."""
    over = False
    for name, budget in budgets:
        for site in find(profile, name):
            print(row(name, site, budget))
            over = over or self_time(site) > budget
    if not budgets:
        for site in sorted(called(profile), key=lambda site: -site["exclusive_ns"]):
            print(row(site["qualname"] or site["name"], site, None))
    return over


def main(path, texts):
    budgets = [parse_budget(text) for text in texts]
    if path == "--check":
        return 0
    with open(path) as file:
        profile = json.load(file)
    if profile["lost"] or not profile["complete"]:
        fail(6, "%d calls were lost" % profile["lost"], "a verdict needs all of them", "more memory: TSCAP_MEMORY=1024 for the service")
    if check(profile, budgets):
        fail(7, "over budget", "see above", "tscap dump --tree, to see who calls it")
    return 0


if __name__ == "__main__":
    sys.setrecursionlimit(10_000)  # call trees nest
    sys.exit(main(sys.argv[1], sys.argv[2:]))
