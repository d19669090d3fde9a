"""Every string of the product stands in Simplified Chinese, with the same placeholders, and the compiled file is fresh."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from django.utils.translation import gettext, override
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "apps" / "config" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
MARKERS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "gettext_noop"}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w+\}")
QUOTED = r"""(u?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))"""
IN_TEMPLATE = re.compile(rf"\b(?:gettext|ngettext|_)\(\s*{QUOTED}")


def in_python(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            first = node.args[0]
            if name in MARKERS and isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value:
                yield first.value


def in_template(path: Path) -> Iterator[str]:
    for found in IN_TEMPLATE.finditer(templatize(path.read_text(encoding="utf-8"))):
        yield ast.literal_eval(found.group(1))


def strings() -> set[str]:
    python = [s for path in (ROOT / "apps").rglob("*.py") if "migrations" not in path.parts for s in in_python(path)]
    template = [
        s for path in (ROOT / "templates").rglob("*.*") if path.suffix in {".html", ".txt"} for s in in_template(path)
    ]
    return {*python, *template}


def test_the_search_for_strings_finds_them() -> None:
    found = strings()
    assert len(found) > 700
    assert {"Submit", "My projects", "Administrator"} <= found


def test_every_string_is_translated() -> None:
    there = {entry.msgid for entry in polib.pofile(str(CATALOGUE)) if entry.translated() and not entry.obsolete}
    assert sorted(strings() - there) == []


@pytest.mark.parametrize("entry", polib.pofile(str(CATALOGUE)), ids=lambda entry: entry.msgid[:40])
def test_placeholders_survive_translation(entry: polib.POEntry) -> None:
    wanted = set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
    for said in [entry.msgstr, *entry.msgstr_plural.values()]:
        assert not said or set(PLACEHOLDER.findall(said)) == wanted


def test_the_compiled_catalogue_is_fresh() -> None:
    source = {e.msgid: (e.msgstr, e.msgstr_plural) for e in polib.pofile(str(CATALOGUE)) if not e.obsolete}
    compiled = {e.msgid: (e.msgstr, e.msgstr_plural) for e in polib.mofile(str(CATALOGUE.with_suffix(".mo")))}
    assert compiled == source


def test_chinese_is_what_a_chinese_reader_gets() -> None:
    with override("zh-hans"):
        assert gettext("Submit") == "提交"
