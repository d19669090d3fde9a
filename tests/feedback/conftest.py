from collections.abc import Iterator

import pytest

from apps.feedback import limits


@pytest.fixture(scope="package", autouse=True)
def _patient() -> Iterator[None]:
    """On a busy machine Valkey may take longer than a host product should wait. A limit that changed over to the
    database in the middle of a test would begin anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "PATIENCE", 30.0)
        limits._script.cache_clear()
        yield
    limits._script.cache_clear()
