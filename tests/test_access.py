"""Who gets in where: every address × every role × every method, compared with the table in access_table.csv.

Write the table anew with `WRITE_ACCESS_TABLE=1 pytest tests/test_access.py`, then read its diff like code: it is the policy.
Cells: in (the door opened, whatever happened behind it), login, 401, 403, 404, 405.
"""

import csv
import io
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from apps.accounts.models import User
from apps.projects.models import Project
from tests.access_objects import Objects
from tests.conftest import ClientOf
from tests.test_house import PUBLIC

TABLE = Path(__file__).with_name("access_table.csv")
ROLES = ("anonymous", "stranger", "viewer", "annotator", "reviewer", "product_manager", "administrator")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

pytestmark = pytest.mark.django_db
Answers = dict[tuple[str, str], dict[str, str]]  # (url name, method) -> role -> cell


@dataclass(frozen=True)
class Address:
    name: str
    parameters: frozenset[str]


def addresses() -> list[Address]:
    return sorted(_walk(get_resolver().url_patterns, frozenset()), key=lambda address: address.name)


def _walk(patterns: list[Any], above: frozenset[str]) -> Iterator[Address]:
    for pattern in patterns:
        parameters = above | set(pattern.pattern.regex.groupindex)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, parameters)
        elif isinstance(pattern, URLPattern):
            assert pattern.name, f"an address without a name: {pattern}"
            yield Address(pattern.name, parameters)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Two thousand refusals are what this test is for; the log of them is not."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def people(alice: User, bob: User, rita: User, dana: User, vic: User, charlie: User) -> dict[str, User]:
    members = {"viewer": vic, "annotator": bob, "reviewer": rita, "product_manager": dana, "administrator": alice}
    return {"stranger": charlie, **members}


def _cell(status: int, location: str) -> str:
    if status in {301, 302} and location.startswith("/accounts/login/"):
        return "login"
    return str(status) if status in {401, 403, 404, 405} else "in"


def _ask(client: Client, method: str, url: str, *, api: bool) -> Any:
    kind = "application/json" if api else "application/x-www-form-urlencoded"
    body = "{}" if api and method != "GET" else ""
    sent = {} if method == "GET" else {"content_type": kind, "data": body}
    return client.generic(method, url, **sent) if sent else client.get(url)


def _observe(project: Project, people: dict[str, User], client_of: ClientOf) -> tuple[Answers, list[str]]:
    objects, answers, broken = Objects(project), Answers(), []
    clients = {role: client_of(people[role]) if role in people else Client() for role in ROLES}
    for address in addresses():
        cache.clear()  # throttles count every attempt of this walk as one person's
        for role, client in clients.items():
            client.raise_request_exception = False
            url = reverse(address.name, kwargs=objects.parameters(address.name, address.parameters, people.get(role)))
            for method in METHODS:
                mark, cookies = transaction.savepoint(), client.cookies.copy()
                response = _ask(client, method, url, api=url.startswith("/api/"))
                transaction.savepoint_rollback(mark)
                client.cookies = cookies  # who signed out or changed the password is back
                if response.status_code >= 500:
                    broken.append(f"{method} {url} as {role}: {response.status_code} {response.exc_info[1]!r}")
                cell = _cell(response.status_code, response.headers.get("Location", ""))
                answers.setdefault((address.name, method), {})[role] = cell
    return answers, broken


def _lines(answers: Answers) -> list[list[str]]:
    """Methods of one address that everybody is answered alike share a line."""
    lines: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (name, method), cells in sorted(answers.items(), key=lambda row: (row[0][0], METHODS.index(row[0][1]))):
        lines.setdefault((name, tuple(cells[role] for role in ROLES)), []).append(method)
    return [[name, " ".join(methods), *cells] for (name, cells), methods in lines.items()]


def _text(lines: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(lines)
    return out.getvalue()


def _read() -> Answers:
    if not TABLE.exists():
        return {}
    rows = csv.DictReader(TABLE.read_text().splitlines())
    return {
        (row["address"], method): {role: row[role] for role in ROLES}
        for row in rows
        for method in row["methods"].split()
    }


def test_every_address_answers_every_role_as_the_table_says(
    project: Project, people: dict[str, User], client_of: ClientOf
) -> None:
    answers, broken = _observe(project, people, client_of)
    if os.environ.get("WRITE_ACCESS_TABLE"):
        TABLE.write_text(_text([["address", "methods", *ROLES], *_lines(answers)]))
    known = _read()
    assert not broken, "\n".join(broken)
    new = {row: cells for row, cells in answers.items() if row not in known}
    assert not new, f"Add to {TABLE.name}, if this is what you mean:\n{_text(_lines(new))}"
    wrong = [
        f"{name} {method} as {role}: the table says {known[name, method][role]}, the answer was {cell}"
        for (name, method), cells in answers.items()
        for role, cell in cells.items()
        if known[name, method][role] != cell
    ]
    assert not wrong, "\n".join(wrong)
    gone = sorted({name for name, _method in known} - {name for name, _method in answers})
    assert not gone, f"Take these lines out of {TABLE.name}: {gone}"


def _rows(where: Callable[[Address], bool]) -> list[tuple[str, str, dict[str, str]]]:
    names = {address.name for address in addresses() if where(address)}
    return [(name, method, cells) for (name, method), cells in _read().items() if name in names]


def test_the_table_lets_no_stranger_into_a_project() -> None:
    for name, method, cells in _rows(lambda address: "slug" in address.parameters):
        assert cells["stranger"] in {"404", "405"}, f"{name} {method}"


def test_the_table_lets_nobody_in_without_an_account() -> None:
    for name, method, cells in _rows(lambda address: address.name not in PUBLIC):
        assert cells["anonymous"] in {"login", "401", "404", "405"}, f"{name} {method}"


def test_the_table_gives_no_role_more_than_an_administrator() -> None:
    for name, method, cells in _rows(lambda address: "slug" in address.parameters):
        if "in" in cells.values():
            assert cells["administrator"] == "in", f"{name} {method}"


def test_the_table_keeps_viewers_from_changing_anything() -> None:
    for name, method, cells in _rows(lambda address: "slug" in address.parameters):
        # asking the model is reading: a host product's account is a viewer with a token of that scope;
        # a list that one keeps for oneself is one's own
        if method != "GET" and not name.startswith(("api_predict", "saved_view", "api_explore_view")):
            assert cells["viewer"] != "in", f"{name} {method}"
