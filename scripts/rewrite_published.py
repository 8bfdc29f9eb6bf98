"""rewrite_published.py ORIGINAL NEW SUPPORT: copies test files with their imports changed, and nothing else.

What they import from the original comes from SUPPORT/support.py, and so does `pytest`, by which one of them skips itself.
NEW/skipped lists what SUPPORT/skips names, for SUPPORT/leave_out.py, and NEW/timed what SUPPORT/timed names, for SUPPORT/again.py.
Exit 1 if more than 5 % are skipped, or a list names something that is not there.
"""
import ast
import os
import re
import sys

MOST_SKIPPED = 0.05
IMPORT = re.compile(r"^([ \t]*)from\s+osbot_utils\.[\w.]+\s+import\b", re.MULTILINE)
PYTEST = re.compile(r"^([ \t]*)import pytest\b", re.MULTILINE)


def rewrite(text):
    text = PYTEST.sub(r"\1from support import pytest", IMPORT.sub(r"\1from support import", text))
    if "osbot_utils." in "".join(line for line in text.splitlines() if line.lstrip().startswith(("import ", "from "))):
        raise SystemExit("published-tests: an import that is not understood")
    return text


def tests_of(path, text):
    """file::class::test of each."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            for function in node.body:
                if isinstance(function, ast.FunctionDef) and function.name.startswith("test"):
                    yield f"{os.path.basename(path)}::{node.name}::{function.name}"


def read_list(path):
    with open(path, encoding="utf-8") as file:
        lines = [line.split(None, 1) for line in file if line.strip() and not line.startswith("#")]
    for line in lines:
        if len(line) != 2:
            raise SystemExit(f"published-tests: {path}: {line[0]} has no reason")
    return [line[0] for line in lines]


def select(tests, path):
    """Those that a list names, by file::test or by file."""
    selected = []
    for name in read_list(path):
        file, _, test = name.partition("::")
        found = [one for one in tests if one.startswith(file + "::") and (not test or one.endswith("::" + test))]
        if not found:
            raise SystemExit(f"published-tests: {path} names {name}, but there is no such test")
        selected += found
    return selected


def main(original, new, support):
    os.makedirs(new)
    tests = []
    for folder, _, files in sorted(os.walk(original)):
        for name in sorted(files):
            if name.startswith("test_") and name.endswith(".py"):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    text = rewrite(file.read())
                with open(os.path.join(new, name), "x", encoding="utf-8") as file:
                    file.write(text)
                tests += tests_of(name, text)
    skipped = select(tests, os.path.join(support, "skips"))
    timed = select(tests, os.path.join(support, "timed"))
    print(f"published-tests: {len(tests)} tests, {len(skipped)} of them skipped for the reasons in {support}/skips", flush=True)
    if len(skipped) > MOST_SKIPPED * len(tests):
        raise SystemExit(f"published-tests: more than {MOST_SKIPPED:.0%} skipped")
    for name, listed in (("skipped", skipped), ("timed", timed)):
        with open(os.path.join(new, name), "w", encoding="utf-8") as file:
            file.writelines(f"{one}\n" for one in listed)


if __name__ == "__main__":
    main(*sys.argv[1:])
