"""Promises of the whole house: what is loaded, who gets in, what is documented, how it is written."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.converters import get_converters

from apps.config import env
from apps.projects.models import Project

BASE = Path(__file__).resolve().parents[1]
OURS = ("apps", "workers", "tests")
PYTHON = sorted(path for folder in OURS for path in (BASE / folder).rglob("*.py"))
TEMPLATES = sorted((BASE / "templates").rglob("*.html"))
MOST_LINES = 450
TOP_LEVEL = {
    *(".ci", ".env.example", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "manage.py"),
    *("pyproject.toml", "requirements.txt", "apps", "static", "templates", "tests", "workers"),
}

# who has no account yet, or has forgotten the password, must get this far
PUBLIC = {
    *("account_login", "account_logout", "account_inactive"),
    *("account_reset_password", "account_reset_password_done", "account_reset_password_from_key"),
    *("account_reset_password_from_key_done", "invitation_accept"),
    "survey_page",  # a survey's link is for people outside
}


def _relative(path: Path) -> str:
    return str(path.relative_to(BASE))


# --- what is loaded -----------------------------------------------------------------------------------

LOADS_EVERYTHING_A_WEB_PROCESS_MAY = """
import sys
import apps.config.wsgi
from django.urls import get_resolver
from workers.app import app
def walk(patterns):
    for each in patterns:
        walk(each.url_patterns) if hasattr(each, "url_patterns") else each.callback
