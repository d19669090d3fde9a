import pytest
from django.utils import timezone

from tests.trends import make


@pytest.fixture(autouse=True)
def _this_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hour in which the test runs, and not the one in which its file was read, which may be long past."""
    monkeypatch.setattr(make, "NOW", timezone.now().replace(minute=0, second=0, microsecond=0))
