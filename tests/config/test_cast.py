from django.db import connection

from apps.accounts.models import User
from apps.projects.models import Project


def test_the_database_is_a_recent_postgresql_with_both_extensions(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extname FROM pg_extension")
        assert {"vector", "pg_trgm"} <= {name for (name,) in cursor.fetchall()}
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    assert connection.pg_version >= 150000


def test_the_cast_has_its_roles(
    project: Project, alice: User, bob: User, rita: User, dana: User, vic: User, charlie: User
) -> None:
    roles = dict(project.memberships.values_list("user__name", "role"))
    assert roles == {
        "Alice": "administrator",
        "Bob": "annotator",
        "Rita": "reviewer",
        "Dana": "product_manager",
        "Vic": "viewer",
    }
    assert project.labels.count() == 3