walk(get_resolver().url_patterns)
app.loader.import_default_modules()
print(sorted({"torch", "transformers", "sklearn", "scipy.stats", "scipy.optimize"} & set(sys.modules)))
"""


def _python(code: str, **settings: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=BASE, env=os.environ | settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_web_process_never_loads_torch_nor_what_else_takes_a_second() -> None:
    assert _python(LOADS_EVERYTHING_A_WEB_PROCESS_MAY, DJANGO_SETTINGS_MODULE="apps.config.settings") == "[]"


def test_workers_know_no_django() -> None:
    for path in sorted((BASE / "workers").rglob("*.py")):
        for name in _imports(path):
            assert name.split(".")[0] not in {"django", "rest_framework", "apps"}, f"{_relative(path)} imports {name}"


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_every_scheduled_and_routed_task_exists() -> None:
    from workers.app import app

    app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert scheduled | set(app.conf.task_routes) <= set(app.tasks)


# --- who gets in --------------------------------------------------------------------------------------

EXAMPLES = {"slug": "bank", "int": "1", "uuid": "6a204bd8-9f4e-4bb6-8f0b-0d4a8c3b6f11", "str": "x", "path": "x"}
KIND_OF = {type(converter): kind for kind, converter in get_converters().items()}


def every_url() -> list[tuple[str, str]]:
    return sorted(set(_walk(get_resolver().url_patterns, "/")))


def _walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[tuple[str, str]]:
    for each in patterns:
        here = before + _example(each)
        if isinstance(each, URLResolver):
            yield from _walk(each.url_patterns, here)
        else:
            yield here, each.name or ""


def _example(each: URLPattern | URLResolver) -> str:
    route = str(each.pattern)
    for name, converter in each.pattern.converters.items():
        route = re.sub(rf"<(\w+:)?{name}>", EXAMPLES[KIND_OF.get(type(converter), "str")], route)
    if route.startswith("^"):  # a regular expression: allauth's and DRF's
        route = re.sub(r"\(\?P<\w+>[^)]*\)", "x", route).strip("^$").replace("\\", "").replace("?", "")
    return route


@pytest.mark.parametrize(("url", "name"), every_url())
def test_a_visitor_without_an_account_is_refused(client: Client, project: Project, url: str, name: str) -> None:
    if name in PUBLIC:
        return
    statuses = set()
    for method in ("get", "post", "put", "patch", "delete"):
        answer = getattr(client, method)(url)
        statuses.add(answer.status_code)
        if answer.status_code == 302:
            assert answer["Location"].startswith("/accounts/login/"), f"{method} {url} leads to {answer['Location']}"
        else:
            assert answer.status_code in {401, 403, 405}, f"{method} {url}: {answer.status_code}"
    assert statuses != {405}, f"{url} answers no method"


def test_the_public_list_names_only_what_exists() -> None:
    assert {name for _, name in every_url()} >= PUBLIC


# --- what is documented -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(env.NAMES))
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in (BASE / "README.md").read_text()
    assert re.search(rf"^#?{name}=", (BASE / ".env.example").read_text(), re.MULTILINE)


@pytest.mark.parametrize("line", re.findall(r"^#?([A-Z_]+)=", (BASE / ".env.example").read_text(), re.MULTILINE))
def test_no_setting_is_documented_that_does_not_exist(line: str) -> None:
    assert line in env.NAMES


# --- how it is written --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.parametrize("piece", [path for path in TEMPLATES if path.name.startswith("_")], ids=_relative)
def test_every_piece_is_used(piece: Path) -> None:
    name = str(piece.relative_to(BASE / "templates"))
    users = [path for path in (*TEMPLATES, *(path for path in PYTHON if "apps" in path.parts)) if path != piece]
    assert any(name in path.read_text() for path in users), f"nothing includes or renders {name}"


FORBIDDEN_IN_TEMPLATES = {
    "an inline script": r"<script(?![^>]*\bsrc=)",
    "a style attribute": r"\sstyle\s*=",
    "a style element": r"<style\b",
    "an event attribute": r"<[^>]*\son\w+\s*=",
    "hx-on": r"\bhx-on\b",
    "a javascript: address": r"javascript:",
    "|safe": r"\|\s*safe\b",
    "autoescape off": r"autoescape\s+off",
    "an address of somebody else": r"(?:src|href)=\"https?://",
}


@pytest.mark.parametrize("template", TEMPLATES, ids=_relative)
def test_templates_hold_nothing_that_the_csp_forbids(template: Path) -> None:
    text = template.read_text()
    for what, pattern in FORBIDDEN_IN_TEMPLATES.items():
        found = re.search(pattern, text)
        assert found is None, f"{what}: {found.group(0)!r}" if found else ""


NOT_WORDS = re.compile(
    r"\{% blocktrans(?:late)?\b.*?%\}.*?\{% endblocktrans(?:late)? %\}|\{% comment %\}.*?\{% endcomment %\}"
    r"|\{% block \w+_class %\}.*?\{% endblock %\}|<pre[^>]*>.*?</pre>|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<!--.*?-->|<kbd[^>]*>.*?</kbd>|<code[^>]*>.*?</code>|&\w+;",
    re.DOTALL,
)
SPOKEN_ATTRIBUTE = re.compile(r"\b(?:title|aria-label|placeholder|alt)=\"([^\"]*[A-Za-z]{2}[^\"]*)\"")
NAMES = {"Marginalia", "CSV", "JSON", "JSONL", "Markdown", "API", "F1"}


@pytest.mark.parametrize("template", TEMPLATES, ids=_relative)
def test_every_word_that_people_read_can_be_translated(template: Path) -> None:
    text = NOT_WORDS.sub(" ", template.read_text())
    spoken = SPOKEN_ATTRIBUTE.findall(text) + re.findall(r"[A-Za-z][A-Za-z'’]+", re.sub(r"<[^>]*>", " ", text))
    assert [word for word in spoken if word not in NAMES] == []


@pytest.mark.parametrize("path", [path for path in PYTHON if "apps" in path.parts], ids=_relative)
def test_no_lookup_is_built_from_what_a_user_sent(path: Path) -> None:
    """filter(**request.GET) lets anybody ask about any column, passwords included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr in {"filter", "exclude", "get", "order_by"}:
            starred = [ast.unparse(word.value) for word in node.keywords if word.arg is None]
            assert not starred, f"{_relative(path)}:{node.lineno} expands {starred[0]}"


SANITISER = BASE / "apps/common/markdown.py"


@pytest.mark.parametrize("path", [path for path in PYTHON if "tests" not in path.parts], ids=_relative)
def test_nobody_declares_text_safe_or_runs_data_as_code(path: Path) -> None:
    names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
    assert not names & {"pickle", "eval", "exec", "joblib"}
    assert path == SANITISER or "mark_safe" not in names


WRITTEN = [
    *PYTHON,
    *TEMPLATES,
    *(path for kind in ("css", "js") for path in sorted((BASE / "static" / kind).rglob(f"*.{kind}"))),
]


@pytest.mark.parametrize("path", [path for path in WRITTEN if "migrations" not in path.parts], ids=_relative)
def test_files_stay_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_the_top_level_holds_only_what_it_should() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=BASE, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert {name.split("/")[0] for name in listed.stdout.split("\0") if name} <= TOP_LEVEL
