"""Fixtures: what other users can read."""
import pathlib
import shutil
import subprocess
import tempfile

import pytest


@pytest.fixture
def public():
    """A folder that everybody can read."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="tscap-test-public.", dir="/dev/shm"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def public_package(public):
    """The package, where everybody can read it; in this folder."""
    package = pathlib.Path(__import__("timestamp_capture").__file__).parent
    shutil.copytree(package, public / "timestamp_capture", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["chmod", "-R", "a+rX", str(public)], check=True)
    return public
