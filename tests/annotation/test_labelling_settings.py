"""Settings of labelling and groups of people, as pages and through the API."""

from uuid import uuid4

import pytest

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Audience, Task
from apps.annotation.services import Answer
from apps.projects.models import Project
from tests.annotation import make
from tests.conftest import ClientOf

PAGE, GROUPS, API = "/p/bank/settings/labelling/", "/p/bank/settings/groups/", "/api/v1/projects/bank/"
FIELDS = {
    "overlap_share": "0.1",
    "overlap_wanted": "3",
    "blind_share": "0.2",
    "consensus": "dawid_skene",
    "adjudicate_below": "0.6",
    "gold_share": "0.05",
    "training_items": "4",
    "gold_floor": "0.7",
    "ranking_shown": "on",
    "undecided": " unclear \n\nneeds an expert\nunclear\n",
}


def test_the_page_keeps_what_was_set(project: Project, alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    assert client.post(PAGE, FIELDS).status_code == 302
    project.refresh_from_db()
    assert (project.overlap_share, project.blind_share, project.gold_floor) == (0.1, 0.2, 0.7)
    assert (project.consensus, project.training_items, project.ranking_shown) == ("dawid_skene", 4, True)
    assert project.undecided_reasons == ["unclear", "needs an expert"]
    page = client.get(PAGE).content.decode()
    assert "unclear\nneeds an expert</textarea>" in page
    assert "Newcomers should begin with 4 gold items, but there are 0" in page
    assert 'name="overlapping"' not in page, "only spans overlap"
    Project.objects.update(task_kind="spans")
    assert 'name="overlapping"' in client.get(PAGE).content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"overlap_share": "1.5"},
        {"blind_share": "-0.1"},
        {"overlap_wanted": "1"},
        {"gold_share": "0.6"},
        {"consensus": "coin"},
        {"undecided": "x" * 121},
        {"undecided": "\n".join(map(str, range(21)))},
        {"training_items": "many"},
    ],
)
def test_what_makes_no_sense_is_said_beside_its_field(
    project: Project, alice: User, client_of: ClientOf, wrong: dict[str, str]
) -> None:
    answer = client_of(alice).post(PAGE, FIELDS | wrong)
    assert answer.status_code == 422
    assert 'class="error"' in answer.content.decode()
    assert Project.objects.get().overlap_share == 0


def test_the_api_changes_one_setting_and_leaves_the_others(project: Project, alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    changed = client.patch(
        API + "labelling/", {"undecided_reasons": ["unclear"], "blind_share": 0.3}, content_type="application/json"
    )
    assert (changed.status_code, changed.json()["blind_share"]) == (200, 0.3)
    assert client.get(API + "labelling/").json()["undecided_reasons"] == ["unclear"]
    for wrong in ({"blind_share": 2}, {"undecided_reasons": ["x" * 121]}, {"overlap_wanted": 1}):
        assert client.patch(API + "labelling/", wrong, content_type="application/json").status_code in {400, 422}


def test_groups_are_made_changed_and_deleted(
    project: Project, alice: User, bob: User, rita: User, vic: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    assert "every text is for everybody" in client.get(GROUPS).content.decode()
    assert client.post(GROUPS, {"name": "experts", "people": [bob.pk, rita.pk]}).status_code == 302
    group = Audience.objects.get()
    assert set(group.people.all()) == {bob, rita}
    assert client.post(GROUPS, {"name": "experts", "people": [bob.pk]}).status_code == 422
    assert client.post(GROUPS, {"name": "nobody"}).status_code == 422
    assert client.post(GROUPS, {"name": "viewers", "people": [vic.pk]}).status_code == 422
    make.items(project, 2)
    services.take_in(project)
    Task.objects.update(audience=group)
    page = client.get(GROUPS).content.decode()
    assert "Bob, Rita" in page
    assert "2 texts wait" in page
    url = f"{GROUPS}{group.pk}/"
    assert 'value="experts"' in client.get(url).content.decode()
    assert client.post(url, {"name": "the best", "people": [rita.pk]}).status_code == 302
    group.refresh_from_db()
    assert (group.name, list(group.people.all())) == ("the best", [rita])
    assert services.claim(project, bob) == []
    assert client.post(url + "delete/").status_code == 302
    assert len(services.claim(project, bob)) == 2, "what waited is for everybody"


def test_a_group_of_another_project_is_not_found(project: Project, alice: User, client_of: ClientOf) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="x")
    foreign = Audience.objects.create(project=other, name="experts")
    unnamed = Audience.objects.create(project=project)
    for group in (foreign, unnamed):
        assert client_of(alice).get(f"{GROUPS}{group.pk}/").status_code == 404
        assert client_of(alice).post(f"{GROUPS}{group.pk}/delete/").status_code == 404
        assert client_of(alice).delete(f"{API}groups/{group.pk}/").status_code == 404


def test_groups_through_the_api(project: Project, alice: User, bob: User, charlie: User, client_of: ClientOf) -> None:
    client = client_of(alice)

    def send(method: str, path: str, **body: object) -> tuple[int, dict[str, object]]:
        answer = getattr(client, method)(API + path, body, content_type="application/json")
        return answer.status_code, answer.json()

    status, made = send("post", "groups/", name="experts", people=[bob.email.upper()])
    assert (status, made["people"]) == (201, [bob.email])
    assert send("post", "groups/", name="experts", people=[bob.email])[0] == 422
    assert send("post", "groups/", name="strangers", people=[charlie.email])[0] == 422
    assert send("post", "groups/", name="", people=[bob.email])[0] in {400, 422}
    status, changed = send("put", f"groups/{made['id']}/", name="first", people=[alice.email])
    assert (status, changed["name"], changed["people"]) == (200, "first", [alice.email])
    assert [group["name"] for group in client.get(API + "groups/").json()["results"]] == ["first"]
    assert client.delete(f"{API}groups/{made['id']}/").status_code == 204
    assert not Audience.objects.exists()


def test_settings_reach_the_queue(project: Project, alice: User, bob: User, client_of: ClientOf) -> None:
    make.items(project, 4)
    services.take_in(project)
    client_of(alice).post(PAGE, FIELDS | {"overlap_share": "1", "training_items": "0"})
    project.refresh_from_db()
    lease = services.claim(project, bob)[0]
    assert Task.objects.get(pk=lease.task_id).wanted == 3
    said = services.submit(project, bob, Answer(lease.token, uuid4(), undecided="unclear")).annotation
    assert said.undecided == "unclear"


def test_only_who_manages_sees_these_pages(
    project: Project, bob: User, rita: User, charlie: User, client_of: ClientOf
) -> None:
    for path in (PAGE, GROUPS):
        assert client_of(bob).get(path).status_code == 403
        assert client_of(rita).post(path, FIELDS).status_code == 403
        assert client_of(charlie).get(path).status_code == 404
