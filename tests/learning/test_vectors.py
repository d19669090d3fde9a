import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from apps.learning import vectors
from apps.projects.models import Project
from tests.learning import rows
from tests.learning.rows import DIGEST


@pytest.fixture(autouse=True)
def _fresh(project: Project):
    vectors.forget(project.pk)
    yield
    vectors.forget(project.pk)


@pytest.fixture
def made(project: Project):
    items = rows.items(project, [f"text {n}" for n in range(300)], holdout_every=10)
    x = rows.unit(np.random.default_rng(0).standard_normal((300, 24)).astype(np.float32))
    rows.vectors_for(items, x)
    return items, x


def _folder(project: Project) -> Path:
    return Path(settings.HOME) / "cache" / "vectors" / f"{project.pk}-{DIGEST[:12]}"


def test_the_pool_on_disk_equals_the_database_and_holds_no_holdout_item(project: Project, made) -> None:
    items, x = made
    pool = vectors.pool(project.pk, DIGEST, items[-1].pk)
    in_pool = [n for n, item in enumerate(items) if item.split == "pool"]
    assert sorted(pool.ids) == [items[n].pk for n in in_pool]
    at = pool.places(np.array([items[n].pk for n in in_pool]))
    assert np.array_equal(np.asarray(pool.rows[at]), x[in_pool].astype(np.float16))
    assert (pool.places(np.array([item.pk for item in items if item.split == "holdout"])) == -1).all()


def test_what_arrives_later_is_appended_and_the_rest_not_read_again(project: Project, made, monkeypatch) -> None:
    items, _ = made
    first = vectors.pool(project.pk, DIGEST, items[149].pk)
    assert len(first) == 135
    vectors._open.clear()  # another process
    read = []
    copy = vectors.binary.copy_vectors

    def counting(connection, query):
        for ids, block in copy(connection, query):
            read.append(len(ids))
            yield ids, block

    monkeypatch.setattr(vectors.binary, "copy_vectors", counting)
    second = vectors.pool(project.pk, DIGEST, items[-1].pk)
    assert len(second) == 270
    assert sum(read) == 135 + vectors.PROBES
    assert np.array_equal(second.ids[:135], first.ids)
    read.clear()
    assert vectors.pool(project.pk, DIGEST, items[-1].pk) is second
    assert read == []


@pytest.mark.parametrize("damage", ["short", "flipped", "no meta", "broken meta", "twice"])
def test_damaged_files_are_read_again_from_the_database(project: Project, made, damage: str) -> None:
    items, _ = made
    whole = vectors.pool(project.pk, DIGEST, items[-1].pk)
    expected = np.array(whole.rows[whole.places(np.array([items[5].pk]))])
    vectors._open.clear()
    folder = _folder(project)
    data = (folder / "rows.f16").read_bytes()
    if damage == "short":
        (folder / "rows.f16").write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        (folder / "rows.f16").write_bytes(bytes(len(data)))
    elif damage == "no meta":
        (folder / "meta.json").unlink()
    elif damage == "broken meta":
        (folder / "meta.json").write_text("{")
    else:
        ids = np.fromfile(folder / "ids.i64", dtype="<i8")
        ids[1] = ids[0]
        ids.tofile(folder / "ids.i64")
    again = vectors.pool(project.pk, DIGEST, items[-1].pk)
    assert len(again) == 270
    assert np.array_equal(np.array(again.rows[again.places(np.array([items[5].pk]))]), expected)


def test_files_of_another_database_are_not_believed(project: Project, made) -> None:
    items, _ = made
    vectors.pool(project.pk, DIGEST, items[-1].pk)
    vectors._open.clear()
    ids = np.fromfile(_folder(project) / "ids.i64", dtype="<i8")
    (ids + 1_000_000).tofile(_folder(project) / "ids.i64")
    assert set(vectors.pool(project.pk, DIGEST, items[-1].pk).ids) == set(ids)


def test_what_a_killed_writer_left_behind_the_mark_is_cut_off(project: Project, made) -> None:
    items, _ = made
    vectors.pool(project.pk, DIGEST, items[149].pk)
    vectors._open.clear()
    for name in ("rows.f16", "ids.i64"):
        with (_folder(project) / name).open("ab") as file:
            file.write(b"torn")
    pool = vectors.pool(project.pk, DIGEST, items[-1].pk)
    assert len(pool) == len(set(pool.ids)) == 270


def test_another_encoder_gets_its_own_files_and_the_old_ones_go(project: Project, made) -> None:
    items, x = made
    vectors.pool(project.pk, DIGEST, items[-1].pk)
    rows.vectors_for(items, x[:, :12], digest="e" * 64)
    assert vectors.pool(project.pk, "e" * 64, items[-1].pk).rows.shape == (270, 12)
    assert not _folder(project).exists()


def test_an_empty_pool_is_an_empty_array(project: Project) -> None:
    pool = vectors.pool(project.pk, DIGEST, 10)
    assert len(pool) == 0
    assert pool.places(np.array([1, 2])).tolist() == [-1, -1]


def _open_in_child(project_id: int, through: int, results) -> None:
    from django.db import connections

    connections.close_all()
    found = vectors.pool(project_id, DIGEST, through)
    results.put((len(found), float(np.asarray(found.rows, dtype=np.float32).sum())))


@pytest.mark.django_db(transaction=True)
def test_several_processes_at_once_end_with_the_same_files(project: Project, made) -> None:
    from django.db import connections

    items, _ = made
    vectors._open.clear()
    connections.close_all()
    fork = multiprocessing.get_context("fork")
    results = fork.Queue()
    children = [fork.Process(target=_open_in_child, args=(project.pk, items[-1].pk, results)) for _ in range(4)]
    for child in children:
        child.start()
    found = [results.get(timeout=120) for _ in children]
    for child in children:
        child.join(60)
    assert len(set(found)) == 1
    assert found[0][0] == 270
    assert (_folder(project) / "rows.f16").stat().st_size == 270 * 24 * 2
