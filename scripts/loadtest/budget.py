"""Compares a profile with budgets of time per call.

    budget.py PROFILE [[METRIC:]NAME=TIME]...    exit 0, or 7 if a function is over a budget
    budget.py --check [[METRIC:]NAME=TIME]...    only looks whether the budgets are well-formed
"""
import json
import re
import sys

UNITS = {"": 1, "ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


def fail(code, what, why, remedy):
    sys.stderr.write("loadtest: %s\n  %s\n  try: %s\n" % (what, why, remedy))
    sys.exit(code)


def mean(field):
    return lambda site: site[field] / site["calls"]


# What a budget may be of, nanoseconds: its words in the table, its value for a site.
METRICS = {
    "self": ("self per call", mean("exclusive_ns")),
    "inclusive": ("inclusive per call", mean("inclusive_ns")),
    "elapsed": ("elapsed per call", mean("elapsed_ns")),
    "p50": ("at most, half the calls", lambda site: site["p50_ns"]),
    "p95": ("at most, 95 % of calls", lambda site: site["p95_ns"]),
    "p99": ("at most, 99 % of calls", lambda site: site["p99_ns"]),
}


def parse_budget(text):
    """[METRIC:]NAME=TIME to (metric, name, ns)."""
    match = re.fullmatch(r"(?:(%s):)?([^:]+)=([0-9]+(?:\.[0-9]+)?) ?([a-z]*)" % "|".join(METRICS), text)
    if not match or match.group(4) not in UNITS:
        why = "a time is a number with ns, us, ms, s or nothing (ns) behind it; METRIC is one of " + ", ".join(METRICS)
        fail(2, "--budget '%s' is not [METRIC:]NAME=TIME" % text, why, "--budget handle=400us --budget p95:handle=2ms")
    metric, name, number, unit = match.groups()
    return metric or "self", name, float(number) * UNITS[unit]


def matches(site, name):
    """As it is called in tables: chosen name, qualified name, or either with its module."""
    names = {site["name"], site["qualname"]}
    return name in names | {"%s.%s" % (site["module"], n) for n in names}


def row(name, site, metric, budget):
    words, value = METRICS[metric][0], METRICS[metric][1](site)
    verdict = "" if budget is None else "  of %8.0f ns  %s" % (budget, "OVER" if value > budget else "ok")
    return "%-32s %9d calls  %10.0f ns %s%s" % (name, site["calls"], value, words, verdict)


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
    for metric, name, budget in budgets:
        for site in find(profile, name):
            print(row(name, site, metric, budget))
            over = over or METRICS[metric][1](site) > budget
    if not budgets:
        for site in sorted(called(profile), key=lambda site: -site["exclusive_ns"]):
            print(row(site["qualname"] or site["name"], site, "self", None))
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
