"""Every string of the product stands in Simplified Chinese, with the same placeholders, and the compiled file is fresh."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import polib
from django.utils.translation import gettext, override
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "apps" / "config" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
MARKERS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "gettext_noop"}
IN_CONTEXT = {"pgettext", "pgettext_lazy"}  # one English word, several Chinese ones
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w+\}")
QUOTED = r"""(u?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))"""
IN_TEMPLATE = re.compile(rf"\b(?:gettext|ngettext|_)\(\s*{QUOTED}")
IN_TEMPLATE_CONTEXT = re.compile(rf"\bpgettext\(\s*{QUOTED},\s*{QUOTED}")
String = tuple[str | None, str]  # context, English


def in_python(path: Path) -> Iterator[String]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            said = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if name in MARKERS and said and said[0] and isinstance(node.args[0], ast.Constant):
                yield None, said[0]
            elif name in IN_CONTEXT and len(said) == 2:
                yield said[0], said[1]


def in_template(path: Path) -> Iterator[String]:
    source = templatize(path.read_text(encoding="utf-8"))
    for found in IN_TEMPLATE.finditer(source):
        yield None, ast.literal_eval(found.group(1))
    for found in IN_TEMPLATE_CONTEXT.finditer(source):
        yield ast.literal_eval(found.group(1)), ast.literal_eval(found.group(2))


def strings() -> set[String]:
    python = [s for path in (ROOT / "apps").rglob("*.py") if "migrations" not in path.parts for s in in_python(path)]
    template = [
        s for path in (ROOT / "templates").rglob("*.*") if path.suffix in {".html", ".txt"} for s in in_template(path)
    ]
    return {*python, *template}


def test_the_search_for_strings_finds_them() -> None:
    found = strings()
    assert len(found) > 700
    assert {(None, "Submit"), (None, "My projects"), (None, "Administrator"), ("to do", "Label")} <= found


def test_every_string_is_translated() -> None:
    entries = polib.pofile(str(CATALOGUE))
    there = {(entry.msgctxt, entry.msgid) for entry in entries if entry.translated() and not entry.obsolete}
    assert sorted(strings() - there, key=str) == []


def test_placeholders_survive_translation() -> None:
    for entry in polib.pofile(str(CATALOGUE)):
        wanted = set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
        for said in filter(None, [entry.msgstr, *entry.msgstr_plural.values()]):
            assert set(PLACEHOLDER.findall(said)) == wanted, said


def test_the_compiled_catalogue_is_fresh() -> None:
    def said(entries: Iterable[polib.POEntry]) -> dict[String, tuple[str, dict[int, str]]]:
        return {(e.msgctxt, e.msgid): (e.msgstr, e.msgstr_plural) for e in entries if not e.obsolete}

    assert said(polib.mofile(str(CATALOGUE.with_suffix(".mo")))) == said(polib.pofile(str(CATALOGUE)))


def test_chinese_is_what_a_chinese_reader_gets() -> None:
    with override("zh-hans"):
        assert gettext("Submit") == "提交"
