from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings


@pytest.fixture(autouse=True)
def own_files(tmp_path: Path) -> Iterator[None]:
    """What one test uploads and leaves is not there for the next."""
    with override_settings(HOME=tmp_path / "home"):
        yield
