import re

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.annotation.models import Resolution
from apps.learning import curve
from apps.learning.models import CurvePoint
from apps.projects.models import Label, Project
from tests.conftest import ClientOf
from tests.learning import rows

ADDRESS = "/p/bank/train/curve/"


def _point(project: Project, revision: int, n_labels: int, accuracy: float, n: int = 100) -> CurvePoint:
    return CurvePoint.objects.create(
        project=project,
        revision=revision,
        n_labels=n_labels,
        n_holdout=n,
        accuracy=accuracy,
        low=max(0, accuracy - 0.1),
        high=min(1, accuracy + 0.1),
        macro_f1=accuracy - 0.02,
    )


def test_the_newest_value_stands_beside_the_line_and_in_words(project: Project, vic: User, client_of: ClientOf) -> None:
    for revision, (labels, accuracy) in enumerate([(10, 0.2), (20, 0.4), (30, 0.55)], start=1):
        _point(project, revision, labels, accuracy)
    page = client_of(vic).get(ADDRESS)
    text = page.content.decode()
    assert page.status_code == 200
    assert ">55.0 %</text>" in text
    assert "Accuracy after 30 labels: 55.0 % of 100 held-out items" in text
    assert text.count('<td class="num">') == 15
    assert "style=" not in text
    line = re.search(r'class="line" points="([^"]*)"', text)
    assert line is not None
    heights = [float(pair.split(",")[1]) for pair in line[1].split()]
    assert heights == sorted(heights, reverse=True)  # upwards is better


def test_asking_again_for_what_is_shown_answers_without_content(
    project: Project, vic: User, client_of: ClientOf
) -> None:
    _point(project, 3, 10, 0.5)
    client = client_of(vic)
    again = re.search(r'hx-get="([^"]*)"', client.get(f"{ADDRESS}?size=large").content.decode())
    assert again is not None
    address = again[1].replace("&amp;", "&")
    assert "size=large" in address
    assert client.get(address).status_code == 204
    _point(project, 4, 15, 0.6)
    assert client.get(address).status_code == 200


def test_without_held_out_labels_it_says_what_to_do(project: Project, vic: User, client_of: ClientOf) -> None:
    client = client_of(vic)
    first = client.get(ADDRESS).content.decode()
    assert "label the first few" in first
    address = re.search(r'hx-get="([^"]*)"', first)
    assert address is not None
    assert client.get(address[1].replace("&amp;", "&")).status_code == 204
    (item,) = rows.items(project, ["held"], holdout_every=1)
    Resolution.objects.create(
        item=item, project=project, split="holdout", label=Label.objects.first(), how=Resolution.How.SINGLE
    )
    second = client.get(address[1].replace("&amp;", "&")).content.decode()
    assert "1 held-out item is labelled" in second


def test_strangers_do_not_learn_that_it_exists(project: Project, charlie: User, client_of: ClientOf) -> None:
    assert client_of(charlie).get(ADDRESS).status_code == 404
    assert Client().get(ADDRESS).status_code == 302


def test_only_the_last_point_of_a_number_of_labels_is_drawn(project: Project) -> None:
    from apps.learning import queries

    _point(project, 1, 10, 0.2)
    _point(project, 2, 10, 0.3, n=200)
    _point(project, 3, 20, 0.4)
    assert [(p.n_labels, p.accuracy) for p in queries.curve_points(project)] == [(10, 0.3), (20, 0.4)]


def test_the_api_gives_the_same_points(project: Project, vic: User, client_of: ClientOf) -> None:
    _point(project, 1, 10, 0.25)
    answer = client_of(vic).get("/api/v1/projects/bank/curve/")
    assert answer.status_code == 200
    (point,) = answer.json()
    assert (point["n_labels"], point["accuracy"]) == (10, 0.25)


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("labels", [1, 9, 77, 1_000, 123_456])
def test_everything_drawn_lies_on_the_paper(size: curve.Size, labels: int) -> None:
    points = [
        CurvePoint(
            n_labels=round(labels * n / 500), accuracy=n / 500, low=max(0, n / 500 - 0.1), high=min(1, n / 500 + 0.1)
        )
        for n in range(501)
    ]
    drawing = curve.draw(points, size)
    assert len(drawing.line.split()) == curve.MOST_POINTS
    for pair in (drawing.line + " " + drawing.band).split():
        x, y = map(float, pair.split(","))
        assert drawing.left <= x <= drawing.right
        assert drawing.top <= y <= drawing.bottom
    assert drawing.x_ticks[0].text == "0"
    assert len(drawing.x_ticks) <= 9
    assert 0 < drawing.label_x <= drawing.width
