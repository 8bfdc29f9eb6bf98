"""A pytest plugin: leaves out the tests that the file `skipped` beside them lists."""
import os


def pytest_collection_modifyitems(config, items):
    with open(os.path.join(config.args[0], "skipped"), encoding="utf-8") as file:
        skipped = set(file.read().splitlines())
    out = [item for item in items if "::".join([os.path.basename(str(item.fspath)), *item.nodeid.split("::")[1:]]) in skipped]
    assert len(out) == len(skipped)
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=out)
