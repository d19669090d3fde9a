"""A database that followed the early migrations one by one, and one that the joined ones made, are the same."""

from collections.abc import Iterator

import pytest
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

NAME = "early"
CATALOGUE = {
    "columns": """SELECT table_name, column_name, udt_name, character_maximum_length, is_nullable, column_default
        FROM information_schema.columns WHERE table_schema = 'public'""",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), condeferred
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    "triggers": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "functions": """SELECT pg_get_functiondef(oid) FROM pg_proc p
        WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
          AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = p.oid AND deptype = 'e')""",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public'",
    "tables": """SELECT relname, relkind::text, relpersistence::text, reloptions
        FROM pg_class WHERE relnamespace = 'public'::regnamespace""",
    "storage": """SELECT attrelid::regclass::text, attname, attstorage::text FROM pg_attribute
        JOIN pg_class c ON c.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped""",
}


@pytest.fixture
def early(transactional_db: None) -> Iterator[BaseDatabaseWrapper]:
    """An empty database beside the one of the tests."""
    name = f"{connection.settings_dict['NAME']}_{NAME}"
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cursor.execute(f'CREATE DATABASE "{name}"')
    connections[NAME] = beside = connection.copy(NAME)
    beside.settings_dict["NAME"] = name
    beside.inc_thread_sharing()
    try:
        yield beside
    finally:
        beside.close()
        del connections[NAME]
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.slow
def test_both_roads_end_at_the_same_tables(early: BaseDatabaseWrapper) -> None:
    executor = MigrationExecutor(early)
    joined = {key for key, migration in executor.loader.disk_migrations.items() if migration.replaces}
    executor.loader.replace_migrations = False
    executor.loader.build_graph()
    ends = [key for key in executor.loader.graph.leaf_nodes() if key not in joined]
    plan = executor.migration_plan(ends)
    assert not joined & {(migration.app_label, migration.name) for migration, _backwards in plan}
    executor.migrate(ends, plan)
    for what, question in CATALOGUE.items():
        assert _answers(early, question) == _answers(connection, question), what


def _answers(database: BaseDatabaseWrapper, question: str) -> list[str]:
    with database.cursor() as cursor:
        cursor.execute(question)
        return sorted(map(str, cursor.fetchall()))
