"""The filters of the items page: every name and every value comes from a list that we made."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.annotation.models import Task
from apps.common.errors import InvalidInput
from apps.content import search
from apps.content.models import Split
from apps.explore import area
from apps.explore.list_queries import Listing
from apps.explore.list_sql import ANY, ORDERS, Filters, Range
from apps.projects.access import Capability
from apps.projects.models import Project
from apps.registry.queries import live_version

UNLABELLED, LABELLED = "none", "some"
ONLY, WITH = "only", "with"
MOST_IMPORTS = 100
SORTS = {
    "": _("newest first"),
    "oldest": _("oldest first"),
    "unsure": _("least sure first"),
    "margin": _("smallest margin first"),
    "agreement": _("lowest agreement first"),
}


def _share(label: Any) -> forms.FloatField:
    widget = forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"})
    return forms.FloatField(label=label, required=False, min_value=0, max_value=1, widget=widget)


def _day(label: Any) -> forms.DateField:
    return forms.DateField(label=label, required=False, widget=forms.DateInput(attrs={"type": "date"}))


class ItemFilter(forms.Form):
    """Addresses of lists hold what was filled in and nothing else, so they can be sent and kept."""

    q = forms.CharField(label=_("Text contains"), required=False, max_length=200)
    truth = forms.ChoiceField(label=_("Label"), required=False)
    sort = forms.ChoiceField(label=_("Order"), required=False, choices=list(SORTS.items()))
    group = forms.ChoiceField(label=_("Label group"), required=False)
    predicted = forms.ChoiceField(label=_("The model says"), required=False)
    version = forms.ChoiceField(label=_("Model version"), required=False)
    against = forms.ChoiceField(label=_("It changed its answer from"), required=False)
    sure_min, sure_max = _share(_("Confidence from")), _share(_("Confidence up to"))
    margin_min, margin_max = _share(_("Margin from")), _share(_("Margin up to"))
    reason = forms.ChoiceField(label=_("Asked because"), required=False)
    annotator = forms.ChoiceField(label=_("Somebody who labelled it"), required=False)
    agree_min, agree_max = _share(_("Agreement from")), _share(_("Agreement up to"))
    since, until = _day(_("Came in since")), _day(_("Came in until"))
    decided_since, decided_until = _day(_("Label given since")), _day(_("Label given until"))
    source = forms.ChoiceField(label=_("Import"), required=False)
    language = forms.CharField(label=_("Language"), required=False, max_length=10)
    meta = forms.CharField(
        label=_("Field of the data"),
        required=False,
        max_length=400,
        widget=forms.TextInput(attrs={"placeholder": _("channel = app")}),
    )
    split = forms.ChoiceField(
        label=pgettext_lazy("pool or hold-out", "Part"), required=False, choices=[("", _("any")), *Split.choices]
    )
    archived = forms.ChoiceField(
        label=_("Archived items"),
        required=False,
        choices=[("", _("left out")), (WITH, _("shown too")), (ONLY, _("only those"))],
    )
    flagged = forms.BooleanField(label=_("flagged"), required=False)
    undecided = forms.BooleanField(label=_("somebody could not decide"), required=False)
    disputed = forms.BooleanField(label=_("people disagree or a reviewer has to decide"), required=False)
    gold = forms.BooleanField(label=_("gold item"), required=False)
    feedback = forms.BooleanField(label=_("users gave feedback"), required=False)
    area = forms.CharField(required=False, max_length=8_000, widget=forms.HiddenInput)

    FIRST = ("q", "truth", "sort")
    MODEL = ("predicted", "version", "against", "sure_min", "sure_max", "margin_min", "margin_max")
    PEOPLE = ("group", "annotator", "reason", "agree_min", "agree_max", "decided_since", "decided_until")
    CONTENT = ("since", "until", "source", "language", "meta", "split", "archived")
    # drawn as one: from … to …
    PAIRS = {
        "sure_min": ("sure_max", _("Confidence")),
        "margin_min": ("margin_max", _("Margin")),
        "agree_min": ("agree_max", _("Agreement")),
        "since": ("until", _("Came in")),
        "decided_since": ("decided_until", _("Label given")),
    }
    MARKS = ("flagged", "undecided", "disputed", "gold", "feedback")

    def __init__(self, project: Project, can: frozenset[Capability], given: Any) -> None:
        super().__init__(given, auto_id="filter-%s")
        self.project = project
        self.every_label = list(project.labels.all())
        self.labels = [label for label in self.every_label if label.archived_at is None]
        self.versions = list(project.versions.only("number", "project", "kind").order_by("-number"))
        labels = [(str(label.pk), label.name) for label in self.labels]
        versions = [(str(version.number), str(version)) for version in self.versions]
        groups = sorted({label.group for label in self.labels if label.group})
        truths = [("", _("any or none")), (UNLABELLED, _("not labelled yet")), (LABELLED, _("labelled"))]
        self._choose("truth", [*truths, *labels])
        self._choose("group", [("", _("any")), *((group, group) for group in groups)])
        self._choose("predicted", [("", _("anything")), *labels])
        self._choose("version", [("", _("the one that serves")), *versions])
        self._choose("against", [("", _("none")), *versions])
        self._choose("annotator", [("", _("anybody")), *_people(project)])
        self._choose("source", [("", _("any")), *_imports(project)])
        reasons = [one for one in Task.Reason.choices if one[0] != Task.Reason.GOLD or Capability.REVIEW in can]
        self._choose("reason", [("", _("any reason")), *reasons])
        if not groups:
            del self.fields["group"]
        if not versions:
            self._choose("sort", [each for each in SORTS.items() if each[0] not in {"unsure", "margin"}])
        # who labels is not told which items measure them, and complaints are for those who triage
        if Capability.REVIEW not in can:
            del self.fields["gold"]
        if Capability.TRIAGE not in can:
            del self.fields["feedback"]

    def _choose(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = choices

    # --- what was asked for ---

    def clean_q(self) -> str:
        return str(self._tried("q", search.parse))

    def clean_area(self) -> str:
        self._among: tuple[int, ...] | None = None
        if given := self.cleaned_data["area"]:
            self._among = tuple(self._tried("area", lambda typed: area.items_in(self.project, typed), given))
        return str(given)

    def _tried(self, name: str, check: Callable[[str], Any], given: str | None = None) -> Any:
        typed = self.cleaned_data[name].strip() if given is None else given
        try:
            found = check(typed) if typed else typed
        except InvalidInput as error:
            raise forms.ValidationError(str(error)) from error
        return typed if given is None else found

    def clean_meta(self) -> str:
        given: str = self.cleaned_data["meta"].strip()
        name, equals, value = given.partition("=")
        if given and not (name.strip() and equals and value.strip()):
            raise forms.ValidationError(_("Write the field's name, =, and its value, for example channel = app."))
        return given

    @cached_property
    def shown_version(self) -> int | None:
        """Id of the version whose answers stand beside the items: the chosen one, or the one that serves."""
        numbers = {str(version.number): version.pk for version in self.versions}
        if chosen := self.cleaned_data.get("version"):
            return numbers[chosen]
        live = live_version(self.project)
        return live.pk if live else (self.versions[0].pk if self.versions else None)

    @cached_property
    def filters(self) -> Filters:
        data = {name: self.cleaned_data.get(name) for name in ItemFilter.base_fields}
        truth, meta = data["truth"] or "", data["meta"] or ""
        name, _equals, value = meta.partition("=")
        numbers = {str(version.number): version.pk for version in self.versions}
        return Filters(
            q=data["q"] or "",
            labelled={UNLABELLED: False, LABELLED: True}.get(truth),
            label=int(truth) if truth.isdecimal() else None,
            group=self._group(data["group"] or ""),
            version=self.shown_version,
            predicted=_number(data["predicted"]),
            against=numbers.get(data["against"] or ""),
            confidence=_range(data["sure_min"], data["sure_max"]),
            margin=_range(data["margin_min"], data["margin_max"]),
            reason=data["reason"] or "",
            annotator=_number(data["annotator"]),
            came=(_start(data["since"]), _start(data["until"], after=1)),
            decided=(_start(data["decided_since"]), _start(data["decided_until"], after=1)),
            source=_number(data["source"]),
            language=(data["language"] or "").strip(),
            meta=(name.strip(), value.strip()) if meta else None,
            agreement=_range(data["agree_min"], data["agree_max"]),
            split=data["split"] or "",
            archived=data["archived"] or "",
            among=self._among,
            **{mark: bool(data[mark]) for mark in self.MARKS},
        )

    def _group(self, name: str) -> tuple[int, ...]:
        return tuple(label.pk for label in self.labels if label.group == name) if name else ()

    @cached_property
    def listing(self) -> Listing:
        sort = self.cleaned_data["sort"]
        return Listing(self.filters, sort if sort in ORDERS else "newest")

    # --- the address ---

    @property
    def chosen(self) -> dict[str, str]:
        """What was filled in, as it was typed."""
        given = {name: str(self.data.get(name, "")).strip() for name in self.fields}
        return {name: value for name, value in given.items() if value}

    @property
    def query(self) -> str:
        return urlencode(self.chosen)

    @property
    def active(self) -> list[tuple[str, str, str]]:
        """Each filter that is on: its name, its value in words, and the address of the list without it."""
        found = []
        for name, value in self.chosen.items():
            if name == "sort":
                continue
            field = self.fields[name]
            words = _words(field, value)
            label = _("Area of the map") if name == "area" else field.label
            shown = "" if isinstance(field, forms.BooleanField) or name == "area" else str(words)
            rest = {other: kept for other, kept in self.chosen.items() if other != name}
            found.append((str(label), shown, urlencode(rest)))
        return found

    def part(self, names: tuple[str, ...]) -> list[forms.BoundField]:
        return [self[name] for name in names if name in self.fields]

    @property
    def parts(self) -> list[tuple[Any, list[tuple[forms.BoundField, forms.BoundField | None, Any]]]]:
        """Heading and fields; of two that belong together the second, and what both are about."""
        on = set(self.chosen) | set(self.errors)
        headings = ((_("The model"), self.MODEL), (_("People"), self.PEOPLE), (_("Content"), self.CONTENT))
        ends = {end for end, _words in self.PAIRS.values()}
        found = []
        for words, names in headings:
            if names == self.MODEL and not self.versions and not on & set(names):
                continue
            fields = [name for name in names if name in self.fields and name not in ends]
            found.append((words, [self._pair(name) for name in fields]))
        return found

    def _pair(self, name: str) -> tuple[forms.BoundField, forms.BoundField | None, Any]:
        if name not in self.PAIRS:
            return self[name], None, ""
        end, words = self.PAIRS[name]
        return self[name], self[end], words

    @property
    def first(self) -> list[forms.BoundField]:
        return self.part(self.FIRST)

    @property
    def marks(self) -> list[forms.BoundField]:
        return self.part(self.MARKS)

    @property
    def more(self) -> bool:
        """What is on stands above the list in words; only what has to be mended is opened."""
        return bool(set(self.errors) - {*self.FIRST, "area"})


def _people(project: Project) -> list[tuple[str, str]]:
    members = project.memberships.select_related("user").order_by("user__name", "user__email")
    return [(str(member.user_id), str(member.user)) for member in members]


def _imports(project: Project) -> list[tuple[str, str]]:
    newest = project.imports.order_by("-pk").values_list("pk", "filename", "created_at")[:MOST_IMPORTS]
    return [
        (str(pk), f"{name} · {date_format(timezone.localtime(at), 'SHORT_DATE_FORMAT')}") for pk, name, at in newest
    ]


def _number(given: Any) -> int | None:
    return int(given) if given else None


def _range(low: float | None, high: float | None) -> Range:
    return (low, high) if (low, high) != ANY else ANY


def _start(day: date | None, *, after: int = 0) -> datetime | None:
    """Of the day, or of the day after it."""
    if day is None:
        return None
    try:
        return timezone.make_aware(datetime(day.year, day.month, day.day) + timedelta(days=after))
    except OverflowError:
        return None


def _words(field: forms.Field, value: str) -> str:
    """What a person chose, as the form says it."""
    named = field.choices if isinstance(field, forms.ChoiceField) else ()
    return next((str(words) for key, words in list(named) if str(key) == value), value)  # type: ignore[arg-type]
