"""rewrite_published.py NAME ORIGINAL NEW SUPPORT: copies test files with their imports changed, and nothing else.

NEW/skipped lists what SUPPORT/skips names, for tests/published/leave_out.py, and NEW/timed what SUPPORT/timed names, for again.py.
Exit 1 if too many of those that speak of behaviour are skipped, or a list names something that is not there. Of behaviour do not
speak those whose reason begins with one of NOT_BEHAVIOUR.
"""
import ast
import os
import re
import sys

MOST_SKIPPED = 0.05  # of those that speak of behaviour
MOST_CONTRADICT = 5  # yappi's: asked to be otherwise, the skips say where
NOT_BEHAVIOUR = {
    "stichotrope": ("private:", "impossible:", "benchmark:"),
    "yappi": ("impossible:", "contradicts:"),
}


# What they import from the original comes from SUPPORT/support.py, and so does `pytest`, by which one of them skips itself. Only
# tests are copied, into one folder.
def rewrite_osbot_utils(text):
    text = re.sub(r"^([ \t]*)from\s+osbot_utils\.[\w.]+\s+import\b", r"\1from support import", text, flags=re.MULTILINE)
    return re.sub(r"^([ \t]*)import pytest\b", r"\1from support import pytest", text, flags=re.MULTILINE)


# The tests have helpers beside them: the folders stay.
def rewrite_stichotrope(text):
    text = re.sub(r"^([ \t]*)from\s+stichotrope\b", r"\1from timestamp_capture.stichotrope", text, flags=re.MULTILINE)
    return re.sub(r"^([ \t]*)import stichotrope\b", r"\1import timestamp_capture.stichotrope as stichotrope", text, flags=re.MULTILINE)


# They import `yappi`, which tests/published/yappi has, and helpers beside them.
def rewrite_yappi(text):
    return text


SYSTEMS = {  # how its imports are rewritten, what no import may say afterwards, whether the folders stay
    "osbot_utils": (rewrite_osbot_utils, re.compile(r"\bosbot_utils\."), False),
    "stichotrope": (rewrite_stichotrope, re.compile(r"(from|import) stichotrope\b"), True),
    "yappi": (rewrite_yappi, re.compile(r"(?!)"), True),
}


def is_test(name):
    return name.startswith("test_") and name.endswith(".py")


def rewritten(text, rewrite, forbidden):
    text = rewrite(text)
    if any(forbidden.search(line) for line in text.splitlines() if line.lstrip().startswith(("import ", "from "))):
        raise SystemExit("published-tests: an import that is not understood")
    return text


def tests_of(path, text):
    """file::class::test, or file::test, of each."""
    name = os.path.basename(path)
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            for function in node.body:
                if isinstance(function, ast.FunctionDef) and function.name.startswith("test"):
                    yield f"{name}::{node.name}::{function.name}"
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield f"{name}::{node.name}"


def read_list(path):
    """[(what it names, the reason)]"""
    with open(path, encoding="utf-8") as file:
        lines = [line.split(None, 1) for line in file if line.strip() and not line.startswith("#")]
    for line in lines:
        if len(line) != 2:
            raise SystemExit(f"published-tests: {path}: {line[0]} has no reason")
    return lines


def select(tests, path):
    """{test: reason} of those that a list names, by file::test or by file."""
    selected = {}
    for name, reason in read_list(path):
        file, _, test = name.partition("::")
        found = [one for one in tests if one.startswith(file + "::") and (not test or one.endswith("::" + test))]
        if not found:
            raise SystemExit(f"published-tests: {path} names {name}, but there is no such test")
        selected.update(dict.fromkeys(found, reason.strip()))
    return selected


def copy(original, new, system):
    """The names of all tests."""
    rewrite, forbidden, keep_folders = SYSTEMS[system]
    tests = []
    for folder, _, files in sorted(os.walk(original)):
        into = os.path.normpath(os.path.join(new, os.path.relpath(folder, original))) if keep_folders else new
        for name in sorted(files):
            if not is_test(name) and not (keep_folders and name.endswith(".py")):
                continue
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = rewritten(file.read(), rewrite, forbidden)
            os.makedirs(into, exist_ok=True)
            with open(os.path.join(into, name), "x", encoding="utf-8") as file:
                file.write(text)
            if is_test(name):
                tests += tests_of(name, text)
    return tests


def main(system, original, new, support):
    os.makedirs(new)
    tests = copy(original, new, system)
    skipped = select(tests, os.path.join(support, "skips"))
    timed = select(tests, os.path.join(support, "timed"))
    aside = {test for test, reason in skipped.items() if reason.startswith(NOT_BEHAVIOUR.get(system, ()))}
    of_behaviour, missed = len(tests) - len(aside), len(skipped) - len(aside)
    contradicting = sum(reason.startswith("contradicts:") for reason in skipped.values())
    print(f"published-tests: {system}: {len(tests)} tests, {len(skipped)} of them skipped for the reasons in {support}/skips;", end=" ")
    print(f"{missed} of the {of_behaviour} that speak of behaviour ({missed / of_behaviour:.1%})", flush=True)
    if missed > MOST_SKIPPED * of_behaviour:
        raise SystemExit(f"published-tests: more than {MOST_SKIPPED:.0%} of {of_behaviour} that speak of behaviour skipped")
    if contradicting > MOST_CONTRADICT:
        raise SystemExit(f"published-tests: {contradicting} skipped as what contradicts, at most {MOST_CONTRADICT} may be")
    for name, listed in (("skipped", skipped), ("timed", timed)):
        with open(os.path.join(new, name), "w", encoding="utf-8") as file:
            file.writelines(f"{one}\n" for one in listed)


if __name__ == "__main__":
    main(*sys.argv[1:])
