import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def installation() -> Iterator[Path]:
    """A data folder. Not below tmp_path: pytest closes that to the user whom embedded servers run as."""
    home = Path(tempfile.mkdtemp(prefix="marginalia-test-"))
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def warm_installation() -> Iterator[Path]:
    """One for several tests: only the first pays for making the database."""
    home = Path(tempfile.mkdtemp(prefix="marginalia-test-"))
    yield home / "home"
    shutil.rmtree(home, ignore_errors=True)
