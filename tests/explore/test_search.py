"""What a text is found by, in English and in Chinese, and the index that follows the items."""

import pytest
from django.db import connection

from apps.common.errors import InvalidInput
from apps.content import search
from apps.content.models import ImportJob, Item, SearchEntry
from apps.projects.models import Project
from tests.annotation import make


def found(project: Project, typed: str) -> set[str]:
    wanted = search.parse(typed)
    also = "".join(" AND lower(normalize(i.text, NFKC)) LIKE %s" for _each in wanted.also)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.text FROM content_item i JOIN content_searchentry e ON e.item_id = i.id "
            f"WHERE i.project_id = %s AND e.tokens @@ %s::tsquery{also}",
            [project.pk, wanted.tsquery, *(f"%{each}%" for each in wanted.also)],
        )
        return {row[0] for row in cursor.fetchall()}


@pytest.fixture
def texts(project: Project) -> list[str]:
    made = [
        "My card has not arrived",
        "CARDS, cards everywhere; card-holder's ＡＴＭ",
        "我的银行卡还没有到",
        "行银卡",
        "取款机吞卡了 ATM",
        "Straße in München 😀",
        "arrived card",
        "ราคาเท่าไร",
    ]
    Item.objects.bulk_create(
        Item(project=project, external_id=text, text=text, text_hash=text.encode()[:32], split="pool") for text in made
    )
    assert search.index(project) == len(made)
    return made


@pytest.mark.parametrize(
    ("typed", "places"),
    [
        ("card", [0, 1, 6]),
        ("car", [0, 1, 6]),
        ("ca", []),  # the beginning of everything is the beginning of nothing
        ("CARD arrived", [0, 6]),
        ('"card has"', [0]),
        ('"arrived card', [6]),
        ("“card has not”", [0]),
        ("银行", [2]),  # two characters: no trigram would do
        ("行银", [3]),
        ("卡", [2, 3, 4]),
        ("银行卡", [2]),
        ("吞卡 atm", [4]),
        ("ＡＴＭ", [1, 4]),
        ("atm", [1, 4]),
        ("münch", [5]),
        ("😀", [5]),
        ("เท่า", [7]),
        ("card' | 'arrived", [0, 6]),  # no way out of the quotes: two words like any other
        ("card & !arrived", [0, 6]),
    ],
)
def test_what_is_typed_finds_what_is_meant(project: Project, texts: list[str], typed: str, places: list[int]) -> None:
    assert found(project, typed) == {texts[place] for place in places}


@pytest.mark.parametrize("typed", ["%", "  ", "!!! ---", '""'])
def test_a_search_for_nothing_is_refused_in_words(typed: str) -> None:
    with pytest.raises(InvalidInput, match="at least one letter"):
        search.parse(typed)


def test_pairs_and_single_characters_of_a_run_are_all_there() -> None:
    assert search.tokens("银行卡") == {"银", "行", "卡", "银行", "行卡"}
    assert search.tokens("x1 卡y") == {"x1", "卡", "y"}


def test_the_index_follows_the_items_and_counts_what_it_does_not_know_yet(project: Project) -> None:
    make.items(project, 3)
    assert search.waiting(project, 100) == 3
    assert search.waiting(project, 2) == 2
    assert search.behind() == [project.pk]
    assert search.index(project) == 3
    make.items(project, 2)
    assert search.waiting(project, 100) == 2
    assert search.index(project) == 2
    assert search.index(project) == 0
    assert (search.behind(), SearchEntry.objects.count()) == ([], 5)


def test_an_import_that_runs_is_not_disturbed(project: Project) -> None:
    make.items(project, 1)
    job = ImportJob.objects.create(project=project, state=ImportJob.State.RUNNING)
    assert search.index(project) == 0
    ImportJob.objects.filter(pk=job.pk).update(state=ImportJob.State.SUCCEEDED)
    assert search.index(project) == 1
