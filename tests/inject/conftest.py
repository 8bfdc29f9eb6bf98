"""Fixtures of these tests; the account that is shown at their end."""
import os
import pathlib
import shutil

import pytest

import stage
from public import public, public_package  # noqa: F401  fixtures

ACCOUNTS = {}


@pytest.fixture(autouse=True)
def run_directory(monkeypatch):
    """$TSCAP_DIR of this test."""
    path = pathlib.Path(os.environ["TSCAP_DIR"]) / str(os.getpid())
    path.mkdir(mode=0o700)
    monkeypatch.setenv("TSCAP_DIR", str(path))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def libraries(tmp_path_factory):
    """Builds what is in C."""
    folder = tmp_path_factory.mktemp("libraries")
    return lambda name, *options: stage.build_library(name, folder, *options)


@pytest.fixture
def account(request):
    """Of this test, by its name in the table."""
    name = request.node.name.replace("test_", "").replace("_", " ")
    return ACCOUNTS.setdefault(name, stage.Account())


@pytest.fixture
def perform(tmp_path, account, libraries):
    """Puts a scene on stage; it is ended with the test."""
    stages = []

    def begin(scene, folder=tmp_path, helper=None, **options):
        stages.append(stage.Stage(scene, folder, account, helper or libraries("helper"), **options))
        return stages[-1]

    yield begin
    for each in stages:
        each.close()


def pytest_terminal_summary(terminalreporter):
    if not ACCOUNTS:
        return
    terminalreporter.section("attaches, and for how long one thread was stopped")
    terminalreporter.line(stage.HEAD)
    total = stage.Account()
    for name, account in ACCOUNTS.items():
        terminalreporter.line(account.row(name))
        for part in ("attached", "refused", "died", "hung", "pauses"):
            setattr(total, part, getattr(total, part) + getattr(account, part))
    terminalreporter.line(total.row("all"))
