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

BASE = Path(__file__).resolve().parents[1]
OURS = ("apps", "workers", "tests")
PYTHON = sorted(path for folder in OURS for path in (BASE / folder).rglob("*.py"))
APPS = [path for path in PYTHON if path.is_relative_to(BASE / "apps")]
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


@pytest.mark.usefixtures("project")
def test_a_visitor_without_an_account_is_refused(client: Client) -> None:
    private = [url for url, name in every_url() if name not in PUBLIC]
    assert [said for url in private for said in _let_in(client, url)] == []


def _let_in(client: Client, url: str) -> Iterator[str]:
    """Where and how the address answers somebody unknown with more than a refusal."""
    statuses = set()
    for method in ("get", "post", "put", "patch", "delete"):
        answer = getattr(client, method)(url)
        statuses.add(answer.status_code)
        if answer.status_code == 302:
            if not answer["Location"].startswith("/accounts/login/"):
                yield f"{method} {url} leads to {answer['Location']}"
        elif answer.status_code not in {401, 403, 405}:
            yield f"{method} {url}: {answer.status_code}"
    if statuses == {405}:
        yield f"{url} answers no method"


def test_the_public_list_names_only_what_exists() -> None:
    assert {name for _, name in every_url()} >= PUBLIC


# --- what is documented -------------------------------------------------------------------------------


def test_every_setting_is_documented_and_no_other() -> None:
    readme = (BASE / "README.md").read_text()
    assert [name for name in env.NAMES if f"`{name}`" not in readme] == []
    assert set(re.findall(r"^#?([A-Z_]+)=", (BASE / ".env.example").read_text(), re.MULTILINE)) == set(env.NAMES)


# --- how it is written --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_every_piece_is_used() -> None:
    users = {path: path.read_text() for path in (*TEMPLATES, *APPS)}
    pieces = {path: str(path.relative_to(BASE / "templates")) for path in TEMPLATES if path.name.startswith("_")}
    used = {piece for piece, name in pieces.items() for path, text in users.items() if path != piece and name in text}
    assert sorted(pieces[piece] for piece in pieces.keys() - used) == []


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


def test_templates_hold_nothing_that_the_csp_forbids() -> None:
    for template in TEMPLATES:
        text = template.read_text()
        for what, pattern in FORBIDDEN_IN_TEMPLATES.items():
            found = re.search(pattern, text)
            assert found is None, f"{_relative(template)} has {what}: {found.group(0)!r}" if found else ""


NOT_WORDS = re.compile(
    r"\{% blocktrans(?:late)?\b.*?%\}.*?\{% endblocktrans(?:late)? %\}|\{% comment %\}.*?\{% endcomment %\}"
    r"|\{% block \w+_class %\}.*?\{% endblock %\}|<pre[^>]*>.*?</pre>|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<!--.*?-->|<kbd[^>]*>.*?</kbd>|<code[^>]*>.*?</code>|&\w+;",
    re.DOTALL,
)
SPOKEN_ATTRIBUTE = re.compile(r"\b(?:title|aria-label|placeholder|alt)=\"([^\"]*[A-Za-z]{2}[^\"]*)\"")
NAMES = {"Marginalia", "CSV", "JSON", "JSONL", "Markdown", "API", "F1"}


def test_every_word_that_people_read_can_be_translated() -> None:
    for template in TEMPLATES:
        text = NOT_WORDS.sub(" ", template.read_text())
        spoken = SPOKEN_ATTRIBUTE.findall(text) + re.findall(r"[A-Za-z][A-Za-z'’]+", re.sub(r"<[^>]*>", " ", text))
        assert [word for word in spoken if word not in NAMES] == [], _relative(template)


def test_no_lookup_is_built_from_what_a_user_sent() -> None:
    """filter(**request.GET) lets anybody ask about any column, passwords included."""
    for path in APPS:
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr in {"filter", "exclude", "get", "order_by"}:
                starred = [ast.unparse(word.value) for word in node.keywords if word.arg is None]
                assert not starred, f"{_relative(path)}:{node.lineno} expands {starred[0]}"


SANITISER = BASE / "apps/common/markdown.py"


def test_nobody_declares_text_safe_or_runs_data_as_code() -> None:
    for path in (path for path in PYTHON if "tests" not in path.relative_to(BASE).parts):
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        assert not names & {"pickle", "eval", "exec", "joblib"}, _relative(path)
        assert path == SANITISER or "mark_safe" not in names, _relative(path)


WRITTEN = [
    *PYTHON,
    *TEMPLATES,
    *(path for kind in ("css", "js") for path in sorted((BASE / "static" / kind).rglob(f"*.{kind}"))),
]


def test_files_stay_short_enough_to_read() -> None:
    lines = {_relative(path): len(path.read_text().splitlines()) for path in WRITTEN if "migrations" not in path.parts}
    assert {path: n for path, n in lines.items() if n > MOST_LINES} == {}


def test_the_top_level_holds_only_what_it_should() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=BASE, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert {name.split("/")[0] for name in listed.stdout.split("\0") if name} <= TOP_LEVEL
