"""A pytest plugin: leaves out the tests that the file `skipped` in $PUBLISHED_LISTS lists."""
import os


def pytest_collection_modifyitems(config, items):
    with open(os.path.join(os.environ["PUBLISHED_LISTS"], "skipped"), encoding="utf-8") as file:
        files = {os.path.basename(str(item.fspath)) for item in items}
        skipped = {line for line in file.read().splitlines() if line.partition("::")[0] in files}
    names = {item: "::".join([os.path.basename(str(item.fspath)), *item.nodeid.split("[")[0].split("::")[1:]]) for item in items}
    out = [item for item in items if names[item] in skipped]
    assert {names[item] for item in out} == skipped
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=out)
