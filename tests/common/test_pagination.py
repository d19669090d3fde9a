import pytest

from apps.accounts.models import User
from apps.common.errors import InvalidInput
from apps.common.pagination import page_after

pytestmark = pytest.mark.django_db


@pytest.fixture
def _crowd() -> None:
    User.objects.bulk_create(User(email=f"{n}@example.org") for n in range(7))


@pytest.mark.usefixtures("_crowd")
@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_show_every_row_once(newest_first: bool) -> None:
    seen, after = [], ""
    while True:
        page = page_after(User.objects.all(), after, limit=3, newest_first=newest_first)
        seen += [user.pk for user in page.rows]
        after = page.next
        if not after:
            break
    assert seen == sorted(seen, reverse=newest_first)
    assert len(set(seen)) == len(seen) == 7


@pytest.mark.usefixtures("_crowd")
def test_a_row_that_arrives_between_pages_moves_nothing() -> None:
    first = page_after(User.objects.all(), limit=3, newest_first=True)
    User.objects.create(email="late@example.org")
    second = page_after(User.objects.all(), first.next, limit=3, newest_first=True)
    assert not {user.pk for user in first.rows} & {user.pk for user in second.rows}


@pytest.mark.parametrize("mark", ["x", "....", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "MTsgRFJPUA", "é"])
def test_a_forged_mark_is_refused_in_words(mark: str) -> None:
    with pytest.raises(InvalidInput):
        page_after(User.objects.all(), mark)
