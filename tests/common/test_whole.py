import pytest
from django.test import Client

from apps.accounts.models import User
from apps.common.forms import LARGEST, whole
from apps.projects.models import Project
from tests.conftest import ClientOf


@pytest.mark.parametrize("given", ["", "x", "-1", "1.5", "1e3", "²", "٣", "１", " 1", "9" * 5_000, str(LARGEST + 1)])
def test_what_names_no_row_is_none(given: str) -> None:
    assert whole(given) is None


@pytest.mark.parametrize(("given", "number"), [("0", 0), ("7", 7), ("007", 7), (str(LARGEST), LARGEST)])
def test_a_number_is_one(given: str, number: int) -> None:
    assert whole(given) == number


def test_no_more_than_a_column_holds() -> None:
    assert (whole("99", 99), whole("100", 99)) == (99, None)


@pytest.mark.parametrize("given", ["²", "9" * 5_000, str(LARGEST)])
@pytest.mark.parametrize(
    "page",
    [
        *("labels/?edit=", "label/?item=", "label/?after=", "review/?answer=", "adjudicate/?row="),
        *("adjudicate/?after=", "label-errors/?after=", "items/?done=", "similar/?done=", "triage/find/?ticket="),
        "triage/pulse/?signature=",
    ],
)
def test_an_odd_number_in_an_address_is_no_fault_of_the_server(
    project: Project, alice: User, client_of: ClientOf, page: str, given: str
) -> None:
    client: Client = client_of(alice)
    assert client.get(f"/p/bank/{page}1").status_code != 404
    assert client.get(f"/p/bank/{page}{given}").status_code < 500


@pytest.mark.parametrize("given", ["²", "9" * 5_000, str(LARGEST)])
def test_nor_is_a_search_for_one(project: Project, alice: User, client_of: ClientOf, given: str) -> None:
    assert client_of(alice).get("/p/bank/triage/", {"q": f"#{given}"}).status_code < 500
