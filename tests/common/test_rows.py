import pytest
from django.db import models

from apps.accounts.models import User
from apps.common.rows import columns, first, made, one, rows
from apps.projects.models import Project


def test_an_object_made_from_a_row_is_the_one_that_the_orm_reads(project: Project, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(keymap={"skip": "x"}, language="zh-hans")
    Project.objects.filter(pk=project.pk).update(undecided_reasons=["“unclear”", "不清楚"])
    known: list[models.Model] = [User.objects.get(pk=alice.pk), Project.objects.get(pk=project.pk)]
    for one_known in known:
        model = type(one_known)
        found = first(
            f'SELECT {columns(model, "t")}, 7 FROM "{model._meta.db_table}" t WHERE id = %(id)s', {"id": one_known.pk}
        )
        assert found is not None
        again = made(model, found)
        for field in model._meta.concrete_fields:
            assert getattr(again, field.attname) == getattr(one_known, field.attname), field.attname
        assert again == one_known
        assert not again._state.adding


@pytest.mark.django_db
def test_values_travel_apart_from_the_statement() -> None:
    said = "'); DROP TABLE accounts_user; --"
    assert one("SELECT %(said)s::text, %(said)s::text || '%%'", {"said": said, "spare": 1}) == (said, said + "%")
    assert first("SELECT 1 WHERE %(no)s", {"no": False}) is None
    assert rows("SELECT n FROM generate_series(1, %(n)s) AS n", {"n": 3}) == [(1,), (2,), (3,)]
